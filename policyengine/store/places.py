"""What two readings tell differently of the places that clusters stand in. Pure.

A policy may read the resource group and the subscription of a cluster, and be assigned to a management group above it:
when one of them changes, so may the states of the clusters in it, though the clusters stay as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from policyengine.model.fleet import ScopeFailure
from policyengine.model.ids import ResourceId
from policyengine.model.scope import ScopeTree

T = TypeVar("T")


@dataclass(frozen=True)
class Stirred:
    """The subscriptions (folded) and resource groups (keys) that changed, and the scopes that can be read again or no
    longer, under either tree."""

    subscriptions: frozenset[str]
    resource_groups: frozenset[str]
    scopes: tuple[ResourceId, ...]
    trees: tuple[ScopeTree, ...]

    def __bool__(self) -> bool:
        return bool(self.subscriptions or self.resource_groups or self.scopes)

    def touches(self, id: str, subscription: str, resource_group: str) -> bool:
        """Of a cluster with its place, folded."""
        if subscription in self.subscriptions:
            return True
        if f"/subscriptions/{subscription}/resourcegroups/{resource_group}" in self.resource_groups:
            return True
        return any(tree.contains(scope, ResourceId(id)) for scope in self.scopes for tree in self.trees)


def stirred(
    before: ScopeTree, after: ScopeTree, failed_before: Sequence[ScopeFailure], failed: Sequence[ScopeFailure]
) -> Stirred:
    return Stirred(
        frozenset(_differing(_subscriptions(before), _subscriptions(after))),
        frozenset(_differing(_resource_groups(before), _resource_groups(after))),
        tuple(_scopes(failed_before, failed)),
        (before, after),
    )


def merged(known: ScopeTree, read: ScopeTree) -> ScopeTree:
    """Both, where a part was read: it adds to what is known of the tree and takes nothing away."""
    return ScopeTree(
        _over(known.management_groups, read.management_groups, lambda group: group.name.casefold()),
        _over(known.subscriptions, read.subscriptions, lambda one: one.subscription_id.casefold()),
        _over(known.resource_groups, read.resource_groups, lambda group: group.id.key),
    )


def is_same(one: ScopeTree, other: ScopeTree) -> bool:
    """Whether both tell the same, in whatever order."""
    groups = {g.name: g for g in one.management_groups} == {g.name: g for g in other.management_groups}
    return groups and not stirred(one, other, (), ())


def _over(known: Iterable[T], read: Iterable[T], key: Callable[[T], str]) -> tuple[T, ...]:
    return tuple({**{key(one): one for one in known}, **{key(one): one for one in read}}.values())


def _subscriptions(tree: ScopeTree) -> dict[str, Hashable]:
    """What is told of each, with the management groups above it."""
    return {
        one.subscription_id.casefold(): repr((one, tree.management_groups_above(one.id))) for one in tree.subscriptions
    }


def _resource_groups(tree: ScopeTree) -> dict[str, Hashable]:
    return {group.id.key: repr((group.id.text, group.location, group.tags)) for group in tree.resource_groups}


def _differing(before: Mapping[str, Hashable], after: Mapping[str, Hashable]) -> Iterable[str]:
    return (key for key in before.keys() | after.keys() if before.get(key) != after.get(key))


def _scopes(before: Sequence[ScopeFailure], after: Sequence[ScopeFailure]) -> Iterable[ResourceId]:
    """Where a failure came, went or is told differently; all of them when only their order is another."""
    old, new = ({(f.scope.text, f.reason): f.scope for f in failures} for failures in (before, after))
    if list(old) == list(new):
        return ()
    changed = old.keys() ^ new.keys() or old.keys()
    return ({**old, **new}[key] for key in changed)
