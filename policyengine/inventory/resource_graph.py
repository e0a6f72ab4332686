"""The live fleet by Resource Graph: a thousand rows a question, instead of two questions a cluster.

Resource Graph follows the resources by seconds or minutes, shows only what it has indexed, and may cut a result
short. So each subscription must show up itself, each count must be reached, and what it cannot show whole is
listed through Resource Manager instead. It is asked part by part, in order of ids, so that no more of a fleet is held
than a part: some subscriptions, one, or some resource groups of a large one.

INVARIANT: rows that are missing, for whatever reason, never make a smaller fleet that looks whole.
Source: configuration API §9.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncGenerator, Iterable, Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING, Final, TypeVar

from policyengine.errors import ArmError, ArmNotAuthorized, InventoryError
from policyengine.inventory.containers import read_tree
from policyengine.inventory.graph_query import SUBSCRIPTIONS_A_QUERY, CutShort, TooMany, query_of, rows_of
from policyengine.inventory.graph_rows import Document, container_document, id_of, resource_document
from policyengine.inventory.live import look_again
from policyengine.inventory.reading import Batch, Reading
from policyengine.inventory.related import Related, Wanted, nothing
from policyengine.inventory.resource_manager import (
    Gathered,
    Progress,
    ProgressListener,
    ToldGroups,
    in_order,
    listed,
    management_groups,
    slices,
    visible_subscriptions,
)
from policyengine.model.fleet import Fleet, ScopeFailure, assemble
from policyengine.model.ids import ResourceId
from policyengine.model.resource import AKS, ARC, EXTENSIONS, FLUX_CONFIGURATIONS, Cluster
from policyengine.model.scope import ScopeTree

if TYPE_CHECKING:
    from policyengine.arm.client import ArmClient

CLUSTERS_AT_ONCE: Final = 4000
"""More in one part would take memory, fewer more questions; a single resource group is not divided."""

CLUSTERS: Final = ("resources", (AKS, ARC))
CHILDREN: Final = ("kubernetesconfigurationresources", (EXTENSIONS, FLUX_CONFIGURATIONS))
CONTAINERS: Final = query_of(
    "resourcecontainers",
    (
        "microsoft.resources/subscriptions",
        "microsoft.resources/subscriptions/resourcegroups",
        "microsoft.management/managementgroups",
    ),
)

_Item = TypeVar("_Item")
_CLUSTER_TYPES: Final = frozenset({AKS.casefold(), ARC.casefold()})


@dataclass(frozen=True, slots=True)
class _Part:
    """Subscriptions in a row, or some resource groups of one."""

    subscriptions: tuple[ResourceId, ...]
    groups: tuple[str, ...] | None = None

    def query(self, table: str, types: Sequence[str]) -> str:
        among = {} if self.groups is None else {"resourceGroup": self.groups}
        return query_of(table, types, **among)

    def rows(self, rows: Iterable[Document]) -> list[Document]:
        """Without those of other places: they would come in their own turn, or twice."""
        subscriptions = {id.name.casefold() for id in self.subscriptions}
        groups = None if self.groups is None else {name.casefold() for name in self.groups}
        ids = ((row, id_of(row)) for row in rows)
        return [
            row
            for row, id in ids
            if (id.subscription or "").casefold() in subscriptions
            and (groups is None or (id.resource_group or "").casefold() in groups)
        ]


async def open_resource_graph(
    arm: ArmClient, *, wanted: Wanted = nothing, on_progress: ProgressListener | None = None
) -> Reading:
    """Every cluster this identity can see, with what is on it.

    Subscriptions that Resource Graph does not show whole are listed, and ``notes`` say so. Raises ArmError when not
    even the subscriptions can be listed, InventoryError for answers that make no sense.
    """
    visible = await visible_subscriptions(arm)
    shown = _Shown()
    for start in range(0, len(visible.live), SUBSCRIPTIONS_A_QUERY):
        await _read_containers(arm, visible.live[start : start + SUBSCRIPTIONS_A_QUERY], shown)
    tree = read_tree(map(container_document, shown.containers))
    told = _groups_in(tree, visible.live) or await management_groups(arm)
    gathered = Gathered(told, visible, list(tree.resource_groups))
    stream = _Stream(Related(arm, wanted, gathered.tree), gathered, shown.uncovered, Progress(on_progress))
    return Reading(stream.batches(), stream.rest, gathered.tree, lags=True)


@dataclass(slots=True)
class _Shown:
    """The rows above clusters. ``uncovered`` are the subscriptions that are not shown whole, and why."""

    containers: list[Document] = field(default_factory=list)
    uncovered: dict[ResourceId, str] = field(default_factory=dict)


async def _read_containers(arm: ArmClient, subscriptions: Sequence[ResourceId], shown: _Shown) -> None:
    """The rows of the subscriptions; halves, when all together are refused or cut short."""
    try:
        rows = await rows_of(arm, CONTAINERS, subscriptions)
    except (CutShort, ArmNotAuthorized) as error:
        if _is_refused_token(error):
            raise
        if len(subscriptions) == 1:
            shown.uncovered[subscriptions[0]] = str(error)
            return
        for half in _parted(subscriptions, 2):
            await _read_containers(arm, half, shown)
        return
    except (ArmError, InventoryError) as error:
        shown.uncovered.update(dict.fromkeys(subscriptions, error.message))
        return
    seen = {id_of(row) for row in rows}
    unseen = (id for id in subscriptions if id not in seen)
    shown.uncovered.update(dict.fromkeys(unseen, "Resource Graph does not show the subscription"))
    shown.containers += rows


@dataclass
class _Stream:
    """``uncovered`` grows while the clusters are read. ``_lacking`` counts, of subscriptions that are told by resource
    group, the clusters that no group has had so far."""

    related: Related
    gathered: Gathered
    uncovered: dict[ResourceId, str]
    progress: Progress
    _lacking: dict[ResourceId, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._names: dict[str, dict[str, str]] = defaultdict(dict)
        for group in self.gathered.groups:
            self._names[(group.id.subscription or "").casefold()][group.id.name.casefold()] = group.id.name

    def rest(self) -> Fleet:
        listed_all = len(self.uncovered) == len(self.gathered.visible.live)
        why = "Resource Graph counts {} more clusters than its resource groups have"
        lacking = [ScopeFailure(id, why.format(count)) for id, count in self._lacking.items() if count > 0]
        return self.gathered.rest(
            (*lacking, *self.related.failures), lags=not listed_all, notes=tuple(_notes(self.uncovered))
        )

    async def batches(self) -> AsyncGenerator[Batch, None]:
        """In id order: runs of subscriptions that are shown, and such as are not."""
        runs = groupby(in_order(self.gathered.visible.live), key=self.uncovered.__contains__)
        for left, run in [(left, tuple(ids)) for left, ids in runs]:
            async with aclosing(self._listed(run) if left else self._shown(run)) as batches:
                async for batch in batches:
                    yield batch

    def _listed(self, subscriptions: Sequence[ResourceId]) -> AsyncGenerator[Batch, None]:
        return listed(self.related, self.gathered, subscriptions, self.progress)

    async def _shown(self, subscriptions: Sequence[ResourceId]) -> AsyncGenerator[Batch, None]:
        for start in range(0, len(subscriptions), SUBSCRIPTIONS_A_QUERY):
            part = _Part(tuple(subscriptions[start : start + SUBSCRIPTIONS_A_QUERY]))
            async with aclosing(self._read(part)) as batches:
                async for batch in batches:
                    yield batch

    async def _read(self, part: _Part) -> AsyncGenerator[Batch, None]:
        """The clusters of a part; of smaller ones, when it is refused, cut short or too much at once."""
        smaller: Sequence[_Part] = ()
        clusters: Sequence[Cluster] = ()
        try:
            clusters = await self._clusters(part)
        except TooMany as error:
            smaller = self._divided(part, error.count)
        except (CutShort, ArmNotAuthorized) as error:
            if _is_refused_token(error):
                raise
            smaller = self._halves(part)
            if not smaller:
                smaller = self._leave(part, str(error))
        except (ArmError, InventoryError) as error:
            smaller = self._leave(part, error.message)
        for batch in slices(clusters):
            yield await self.related.on(batch, by_graph=True)
        for each in smaller:
            left = each.subscriptions[0] in self.uncovered
            async with aclosing(self._listed(each.subscriptions) if left else self._read(each)) as batches:
                async for batch in batches:
                    yield batch

    async def _clusters(self, part: _Part) -> Sequence[Cluster]:
        divisible = len(part.subscriptions) > 1 or len(self._groups(part)) > 1
        most = CLUSTERS_AT_ONCE if divisible else None
        clusters = part.rows(await rows_of(self.related.arm, part.query(*CLUSTERS), part.subscriptions, most=most))
        self.progress.found(len(clusters))
        children = part.rows(await rows_of(self.related.arm, part.query(*CHILDREN), part.subscriptions))
        found, orphans = assemble(map(resource_document, (*clusters, *children)))
        # Something on a cluster that is not shown itself: one of the two rows is behind.
        hidden = {on for orphan in orphans if (on := orphan.id.parent) and on.type.casefold() in _CLUSTER_TYPES}
        whole = await look_again(Related(self.related.arm), Fleet(ScopeTree(), found), sorted(hidden))
        self.gathered.failures += whole.failures
        self.progress.read(len(clusters))
        if part.groups is not None:
            self._lacking[part.subscriptions[0]] -= len(clusters)
        return whole.clusters

    def _groups(self, part: _Part) -> tuple[str, ...]:
        """The resource groups by which a part of one subscription can be divided."""
        if part.groups is not None or len(part.subscriptions) > 1:
            return part.groups or ()
        names = self._names.get(part.subscriptions[0].name.casefold(), {})
        return tuple(names[name] for name in sorted(names, key="{}/".format))

    def _divided(self, part: _Part, count: int) -> Sequence[_Part]:
        """Parts that will hardly be too much again."""
        number = max(2, -(-count * 3 // (CLUSTERS_AT_ONCE * 2)))
        if len(part.subscriptions) > 1:
            return [_Part(tuple(some)) for some in _parted(part.subscriptions, number)]
        if part.groups is None:
            self._lacking[part.subscriptions[0]] = count
        return [_Part(part.subscriptions, tuple(some)) for some in _parted(self._groups(part), number)]

    def _halves(self, part: _Part) -> Sequence[_Part]:
        """None of a single subscription, or a single resource group."""
        if len(part.subscriptions) > 1:
            return [_Part(tuple(half)) for half in _parted(part.subscriptions, 2)]
        if part.groups is None or len(part.groups) == 1:
            return ()
        return [_Part(part.subscriptions, tuple(half)) for half in _parted(part.groups, 2)]

    def _leave(self, part: _Part, why: str) -> Sequence[_Part]:
        """What to list instead. Of a subscription that was told in part the rest is only known to be missing."""
        if part.groups is None:
            self.uncovered.update(dict.fromkeys(part.subscriptions, why))
            return [part]
        (subscription,) = part.subscriptions
        scopes = (ResourceId(f"{subscription}/resourceGroups/{name}") for name in part.groups)
        self.gathered.failures += (ScopeFailure(scope, why) for scope in scopes)
        return ()


def _is_refused_token(error: Exception) -> bool:
    return isinstance(error, ArmNotAuthorized) and error.status == 401


def _parted(items: Sequence[_Item], number: int) -> Iterator[Sequence[_Item]]:
    """So many pieces of about one size, in order, none of them empty."""
    size = max(1, -(-len(items) // number))
    return (items[at : at + size] for at in range(0, len(items), size))


def _groups_in(tree: ScopeTree, subscriptions: Iterable[ResourceId]) -> ToldGroups | None:
    """The management groups as the rows of subscriptions tell them; None when not all say where they belong."""
    above = {s.subscription_id.casefold(): s.management_group for s in tree.subscriptions if s.management_group}
    if not above or any(id.name.casefold() not in above for id in subscriptions):
        return None
    return sorted(tree.management_groups, key=lambda group: group.id), above


def _notes(uncovered: Mapping[ResourceId, str]) -> list[str]:
    """One sentence for each reason."""
    by_reason: dict[str, list[str]] = {}
    for id, why in uncovered.items():
        by_reason.setdefault(why, []).append(id.name)
    return [
        f"{_counted(names)} listed through Resource Manager instead of Resource Graph: {why}"
        for why, names in sorted(by_reason.items())
    ]


def _counted(names: Sequence[str]) -> str:
    return f"subscription {names[0]} was" if len(names) == 1 else f"{len(names)} subscriptions were"
