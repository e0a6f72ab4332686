"""Rows of clusters and of what is on them, in the tables of Resource Graph.

Of a cluster that nothing happened to there is only a place in its table: the row is made when it is shown, or when a
query asks for more than the id says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from functools import lru_cache, partial
from typing import Final, TypeAlias, TypeVar

from policyengine.emulator.emulator import Emulator
from policyengine.emulator.generated_clusters import GeneratedClusters
from policyengine.emulator.resource_graph.lazy_rows import LazyRow, Maker
from policyengine.emulator.resource_graph.syntax import Row
from policyengine.emulator.routes.clusters import document_at
from policyengine.emulator.routes.graph_columns import COLUMNS, configuration_row, resource_row
from policyengine.emulator.state import ClusterHead, EmulatedCluster
from policyengine.model.ids import ResourceId
from policyengine.model.synthetic import SyntheticFleet
from policyengine.model.values import JSON

P = TypeVar("P")
Child: TypeAlias = "tuple[int, str, str]"
"""The index of its cluster, its type and its name."""
_GONE: Final[Mapping[str, JSON]] = dict.fromkeys(COLUMNS)
"""Whoever pages through a result meets what has been deleted since as a row of nothing but its id."""


def cluster_rows(emulator: Emulator, subscriptions: Iterable[ResourceId], at: datetime) -> Iterator[Row]:
    """Of the subscriptions, in id order."""
    clusters = emulator.state.clusters

    def row(head: ClusterHead) -> Row:
        return resource_row(document_at(emulator, head, at), emulator)

    if isinstance(clusters, GeneratedClusters):
        maker = Maker(_known_of_clusters(clusters.source), lambda index: row(clusters.head_at(index)))
        for place in _each(subscriptions, clusters.places):
            yield LazyRow(place, maker) if isinstance(place, int) else row(place)
    else:
        yield from map(row, _each(subscriptions, clusters.heads))


def configuration_rows(emulator: Emulator, subscriptions: Iterable[ResourceId]) -> Iterator[Row]:
    """The same of extensions and Flux configurations."""
    clusters = emulator.state.clusters

    def rows(cluster: EmulatedCluster) -> Iterator[Row]:
        records = sorted(cluster.records.values(), key=lambda record: record.id)
        return (configuration_row(record.document(), emulator) for record in records)

    if isinstance(clusters, GeneratedClusters):
        maker = Maker(_known_of_children(clusters.source), partial(_made_child, emulator, clusters))
        for place in _each(subscriptions, clusters.places):
            if isinstance(place, int):
                yield from (LazyRow((place, type, name), maker) for type, name in clusters.source.children(place))
            else:
                yield from rows(place)
    else:
        # A cluster may stand before another, and what is on it behind what is on that one: `a/…` follows `a-b/…`.
        kept = sorted(clusters.kept(), key=lambda cluster: f"{cluster.id.key}/")
        asked = {subscription.key for subscription in subscriptions}
        for cluster in kept:
            if f"/subscriptions/{cluster.id.subscription}".casefold() in asked:
                yield from rows(cluster)


def _made_child(emulator: Emulator, clusters: GeneratedClusters, child: Child) -> Row:
    index, type, name = child
    record = clusters.at(index).find(type, name)
    return _GONE if record is None else configuration_row(record.document(), emulator)


def _each(subscriptions: Iterable[ResourceId], below: Callable[[ResourceId], Iterable[P]]) -> Iterator[P]:
    """What is below each, in id order over all."""
    for subscription in sorted(subscriptions, key=lambda subscription: f"{subscription.key}/"):
        yield from below(subscription)


def _known_of_clusters(source: SyntheticFleet) -> Mapping[str, Callable[[int], JSON]]:
    groups = source.tree.resource_groups
    return {
        "id": source.path,
        "name": lambda index: source.path(index).rpartition("/")[2],
        "type": lambda index: source.type(index).casefold(),
        "resourceGroup": lambda index: groups[source.group(index)].name.casefold(),
        "subscriptionId": lambda index: groups[source.group(index)].id.subscription,
    }


def _known_of_children(source: SyntheticFleet) -> Mapping[str, Callable[[Child], JSON]]:
    owners, path = _known_of_clusters(source), lru_cache(maxsize=1)(source.path)
    return {
        "id": lambda child: f"{path(child[0])}/providers/{child[1]}/{child[2]}",
        "name": lambda child: child[2],
        "type": lambda child: child[1].casefold(),
        "resourceGroup": lambda child: owners["resourceGroup"](child[0]),
        "subscriptionId": lambda child: owners["subscriptionId"](child[0]),
    }
