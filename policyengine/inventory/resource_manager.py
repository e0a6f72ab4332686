"""The live fleet, listed through Resource Manager.

INVARIANT: what could not be read is a failure with its scope; it never makes a smaller fleet that looks whole.
A cluster whose children could not be read is left out as well, since "no extension" would be a lie.
Source: configuration API §1, §8 and §10.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from policyengine.arm.client import ArmClient
from policyengine.errors import ArmError, ArmNotAuthorized, ArmNotFound, InventoryError, PolicyEngineError
from policyengine.inventory.containers import (
    parent_group,
    read_management_group,
    read_resource_group,
    read_subscription,
)
from policyengine.model.fleet import Fleet, ScopeFailure, assemble
from policyengine.model.ids import ResourceId
from policyengine.model.resource import AKS, ARC, EXTENSIONS, FLUX_CONFIGURATIONS, Cluster, Resource
from policyengine.model.scope import ManagementGroup, ResourceGroup, ScopeTree
from policyengine.model.values import JSON, get_folded

Document = Mapping[str, JSON]
ToldGroups = tuple[list[ManagementGroup], Mapping[str, str]]
"""Management groups in id order, and for each subscription or group (folded) the group right above it."""

ProgressListener = Callable[[int, int], None]
"""Told how many clusters have been read, of how many found so far."""

API_VERSIONS: Final[Mapping[str, str]] = {
    "subscriptions": "2022-12-01",
    "resourceGroups": "2021-04-01",
    "managementGroups": "2020-05-01",
    AKS: "2026-06-01",
    ARC: "2024-01-01",
    EXTENSIONS: "2024-11-01",
    FLUX_CONFIGURATIONS: "2024-11-01",
}
"""What each type is read with."""

_GROUPS: Final = "/providers/Microsoft.Management/managementGroups"
_AT_ONCE: Final = 8  # clusters of one subscription
_SUBSCRIPTIONS_AT_ONCE: Final = 12
_GONE: Final = frozenset({"deleted"})
# A provider that was never registered has no resources: that is an empty list, not a failure.
_NO_PROVIDER: Final = frozenset(
    {
        "missingsubscriptionregistration",
        "subscriptionnotregistered",
    }
)


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
    """What one subscription holds."""

    groups: list[ResourceGroup] = field(default_factory=list)
    clusters: list[Cluster] = field(default_factory=list)
    failures: list[ScopeFailure] = field(default_factory=list)

    def fail(self, scope: ResourceId, error: PolicyEngineError) -> None:
        self.failures.append(ScopeFailure(scope, error.told))


async def read_resource_manager(arm: ArmClient, *, on_progress: ProgressListener | None = None) -> Fleet:
    """Every cluster this identity can see, with its extensions and fluxConfigurations, in id order.

    Raises ArmError when not even the subscriptions can be listed, InventoryError for answers that make no sense.
    """
    visible = await visible_subscriptions(arm)
    told = await management_groups(arm)
    found = await list_subscriptions(arm, visible.live, Progress(on_progress))
    return fleet_of(told, visible, found)


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


async def list_subscriptions(arm: ArmClient, ids: Iterable[ResourceId], progress: Progress) -> list[Found]:
    """What each holds, some side by side: every subscription has a budget of its own, but connections are shared."""
    at_once = asyncio.Semaphore(_SUBSCRIPTIONS_AT_ONCE)

    async def one(id: ResourceId) -> Found:
        async with at_once:
            return await list_subscription(arm, id, progress)

    async with asyncio.TaskGroup() as tasks:
        reading = [tasks.create_task(one(id)) for id in ids]
    return [task.result() for task in reading]


def fleet_of(told: ToldGroups | None, visible: Visible, found: Sequence[Found]) -> Fleet:
    """``told`` are the management groups, None when they are not known."""
    groups, above = told if told is not None else ([], {})
    subscriptions = [
        read_subscription(document, above.get(read_subscription(document, None).subscription_id.casefold()))
        for document in visible.documents
    ]
    resource_groups = sorted((group for part in found for group in part.groups), key=lambda group: group.id)
    clusters = sorted((cluster for part in found for cluster in part.clusters), key=lambda cluster: cluster.id)
    failures = sorted((f for part in found for f in part.failures), key=lambda failure: failure.scope)
    if not visible.live:
        failures.append(ScopeFailure(ResourceId("/"), "no subscription is visible to this identity"))
    tree = ScopeTree(tuple(groups), tuple(subscriptions), tuple(resource_groups))
    return Fleet(tree, tuple(clusters), tuple(failures), groups_known=told is not None)


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
            if not await _is_gone(arm, id):
                found.fail(id, error)
        except PolicyEngineError as error:
            found.fail(id, error)
        progress.read()


async def _is_gone(arm: ArmClient, id: ResourceId) -> bool:
    """True when the cluster itself was deleted since it was listed; a 404 below it alone says no such thing."""
    version = next(v for type, v in API_VERSIONS.items() if type.casefold() == id.type.casefold())
    try:
        await arm.get(id.text, version)
    except ArmNotFound:
        return True
    except PolicyEngineError:
        return False
    return False


async def list_documents(arm: ArmClient, path: str, api_version: str) -> list[Document]:
    try:
        documents = [document async for document in arm.list(path, api_version)]
    except ArmError as error:
        if (error.code or "").casefold() in _NO_PROVIDER:
            return []
        raise
    for document in documents:
        try:
            Resource.from_document(document)
        except ValueError as error:
            raise InventoryError(f"GET {path} lists a document that cannot be used: {error}") from error
    return documents
