"""The clusters of one run, as the service showed them a moment ago: read together, and shared while they are fresh.

A step needs its cluster's own document twice: to leave a cluster alone whose agent cannot act, and for what people
decide by its tags. Neither needs the very instant. Whether an agent can act is the service's own guess from the last
heartbeat (up to 15 minutes old), and what is written to one that has just gone offline waits there for it, up to 48
hours. And whatever is looked at before a write, the write may have to wait for its budget: a look is good for
`FRESH_FOR` there too. What must be of the instant, the object itself, is not kept here.

INVARIANT: nobody is given a document older than `FRESH_FOR`, nor one from before this run wrote to the cluster
itself. A step is skipped only for what was read for it alone: whoever would say no asks `read`.
Source: GitOps behaviour G39 and G40; configuration API §6 and §8.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from policyengine.arm.client import ArmClient
from policyengine.arm.throttle import WaitListener
from policyengine.clock import Clock
from policyengine.errors import ArmError
from policyengine.execution.live_object import Document, as_object
from policyengine.inventory.listing import version_of
from policyengine.model.ids import ResourceId
from policyengine.model.resource import Cluster, Resource
from policyengine.model.values import get_folded

FRESH_FOR: Final = timedelta(seconds=30)
"""How old a shared document may be, counted from before it was asked for."""

WORTH_LISTING: Final = 10
"""With so many clusters of one resource group still to come, the group is listed instead: it holds at most 800 of a
type, so that is hardly ever more reads, and mostly one or two."""

_PAGE: Final = 100


@dataclass(slots=True)
class _Group:
    """One type of cluster in one resource group: what is listed together.

    ``served`` looks were answered by the last listing, which took about ``cost`` reads.
    """

    to_come: Counter[ResourceId] = field(default_factory=Counter)
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    served: int = 0
    cost: int = 0
    is_refused: bool = False

    @property
    def is_worth_listing(self) -> bool:
        return len(self.to_come) >= WORTH_LISTING and not self.is_refused and self.served >= self.cost

    def comes(self, id: ResourceId) -> None:
        self.to_come[id] -= 1
        if self.to_come[id] <= 0:
            del self.to_come[id]


class Clusters:
    """``ids`` are the clusters that will be asked for, once for each time. Belongs to one event loop."""

    def __init__(self, arm: ArmClient, clock: Clock, ids: Iterable[ResourceId]) -> None:
        self._arm = arm
        self._clock = clock
        self._groups: dict[str, _Group] = {}
        for id in ids:
            self._group(id).to_come[id] += 1
        self._seen: dict[ResourceId, tuple[Document, datetime]] = {}
        """In the order they were seen."""
        self._written: dict[ResourceId, datetime] = {}

    async def look(self, id: ResourceId, on_wait: WaitListener) -> tuple[Cluster, bool]:
        """The cluster, and whether it was read for this very question. Raises ArmNotFound when it is gone."""
        group = self._group(id)
        async with group.lock:
            if self._fresh(id) is None and group.is_worth_listing:
                await self._list(id, group, on_wait)
            group.comes(id)
        if (document := self._fresh(id)) is None:
            return await self.read(id, on_wait), True
        group.served += 1
        return Cluster(Resource(id, document)), False

    async def read(self, id: ResourceId, on_wait: WaitListener) -> Cluster:
        """The cluster as it is now. Raises ArmNotFound when it is gone."""
        at = self._clock.now()
        document = as_object(await self._arm.get(id.text, version_of(id.type), on_wait=on_wait), id)
        self._remember(id, document, at)
        return Cluster(Resource(id, document))

    def written(self, id: ResourceId) -> None:
        """The cluster itself is being written to: what was seen of it so far is of no use any more."""
        self._written[id] = self._clock.now()

    def _group(self, id: ResourceId) -> _Group:
        return self._groups.setdefault(id.key.rpartition("/")[0], _Group())

    def _fresh(self, id: ResourceId) -> Document | None:
        document, at = self._seen.get(id, ({}, None))
        if at is None or not timedelta(0) <= self._clock.now() - at < FRESH_FOR:
            return None
        return document if id not in self._written or at > self._written[id] else None

    def _remember(self, id: ResourceId, document: Document, at: datetime) -> None:
        self._seen.pop(id, None)
        self._seen[id] = document, at
        while at - self._seen[oldest := next(iter(self._seen))][1] >= FRESH_FOR:
            del self._seen[oldest]

    async def _list(self, id: ResourceId, group: _Group, on_wait: WaitListener) -> None:
        """Everything in the group; one that may not be listed is not tried again."""
        at, listed = self._clock.now(), 0
        group.served = 0
        try:
            async for document in self._arm.list(
                f"{id.parent}/providers/{id.type}", version_of(id.type), on_wait=on_wait
            ):
                listed += 1
                with suppress(ValueError):
                    found = ResourceId(str(get_folded(document, "id")))
                    if found in group.to_come:
                        self._remember(found, document, at)
        except ArmError:
            group.is_refused = True
        group.cost = 1 + listed // _PAGE
