"""What will happen, in order. Nothing runs by itself: due events run when somebody looks at the state.

So no thread belongs to a cluster, and a frozen clock freezes everything.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta

Action = Callable[[datetime], None]
"""Called with the instant it was due, which may lie before the instant it runs."""


class Timeline:
    def __init__(self) -> None:
        self._events: list[tuple[datetime, int, Action]] = []
        self._planned = 0
        self.ran = 0
        """How many have run."""

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
            action(due)
