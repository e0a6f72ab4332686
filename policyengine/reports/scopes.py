"""Rolls resource groups up their scope tree: management groups over subscriptions over resource groups."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from policyengine.model.ids import ResourceId
from policyengine.model.scope import ManagementGroup, ScopeTree
from policyengine.reports.report import GroupEntry, ScopeKind, ScopeNode
from policyengine.reports.summary import add_counts


def rollup_by_scope(tree: ScopeTree, groups: Iterable[GroupEntry]) -> tuple[ScopeNode, ...]:
    """The places that hold a cluster, each with the counts of everything under it.

    The roots are the management groups whose parent is not known, then the subscriptions under none that is.
    """
    subscriptions = _subscriptions(tree, groups)
    roots = [group for group in tree.management_groups if _group_key(tree, group.parent) is None]
    nodes = [_management_group(tree, group, subscriptions) for group in roots]
    return (*_by_name(nodes), *_by_name(subscriptions.get(None, ())))


def _subscriptions(tree: ScopeTree, groups: Iterable[GroupEntry]) -> dict[str | None, list[ScopeNode]]:
    """The subscriptions that hold a cluster, under the folded name of the management group they are in."""
    members: dict[str, list[GroupEntry]] = {}
    for group in groups:
        members.setdefault((group.id.subscription or "").casefold(), []).append(group)
    found: dict[str | None, list[ScopeNode]] = {}
    for folded, own in members.items():
        known = tree.subscription(folded)
        id = own[0].id.subscription or folded
        node = _inner(
            ResourceId.for_subscription(id),
            known.display_name if known else id,
            ScopeKind.SUBSCRIPTION,
            [ScopeNode(g.id, g.id.name, ScopeKind.RESOURCE_GROUP, g.clusters, g.counts) for g in own],
        )
        found.setdefault(_group_key(tree, known.management_group if known else None), []).append(node)
    return found


def _management_group(
    tree: ScopeTree, group: ManagementGroup, subscriptions: dict[str | None, list[ScopeNode]]
) -> ScopeNode:
    key = group.name.casefold()
    below = [
        _management_group(tree, child, subscriptions)
        for child in tree.management_groups
        if _group_key(tree, child.parent) == key
    ]
    return _inner(group.id, group.display_name, ScopeKind.MANAGEMENT_GROUP, [*below, *subscriptions.get(key, ())])


def _group_key(tree: ScopeTree, name: str | None) -> str | None:
    """The folded name of a management group that the tree knows, else None."""
    return name.casefold() if name is not None and tree.management_group(name) is not None else None


def _inner(id: ResourceId, name: str, kind: ScopeKind, children: Sequence[ScopeNode]) -> ScopeNode:
    return ScopeNode(
        id=id,
        name=name,
        kind=kind,
        clusters=sum(child.clusters for child in children),
        counts=add_counts(child.counts for child in children),
        children=_by_name(children),
    )


def _by_name(nodes: Iterable[ScopeNode]) -> tuple[ScopeNode, ...]:
    """Empty places are left out: nobody can act on them."""
    return tuple(sorted((n for n in nodes if n.clusters), key=lambda n: (n.name.casefold(), n.id.key)))
