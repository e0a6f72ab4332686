"""A fleet as it was just read, against what is known: what to store, what to forget. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from policyengine.model.fleet import Fleet
from policyengine.model.ids import ResourceId
from policyengine.model.resource import Cluster


@dataclass(frozen=True, slots=True)
class Changes:
    """What became of each cluster, in the order given. ``absent`` are the folded ids that were known and not shown."""

    added: tuple[Cluster, ...]
    changed: tuple[Cluster, ...]
    unchanged: int
    absent: tuple[str, ...]

    @property
    def upserts(self) -> tuple[Cluster, ...]:
        return self.added + self.changed

    @property
    def is_empty(self) -> bool:
        return not (self.added or self.changed or self.absent)


def reconcile(clusters: Iterable[Cluster], known: Mapping[str, str]) -> Changes:
    """Compare by content hash; ``known`` maps the folded ids known so far to theirs."""
    added, changed, unchanged, left = [], [], 0, dict(known)
    for cluster in clusters:
        before = left.pop(cluster.id.key, None)
        if before is None:
            added.append(cluster)
        elif before != cluster.content_hash:
            changed.append(cluster)
        else:
            unchanged += 1
    return Changes(tuple(added), tuple(changed), unchanged, tuple(sorted(left)))


def told_apart(absent: Sequence[ResourceId], rest: Fleet) -> tuple[tuple[ResourceId, ...], tuple[ResourceId, ...]]:
    """Of the clusters that a reading lacks: those that are gone, and those that were only not seen.

    Gone means that its subscription was read and no failure touches its place: a missing permission must never look
    like a deleted cluster. ``rest`` is the fleet as it was read, whatever clusters it has.
    """
    gone = tuple(id for id in absent if _was_read(id, rest))
    sure = set(gone)
    return gone, tuple(id for id in absent if id not in sure)


def _was_read(id: ResourceId, rest: Fleet) -> bool:
    if rest.tree.subscription(id.subscription) is None:
        return False
    return not any(rest.tree.contains(failure.scope, id) for failure in rest.failures)
