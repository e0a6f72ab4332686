"""Where the clusters are → the store, as changes against what is known."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from policyengine.clock import Clock
from policyengine.inventory import read
from policyengine.inventory.reconcile import reconcile
from policyengine.model.fleet import Fleet, ScopeFailure
from policyengine.model.ids import ResourceId
from policyengine.model.scope import ScopeTree
from policyengine.store.store import Store
from policyengine.workflows.connect import arm_client
from policyengine.workflows.settings import Settings

OnProgress = Callable[[int, int | None], None]


def unwatched(done: int, total: int | None) -> None:
    """For steps whose progress nobody watches."""


@dataclass(frozen=True)
class SyncResult:
    """What a sync found. ``failures`` are scopes that could not be read: their clusters keep what was last known."""

    source: str
    clusters: int
    added: int
    changed: int
    unchanged: int
    removed: int
    failures: tuple[ScopeFailure, ...] = ()

    @property
    def complete(self) -> bool:
        return not self.failures


async def sync(settings: Settings, store: Store, clock: Clock, on_progress: OnProgress) -> SyncResult:
    """Raises InventoryError or ArmError when nothing can be read at all."""
    fleet = await read_fleet(settings, on_progress)
    changes = reconcile(fleet, store.content_hashes())
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


async def read_fleet(settings: Settings, on_progress: OnProgress) -> Fleet:
    """The fleet as its source tells it now."""
    if not settings.inventory.startswith("arm:"):
        return await read(settings.inventory, arm=None, on_progress=on_progress)
    async with arm_client(settings) as client:
        return await read(settings.inventory, arm=client, on_progress=on_progress)
