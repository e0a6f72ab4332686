"""The live fleet, listed through Resource Manager.

INVARIANT: what could not be read is a failure with its scope; it never makes a smaller fleet that looks whole.
A cluster whose children could not be read is left out as well, since "no extension" would be a lie.
Source: configuration API §1, §8 and §10.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from policyengine.errors import ArmNotAuthorized, ArmNotFound, PolicyEngineError
from policyengine.inventory.containers import (
    parent_group,
    read_management_group,
    read_resource_group,
    read_subscription,
)
from policyengine.inventory.listing import API_VERSIONS, Document, is_gone, list_documents
from policyengine.inventory.reading import BATCH, Batch, Reading
from policyengine.inventory.related import Related, Wanted, nothing
from policyengine.model.fleet import Fleet, ScopeFailure, assemble
from policyengine.model.ids import ResourceId
from policyengine.model.resource import AKS, ARC, EXTENSIONS, FLUX_CONFIGURATIONS, Cluster
from policyengine.model.scope import ManagementGroup, ResourceGroup, ScopeTree
from policyengine.model.values import get_folded

if TYPE_CHECKING:
    from policyengine.arm.client import ArmClient

ToldGroups = tuple[list[ManagementGroup], Mapping[str, str]]
"""Management groups in id order, and for each subscription or group (folded) the group right above it."""

ProgressListener = Callable[[int, int], None]
"""Told how many clusters have been read, of how many found so far."""

_GROUPS: Final = "/providers/Microsoft.Management/managementGroups"
_AT_ONCE: Final = 8  # clusters of one subscription
SUBSCRIPTIONS_AT_ONCE: Final = 12
_GONE: Final = frozenset({"deleted"})


@dataclass(slots=True)
class Progress:
    """Counts clusters for somebody who watches."""

    listener: ProgressListener | None
    done: int = 0
    total: int = 0

    def found(self, count: int) -> None:
        self.total += count
        self._tell()

    def read(self, count: int = 1) -> None:
        self.done += count
        self._tell()

    def _tell(self) -> None:
        if self.listener is not None:
            self.listener(self.done, self.total)


@dataclass(slots=True)
class Found:
    """What one subscription holds; once it is read, clusters in id order."""

    groups: list[ResourceGroup] = field(default_factory=list)
    clusters: list[Cluster] = field(default_factory=list)
    failures: list[ScopeFailure] = field(default_factory=list)

    def fail(self, scope: ResourceId, error: PolicyEngineError) -> None:
        self.failures.append(ScopeFailure(scope, error.told))


async def open_resource_manager(
    arm: ArmClient, *, wanted: Wanted = nothing, on_progress: ProgressListener | None = None
) -> Reading:
    """Every cluster this identity can see, with what is on it, some subscriptions at a time.

    Raises ArmError when not even the subscriptions can be listed, InventoryError for answers that make no sense.
    """
    visible = await visible_subscriptions(arm)
    gathered = Gathered(await management_groups(arm), visible)
    related = Related(arm, wanted, gathered.tree)
    batches = listed(related, gathered, in_order(visible.live), Progress(on_progress))
    return Reading(batches, lambda: gathered.rest(related.failures), gathered.tree)


async def listed(
    related: Related, gathered: Gathered, subscriptions: Iterable[ResourceId], progress: Progress
) -> AsyncGenerator[Batch, None]:
    """The clusters of the subscriptions, as they are listed; what else they hold is ``gathered``."""
    async with aclosing(list_in_order(related.arm, subscriptions, progress)) as parts:
        async for found in parts:
            gathered.add(found)
            for batch in slices(found.clusters):
                yield await related.on(batch)


def in_order(subscriptions: Iterable[ResourceId]) -> list[ResourceId]:
    """As the ids of what is below them follow each other."""
    return sorted(subscriptions, key=lambda subscription: f"{subscription.key}/")


def slices(clusters: Sequence[Cluster]) -> Iterator[Batch]:
    return (tuple(clusters[at : at + BATCH]) for at in range(0, len(clusters), BATCH))


@dataclass(frozen=True, slots=True)
class Visible:
    """The subscriptions an identity is shown, as documents in id order; ``live`` are those that still exist."""

    documents: tuple[Document, ...]
    live: tuple[ResourceId, ...]


async def visible_subscriptions(arm: ArmClient) -> Visible:
    listed = await list_documents(arm, "/subscriptions", API_VERSIONS["subscriptions"])
    documents = sorted(listed, key=lambda d: read_subscription(d, None).id)
    # A deleted subscription stays listed for a while: that is how its clusters are known to be gone.
    live = [d for d in documents if str(get_folded(d, "state") or "").casefold() not in _GONE]
    return Visible(tuple(documents), tuple(read_subscription(d, None).id for d in live))


@dataclass(slots=True)
class Gathered:
    """A fleet without its clusters, while they are read. ``told`` are the management groups, None when not known."""

    told: ToldGroups | None
    visible: Visible
    groups: list[ResourceGroup] = field(default_factory=list)
    failures: list[ScopeFailure] = field(default_factory=list)

    def add(self, found: Found) -> None:
        self.groups += found.groups
        self.failures += found.failures

    @property
    def tree(self) -> ScopeTree:
        groups, above = self.told if self.told is not None else ([], {})
        subscriptions = [
            read_subscription(document, above.get(read_subscription(document, None).subscription_id.casefold()))
            for document in self.visible.documents
        ]
        resource_groups = {group.id: group for group in self.groups}
        in_order = (resource_groups[id] for id in sorted(resource_groups))
        return ScopeTree(tuple(groups), tuple(subscriptions), tuple(in_order))

    def rest(self, more: Iterable[ScopeFailure] = (), *, lags: bool = False, notes: tuple[str, ...] = ()) -> Fleet:
        failures = sorted((*self.failures, *more), key=lambda failure: failure.scope)
        if not self.visible.live:
            failures.append(ScopeFailure(ResourceId("/"), "no subscription is visible to this identity"))
        return Fleet(self.tree, (), tuple(failures), groups_known=self.told is not None, lags=lags, notes=notes)


async def list_in_order(
    arm: ArmClient, subscriptions: Iterable[ResourceId], progress: Progress
) -> AsyncGenerator[Found, None]:
    """What each holds, one after the other, while the next are read: each has a budget of its own.

    So many are held at once, whatever waits for the first of them.
    """
    reading: deque[asyncio.Task[Found]] = deque()
    try:
        for subscription in subscriptions:
            reading.append(asyncio.create_task(list_subscription(arm, subscription, progress)))
            if len(reading) == SUBSCRIPTIONS_AT_ONCE:
                yield await reading.popleft()
        while reading:
            yield await reading.popleft()
    finally:
        for task in reading:
            task.cancel()
        await asyncio.gather(*reading, return_exceptions=True)


async def management_groups(arm: ArmClient) -> ToldGroups | None:
    """The groups in id order, and for each subscription (folded) the group right above it.

    None when they may not be read: the tree above subscriptions is a privilege of its own, and what is not told
    must not look like a tenant without groups.
    """
    version = API_VERSIONS["managementGroups"]
    try:
        groups = [read_management_group(d) for d in await list_documents(arm, _GROUPS, version)]
        below = [await list_documents(arm, f"{_GROUPS}/{g.name}/descendants", version) for g in groups]
    except (ArmNotAuthorized, ArmNotFound):
        return None
    return _tree_of_groups({group.name: documents for group, documents in zip(groups, below, strict=True)}, groups)


def _tree_of_groups(below: Mapping[str, list[Document]], groups: list[ManagementGroup]) -> ToldGroups:
    """From what is anywhere below each group to who stands right above whom.

    A descendant names its parent; where it does not, the lowest group that lists it is the nearest.
    """
    above: dict[str, str] = {}
    for name in sorted(below, key=lambda name: -len(below[name])):
        for document in below[name]:
            above[str(get_folded(document, "name") or "").casefold()] = parent_group(document) or name
    nested = [
        ManagementGroup(group.name, group.display_name, above.get(group.name.casefold(), group.parent))
        for group in groups
    ]
    return sorted(nested, key=lambda group: group.id), above


async def list_subscription(arm: ArmClient, subscription: ResourceId, progress: Progress) -> Found:
    """Everything of one subscription; what cannot be read becomes a failure of it."""
    found = Found()
    try:
        groups = await list_documents(arm, f"{subscription}/resourcegroups", API_VERSIONS["resourceGroups"])
        found.groups = [read_resource_group(group) for group in groups]
    except PolicyEngineError as error:
        found.fail(subscription, error)
    heads: list[Document] = []
    for type in (AKS, ARC):
        try:
            heads += await list_documents(arm, f"{subscription}/providers/{type}", API_VERSIONS[type])
        except PolicyEngineError as error:
            found.fail(subscription, error)
    progress.found(len(heads))
    at_once = asyncio.Semaphore(_AT_ONCE)
    async with asyncio.TaskGroup() as tasks:
        for head in heads:
            tasks.create_task(_read_cluster(arm, head, found, at_once, progress))
    found.clusters.sort(key=lambda cluster: cluster.id)
    return found


async def _read_cluster(
    arm: ArmClient, head: Document, found: Found, at_once: asyncio.Semaphore, progress: Progress
) -> None:
    id = ResourceId(str(get_folded(head, "id")))
    async with at_once:
        try:
            children = [
                child
                for type in (EXTENSIONS, FLUX_CONFIGURATIONS)
                for child in await list_documents(arm, f"{id}/providers/{type}", API_VERSIONS[type])
            ]
            found.clusters += assemble([head, *children])[0]
        except ArmNotFound as error:
            if not await is_gone(arm, id):
                found.fail(id, error)
        except PolicyEngineError as error:
            found.fail(id, error)
        progress.read()
