"""Where the clusters are → the store, as changes against what is known."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from policyengine.clock import Clock
from policyengine.inventory import read
from policyengine.inventory.live import look_again
from policyengine.inventory.reconcile import reconcile
from policyengine.model.fleet import Fleet, ScopeFailure
from policyengine.model.ids import ResourceId
from policyengine.model.scope import ScopeTree
from policyengine.store.store import Store
from policyengine.workflows.connect import arm_client
from policyengine.workflows.settings import Settings

LAG: Final = timedelta(minutes=10)
"""How far Resource Graph may be behind; what was written since then is looked at itself."""

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


async def sync(settings: Settings, store: Store, clock: Clock, on_progress: OnProgress) -> SyncResult:
    """Raises InventoryError or ArmError when nothing can be read at all."""
    known = store.content_hashes()
    fleet = await read_fleet(settings, on_progress, known=known, written=store.written_since(clock.now() - LAG))
    changes = reconcile(fleet, known)
    removed, failures = changes.removed, fleet.failures
    if settings.inventory.startswith("arm:"):
        failures += _out_of_sight(changes.unseen, fleet)
    else:
        removed += tuple(id for id in changes.unseen if not _is_touched(id, fleet))  # a file is the whole truth
    store.apply_changes(
        upserts=changes.upserts,
        removed=removed,
        tree=fleet.tree if fleet.groups_known else with_groups_of(store.tree(), fleet.tree),
        source=settings.inventory,
        complete=not failures,
        failures=failures,
        at=clock.now(),
    )
    return SyncResult(
        source=settings.inventory,
        clusters=len(fleet.clusters),
        added=len(changes.added),
        changed=len(changes.changed),
        unchanged=changes.unchanged,
        removed=len(removed),
        failures=failures,
        notes=fleet.notes,
    )


def _is_touched(id: ResourceId, fleet: Fleet) -> bool:
    return any(fleet.tree.contains(failure.scope, id) for failure in fleet.failures)


def _out_of_sight(unseen: Sequence[ResourceId], fleet: Fleet) -> tuple[ScopeFailure, ...]:
    """A failure for each subscription that is known and no longer shown: a lost permission looks just like that."""
    lost = {ResourceId.for_subscription(id.subscription) for id in unseen if id.subscription is not None}
    reason = "the subscription is no longer visible to this identity"
    return tuple(
        ScopeFailure(scope, reason) for scope in sorted(lost) if fleet.tree.subscription(scope.subscription) is None
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


async def read_fleet(
    settings: Settings,
    on_progress: OnProgress,
    *,
    known: Iterable[ResourceId] = (),
    written: Iterable[ResourceId] = (),
) -> Fleet:
    """The fleet as its source tells it now.

    Where the source lags behind, it is not believed about clusters that it no longer shows of those ``known``, nor
    about those that were ``written`` to a moment ago: these are looked at one by one.
    """
    if not settings.inventory.startswith("arm:"):
        return await read(settings.inventory, arm=None, on_progress=on_progress)
    async with arm_client(settings) as client:
        fleet = await read(settings.inventory, arm=client, on_progress=on_progress)
        return await look_again(client, fleet, _doubtful(fleet, known, written)) if fleet.lags else fleet


def _doubtful(fleet: Fleet, known: Iterable[ResourceId], written: Iterable[ResourceId]) -> list[ResourceId]:
    shown = {cluster.id for cluster in fleet.clusters}
    missing = reconcile(replace(fleet, clusters=()), dict.fromkeys((id for id in known if id not in shown), "")).removed
    return sorted({*missing, *(id for id in written if id in shown)})
