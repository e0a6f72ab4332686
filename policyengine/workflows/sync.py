"""Where the clusters are → the store, as changes against what is known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from policyengine.clock import Clock
from policyengine.inventory import read
from policyengine.inventory.reconcile import reconcile
from policyengine.model.fleet import Fleet, ScopeFailure
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
    store.apply_changes(
        upserts=(*changes.added, *changes.changed),
        removed=changes.removed,
        tree=fleet.tree,
        source=settings.inventory,
        complete=fleet.complete,
        at=clock.now(),
    )
    return SyncResult(
        source=settings.inventory,
        clusters=len(fleet.clusters),
        added=len(changes.added),
        changed=len(changes.changed),
        unchanged=changes.unchanged,
        removed=len(changes.removed),
        failures=fleet.failures,
    )


async def read_fleet(settings: Settings, on_progress: OnProgress) -> Fleet:
    """The fleet as its source tells it now."""
    if not settings.inventory.startswith("arm:"):
        return await read(settings.inventory, arm=None, on_progress=on_progress)
    async with arm_client(settings) as client:
        return await read(settings.inventory, arm=client, on_progress=on_progress)
