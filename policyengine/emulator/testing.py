"""For tests of your own: an emulator in the test's process, on a free port, whose clock stands still.

In `conftest.py`, `pytest_plugins = ["policyengine.emulator.testing"]` brings the fixture `policyengine_emulator`; a
fixture `policyengine_fleet` beside it says what is there in the beginning.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import pytest

from policyengine.clock import Clock
from policyengine.emulator.emulator import Emulator
from policyengine.emulator.server import RunningEmulator
from policyengine.emulator.settings import Settings
from policyengine.model.fleet import FleetFile, parse_fleet
from policyengine.model.synthetic import SyntheticFleet
from policyengine.model.values import JSON

AnyFleet = FleetFile | SyntheticFleet | Mapping[str, JSON] | str | None


@contextmanager
def emulated(
    fleet: AnyFleet = None, *, clock: str = "frozen", settings: Settings | None = None, wall: Clock | None = None
) -> Iterator[RunningEmulator]:
    """Inside the `with`, ``url`` answers, and ``emulator`` is its Python face.

    ``fleet`` is a fleet, the value of a `kind: Fleet` document, or the size of a synthetic one (`1000?seed=7`).
    Raises InventoryError for one that cannot be used.
    """
    if isinstance(fleet, str):
        fleet = SyntheticFleet.parse(fleet)
    elif isinstance(fleet, Mapping):
        fleet = parse_fleet(fleet)
    with RunningEmulator(Emulator(fleet, clock=clock, settings=settings, wall=wall)) as running:
        yield running


@pytest.fixture
def policyengine_fleet() -> AnyFleet:
    """Nothing at all; a fixture of the same name, nearer to the test, says otherwise."""
    return None


@pytest.fixture
def policyengine_emulator(policyengine_fleet: AnyFleet) -> Iterator[RunningEmulator]:
    """An emulator of this test alone, with the fleet of ``policyengine_fleet``."""
    with emulated(policyengine_fleet) as running:
        yield running


__all__ = ["AnyFleet", "emulated", "policyengine_emulator", "policyengine_fleet"]
