"""Fleets that nobody has: any number of clusters, each a pure function of its index and a seed.

`cluster(index)` is made when it is asked for and kept nowhere: a fleet of 100,000 costs nothing until somebody looks.
INVARIANT: index order is id order, within the fleet and so within every subscription and group. What a cluster
consists of is `synthetic_documents`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Final

from policyengine.errors import InventoryError
from policyengine.model.ids import ResourceId
from policyengine.model.resource import AKS, ARC, Cluster, Resource
from policyengine.model.scope import ManagementGroup, ResourceGroup, ScopeTree, Subscription
from policyengine.model.synthetic_documents import LOCATIONS, children_of, draw, make_cluster, make_head, tags_of

MOST: Final = 10_000_000
DEFAULT_SEED: Final = 7
SUBSCRIPTIONS: Final = 200
GROUPS: Final = 2_000
WRITTEN_AT: Final = datetime(2026, 1, 1, tzinfo=UTC)
"""The instant at which the fleet stands still, unless another is given."""
_TENANT: Final = "5e1f0000-0000-4000-8000-000000000000"
_DIVISIONS: Final = ("mg-edge", "mg-online", "mg-platform", "mg-sandbox")
_TEXT: Final = re.compile(r"(\d+)(?:\?seed=(\d+))?")
_INDEX: Final = re.compile(r"[a-z]+-(\d{7})")


@dataclass(frozen=True)
class SyntheticFleet:
    """``size`` clusters: 60 % Arc and 40 % AKS in up to 2,000 groups of up to 200 subscriptions.

    ``at`` is when the documents are read: times in them lie before it. Source: performance reference, "Fleet".
    """

    size: int
    seed: int = DEFAULT_SEED
    at: datetime = WRITTEN_AT

    @classmethod
    def parse(cls, text: str, at: datetime = WRITTEN_AT) -> SyntheticFleet:
        """`100000` or `100000?seed=7`. Raises InventoryError."""
        match = _TEXT.fullmatch(text.replace("_", "").strip())
        if match is None or not 1 <= int(match[1]) <= MOST:
            raise InventoryError(
                f"`{text}` is not a synthetic fleet", help="write how many clusters, and a seed: `1000?seed=7`"
            )
        return cls(int(match[1]), int(match[2] or DEFAULT_SEED), at)

    def __len__(self) -> int:
        return self.size

    def __iter__(self) -> Iterator[Cluster]:
        return (self.cluster(index) for index in range(self.size))

    def cluster(self, index: int) -> Cluster:
        """Raises IndexError beyond the end."""
        return make_cluster(self.id(index), self._draw(index), self._group(index).location, _TENANT, self.at)

    def head(self, index: int) -> Resource:
        """The cluster at ``index`` without what is on it, at a third of what the whole costs."""
        return make_head(self.id(index), self._draw(index), self._group(index).location, _TENANT, self.at)

    def id(self, index: int) -> ResourceId:
        """Of the cluster at ``index``; a tenth of what the cluster costs."""
        return ResourceId(self.path(index))

    def path(self, index: int) -> str:
        """The id of the cluster at ``index`` as text, which is what it costs least as."""
        group = self.group(index)
        type = self._type(index, group)
        name = f"{'aks' if type == AKS else 'arc'}-{index:07d}"
        return f"{self._group_path(group)}/providers/{type}/{name}"

    def type(self, index: int) -> str:
        return self._type(index, self.group(index))

    def group(self, index: int) -> int:
        """Which of the tree's resource groups the cluster at ``index`` is in."""
        if not 0 <= index < self.size:
            raise IndexError(index)
        return index * self.groups // self.size

    def children(self, index: int) -> tuple[tuple[str, str], ...]:
        """Type and name of what is on the cluster at ``index``, in id order; a fraction of what the cluster costs."""
        return children_of(self._draw(index))

    def index(self, id: ResourceId) -> int | None:
        """Where the cluster of that id is; None when the fleet has none."""
        index = self.named(id.name)
        return index if index is not None and self.id(index) == id else None

    def named(self, name: str) -> int | None:
        """Where the cluster of that name is, without regard to case: names are not repeated."""
        match = _INDEX.fullmatch(name.casefold())
        index = int(match[1]) if match is not None else self.size
        return index if index < self.size and self.id(index).name == name.casefold() else None

    def below(self, scope: ResourceId) -> range:
        """Indexes of the clusters at or under ``scope``, which is no management group."""
        key = scope.key.rstrip("/")
        return range(self.first(key), self.first(key + "/\U0010ffff"))

    def first(self, key: str) -> int:
        """The first index whose folded id is not before ``key``; the size of the fleet when all are."""
        low, high = 0, self.size
        while low < high:
            middle = (low + high) // 2
            low, high = (middle + 1, high) if self.path(middle).casefold() < key else (low, middle)
        return low

    @cached_property
    def tree(self) -> ScopeTree:
        root = ManagementGroup("mg-synthetic", "Synthetic")
        divisions = tuple(ManagementGroup(name, name, root.name) for name in _DIVISIONS)
        subscriptions = tuple(self._subscription(number) for number in range(self.subscriptions))
        groups = tuple(self._resource_group(number) for number in range(self.groups))
        return ScopeTree((root, *divisions), subscriptions, groups)

    @cached_property
    def groups(self) -> int:
        return min(GROUPS, self.size)

    @cached_property
    def subscriptions(self) -> int:
        return min(SUBSCRIPTIONS, self.groups)

    def _draw(self, index: int) -> int:
        return draw(self.seed, index)

    def _type(self, index: int, group: int) -> str:
        """Four of ten clusters are AKS, the first of each group: their type sorts before the other."""
        start, end = (-(-g * self.size // self.groups) for g in (group, group + 1))
        return AKS if index - start < 4 * end // 10 - 4 * start // 10 else ARC

    def _subscription(self, number: int) -> Subscription:
        division = _DIVISIONS[draw(self.seed, number, "division") % len(_DIVISIONS)]
        return Subscription(self._subscription_id(number), f"synthetic-{number:03d}", division, _TENANT)

    def _subscription_id(self, number: int) -> str:
        rest = f"{draw(self.seed, number, 'subscription'):016x}"
        return f"{number:08x}-{rest[:4]}-4{rest[4:7]}-8{rest[7:10]}-{rest[10:]}{number:06x}"

    def _group(self, index: int) -> ResourceGroup:
        return self.tree.resource_groups[self.group(index)]

    def _resource_group(self, number: int) -> ResourceGroup:
        location = LOCATIONS[draw(self.seed, number, "location") % len(LOCATIONS)]
        return ResourceGroup(ResourceId(self._group_path(number)), location, tags_of(draw(self.seed, number, "tags")))

    def _group_path(self, number: int) -> str:
        return self._group_paths[number]

    @cached_property
    def _group_paths(self) -> tuple[str, ...]:
        numbers = (number * self.subscriptions // self.groups for number in range(self.groups))
        subscriptions = [self._subscription_id(number) for number in range(self.subscriptions)]
        return tuple(
            f"/subscriptions/{subscriptions[of]}/resourceGroups/rg-{number:04d}" for number, of in enumerate(numbers)
        )
