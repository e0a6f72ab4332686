"""The live fleet by Resource Graph: a thousand rows a question, instead of two questions a cluster.

Resource Graph follows the resources by seconds or minutes, shows only what it has indexed, and may cut a result
short. So each subscription must show up itself, each count must be reached, and what it cannot show whole is
listed through Resource Manager instead.

INVARIANT: rows that are missing, for whatever reason, never make a smaller fleet that looks whole.
Source: configuration API §9.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from policyengine.arm.client import ArmClient
from policyengine.errors import ArmError, ArmNotAuthorized, InventoryError
from policyengine.inventory.containers import read_tree
from policyengine.inventory.graph_rows import Document, container_document, id_of, resource_document
from policyengine.inventory.live import look_again
from policyengine.inventory.resource_manager import (
    Progress,
    ProgressListener,
    ToldGroups,
    fleet_of,
    list_subscriptions,
    management_groups,
    visible_subscriptions,
)
from policyengine.model.fleet import Fleet, assemble
from policyengine.model.ids import ResourceId
from policyengine.model.resource import AKS, ARC, EXTENSIONS, FLUX_CONFIGURATIONS
from policyengine.model.scope import ResourceGroup, ScopeTree
from policyengine.model.values import JSON, get_folded, is_array

PATH: Final = "/providers/Microsoft.ResourceGraph/resources"
API_VERSION: Final = "2024-04-01"
ROWS_A_PAGE: Final = 1000
SUBSCRIPTIONS_A_QUERY: Final = 200


def _query(table: str, *types: str) -> str:
    names = ", ".join(f"'{type.casefold()}'" for type in types)
    # Ordered by id: pages of an unordered result may repeat rows and miss others.
    return f"{table} | where type in~ ({names}) | order by id asc"


CLUSTERS: Final = _query("resources", AKS, ARC)
CHILDREN: Final = _query("kubernetesconfigurationresources", EXTENSIONS, FLUX_CONFIGURATIONS)
CONTAINERS: Final = _query(
    "resourcecontainers",
    "microsoft.resources/subscriptions",
    "microsoft.resources/subscriptions/resourcegroups",
    "microsoft.management/managementgroups",
)

_CLUSTER_TYPES: Final = frozenset({AKS.casefold(), ARC.casefold()})


class _CutShort(Exception):
    """A result that lacks rows: fewer subscriptions at once may fit. Its text says how many."""


@dataclass(slots=True)
class _Rows:
    """What Resource Graph showed. ``uncovered`` are the subscriptions it did not show whole, and why."""

    containers: list[Document] = field(default_factory=list)
    resources: list[Document] = field(default_factory=list)
    uncovered: dict[ResourceId, str] = field(default_factory=dict)

    def leave(self, subscriptions: Iterable[ResourceId], why: str) -> None:
        self.uncovered.update(dict.fromkeys(subscriptions, why))


async def read_resource_graph(arm: ArmClient, *, on_progress: ProgressListener | None = None) -> Fleet:
    """Every cluster this identity can see, with its extensions and fluxConfigurations, in id order.

    Subscriptions that Resource Graph does not show whole are listed, and ``notes`` say so. Raises ArmError when not
    even the subscriptions can be listed, InventoryError for answers that make no sense.
    """
    visible = await visible_subscriptions(arm)
    rows, progress = _Rows(), Progress(on_progress)
    for start in range(0, len(visible.live), SUBSCRIPTIONS_A_QUERY):
        await _read(arm, visible.live[start : start + SUBSCRIPTIONS_A_QUERY], rows, progress)
    clusters, orphans = assemble(map(resource_document, rows.resources))
    listed = await list_subscriptions(arm, rows.uncovered, progress)
    tree = read_tree(map(container_document, rows.containers))
    told = _groups_in(tree, visible.live) or await management_groups(arm)
    fleet = fleet_of(told, visible, listed)
    whole = replace(
        fleet,
        clusters=tuple(sorted((*fleet.clusters, *clusters), key=lambda cluster: cluster.id)),
        tree=replace(fleet.tree, resource_groups=_merged(fleet.tree, tree)),
        lags=len(rows.uncovered) < len(visible.live),
        notes=tuple(_notes(rows.uncovered)),
    )
    # Something on a cluster that is not shown itself: one of the two rows is behind.
    hidden = {above for orphan in orphans if (above := orphan.id.parent) and above.type.casefold() in _CLUSTER_TYPES}
    return await look_again(arm, whole, sorted(hidden))


async def _read(arm: ArmClient, subscriptions: Sequence[ResourceId], rows: _Rows, progress: Progress) -> None:
    """The rows of the subscriptions; halves, when all together are refused or cut short."""
    try:
        containers = await _rows(arm, CONTAINERS, subscriptions)
        clusters = await _rows(arm, CLUSTERS, subscriptions)
        progress.found(len(clusters))
        children = await _rows(arm, CHILDREN, subscriptions)
    except (_CutShort, ArmNotAuthorized) as error:
        if isinstance(error, ArmNotAuthorized) and error.status == 401:
            raise
        if len(subscriptions) == 1:
            rows.leave(subscriptions, str(error))
            return
        middle = len(subscriptions) // 2
        await _read(arm, subscriptions[:middle], rows, progress)
        await _read(arm, subscriptions[middle:], rows, progress)
        return
    except (ArmError, InventoryError) as error:
        rows.leave(subscriptions, error.message)
        return
    shown = {id_of(row) for row in containers}
    unseen = {id for id in subscriptions if id not in shown}
    rows.leave(unseen, "Resource Graph does not show the subscription")
    rows.containers += containers
    rows.resources += [
        row
        for row in (*clusters, *children)
        if ResourceId.for_subscription(id_of(row).subscription or "-") not in unseen
    ]
    progress.read(len(clusters))


async def _rows(arm: ArmClient, query: str, subscriptions: Sequence[ResourceId]) -> list[Document]:
    """Every row, once. Raises _CutShort when some are missing, InventoryError for an answer that is no result."""
    found: dict[ResourceId, Document] = {}
    least, token, seen = None, "", set[str]()
    while True:
        page = await arm.query(PATH, API_VERSION, _body(query, subscriptions, token))
        data, total = get_folded(page, "data"), get_folded(page, "totalRecords")
        if not is_array(data) or not all(isinstance(row, Mapping) for row in data) or not isinstance(total, int):
            raise InventoryError("Resource Graph gave something that is no list of rows")
        found.update((id_of(row), row) for row in data)
        least = total if least is None else min(least, total)
        token = str(get_folded(page, "$skipToken") or "")
        if not token:
            break
        if token in seen:
            raise InventoryError("Resource Graph leads from page to page without an end")
        seen.add(token)
    if str(get_folded(page, "resultTruncated")).casefold() == "true" or len(found) < least:
        raise _CutShort(f"Resource Graph showed {len(found)} of {least} rows")
    return list(found.values())


def _body(query: str, subscriptions: Sequence[ResourceId], token: str) -> dict[str, JSON]:
    options: dict[str, JSON] = {"resultFormat": "objectArray", "$top": ROWS_A_PAGE}
    if token:
        options["$skipToken"] = token
    return {"subscriptions": [id.name for id in subscriptions], "query": query, "options": options}


def _groups_in(tree: ScopeTree, subscriptions: Iterable[ResourceId]) -> ToldGroups | None:
    """The management groups as the rows of subscriptions tell them; None when not all say where they belong."""
    above = {s.subscription_id.casefold(): s.management_group for s in tree.subscriptions if s.management_group}
    if not above or any(id.name.casefold() not in above for id in subscriptions):
        return None
    return sorted(tree.management_groups, key=lambda group: group.id), above


def _merged(listed: ScopeTree, shown: ScopeTree) -> tuple[ResourceGroup, ...]:
    groups = {group.id: group for group in (*shown.resource_groups, *listed.resource_groups)}
    return tuple(groups[id] for id in sorted(groups))


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
