"""What will happen, in order. Nothing runs by itself: due events run when somebody looks at the state.

So no thread belongs to a cluster, and a frozen clock freezes everything.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

Action = Callable[[datetime], None]
"""Called with the instant it was due, which may lie before the instant it runs."""
Event: TypeAlias = tuple[datetime, int, Action]
"""When it is due, its place among those due then, and what it does."""


class Timeline:
    def __init__(self) -> None:
        self._events: list[Event] = []
        self._planned = 0
        self.ran = 0
        """How many have run."""
        self.reached = datetime.min.replace(tzinfo=UTC)
        """The instant that has come: that of the event which runs, else the last one that was asked for."""

    def at(self, due: datetime, action: Action) -> None:
        """Events due at one instant run in the order they were planned."""
        self._planned += 1
        heapq.heappush(self._events, (due, self._planned, action))

    def after(self, now: datetime, delay: timedelta, action: Action) -> None:
        """What is due after the end of the calendar is never due."""
        with suppress(OverflowError):
            self.at(now + delay, action)

    def run_until(self, now: datetime) -> None:
        """Run everything due up to and including ``now``, what those events plan in turn included."""
        while self._events and self._events[0][0] <= now:
            due, _, action = heapq.heappop(self._events)
            self.ran += 1
            self.reached = due
            action(due)
        self.reached = now

    @contextmanager
    def apart(self, events: list[Event]) -> Iterator[None]:
        """What is planned inside is put to ``events``, and these alone are run: what others wait for stands still."""
        own = self._events, self.ran, self.reached
        self._events = events
        try:
            yield
        finally:
            self._events, self.ran, self.reached = own

    def join(self, events: Iterable[Event]) -> None:
        """Wait for what was planned apart as for everything else."""
        for event in events:
            heapq.heappush(self._events, event)
