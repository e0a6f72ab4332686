"""A clock that passes when told to, and a store that remembers fires."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from policyengine.store.store import Store


class ManualClock:
    """Stands still until it is set.

    APScheduler waits by the machine's clock: instants before now are due at once, those after it never come.
    """

    def __init__(self, instant: datetime) -> None:
        self.instant = instant

    def now(self) -> datetime:
        return self.instant

    def pass_(self, **units: float) -> None:
        self.instant += timedelta(**units)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(datetime.now(UTC).replace(microsecond=0))


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/policyengine.db"


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    with Store.open(url) as opened:
        yield opened
