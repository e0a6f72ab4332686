"""An event loop in which waiting takes no time: when nothing else is left to do, its clock jumps to what is due next.

For code that speaks to an application in its own process. Everything then happens in one thread, in an order that
depends on the code alone, at instants that depend on the waits alone: the same run twice is the same run.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar

START: Final = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
"""The instant at which every loop begins."""

T = TypeVar("T")


class _Impatient(selectors.DefaultSelector):
    """Never waits, but notes how long it was asked to."""

    def __init__(self) -> None:
        super().__init__()
        self.elapsed = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            return super().select(None)
        ready = super().select(0)
        if not ready:
            self.elapsed += max(0.0, timeout)
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """Its time begins at 0 and passes only while everybody waits."""

    def __init__(self) -> None:
        self._impatient = _Impatient()
        super().__init__(self._impatient)

    def time(self) -> float:
        return self._impatient.elapsed


class VirtualClock:
    """The wall clock of whoever lives in the loop; a Clock. Outside of any loop it stands at START."""

    def now(self) -> datetime:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return START
        return START + timedelta(seconds=loop.time())


def run(main: Coroutine[Any, Any, T]) -> T:
    """Like `asyncio.run`, in no time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)
