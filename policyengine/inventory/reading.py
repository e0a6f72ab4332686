"""A fleet as its source tells it: batch after batch, so that nobody ever has to hold it whole."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Final

from policyengine.model.fleet import Fleet
from policyengine.model.resource import Cluster
from policyengine.model.scope import ScopeTree

BATCH: Final = 1000
"""Clusters taken at a time: as parsed documents some 20 MB, more of which only makes Python's collector slower."""

Batch = tuple[Cluster, ...]
Told = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Reading:
    """``batches`` have every cluster once, in id order from the first batch to the last.

    Once all have been taken, ``rest`` has the fleet without its clusters: the tree, and what could not be read.
    ``tree`` is what is known before of what stands above them. ``lags``: the source follows the clusters by seconds or
    minutes.
    """

    batches: AsyncGenerator[Batch, None]
    rest: Callable[[], Fleet]
    tree: ScopeTree = field(default_factory=ScopeTree)
    lags: bool = False


def whole(fleet: Fleet, told: Told | None = None) -> Reading:
    """A fleet that is in memory already."""
    rest = replace(fleet, clusters=())
    return Reading(batched(iter(fleet.clusters), len(fleet.clusters), told), lambda: rest, fleet.tree, fleet.lags)


async def batched(clusters: Iterator[Cluster], total: int, told: Told | None) -> AsyncGenerator[Batch, None]:
    """Clusters as they are made, away from the event loop; ``told`` hears of those that were dealt with."""
    done = 0
    while batch := await asyncio.to_thread(_next, clusters):
        yield batch
        done += len(batch)
        if told is not None:
            told(done, total)


def _next(clusters: Iterable[Cluster]) -> Batch:
    return tuple(islice(clusters, BATCH))


async def collected(reading: Reading) -> Fleet:
    """All of it in memory."""
    async with aclosing(reading.batches) as batches:
        clusters = [cluster async for batch in batches for cluster in batch]
    return replace(reading.rest(), clusters=tuple(clusters))
