"""A fleet as it was just read, against what is known: what to store, what to forget. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from policyengine.model.fleet import Fleet
from policyengine.model.ids import ResourceId
from policyengine.model.resource import Cluster


@dataclass(frozen=True, slots=True)
class Changes:
    """What became of each cluster, everything in id order.

    ``removed`` are gone: they stood in a scope that was read whole. ``unseen`` are neither there nor known to
    be gone: their scope could not be read, or is no longer shown to us.
    """

    added: tuple[Cluster, ...]
    changed: tuple[Cluster, ...]
    unchanged: int
    removed: tuple[ResourceId, ...]
    unseen: tuple[ResourceId, ...] = ()

    @property
    def upserts(self) -> tuple[Cluster, ...]:
        return self.added + self.changed

    @property
    def is_empty(self) -> bool:
        return not (self.added or self.changed or self.removed)


def reconcile(fleet: Fleet, known: Mapping[ResourceId, str]) -> Changes:
    """Compare by content hash; ``known`` maps the clusters known so far to theirs.

    A known cluster that the fleet lacks counts as removed only when its subscription was read and no failure
    touches its place: a missing permission must never look like a deleted cluster.
    """
    added, changed, unchanged = [], [], 0
    for cluster in fleet.clusters:
        if cluster.id not in known:
            added.append(cluster)
        elif known[cluster.id] != cluster.content_hash:
            changed.append(cluster)
        else:
            unchanged += 1
    present = {cluster.id for cluster in fleet.clusters}
    absent = sorted(id for id in known if id not in present)
    removed = tuple(id for id in absent if _was_read(id, fleet))
    unseen = tuple(id for id in absent if not _was_read(id, fleet))
    return Changes(tuple(added), tuple(changed), unchanged, removed, unseen)


def _was_read(id: ResourceId, fleet: Fleet) -> bool:
    if fleet.tree.subscription(id.subscription) is None:
        return False
    return not any(fleet.tree.contains(failure.scope, id) for failure in fleet.failures)
