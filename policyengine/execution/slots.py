"""Places for steps under way, shared fairly: a queue for each subscription, and the emptiest goes first.

Each subscription has a budget of its own at the service, so a thousand clusters of one must not keep those of
another waiting. Belongs to one event loop.
INVARIANT: no more places are taken than there are, and none is free while somebody waits.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class FairSlots:
    """``total`` places; within one queue, first come, first served."""

    def __init__(self, total: int) -> None:
        self._free = total
        self._taken: Counter[str] = Counter()
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}

    @asynccontextmanager
    async def place(self, queue: str) -> AsyncIterator[None]:
        """A place, as soon as it is this queue's turn."""
        await self._take(queue)
        try:
            yield
        finally:
            self._taken[queue] -= 1
            self._free += 1
            self._hand_on()

    async def _take(self, queue: str) -> None:
        if self._free:
            self._free -= 1
            self._taken[queue] += 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(queue, deque()).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # it got its place and cannot use it any more
                self._taken[queue] -= 1
                self._free += 1
                self._hand_on()
            raise

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
