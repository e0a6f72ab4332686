"""Where the clusters are → the store, as changes against what is known."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import pairwise
from typing import Final

from policyengine.clock import Clock
from policyengine.errors import InventoryError
from policyengine.inventory import Changes, open_source, reconcile
from policyengine.inventory.live import look_again
from policyengine.inventory.reconcile import told_apart
from policyengine.inventory.related import Related, Wanted, nothing
from policyengine.model.fleet import Fleet, ScopeFailure
from policyengine.model.ids import ResourceId
from policyengine.model.resource import Cluster
from policyengine.model.scope import ScopeTree
from policyengine.store.store import Store
from policyengine.workflows.connect import arm_client
from policyengine.workflows.settings import Settings

LAG: Final = timedelta(minutes=10)
"""How far Resource Graph may be behind; what was written since then is looked at itself."""

_END: Final = "\U0010ffff"
"""Behind every id."""

OnProgress = Callable[[int, int | None], None]


def unwatched(done: int, total: int | None) -> None:
    """For steps whose progress nobody watches."""


@dataclass(frozen=True)
class SyncResult:
    """What a sync found. ``failures`` are scopes that could not be read: their clusters keep what was last known.

    ``notes`` say how it was read, where that is not as usual.
    """

    source: str
    clusters: int
    added: int
    changed: int
    unchanged: int
    removed: int
    failures: tuple[ScopeFailure, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def complete(self) -> bool:
        return not self.failures


async def sync(
    settings: Settings, store: Store, clock: Clock, on_progress: OnProgress, wanted: Wanted = nothing
) -> SyncResult:
    """Reads batch by batch, and stores each before the next: one that is killed leaves what it had read.

    ``wanted`` says what policies look for on clusters, beside what is read anyway.
    What is not shown is retired at the end alone, when all that there is has been. Raises InventoryError or ArmError
    when nothing can be read at all.
    """
    on_progress(0, None)
    intake = Intake(store, settings.inventory, clock)
    if not settings.inventory.startswith("arm:"):
        reading = await open_source(settings.inventory, on_progress=on_progress)
        async with aclosing(reading.batches) as batches:
            async for batch in batches:
                intake.take(batch)
        return _finish(intake, reading.rest(), store.spelt(intake.absent()))
    async with arm_client(settings) as client:
        reading = await open_source(settings.inventory, arm=client, on_progress=on_progress, wanted=wanted)
        related = Related(client, wanted, reading.tree)
        written = frozenset(store.written_since(clock.now() - LAG)) if reading.lags else frozenset[ResourceId]()
        failures: list[ScopeFailure] = []
        async with aclosing(reading.batches) as batches:
            async for batch in batches:
                if not batch:  # all of it was gone by the time somebody looked closer
                    continue
                seen = await look_again(related, Fleet(ScopeTree(), batch), [c.id for c in batch if c.id in written])
                failures += seen.failures
                intake.take(seen.clusters, until=batch[-1].id.key)
        rest = reading.rest()
        rest = replace(rest, failures=(*rest.failures, *failures))
        absent = store.spelt(intake.absent())
        if reading.lags:  # not believed about what it no longer shows
            rest = await look_again(related, rest, told_apart(absent, rest)[0])
            absent = intake.take_late(rest.clusters, absent)
        rest = replace(rest, failures=_merged(rest.failures, related.failures))
    return _finish(intake, rest, absent)


def _merged(failures: Sequence[ScopeFailure], more: Sequence[ScopeFailure]) -> tuple[ScopeFailure, ...]:
    """Of two about one scope the first."""
    known = {failure.scope for failure in failures}
    return (*failures, *(failure for failure in more if failure.scope not in known))


@dataclass
class Intake:
    """What a reading brings, compared with what is known and stored, one batch at a time."""

    store: Store
    source: str
    clock: Clock
    added: int = 0
    changed: int = 0
    unchanged: int = 0

    def __post_init__(self) -> None:
        self._after = ""
        self._absent: dict[str, str] = {}
        # The first reading of all must not pass for a whole one before it is.
        self._partial = self.store.last_sync() is not None

    @property
    def clusters(self) -> int:
        return self.added + self.changed + self.unchanged

    def take(self, batch: Sequence[Cluster], *, until: str | None = None) -> None:
        """The next clusters in id order, which are all there are up to ``until``, by default the last of them."""
        keys = [self._after, *(cluster.id.key for cluster in batch)]
        if any(key >= following for key, following in pairwise(keys)):
            raise InventoryError(f"`{self.source}` does not tell its clusters once and in the order of their ids")
        until = until or keys[-1]
        known = self.store.known(after=self._after, until=until)
        changes = self._store(batch, known)
        self._absent.update((key, known[key]) for key in changes.absent)
        self._after = until

    def absent(self) -> list[str]:
        """Folded ids of the clusters that are known and were not in any batch, once there are no more."""
        self._absent |= self.store.known(after=self._after)
        self._after = _END
        return sorted(self._absent)

    def take_late(self, clusters: Sequence[Cluster], absent: Sequence[ResourceId]) -> list[ResourceId]:
        """Clusters that are there after all; the absent ones without them."""
        self._store(clusters, {c.id.key: self._absent[c.id.key] for c in clusters if c.id.key in self._absent})
        late = {cluster.id for cluster in clusters}
        return [id for id in absent if id not in late]

    def _store(self, clusters: Sequence[Cluster], known: Mapping[str, str]) -> Changes:
        changes = reconcile(clusters, known)
        if changes.upserts:
            self.store.apply_changes(
                upserts=changes.upserts,
                removed=(),
                tree=ScopeTree(),
                source=self.source,
                complete=False,
                partial=self._partial,
                at=self.clock.now(),
            )
        self.added += len(changes.added)
        self.changed += len(changes.changed)
        self.unchanged += changes.unchanged
        return changes


def _finish(intake: Intake, rest: Fleet, absent: Sequence[ResourceId]) -> SyncResult:
    """Records the reading as a whole: who is gone, what is above the clusters, and what could not be read."""
    (removed, unseen), failures = told_apart(absent, rest), rest.failures
    if intake.source.startswith("arm:"):
        failures += _out_of_sight(unseen, rest)
    else:
        removed += tuple(id for id in unseen if not _is_touched(id, rest))  # a file is the whole truth
    store = intake.store
    store.apply_changes(
        upserts=(),
        removed=removed,
        tree=rest.tree if rest.groups_known else with_groups_of(store.tree(), rest.tree),
        source=intake.source,
        complete=not failures,
        failures=failures,
        at=intake.clock.now(),
    )
    return SyncResult(
        source=intake.source,
        clusters=intake.clusters,
        added=intake.added,
        changed=intake.changed,
        unchanged=intake.unchanged,
        removed=len(removed),
        failures=failures,
        notes=rest.notes,
    )


def _is_touched(id: ResourceId, rest: Fleet) -> bool:
    return any(rest.tree.contains(failure.scope, id) for failure in rest.failures)


def _out_of_sight(unseen: Sequence[ResourceId], rest: Fleet) -> tuple[ScopeFailure, ...]:
    """A failure for each subscription that is known and no longer shown: a lost permission looks just like that."""
    lost = {ResourceId.for_subscription(id.subscription) for id in unseen if id.subscription is not None}
    reason = "the subscription is no longer visible to this identity"
    return tuple(
        ScopeFailure(scope, reason) for scope in sorted(lost) if rest.tree.subscription(scope.subscription) is None
    )


def with_groups_of(known: ScopeTree, read: ScopeTree) -> ScopeTree:
    """``read`` with the management groups of ``known``, for a reading that was not told of any."""
    subscriptions = tuple(
        replace(s, management_group=before.management_group)
        if (before := known.subscription(s.subscription_id)) is not None
        else s
        for s in read.subscriptions
    )
    return replace(read, management_groups=known.management_groups, subscriptions=subscriptions)
