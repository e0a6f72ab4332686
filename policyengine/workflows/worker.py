"""The other end of a process that judges: a brief goes in with a shard, what was found comes back, both packed.

A pipe takes little at a time, and whoever reads it may be judging and look up only every few milliseconds; what was
found is mostly runs of the same byte. Imports the program only once asked to, for a process must first learn to leave
signals alone.
"""

from __future__ import annotations

import gc
import os
import pickle
import signal
import threading
import zlib
from functools import lru_cache
from multiprocessing import parent_process
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from policyengine.workflows.shards import Brief, Judged, Refused
    from policyengine.workflows.work import Shard


def enter() -> None:
    """Ctrl-C reaches the whole group; only the parent answers it. Without a parent there is nobody to judge for."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    gc.disable()
    import policyengine.workflows.shards  # noqa: F401  what it makes stays: no use in looking for cycles

    gc.enable()


def _leave_with_parent() -> None:
    """A parent that is killed cannot tell its workers, which would wait for the next shard for ever."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def packed(value: Brief | Judged | Refused) -> bytes:
    return zlib.compress(pickle.dumps(value, pickle.HIGHEST_PROTOCOL), 1)


def judge_packed(brief: bytes, shard: Shard) -> bytes:
    """A `Judged` or `Refused`, packed."""
    from policyengine.workflows.shards import judge_shard

    return packed(judge_shard(_brief(brief), shard))


def unpacked(value: bytes) -> Any:
    """Of processes that we ask ourselves."""
    return pickle.loads(zlib.decompress(value))


@lru_cache(maxsize=1)
def _brief(value: bytes) -> Brief:
    brief: Brief = unpacked(value)
    return brief
