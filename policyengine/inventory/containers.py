"""The scope tree out of ARM documents: management groups, subscriptions, resource groups. Pure.

Source: configuration API §10; Azure Resource Graph, table `resourcecontainers`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import zip_longest
from typing import Final, TypeVar

from policyengine.model.ids import ResourceId
from policyengine.model.scope import ManagementGroup, ResourceGroup, ScopeTree, Subscription
from policyengine.model.values import JSON, get_folded, is_array, walk

Document = Mapping[str, JSON]

_GROUPS: Final = "microsoft.management/managementgroups"
_Place = TypeVar("_Place")


def is_container(id: ResourceId) -> bool:
    """True for management groups, subscriptions and resource groups."""
    return id.management_group is not None or (len(id.segments) in {2, 4} and id.subscription is not None)


def read_tree(documents: Iterable[Document], clusters: Iterable[ResourceId] = ()) -> ScopeTree:
    """The tree that the container documents describe, each kind in id order.

    Subscriptions and groups that only a cluster's id speaks of are added, nameless and without a place.
    """
    groups: dict[ResourceId, ManagementGroup] = {}
    chained: dict[ResourceId, ManagementGroup] = {}
    subscriptions: dict[ResourceId, Subscription] = {}
    resource_groups: dict[ResourceId, ResourceGroup] = {}
    for document in documents:
        id = ResourceId(str(get_folded(document, "id")))
        if id.management_group is not None:
            groups[id] = read_management_group(document)
        elif len(id.segments) == 2:
            subscriptions[id] = _read_subscription(document)
            chained |= {ancestor.id: ancestor for ancestor in _chain(document)}
        else:
            resource_groups[id] = read_resource_group(document)
    for id, ancestor in chained.items():
        group = groups.get(id, ancestor)
        groups[id] = group if group.parent is not None else replace(group, parent=ancestor.parent)
    for cluster in clusters:
        _add_places_of(cluster, subscriptions, resource_groups)
    return ScopeTree(_in_order(groups), _in_order(subscriptions), _in_order(resource_groups))


def read_management_group(document: Document) -> ManagementGroup:
    id = ResourceId(str(get_folded(document, "id")))
    name = id.management_group or id.name
    parent = parent_group(document)
    return ManagementGroup(name, str(walk(document, "properties", "displayName") or name), parent)


def read_subscription(document: Document, management_group: str | None) -> Subscription:
    name = str(get_folded(document, "subscriptionId") or "").rpartition("/")[2]
    subscription_id = name or ResourceId(str(get_folded(document, "id"))).name
    display_name = get_folded(document, "displayName") or get_folded(document, "name") or subscription_id
    tenant = get_folded(document, "tenantId")
    return Subscription(
        subscription_id,
        str(display_name),
        management_group,
        str(tenant) if tenant else None,
        _tags(document),
    )


def read_resource_group(document: Document) -> ResourceGroup:
    id = ResourceId(str(get_folded(document, "id")))
    return ResourceGroup(id, str(get_folded(document, "location") or ""), _tags(document))


def parent_group(document: Document) -> str | None:
    """The management group right above, where the document says it."""
    for path in (("properties", "parent", "id"), ("properties", "details", "parent", "id")):
        text = walk(document, *path)
        if isinstance(text, str) and _GROUPS in text.casefold():
            return text.rstrip("/").rpartition("/")[2]
    return None


def _read_subscription(document: Document) -> Subscription:
    above = next((group.name for group in _chain(document)), None) or parent_group(document)
    return read_subscription(document, above)


def _chain(document: Document) -> Iterator[ManagementGroup]:
    """The groups above a subscription, nearest first, as Resource Graph lists them."""
    chain = walk(document, "properties", "managementGroupAncestorsChain")
    entries = [entry for entry in chain if get_folded(entry, "name")] if is_array(chain) else []
    names = [str(get_folded(entry, "name")) for entry in entries]
    for entry, name, parent in zip_longest(entries, names, names[1:]):
        yield ManagementGroup(name, str(get_folded(entry, "displayName") or name), parent)


def _add_places_of(
    cluster: ResourceId,
    subscriptions: dict[ResourceId, Subscription],
    resource_groups: dict[ResourceId, ResourceGroup],
) -> None:
    if cluster.subscription is None or cluster.resource_group is None:
        return
    subscription = ResourceId.for_subscription(cluster.subscription)
    subscriptions.setdefault(subscription, Subscription(cluster.subscription, cluster.subscription))
    group = ResourceId(f"{subscription}/resourceGroups/{cluster.resource_group}")
    resource_groups.setdefault(group, ResourceGroup(group, ""))


def _in_order(places: Mapping[ResourceId, _Place]) -> tuple[_Place, ...]:
    return tuple(places[id] for id in sorted(places))


def _tags(document: Document) -> Mapping[str, JSON]:
    tags = get_folded(document, "tags")
    return tags if isinstance(tags, Mapping) else {}
