"""How a command ends early, and where the command line crosses from plain code to async, once a command."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, NoReturn, TypeVar

from policyengine.cli.exit_codes import ExitCode

T = TypeVar("T")
STOPS = {signal.SIGINT: ExitCode.INTERRUPTED, signal.SIGTERM: ExitCode.TERMINATED}


def leave(signum: int, frame: FrameType | None) -> NoReturn:  # noqa: ARG001  the signature signals demand
    """A signal handler for plain code: leaves by the usual way out, closing what is open."""
    sys.exit(STOPS[signal.Signals(signum)])


def run(work: Coroutine[Any, Any, T]) -> T:
    """The result of ``work``.

    A signal cancels it at the next place where it waits, so that every task in it ends in order; a second signal ends
    it where it stands. asyncio is imported only by commands that need it.
    """
    import asyncio

    heard: list[int] = []

    async def stoppable() -> T:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None

        def stop(signum: int, frame: FrameType | None) -> None:
            if heard:
                leave(signum, frame)
            heard.append(signum)
            loop.call_soon_threadsafe(task.cancel)

        with _handling(stop):
            return await work

    try:
        return asyncio.run(stoppable())
    except asyncio.CancelledError:
        sys.exit(STOPS[signal.Signals(heard[0])])


@contextmanager
def _handling(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    before = {number: signal.signal(number, handler) for number in STOPS}
    try:
        yield
    finally:
        for number, previous in before.items():
            signal.signal(number, previous)
