"""The clusters of a synthetic fleet, which are there when somebody looks.

What nothing happened to is a function of the fleet, the news and the instant: it is made when it is looked at, hears
the news that concern it, each at its own instant, and is forgotten again. What was written to is kept.
"""

from __future__ import annotations

from bisect import insort
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from operator import attrgetter
from typing import TYPE_CHECKING, Final, Protocol

from policyengine.emulator.cluster_store import ClusterStore
from policyengine.emulator.news import News
from policyengine.emulator.timeline import Event, Timeline
from policyengine.model.ids import ResourceId
from policyengine.model.resource import Cluster, Resource
from policyengine.model.synthetic import SyntheticFleet

if TYPE_CHECKING:
    from policyengine.emulator.state import ClusterHead, EmulatedCluster

_RECENT: Final = 256
"""Clusters that are remembered a while, for who looks at one looks again."""


class Maker(Protocol):
    """Makes emulated clusters of those in a fleet. ``tell`` lets one hear news, if these concern it."""

    def head(self, resource: Resource) -> ClusterHead: ...

    def whole(self, cluster: Cluster) -> EmulatedCluster: ...

    def tell(self, cluster: EmulatedCluster, news: News) -> None: ...


@dataclass(slots=True)
class _Life:
    """A cluster that is not kept, what it waits for, and how many of the news it has heard."""

    cluster: EmulatedCluster
    events: list[Event] = field(default_factory=list)
    heard: int = 0


class GeneratedClusters(ClusterStore):
    """By folded id, and by index in ``source``."""

    def __init__(self, source: SyntheticFleet, maker: Maker, timeline: Timeline) -> None:
        super().__init__()
        self.source = source
        self._maker = maker
        self._timeline = timeline
        self._news: list[News] = []
        self._touched: dict[int, EmulatedCluster] = {}
        self._recent: OrderedDict[int, _Life] = OrderedDict()

    def __getstate__(self) -> dict[str, object]:
        # A state holds what differs from the fleet it began with; the rest is made again.
        return {**self.__dict__, "_recent": OrderedDict()}

    def keep(self, cluster: EmulatedCluster) -> None:
        index = self.source.index(cluster.id)
        if index is not None and index not in self._touched:
            self._touched[index] = self._kept[cluster.id.key] = cluster
            life = self._recent.pop(index, None)
            if life is not None:
                self._timeline.join(life.events)

    def announce(self, news: News) -> None:
        # What is not due yet stands behind: nobody has heard anything that comes after it.
        insort(self._news, news, key=attrgetter("at"))

    def get(self, key: str) -> EmulatedCluster | None:
        index = self.source.index(ResourceId(key))
        return None if index is None else self.at(index)

    def at(self, index: int) -> EmulatedCluster:
        """The cluster of that index."""
        kept = self._touched.get(index)
        if kept is not None:
            return kept
        life = self._recent.get(index)
        if life is None:
            life = self._recent[index] = _Life(self._maker.whole(self.source.cluster(index)))
            if len(self._recent) > _RECENT:
                self._recent.popitem(last=False)
        self._catch_up(life)
        return life.cluster

    def head(self, key: str) -> ClusterHead | None:
        index = self.source.index(ResourceId(key))
        return None if index is None else self.head_at(index)

    def head_at(self, index: int) -> ClusterHead:
        """What `head` gives, by index. News change nothing of it."""
        return self._touched.get(index) or self._maker.head(self.source.head(index))

    def named(self, name: str) -> list[EmulatedCluster]:
        index = self.source.named(name)
        return [] if index is None else [self.at(index)]

    def ids(
        self, scope: ResourceId | None = None, type: str | None = None, after: str | None = None
    ) -> Iterator[ResourceId]:
        return map(self.source.id, self._indexes(scope, type, after))

    def heads(
        self, scope: ResourceId | None = None, type: str | None = None, after: str | None = None
    ) -> Iterator[ClusterHead]:
        return map(self.head_at, self._indexes(scope, type, after))

    def places(self, scope: ResourceId) -> Iterator[int | EmulatedCluster]:
        """What is at or under ``scope``: clusters that are kept, and indexes of those that need not be made yet."""
        return (self._touched.get(index, index) for index in self.source.below(scope))

    def touched_beside(self, other: ClusterStore) -> set[str]:
        """Where only one has heard some news, everything must be looked at."""
        if isinstance(other, GeneratedClusters) and self._news == other._news:
            return super().touched_beside(other)
        return {self.source.path(index).casefold() for index in range(len(self.source))}

    def __len__(self) -> int:
        return len(self.source)

    def _indexes(self, scope: ResourceId | None, type: str | None, after: str | None) -> Iterator[int]:
        below = self.source.below(scope or ResourceId("/"))
        start = below.start if after is None else max(below.start, self.source.first(f"{after}\0"))
        wanted = None if type is None else type.casefold()
        return (
            index
            for index in range(start, below.stop)
            if wanted is None or self.source.type(index).casefold() == wanted
        )

    def _catch_up(self, life: _Life) -> None:
        """Let happen what has happened to it since it was made: the news it heard, and what follows from them."""
        if not self._news:
            return
        now = self._timeline.reached
        with self._timeline.apart(life.events):
            for news in self._news[life.heard :]:
                if news.at > now:
                    break
                self._timeline.run_until(news.at)
                self._maker.tell(life.cluster, news)
                life.heard += 1
            self._timeline.run_until(now)
