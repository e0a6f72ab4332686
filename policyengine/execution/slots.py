"""Places for steps that are being sent, shared fairly: a queue for each subscription, and the emptiest goes first.

Each subscription has a budget of its own at the service, so a thousand clusters of one must not keep those of
another waiting. Who only waits for an agent at work leaves the place to others, as far as not too many have done so
already: else those who wait would bound how fast is written. Belongs to one event loop.
INVARIANT: no more places are taken than there are, none is free while somebody waits, and no more than so many are
away.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


@dataclass(slots=True)
class Place:
    """One place, held or left to others."""

    slots: FairSlots
    queue: str
    is_away: bool = field(default=False, init=False)

    def leave(self) -> None:
        """Let others have it from now on; it is kept where too many are away already."""
        if not self.is_away and self.slots.may_leave:
            self.is_away = True
            self.slots.left(self.queue)

    async def back(self) -> None:
        """A place again, before all those of the queue that never had one."""
        if self.is_away:
            await self.slots.take(self.queue, first=True)
            self.is_away = False
            self.slots.away -= 1

    @asynccontextmanager
    async def lent(self) -> AsyncIterator[None]:
        """Left to others for the while. Who does not come through it does not come back."""
        self.leave()
        yield
        await self.back()


class FairSlots:
    """``total`` places; within one queue, first come, first served. ``most_away`` may have left theirs at a time."""

    def __init__(self, total: int, most_away: int = 0) -> None:
        self.away = 0
        self._most_away = most_away
        self._free = total
        self._taken: Counter[str] = Counter()
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}

    @asynccontextmanager
    async def place(self, queue: str) -> AsyncIterator[Place]:
        """A place, as soon as it is this queue's turn."""
        await self.take(queue)
        place = Place(self, queue)
        try:
            yield place
        finally:
            if place.is_away:
                self.away -= 1
            else:
                self._give(queue)

    @property
    def may_leave(self) -> bool:
        return self.away < self._most_away

    def left(self, queue: str) -> None:
        """Somebody goes away and leaves a place of ``queue``."""
        self.away += 1
        self._give(queue)

    async def take(self, queue: str, *, first: bool = False) -> None:
        if self._free:
            self._free -= 1
            self._taken[queue] += 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        turns = self._waiting.setdefault(queue, deque())
        turns.appendleft(turn) if first else turns.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # it got its place and cannot use it any more
                self._give(queue)
            raise

    def _give(self, queue: str) -> None:
        self._taken[queue] -= 1
        self._free += 1
        self._hand_on()

    def _hand_on(self) -> None:
        """Gives free places to whoever waits; of queues with as many places, the one that had its turn longest ago."""
        while self._free and (queue := self._next()) is not None:
            turns = self._waiting.pop(queue)
            turn = turns.popleft()
            if turns:
                self._waiting[queue] = turns
            self._free -= 1
            self._taken[queue] += 1
            turn.set_result(None)

    def _next(self) -> str | None:
        for queue, turns in list(self._waiting.items()):
            while turns and turns[0].done():  # cancelled while it waited
                turns.popleft()
            if not turns:
                del self._waiting[queue]
        return min(self._waiting, key=self._taken.__getitem__, default=None)
