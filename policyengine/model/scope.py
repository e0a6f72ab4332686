"""The scope tree: management groups over subscriptions over resource groups, and patterns over it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from policyengine.model.ids import ResourceId
from policyengine.model.values import JSON


@dataclass(frozen=True)
class ManagementGroup:
    name: str
    display_name: str
    parent: str | None = None

    @property
    def id(self) -> ResourceId:
        return ResourceId.for_management_group(self.name)


@dataclass(frozen=True)
class Subscription:
    """``management_group`` is None when the tree above the subscription is not known."""

    subscription_id: str
    display_name: str
    management_group: str | None = None
    tenant_id: str | None = None
    tags: Mapping[str, JSON] = field(default_factory=dict)

    @property
    def id(self) -> ResourceId:
        return ResourceId.for_subscription(self.subscription_id)


@dataclass(frozen=True)
class ResourceGroup:
    id: ResourceId
    location: str
    tags: Mapping[str, JSON] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.id.name


@dataclass(frozen=True)
class ScopeTree:
    """Everything above the resources. Names and ids are looked up without case."""

    management_groups: tuple[ManagementGroup, ...] = ()
    subscriptions: tuple[Subscription, ...] = ()
    resource_groups: tuple[ResourceGroup, ...] = ()

    @cached_property
    def _groups(self) -> dict[str, ManagementGroup]:
        return {g.name.casefold(): g for g in self.management_groups}

    @cached_property
    def _subscriptions(self) -> dict[str, Subscription]:
        return {s.subscription_id.casefold(): s for s in self.subscriptions}

    @cached_property
    def _resource_groups(self) -> dict[str, ResourceGroup]:
        return {g.id.key: g for g in self.resource_groups}

    def management_group(self, name: str) -> ManagementGroup | None:
        return self._groups.get(name.casefold())

    def subscription(self, subscription_id: str | None) -> Subscription | None:
        return self._subscriptions.get((subscription_id or "").casefold())

    def resource_group(self, id: ResourceId) -> ResourceGroup | None:
        """The group that ``id`` is, or stands in."""
        if id.subscription is None or id.resource_group is None:
            return None
        return self._resource_groups.get(
            f"/subscriptions/{id.subscription}/resourcegroups/{id.resource_group}".casefold()
        )

    def management_groups_above(self, id: ResourceId) -> tuple[ManagementGroup, ...]:
        """The management groups over ``id``, nearest first."""
        name: str | None
        own = id.management_group
        if own is not None:
            group = self.management_group(own)
            name = group.parent if group else None
        else:
            subscription = self.subscription(id.subscription)
            name = subscription.management_group if subscription else None
        above: list[ManagementGroup] = []
        while name is not None and (group := self.management_group(name)) is not None and group not in above:
            above.append(group)
            name = group.parent
        return tuple(above)

    def contains(self, scope: ResourceId, id: ResourceId) -> bool:
        """True when ``id`` is at or under ``scope``, management groups included."""
        if scope.management_group is None:
            return scope.contains(id)
        return scope == id or any(group.id == scope for group in self.management_groups_above(id))


@dataclass(frozen=True)
class ScopePattern:
    """A scope whose segments may hold ``*`` (any run of characters inside one segment).

    Wildcards are ours, Azure has none: they serve `notScopes` and exemption scopes.
    """

    text: str

    @property
    def has_wildcard(self) -> bool:
        return "*" in self.text

    @cached_property
    def _regex(self) -> re.Pattern[str]:
        body = re.escape(self.text.rstrip("/").casefold()).replace(r"\*", "[^/]*")
        return re.compile(rf"{body}(/.*)?", re.DOTALL)

    def may_be_within(self, scope: ResourceId) -> bool:
        """False only when no place this pattern names can be at or under ``scope``.

        What is under a management group is known to a scope tree alone: anything may be.
        """
        if scope.management_group is not None:
            return True
        own = [s for s in self.text.casefold().split("/") if s]
        wanted = [s.casefold() for s in scope.segments]
        return len(own) >= len(wanted) and all(map(_fits, own, wanted))

    def covers(self, id: ResourceId, tree: ScopeTree) -> bool:
        """True when ``id`` is at or under a place this pattern names."""
        if not self.has_wildcard:
            return tree.contains(ResourceId(self.text), id)
        return self._regex.fullmatch(id.key) is not None


def _fits(pattern: str, segment: str) -> bool:
    return re.fullmatch(re.escape(pattern).replace(r"\*", ".*"), segment, re.DOTALL) is not None


def covers_any(patterns: Iterable[ScopePattern], id: ResourceId, tree: ScopeTree) -> bool:
    return any(pattern.covers(id, tree) for pattern in patterns)
