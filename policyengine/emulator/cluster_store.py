"""The clusters there are. Those of a file are there all at once; see `generated_clusters` for those that are not."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from typing import TYPE_CHECKING

from policyengine.emulator.news import News
from policyengine.model.ids import ResourceId

if TYPE_CHECKING:
    from policyengine.emulator.state import ClusterHead, EmulatedCluster


class ClusterStore:
    """By folded id. INVARIANT: every list is in id order."""

    def __init__(self) -> None:
        self._kept: dict[str, EmulatedCluster] = {}
        self._order: list[str] = []

    def add(self, cluster: EmulatedCluster) -> None:
        """Clusters are added in id order."""
        self._kept[cluster.id.key] = cluster
        self._order.append(cluster.id.key)

    def keep(self, cluster: EmulatedCluster) -> None:
        """Something is about to happen to it. INVARIANT: whoever changes a cluster has said so before."""

    def announce(self, news: News) -> None:
        """Something has happened, or will, to all clusters. Those that are kept are told by whoever says so."""

    def kept(self) -> tuple[EmulatedCluster, ...]:
        """Those that something may have happened to."""
        return tuple(self._kept.values())

    def get(self, key: str) -> EmulatedCluster | None:
        return self._kept.get(key)

    def head(self, key: str) -> ClusterHead | None:
        """What the document of that cluster is told from, to be read only; what is on it is not made for that."""
        return self._kept.get(key)

    def named(self, name: str) -> list[EmulatedCluster]:
        """Those of that name, without regard to case."""
        return [cluster for cluster in self._kept.values() if cluster.id.name.casefold() == name.casefold()]

    def ids(
        self, scope: ResourceId | None = None, type: str | None = None, after: str | None = None
    ) -> Iterator[ResourceId]:
        """Of the clusters at or under ``scope`` and, when given, of one type and behind the folded id ``after``.

        Costs what is taken from it, whatever the size of the fleet.
        """
        place = scope or ResourceId("/")
        prefix = place.key.rstrip("/")
        start = prefix if after is None else max(prefix, f"{after}\0")
        first, last = bisect_left(self._order, start), bisect_left(self._order, f"{prefix}/\U0010ffff")
        found = (self._kept[self._order[at]].id for at in range(first, last))
        return (id for id in found if place.contains(id) and (type is None or id.type.casefold() == type.casefold()))

    def heads(
        self, scope: ResourceId | None = None, type: str | None = None, after: str | None = None
    ) -> Iterator[ClusterHead]:
        """Of the clusters `ids` gives."""
        return (self._kept[id.key] for id in self.ids(scope, type, after))

    def values(self) -> Iterator[EmulatedCluster]:
        """All of them, each made when its turn comes."""
        return (cluster for id in self.ids() if (cluster := self.get(id.key)) is not None)

    def touched_beside(self, other: ClusterStore) -> set[str]:
        """Folded ids of those that may be other than in ``other``, which began as this one did."""
        return {cluster.id.key for store in (self, other) for cluster in store.kept()}

    def __len__(self) -> int:
        return len(self._kept)
