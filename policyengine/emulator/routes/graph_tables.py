"""The rows behind the table names: what there is, in the columns and the casing of Resource Graph.

Types and groups are in lower case, ids as stored; properties of extensions begin with a capital, those of other
resources do not. Source: configuration API, "Resource Graph".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Final

from policyengine.emulator.emulator import Emulator
from policyengine.emulator.generic_rules import shown
from policyengine.emulator.resource_graph.errors import QueryError
from policyengine.emulator.resource_graph.index import Shown
from policyengine.emulator.resource_graph.lazy_rows import LazyRow, Maker
from policyengine.emulator.resource_graph.operators import Table
from policyengine.emulator.resource_graph.syntax import Row
from policyengine.emulator.routes.clusters import document_at
from policyengine.emulator.routes.subscriptions import DEFAULT_TENANT, tenant_of
from policyengine.model.ids import ResourceId
from policyengine.model.resource import EXTENSIONS
from policyengine.model.scope import ScopeTree
from policyengine.model.values import JSON, get_folded

COLUMNS: Final = (
    *("id", "name", "type", "tenantId", "kind", "location", "resourceGroup", "subscriptionId", "managedBy", "sku"),
    *("plan", "properties", "tags", "identity", "zones", "extendedLocation"),
)
RESOURCES: Final = "resources"
CONFIGURATIONS: Final = "kubernetesconfigurationresources"
CONTAINERS: Final = "resourcecontainers"
POLICIES: Final = "policyresources"
_TEXTS: Final = ("kind", "location", "managedBy")
_DYNAMIC: Final = ("sku", "plan", "tags", "identity", "zones", "extendedLocation")
_POLICY_TYPES: Final = (
    "microsoft.policyinsights/",
    "microsoft.authorization/policyassignments",
    "microsoft.authorization/policydefinitions",
    "microsoft.authorization/policysetdefinitions",
    "microsoft.authorization/policyexemptions",
)

MayRead = Callable[[ResourceId], bool]


def read_table(emulator: Emulator, name: str, may_read: MayRead, at: datetime, lag: timedelta) -> Table:
    """The rows of the table that ``may_read`` lets through, in id order. Raises QueryError for an unknown table."""
    table = name.casefold()
    if table not in TABLES:
        known = ", ".join(TABLES)
        raise QueryError(f"Table {name} is invalid, undefined or out of scope: this emulator has {known}.")
    rows = {str(row["id"]).casefold(): row for row in TABLES[table](emulator, at)}
    for key, stale in emulator.graph.stale(at, lag).items():
        if stale.table == table:
            rows.pop(key, None)
            if stale.row is not None:
                rows[key] = stale.row
    return Table(COLUMNS, [rows[key] for key in sorted(rows) if may_read(ResourceId(str(rows[key]["id"])))])


def shown_now(emulator: Emulator, id: ResourceId, at: datetime) -> Shown | None:
    """What the tables show of one resource at this instant; None when they never show its like."""
    cluster = emulator.state.find_cluster(id)
    if cluster is not None:
        return Shown(RESOURCES, _row(document_at(emulator, cluster, at), emulator))
    if id.type.casefold().startswith("microsoft.kubernetesconfiguration/"):
        owner = emulator.state.find_cluster(id.parent) if id.parent is not None else None
        record = owner.records.get(id.key) if owner is not None else None
        return Shown(CONFIGURATIONS, None if record is None else _configuration(record.document(), emulator))
    stored = emulator.state.resources.get(id)
    table = POLICIES if id.type.casefold().startswith(_POLICY_TYPES) else RESOURCES
    return Shown(table, None if stored is None else _row(shown(stored), emulator))


def _resources(emulator: Emulator, at: datetime) -> Iterator[Row]:
    def made(id: ResourceId) -> Row:
        cluster = emulator.state.find_cluster(id)
        assert cluster is not None
        return _row(document_at(emulator, cluster, at), emulator)

    maker = Maker(made)
    for id in emulator.state.clusters.ids():
        yield made(id) if emulator.state.clusters.is_kept(id) else LazyRow(id.text, maker)
    root = ResourceId("/")
    for document in emulator.state.resources.below(root):
        if "location" in document and not str(document["type"]).casefold().startswith(_POLICY_TYPES):
            yield _row(shown(document), emulator)


def _configurations(emulator: Emulator, at: datetime) -> Iterator[Row]:  # noqa: ARG001 (one signature for all tables)
    clusters = emulator.state.clusters
    for key in clusters.kept():
        cluster = clusters.get(key)
        for record in cluster.records.values() if cluster is not None else ():
            yield _configuration(record.document(), emulator)

    def made(id: ResourceId) -> Row:
        cluster = emulator.state.find_cluster(id.parent) if id.parent is not None else None
        record = cluster.records.get(id.key) if cluster is not None else None
        # Whoever pages through a result meets what has been deleted since as a row of nothing but its id.
        return dict.fromkeys(COLUMNS) if record is None else _configuration(record.document(), emulator)

    maker = Maker(made)
    yield from (LazyRow(id.text, maker) for id in clusters.untouched_children())


def _containers(emulator: Emulator, at: datetime) -> Iterator[Row]:  # noqa: ARG001
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


def _policies(emulator: Emulator, at: datetime) -> Iterable[Row]:  # noqa: ARG001
    for document in emulator.state.resources.below(ResourceId("/")):
        if str(document["type"]).casefold().startswith(_POLICY_TYPES):
            yield _row(shown(document), emulator)


def _row(document: Mapping[str, JSON], emulator: Emulator) -> dict[str, JSON]:
    id = ResourceId(str(document["id"]))
    row: dict[str, JSON] = dict.fromkeys(COLUMNS)
    row.update({name: str(get_folded(document, name) or "") for name in _TEXTS})
    row.update({name: get_folded(document, name) for name in _DYNAMIC})
    row.update(
        id=id.text,
        name=str(document["name"]),
        type=str(document["type"]).casefold(),
        tenantId=_tenant(emulator, id),
        resourceGroup=(id.resource_group or "").casefold(),
        subscriptionId=id.subscription or "",
        properties=document.get("properties"),
    )
    return row


def _configuration(document: Mapping[str, JSON], emulator: Emulator) -> dict[str, JSON]:
    row = _row(document, emulator)
    if str(document["type"]).casefold() == EXTENSIONS.casefold():
        row["properties"] = {name[:1].upper() + name[1:]: value for name, value in document["properties"].items()}
    return row


def _container(
    id: ResourceId, name: str, type: str, properties: Mapping[str, JSON], emulator: Emulator
) -> dict[str, JSON]:
    return _row({"id": id.text, "name": name, "properties": properties, "type": type}, emulator)


def _chain(tree: ScopeTree, id: ResourceId) -> list[JSON]:
    above = tree.management_groups_above(id)
    return [{"name": group.name, "displayName": group.display_name} for group in above]


def _tenant(emulator: Emulator, id: ResourceId) -> str:
    subscription = emulator.state.tree.subscription(id.subscription)
    return (subscription.tenant_id if subscription else tenant_of(emulator)) or DEFAULT_TENANT


TABLES: Final[Mapping[str, Callable[[Emulator, datetime], Iterable[Row]]]] = {
    RESOURCES: _resources,
    CONFIGURATIONS: _configurations,
    CONTAINERS: _containers,
    POLICIES: _policies,
}
