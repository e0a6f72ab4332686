"""Where the command line crosses from plain code to async, once a command."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


def run(work: Coroutine[Any, Any, T]) -> T:
    """The result of ``work``; asyncio is imported only by commands that need it."""
    import asyncio

    return asyncio.run(work)
