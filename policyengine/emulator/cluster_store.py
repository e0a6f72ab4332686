"""The clusters there are: those of a file all at once, those of a synthetic fleet when somebody looks.

A generated cluster that nothing happened to is forgotten again, and generated again; one that was touched is kept.
INVARIANT: whoever changes a cluster has kept it before.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final

from policyengine.model.ids import ResourceId
from policyengine.model.resource import Cluster, Resource
from policyengine.model.synthetic import SyntheticFleet

if TYPE_CHECKING:
    from policyengine.emulator.state import ClusterHead, EmulatedCluster

_RECENT: Final = 256
"""Generated clusters that are remembered a while, for who looks at one looks again."""


class ClusterStore:
    """By folded id. INVARIANT: every list is in id order."""

    def __init__(self) -> None:
        self._kept: dict[str, EmulatedCluster] = {}
        self._order: list[str] = []
        self._recent: OrderedDict[str, EmulatedCluster] = OrderedDict()
        self._source: SyntheticFleet | None = None
        self._make: Callable[[Cluster], EmulatedCluster] | None = None
        self._make_head: Callable[[Resource], ClusterHead] | None = None

    def __getstate__(self) -> dict[str, object]:
        # What nothing happened to is generated again: a state holds what differs from the fleet it began with.
        return {**self.__dict__, "_recent": OrderedDict()}

    def add(self, cluster: EmulatedCluster) -> None:
        """Clusters are added in id order."""
        self._kept[cluster.id.key] = cluster
        self._order.append(cluster.id.key)

    def generate(
        self,
        source: SyntheticFleet,
        make: Callable[[Cluster], EmulatedCluster],
        make_head: Callable[[Resource], ClusterHead],
    ) -> None:
        """There is also whatever ``source`` has; ``make`` brings one of its clusters to life."""
        self._source, self._make, self._make_head = source, make, make_head

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
        return None if index is None else self.at(index)

    def head(self, key: str) -> ClusterHead | None:
        """What the document of that cluster is told from, to be read only; what is on it is not made for that."""
        found = self._kept.get(key) or self._recent.get(key)
        if found is not None or self._source is None:
            return found
        index = self._source.index(ResourceId(key))
        return None if index is None else self.head_at(index)

    def heads(
        self, scope: ResourceId | None = None, type: str | None = None, after: str | None = None
    ) -> Iterator[ClusterHead]:
        """Of the clusters `ids` gives."""
        if self._source is None:
            return (self._kept[id.key] for id in self.ids(scope, type, after))
        indexes = self._indexes(self._source, scope or ResourceId("/"), after)
        return (self.head_at(at) for at in indexes if type is None or self._type(at) == type.casefold())

    def named(self, name: str) -> list[EmulatedCluster]:
        """Those of that name, without regard to case."""
        found = [cluster for cluster in self._kept.values() if cluster.id.name.casefold() == name.casefold()]
        index = self._source.named(name) if self._source is not None and not found else None
        return found if index is None else [self.at(index)]

    def values(self) -> Iterator[EmulatedCluster]:
        """All of them, each made when its turn comes."""
        return (cluster for id in self.ids() if (cluster := self.get(id.key)) is not None)

    def ids(
        self, scope: ResourceId | None = None, type: str | None = None, after: str | None = None
    ) -> Iterator[ResourceId]:
        """Of the clusters at or under ``scope`` and, when given, of one type and behind the folded id ``after``.

        Costs what is taken from it, whatever the size of the fleet.
        """
        place = scope or ResourceId("/")
        if self._source is None:
            found = self._added(place, after)
        else:
            found = map(self._source.id, self._indexes(self._source, place, after))
        return (id for id in found if type is None or id.type.casefold() == type.casefold())

    def untouched(self) -> Iterator[Cluster]:
        """What has been generated, if at all, and not been kept."""
        return (cluster for cluster in self._source or () if cluster.id.key not in self._kept)

    @property
    def source(self) -> SyntheticFleet | None:
        """Where clusters are generated from, if they are."""
        return self._source

    def places(self, scope: ResourceId) -> Iterator[int | EmulatedCluster]:
        """What is at or under ``scope``: clusters that are kept, and indexes of those that need not be made yet."""
        source = self._source
        if source is None:
            yield from (self._kept[id.key] for id in self._added(scope, None))
            return
        kept = {source.index(cluster.id): cluster for cluster in self._kept.values() if scope.contains(cluster.id)}
        yield from (kept.get(index, index) for index in source.below(scope))

    def __len__(self) -> int:
        return len(self._kept) if self._source is None else len(self._source)

    def _indexes(self, source: SyntheticFleet, scope: ResourceId, after: str | None) -> range:
        below = source.below(scope)
        return below if after is None else range(max(below.start, source.first(f"{after}\0")), below.stop)

    def _added(self, scope: ResourceId, after: str | None) -> Iterator[ResourceId]:
        prefix = scope.key.rstrip("/")
        start = prefix if after is None else max(prefix, f"{after}\0")
        first, last = bisect_left(self._order, start), bisect_left(self._order, f"{prefix}/\U0010ffff")
        ids = (self._kept[self._order[at]].id for at in range(first, last))
        return (id for id in ids if scope.contains(id))

    def _type(self, index: int) -> str:
        assert self._source is not None
        return self._source.id(index).type.casefold()

    def at(self, index: int) -> EmulatedCluster:
        """The cluster of that index in the source."""
        assert self._source is not None
        assert self._make is not None
        id = self._source.id(index)
        found = self._kept.get(id.key) or self._recent.get(id.key)
        if found is None:
            found = self._recent[id.key] = self._make(self._source.cluster(index))
            if len(self._recent) > _RECENT:
                self._recent.popitem(last=False)
        return found

    def head_at(self, index: int) -> ClusterHead:
        """What `head` gives, by the index in the source."""
        assert self._source is not None
        assert self._make_head is not None
        resource = self._source.head(index)
        return self._kept.get(resource.id.key) or self._make_head(resource)
