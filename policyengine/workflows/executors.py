"""Shards → what was found of each, in this process, in several processes or on a Dask cluster.

Answers come in no order. A worker that is lost costs the shards it was judging, which are judged once more.

Of several processes this one is the first: it has read the policies already, so it judges from the first moment while
the others start, and whenever it has nothing to enter.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import re
import threading
from collections import Counter, deque
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from concurrent.futures import BrokenExecutor, Executor, ProcessPoolExecutor
from contextlib import aclosing, nullcontext
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from traceback import walk_tb
from typing import Any, Final

from policyengine.errors import StoreError, UsageError
from policyengine.workflows.cycles import settled
from policyengine.workflows.shards import Brief, Desk, Judged, Refused
from policyengine.workflows.work import Shard, evened
from policyengine.workflows.worker import enter, judge_packed, packed, unpacked

AUTO: Final = "auto"
INLINE: Final = "inline"
PROCESSES: Final = "processes"
DASK: Final = "dask://"

_SCHEDULER: Final = re.compile(r"(\[[^\]]+\]|[^/:\s]+):\d{1,5}")

WORKERS_WITHIN_S: Final = 30
"""So long a Dask scheduler may be without workers, who may be starting."""

POOL_FROM: Final = 20_000
"""Clusters from which on more processes are worth their start."""

UNDER_WAY: Final = 3
"""Shards that a worker has at most, so that answers do not pile up: whoever hands out the next may be judging."""

TRIES: Final = 3
"""How often a shard may cost a worker before it is held to be its fault."""


def demand_executor(name: str) -> None:
    """Raises UsageError for an executor there is not, or that cannot be had here."""
    if name not in {AUTO, INLINE, PROCESSES} and not name.startswith(DASK):
        raise UsageError(
            f"there is no executor `{name}`", help=f"choose {AUTO}, {INLINE}, {PROCESSES} or {DASK}HOST:PORT"
        )
    if name.startswith(DASK) and _SCHEDULER.fullmatch(name.removeprefix(DASK)) is None:
        raise UsageError(
            f"`{name}` is no address of a Dask scheduler", help=f"write {DASK}HOST:PORT, as in {DASK}localhost:8786"
        )
    if name.startswith(DASK) and importlib.util.find_spec("distributed") is None:
        raise UsageError(
            "Dask needs the package `distributed`, which is not installed",
            help="install it with: pip install 'policyengine-fleet[dask]'",
        )


def workers_here() -> int:
    """The cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def choose(name: str, *, clusters: int, shards: int, workers: int | None) -> str:
    """What `auto` means for so many clusters to judge."""
    if name != AUTO:
        return name
    many = clusters >= POOL_FROM and shards > 1
    return PROCESSES if many and (workers or workers_here()) > 1 else INLINE


async def map_shards(
    executor: str, desk: Desk, brief: Brief, shards: Sequence[Shard], *, workers: int | None = None
) -> AsyncGenerator[Judged, None]:
    """What was found of each shard. Raises UsageError for what a worker refuses, StoreError when workers keep dying.

    Shards that are large may come in several parts.
    """
    if executor == INLINE:
        found = _here(desk, shards)
    elif executor == PROCESSES:
        found = _in_processes(desk, brief, shards, workers or workers_here())
    else:
        found = _on_dask(executor, brief, shards, workers)
    async with aclosing(found):
        async for judged in found:
            yield judged


async def _here(desk: Desk, shards: Iterable[Shard]) -> AsyncGenerator[Judged, None]:
    with settled():
        for shard in shards:
            yield desk.judge(shard)
            await asyncio.sleep(0)  # here a signal can end the scan


async def _in_processes(
    desk: Desk, brief: Brief, shards: Sequence[Shard], workers: int
) -> AsyncGenerator[Judged, None]:
    """A thread beside others leaves all judging to the pool: it would take the time of a service's pages."""
    joins = workers > 1 and threading.current_thread() is threading.main_thread()
    width = workers - 1 if joins else workers
    crew = _Crew(partial(_processes, min(width, len(shards))), brief, width)
    with settled() if joins else nullcontext():
        found = _through(crew, evened(shards, workers), desk if joins else None)
        async with aclosing(found):
            async for judged in found:
                yield judged


