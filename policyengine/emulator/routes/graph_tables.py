"""The rows behind the table names: what there is, and what is shown of it to whom.

Source: configuration API, "Resource Graph".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from heapq import merge
from typing import Final

from policyengine.emulator.access import Caller
from policyengine.emulator.emulator import Emulator
from policyengine.emulator.generic_rules import shown
from policyengine.emulator.resource_graph.errors import QueryError
from policyengine.emulator.resource_graph.index import Shown
from policyengine.emulator.resource_graph.lazy_rows import is_lazy
from policyengine.emulator.resource_graph.syntax import Row
from policyengine.emulator.resource_graph.table import Table
from policyengine.emulator.routes.cluster_rows import cluster_rows, configuration_rows
from policyengine.emulator.routes.clusters import document_at
from policyengine.emulator.routes.graph_columns import COLUMNS, configuration_row, resource_row
from policyengine.model.ids import ResourceId
from policyengine.model.scope import ScopeTree
from policyengine.model.values import JSON

RESOURCES: Final = "resources"
CONFIGURATIONS: Final = "kubernetesconfigurationresources"
CONTAINERS: Final = "resourcecontainers"
POLICIES: Final = "policyresources"
SECURITY: Final = "securityresources"
_POLICY_TYPES: Final = (
    "microsoft.policyinsights/",
    "microsoft.authorization/policyassignments",
    "microsoft.authorization/policydefinitions",
    "microsoft.authorization/policysetdefinitions",
    "microsoft.authorization/policyexemptions",
)
_SECURITY_TYPES: Final = ("microsoft.security/",)
_OF_THEIR_OWN: Final = {POLICIES: _POLICY_TYPES, SECURITY: _SECURITY_TYPES}
"""How the types begin of which a table of its own tells."""


@dataclass(frozen=True, slots=True)
class Reader:
    """Who asks, and about which subscriptions (folded ids)."""

    caller: Caller
    subscriptions: frozenset[str]

    def may_read(self, row: Row) -> bool:
        id = ResourceId(str(row["id"]))
        inside = id.subscription is None or id.subscription.casefold() in self.subscriptions
        return inside and self.caller.may(f"{id.type}/read", id)


def read_table(emulator: Emulator, name: str, reader: Reader, at: datetime, lag: timedelta) -> Table:
    """The rows of the table that ``reader`` may see, in id order. Raises QueryError for an unknown table."""
    table = name.casefold()
    if table not in TABLES:
        known = ", ".join(TABLES)
        raise QueryError(f"Table {name} is invalid, undefined or out of scope: this emulator has {known}.")
    subscriptions = [ResourceId.for_subscription(id) for id in reader.subscriptions]
    rows = list(TABLES[table](emulator, subscriptions, at))
    stale = {key: old for key, old in emulator.graph.stale(at, lag).items() if old.table == table}
    if stale:
        rows = _with_stale(rows, stale)
    # Clusters and what is on them come by subscription: who may do everything may read them all.
    free = reader.caller.may_do_everything
    return Table(COLUMNS, [row for row in rows if (free and is_lazy(row)) or reader.may_read(row)])


def _with_stale(rows: Iterable[Row], stale: Mapping[str, Shown]) -> list[Row]:
    by_key = {_folded_id(row): row for row in rows}
    for key, old in stale.items():
        by_key.pop(key, None)
        if old.row is not None:
            by_key[key] = old.row
    return [by_key[key] for key in sorted(by_key)]


def _folded_id(row: Row) -> str:
    return str(row["id"]).casefold()


def shown_now(emulator: Emulator, id: ResourceId, at: datetime) -> Shown | None:
    """What the tables show of one resource at this instant; None when they never show its like."""
    cluster = emulator.state.find_cluster(id)
    if cluster is not None:
        return Shown(RESOURCES, resource_row(document_at(emulator, cluster, at), emulator))
    if id.type.casefold().startswith("microsoft.kubernetesconfiguration/"):
        owner = emulator.state.find_cluster(id.parent) if id.parent is not None else None
        record = owner.records.get(id.key) if owner is not None else None
        return Shown(CONFIGURATIONS, None if record is None else configuration_row(record.document(), emulator))
    stored = emulator.state.resources.get(id)
    table = next((name for name, types in _OF_THEIR_OWN.items() if _is_one(id.type, types)), RESOURCES)
    return Shown(table, None if stored is None else resource_row(shown(stored), emulator))


def _resources(emulator: Emulator, subscriptions: Sequence[ResourceId], at: datetime) -> Iterable[Row]:
    clusters = list(cluster_rows(emulator, subscriptions, at))
    apart = tuple(type for types in _OF_THEIR_OWN.values() for type in types)
    stored = [
        resource_row(shown(document), emulator)
        for document in emulator.state.resources.below(ResourceId("/"))
        if "location" in document and not _is_one(str(document["type"]), apart)
    ]
    return merge(clusters, stored, key=_folded_id) if stored else clusters


def _configurations(emulator: Emulator, subscriptions: Sequence[ResourceId], at: datetime) -> Iterable[Row]:  # noqa: ARG001
    return configuration_rows(emulator, subscriptions)


def _containers(emulator: Emulator, subscriptions: Sequence[ResourceId], at: datetime) -> Iterator[Row]:  # noqa: ARG001
    tree = emulator.state.tree
    for group in tree.management_groups:
        details = {
            "displayName": group.display_name,
            "details": {"managementGroupAncestorsChain": _chain(tree, group.id)},
        }
        yield _container(group.id, group.name, "microsoft.management/managementgroups", details, emulator)
    for subscription in tree.subscriptions:
        properties = {"state": "Enabled", "managementGroupAncestorsChain": _chain(tree, subscription.id)}
        row = _container(
            subscription.id, subscription.display_name, "microsoft.resources/subscriptions", properties, emulator
        )
        yield {**row, "subscriptionId": subscription.subscription_id, "tags": dict(subscription.tags)}
    for found in tree.resource_groups:
        type = "microsoft.resources/subscriptions/resourcegroups"
        row = _container(found.id, found.name, type, {"provisioningState": "Succeeded"}, emulator)
        yield {**row, "location": found.location, "tags": dict(found.tags)}


def _stored(
    types: tuple[str, ...],
    emulator: Emulator,
    subscriptions: Sequence[ResourceId],  # noqa: ARG001
    at: datetime,  # noqa: ARG001
) -> Iterator[Row]:
    for document in emulator.state.resources.below(ResourceId("/")):
        if _is_one(str(document["type"]), types):
            yield resource_row(shown(document), emulator)


def _is_one(type: str, beginnings: tuple[str, ...]) -> bool:
    return type.casefold().startswith(beginnings)


def _container(
    id: ResourceId, name: str, type: str, properties: Mapping[str, JSON], emulator: Emulator
) -> dict[str, JSON]:
    return resource_row({"id": id.text, "name": name, "properties": properties, "type": type}, emulator)


def _chain(tree: ScopeTree, id: ResourceId) -> list[JSON]:
    above = tree.management_groups_above(id)
    return [{"name": group.name, "displayName": group.display_name} for group in above]


TABLES: Final[Mapping[str, Callable[[Emulator, Sequence[ResourceId], datetime], Iterable[Row]]]] = {
    RESOURCES: _resources,
    CONFIGURATIONS: _configurations,
    CONTAINERS: _containers,
    **{name: partial(_stored, types) for name, types in _OF_THEIR_OWN.items()},
}
