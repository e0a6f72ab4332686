"""The stage for the demo: the emulator with the sample fleet, and settings that point at it. Leaves nothing behind."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from policyengine.emulator import Emulator, RunningEmulator
from policyengine.errors import InventoryError
from policyengine.inventory.fleet_text import parse_fleet_text
from policyengine.model.fleet import FleetFile
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
    """The fleet file with its simulations and faults. Raises InventoryError, with line and column."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise InventoryError(f"`{path}` cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InventoryError(f"`{path}` is not UTF-8: byte {error.start + 1}") from error
    return parse_fleet_text(text, str(path))