def _processes(width: int) -> ProcessPoolExecutor:
    """New processes, not copies of this one: it has threads and open databases."""
    return ProcessPoolExecutor(max(width, 1), mp_context=get_context("spawn"), initializer=enter)


async def _on_dask(
    address: str, brief: Brief, shards: Sequence[Shard], workers: int | None
) -> AsyncGenerator[Judged, None]:
    from distributed import Client

    try:
        client = await asyncio.to_thread(Client, f"tcp://{address.removeprefix(DASK)}", asynchronous=False)
    except OSError as error:
        raise UsageError(
            f"there is no Dask scheduler at `{address}`", help="start one with `dask scheduler`"
        ) from error
    try:
        cluster: Any = client
        if shards:
            await _wait_for_workers(cluster, address)
        width = workers or sum(cluster.nthreads().values()) or 1
        found = _through(_Crew(partial(cluster.get_executor, pure=False, retries=TRIES), brief, width), shards)
        async with aclosing(found):
            async for judged in found:
                yield judged
    finally:
        await asyncio.to_thread(client.close)


async def _wait_for_workers(cluster: Any, address: str) -> None:
    """Without them shards would wait for ever, and nobody would know for what."""
    try:
        await asyncio.to_thread(cluster.wait_for_workers, 1, timeout=WORKERS_WITHIN_S)
    except TimeoutError as error:
        start = f"start some with `dask worker tcp://{address.removeprefix(DASK)}`"
        raise UsageError(f"the Dask scheduler at `{address}` has no workers", help=start) from error


@dataclass(frozen=True)
class _Crew:
    """``width`` workers behind an executor that can be opened anew."""

    open: Callable[[], Executor]
    brief: Brief
    width: int


async def _through(crew: _Crew, shards: Iterable[Shard], desk: Desk | None = None) -> AsyncGenerator[Judged, None]:
    """With a ``desk`` this process judges too while there is no answer to give, but nothing that has cost a worker."""
    waiting, tries, brief = deque(shards), Counter[Shard](), packed(crew.brief)
    while waiting:
        pool = crew.open()
        under_way: dict[asyncio.Future[bytes], Shard] = {}
        try:
            while waiting or under_way:
                while waiting and len(under_way) < UNDER_WAY * crew.width:
                    future = asyncio.wrap_future(pool.submit(judge_packed, brief, waiting[0]))
                    under_way[future] = waiting.popleft()
                free = waiting and waiting[0] not in tries and not any(future.done() for future in under_way)
                if desk is not None and free:
                    yield desk.judge(waiting.popleft())
                    await asyncio.sleep(0)  # answers come in, and a signal can end the scan
                    continue
                done, _ = await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)
                for future in done:
                    if _is_lost(future):
                        lost = under_way.pop(future)
                        _count(tries, [lost])
                        waiting.append(lost)
                        continue
                    judged = _answer(future.result())
                    del under_way[future]
                    yield judged
        except BrokenExecutor as error:
            # a pool that breaks tells all of them, and must not find one that was cancelled: its processes would stay
            await asyncio.gather(*under_way, return_exceptions=True)
            _count(tries, under_way.values(), error)
            waiting.extendleft(under_way.values())  # first again: whoever cannot work is soon found out
        finally:
            for future in under_way:
                future.cancel()
            await asyncio.gather(*under_way, return_exceptions=True)
            await asyncio.to_thread(pool.shutdown, wait=True)


def _is_lost(future: asyncio.Future[bytes]) -> bool:
    """Whether a Dask cluster gave it up, or stumbled over an answer that went with its worker while it was fetched."""
    if future.cancelled():
        return True
    error = future.exception()
    frames = [frame for frame, _ in walk_tb(error.__traceback__)] if error is not None else []
    return bool(frames) and frames[-1].f_globals["__name__"] == "distributed.cfexecutor"


def _count(tries: Counter[Shard], lost: Iterable[Shard], error: BaseException | None = None) -> None:
    tries.update(lost)
    if max(tries.values(), default=0) >= TRIES:
        raise StoreError(
            "the processes that judge clusters keep dying", help="give them more memory, or fewer `--workers`"
        ) from error


def _answer(packed: bytes) -> Judged:
    answer: Judged | Refused = unpacked(packed)
    if isinstance(answer, Refused):
        raise UsageError(answer.message, help=answer.help)
    return answer
