"""The clusters there are: those of a file all at once, those of a synthetic fleet when somebody looks.

A generated cluster that nothing happened to is forgotten again, and generated again; one that was touched is kept.
INVARIANT: whoever changes a cluster has kept it before.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Final

from policyengine.model.ids import ResourceId
from policyengine.model.resource import Cluster
from policyengine.model.synthetic import SyntheticFleet

if TYPE_CHECKING:
    from policyengine.emulator.state import EmulatedCluster

_RECENT: Final = 256
"""Generated clusters that are remembered a while, for who looks at one looks again."""


class ClusterStore:
    """By folded id. INVARIANT: every list is in id order."""

    def __init__(self) -> None:
        self._kept: dict[str, EmulatedCluster] = {}
        self._recent: OrderedDict[str, EmulatedCluster] = OrderedDict()
        self._source: SyntheticFleet | None = None
        self._make: Callable[[Cluster], EmulatedCluster] | None = None

    def add(self, cluster: EmulatedCluster) -> None:
        """Clusters are added in id order."""
        self._kept[cluster.id.key] = cluster

    def generate(self, source: SyntheticFleet, make: Callable[[Cluster], EmulatedCluster]) -> None:
        """There is also whatever ``source`` has; ``make`` brings one of its clusters to life."""
        self._source, self._make = source, make

    def keep(self, cluster: EmulatedCluster) -> None:
        """Something is about to happen to it."""
        self._kept.setdefault(cluster.id.key, cluster)
        self._recent.pop(cluster.id.key, None)

    def kept(self) -> tuple[str, ...]:
        """Folded ids of those that something may have happened to."""
        return tuple(self._kept)

    def get(self, key: str) -> EmulatedCluster | None:
        found = self._kept.get(key) or self._recent.get(key)
        if found is not None or self._source is None:
            return found
        index = self._source.index(ResourceId(key))
        return None if index is None else self._generated(index)

    def named(self, name: str) -> list[EmulatedCluster]:
        """Those of that name, without regard to case."""
        found = [cluster for cluster in self._kept.values() if cluster.id.name.casefold() == name.casefold()]
        index = self._source.named(name) if self._source is not None and not found else None
        return found if index is None else [self._generated(index)]

    def values(self) -> Iterator[EmulatedCluster]:
        return (cluster for id in self.ids() if (cluster := self.get(id.key)) is not None)

    def ids(self, scope: ResourceId | None = None, type: str | None = None) -> Sequence[ResourceId]:
        """Of the clusters at or under ``scope``, of one type when given."""
        found = self._ids_below(scope or ResourceId("/"))
        return [id for id in found if type is None or id.type.casefold() == type.casefold()]

    def untouched(self) -> Iterator[Cluster]:
        """What has been generated, if at all, and not been kept."""
        return (cluster for cluster in self._source or () if cluster.id.key not in self._kept)

    def untouched_children(self) -> Iterator[ResourceId]:
        """Of what is on clusters that have not been kept, in no particular order."""
        source = self._source
        if source is not None:
            for index in range(len(source)):
                if not self.is_kept(source.id(index)):
                    yield from source.child_ids(index)

    def is_kept(self, id: ResourceId) -> bool:
        return id.key in self._kept

    def __len__(self) -> int:
        return len(self._kept) if self._source is None else len(self._source)

    def _ids_below(self, scope: ResourceId) -> Iterator[ResourceId]:
        if self._source is not None:
            return map(self._source.id, self._source.below(scope))
        return (cluster.id for cluster in self._kept.values() if scope.contains(cluster.id))

    def _generated(self, index: int) -> EmulatedCluster:
        assert self._source is not None
        assert self._make is not None
        id = self._source.id(index)
        found = self._kept.get(id.key) or self._recent.get(id.key)
        if found is None:
            found = self._recent[id.key] = self._make(self._source.cluster(index))
            if len(self._recent) > _RECENT:
                self._recent.popitem(last=False)
        return found
