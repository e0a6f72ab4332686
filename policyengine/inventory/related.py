"""Reads what policies look for on clusters, beside the extensions and Flux configurations that are read anyway.

One question for many clusters where Resource Graph has the type, one for each cluster where it has not.

INVARIANT: what could not be read is told with its reason, on its cluster and as a failure of the reading; it never
looks as if there were none.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, TypeAlias

from policyengine.errors import ArmError, ArmNotFound, InventoryError, PolicyEngineError
from policyengine.inventory.documents import problem_of
from policyengine.inventory.graph_query import CutShort, query_of, rows_of
from policyengine.inventory.graph_rows import resource_document
from policyengine.inventory.listing import is_gone, list_documents
from policyengine.inventory.related_types import Listing, collection, hangs_on, listing_of
from policyengine.model.fleet import ScopeFailure
from policyengine.model.ids import ResourceId
from policyengine.model.resource import Cluster, Resource, Sought
from policyengine.model.scope import ScopeTree
from policyengine.model.values import JSON

if TYPE_CHECKING:
    from policyengine.arm.client import ArmClient

Wanted: TypeAlias = Callable[[Cluster, ScopeTree], Iterable[Sought]]
"""What policies look for on a cluster that stands in a tree."""

_AT_ONCE: Final = 16
_GROUPS_A_QUERY: Final = 200
_COMPLETE: Final = frozenset({"kubernetesconfigurationresources"})
"""Tables in which a missing row means that there is nothing: whoever sees the extensions of a cluster sees them whole.
Rows of other tables need leave of their own, so that what is missing there is asked for by itself."""


_NO_SUCH_TYPE: Final = frozenset({"invalidresourcetype", "invalidresourcenamespace", "resourcetypenotsupported"})


def nothing(_cluster: Cluster, _tree: ScopeTree) -> Iterable[Sought]:
    """For readings that no policy stands behind."""
    return ()


_Asked: TypeAlias = dict[Sought, Listing]
_Place: TypeAlias = tuple[ResourceId, Sought]
_Answer: TypeAlias = list[Resource] | PolicyEngineError


@dataclass(slots=True)
class _Missed:
    """What could not be read of one type in one subscription, so that a missing permission is told once."""

    first: str
    reason: str
    clusters: int = 0


@dataclass
class Related:
    """``wanted`` says what to read on clusters that stand in ``tree``.

    ``failures`` are known once all clusters have been seen.
    """

    arm: ArmClient
    wanted: Wanted = nothing
    tree: ScopeTree = field(default_factory=ScopeTree)
    _missed: dict[tuple[str, str], _Missed] = field(default_factory=dict)

    async def on(self, clusters: Sequence[Cluster], *, by_graph: bool = False) -> tuple[Cluster, ...]:
        """The clusters with what is looked for on them, without those that turn out to be gone."""
        asked = {cluster.id: _readable(self.wanted(cluster, self.tree), cluster.id) for cluster in clusters}
        if not any(asked.values()):
            return tuple(clusters)
        found = await self._by_graph(asked) if by_graph else {}
        at_once = asyncio.Semaphore(_AT_ONCE)
        async with asyncio.TaskGroup() as tasks:
            reading = [tasks.create_task(self._answers(id, wanted, found, at_once)) for id, wanted in asked.items()]
        told = [(cluster, task.result()) for cluster, task in zip(clusters, reading, strict=True)]
        return tuple(self._with(cluster, answers) for cluster, answers in told if answers is not None)

    @property
    def failures(self) -> tuple[ScopeFailure, ...]:
        """One for each type and subscription; its scope is where resources of the type would be, not the clusters."""
        return tuple(
            ScopeFailure(ResourceId(f"/subscriptions/{subscription}/providers/{type}"), _words(missed))
            for (subscription, type), missed in sorted(self._missed.items())
        )

    async def _answers(
        self, cluster: ResourceId, asked: _Asked, found: Mapping[_Place, _Answer], at_once: asyncio.Semaphore
    ) -> Mapping[Sought, _Answer] | None:
        """None for a cluster that is gone."""
        answers: dict[Sought, _Answer] = {}
        async with at_once:
            for sought, listing in asked.items():
                known = found.get((cluster, sought))
                answers[sought] = known if known is not None else await _read(self.arm, cluster, sought, listing)
            refused = any(isinstance(answer, ArmNotFound) for answer in answers.values())
            return None if refused and await is_gone(self.arm, cluster) else answers

    def _with(self, cluster: Cluster, answers: Mapping[Sought, _Answer]) -> Cluster:
        known, told = {resource.id: resource for resource in cluster.others}, dict[str, str | None]()
        for sought, answer in answers.items():
            if isinstance(answer, PolicyEngineError):
                told[sought.key] = answer.told
                key = (cluster.id.subscription or "-", sought.type)
                self._missed.setdefault(key, _Missed(cluster.name, answer.told)).clusters += 1
            else:
                told[sought.key] = None
                known |= {resource.id: resource for resource in answer}
        return replace(cluster, others=tuple(known[id] for id in sorted(known)), looked_for=told) if told else cluster

    async def _by_graph(self, asked: Mapping[ResourceId, _Asked]) -> dict[_Place, _Answer]:
        """What the tables tell; nothing of a type whose table could not be read whole."""
        found: dict[_Place, _Answer] = {}
        for sought, table in sorted(_in_tables(asked.values()), key=lambda pair: pair[0].key):
            clusters = [id for id, wanted in asked.items() if sought in wanted]
            try:
                rows = await self._rows(table, sought, clusters)
            except (ArmError, InventoryError, CutShort):
                continue  # each cluster is asked for itself, and says what is wrong
            on_them = defaultdict[ResourceId | None, list[Resource]](list)
            for row in rows:
                on_them[row.id.parent].append(row)
            for id in clusters:
                on_it = [resource for resource in on_them[id] if _is_of(resource, sought, id)]
                if on_it or table in _COMPLETE:
                    found[id, sought] = on_it
        return found

    async def _rows(self, table: str, sought: Sought, clusters: Sequence[ResourceId]) -> list[Resource]:
        subscriptions = sorted({ResourceId.for_subscription(id.subscription or "-") for id in clusters})
        groups = sorted({(id.resource_group or "").casefold() for id in clusters})
        named = {} if sought.name is None else {"name": [sought.name]}
        found: list[Resource] = []
        for at in range(0, len(groups), _GROUPS_A_QUERY):
            query = query_of(table, [sought.type], resourceGroup=groups[at : at + _GROUPS_A_QUERY], **named)
            rows = await rows_of(self.arm, query, subscriptions)
            found += (Resource.from_document(resource_document(row)) for row in rows)
        return found


def _readable(wanted: Iterable[Sought], cluster: ResourceId) -> _Asked:
    """In order, each with how it is read; one of a name is left out where all of the type are asked for."""
    every = {sought.key: sought for sought in wanted if hangs_on(sought.type, cluster)}
    chosen = (s for key, s in sorted(every.items()) if s.name is None or Sought(s.type).key not in every)
    return {sought: listing for sought in chosen if (listing := listing_of(sought.type)) is not None}


def _in_tables(asked: Iterable[_Asked]) -> set[tuple[Sought, str]]:
    return {(sought, listing.table) for some in asked for sought, listing in some.items() if listing.table is not None}


async def _read(arm: ArmClient, cluster: ResourceId, sought: Sought, listing: Listing) -> _Answer:
    """What there is, or why it cannot be read."""
    name = sought.name or listing.only
    path = collection(sought.type, cluster)
    try:
        if name is None or listing.elsewhere:
            documents = await list_documents(arm, path, listing.api_version)
        else:
            documents = await _named(arm, f"{path}/{name}", listing.api_version)
    except PolicyEngineError as error:
        return error
    if listing.elsewhere:
        return [_hung(document, sought.type, cluster) for document in documents]
    resources = map(Resource.from_document, documents)
    return [resource for resource in resources if _is_of(resource, Sought(sought.type), cluster)]


async def _named(arm: ArmClient, path: str, api_version: str) -> list[Mapping[str, JSON]]:
    """One or none. Raises ArmNotFound where there is no such type."""
    try:
        document = await arm.get(path, api_version)
    except ArmNotFound as error:
        if (error.code or "").casefold() in _NO_SUCH_TYPE:
            raise
        return []
    if (problem := problem_of(document)) is not None:
        raise InventoryError(f"GET {path} gave something that cannot be used: {problem}")
    return [document]


def _hung(document: Mapping[str, JSON], type: str, cluster: ResourceId) -> Resource:
    """As what the list shows it: something on the cluster."""
    kept = Resource.from_document(document)
    return Resource(cluster.extension(type, kept.name), {**document, "id": cluster.extension(type, kept.name).text})


def _is_of(resource: Resource, sought: Sought, cluster: ResourceId) -> bool:
    """On the cluster itself: lists also show what holds for it from above."""
    on_it = resource.id.parent == cluster and resource.type.casefold() == sought.type.casefold()
    return on_it and (sought.name is None or resource.name.casefold() == sought.name.casefold())


def _words(missed: _Missed) -> str:
    if missed.clusters == 1:
        return f"not read on `{missed.first}`: {missed.reason}"
    return f"not read on {missed.clusters} clusters, `{missed.first}` among them: {missed.reason}"
