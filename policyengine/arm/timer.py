"""Waiting, as a seam: code that paces itself asks a Timer, so that tests need not sleep."""

from __future__ import annotations

import asyncio
from typing import Protocol


class Timer(Protocol):
    """A monotonic clock in seconds and a way to let them pass."""

    def monotonic(self) -> float: ...

    async def sleep(self, seconds: float) -> None: ...


class LoopTimer:
    """The running event loop's own clock."""

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
