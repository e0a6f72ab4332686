"""What has fired, remembered so that an instant fires once, whatever restarts and whoever else runs."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Protocol, TypeAlias

NextFire: TypeAlias = Callable[[datetime], datetime]
"""A schedule as a function: an instant → the first fire after it."""


class FireLog(Protocol):
    """The memory of fires; the store is one. UNIQUE(schedule, fire time) makes `record_fire` the arbiter."""

    def record_fire(self, schedule: str, fire_time: datetime) -> bool: ...

    def last_fire(self, schedule: str, *, until: datetime) -> datetime | None: ...


def claim(fires: FireLog, schedule: str, at: datetime) -> bool:
    """True for exactly one caller per (schedule, instant)."""
    return fires.record_fire(schedule, at)


def first_fire(since: datetime, now: datetime, next_fire: NextFire) -> datetime:
    """When a schedule fires first after a start, having been attended to until ``since``.

    An instant that passed while nobody ran comes back as it is, in the past: it is due at once. Of several the
    latest comes back: it stands for all that were missed, so that the next start finds none of them.
    """
    due = next_fire(since)
    return due if due > now else _latest(now, next_fire)


def _latest(now: datetime, next_fire: NextFire) -> datetime:
    """The last fire up to ``now``; there must be one."""
    reach = timedelta(minutes=1)
    while (found := next_fire(now - reach)) > now:
        reach *= 2
    while (later := next_fire(found)) <= now:
        found = later
    return found
