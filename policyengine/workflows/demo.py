"""The stage for the demo: the emulator with the sample fleet, and settings that point at it. Leaves nothing behind."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from policyengine.emulator import Emulator, RunningEmulator
from policyengine.errors import InventoryError
from policyengine.model.fleet import FleetFile, parse_fleet
from policyengine.text.reader import read, to_value
from policyengine.workflows.data import data_root
from policyengine.workflows.settings import ArmSettings, Settings


@dataclass(frozen=True)
class Stage:
    settings: Settings
    fleet: FleetFile
    url: str


@contextmanager
def stage(*, clock: str = "x60") -> Iterator[Stage]:
    """The sample fleet served on a free port, an empty database in a folder of its own."""
    fleet = load_fleet(sample_fleet())
    with (
        TemporaryDirectory(prefix="policyengine-demo-") as folder,
        RunningEmulator(Emulator(fleet, clock=clock)) as running,
    ):
        settings = Settings(
            policies=["library:", "samples:"],
            database=f"sqlite:///{folder}/demo.db",
            arm=ArmSettings(endpoint=running.url, credential="emulator"),
        )
        yield Stage(settings, fleet, running.url)


def sample_fleet() -> Path:
    return data_root() / "samples" / "fleet.yaml"


def load_fleet(path: Path) -> FleetFile:
    """The fleet file with its simulations and faults. Raises InventoryError or PolicyError."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise InventoryError(f"`{path}` cannot be read: {error.strerror}") from error
    documents = read(text, str(path))
    if len(documents) != 1:
        raise InventoryError(f"`{path}` must hold one document, `kind: Fleet`")
    return parse_fleet(to_value(documents[0]))
