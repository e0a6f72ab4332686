"""One process at a time carries out a plan: a lease taken, kept up while the work goes on, and given back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Final

from policyengine.clock import Clock
from policyengine.errors import PolicyEngineError, StoreError
from policyengine.remediation.steps import StepOutcome
from policyengine.store.owners import Owner
from policyengine.store.store import Store

RENEW_EVERY_S: Final = 5.0


@dataclass(frozen=True)
class LeasedStore:
    """Progress of a plan, told as its owner: nothing is begun once somebody else has taken the plan over."""

    store: Store
    owner: str

    def progress(self, plan_id: str) -> Mapping[str, StepOutcome]:
        return self.store.progress(plan_id)

    def record_outcomes(self, plan_id: str, outcomes: Sequence[StepOutcome]) -> Sequence[bool | PolicyEngineError]:
        return self.store.record_outcomes(plan_id, outcomes, owner=self.owner)


@asynccontextmanager
async def leased(
    store: Store,
    clock: Clock,
    plan_id: str,
    *,
    on_processes: Callable[[int], None],
    every_s: float = RENEW_EVERY_S,
) -> AsyncIterator[LeasedStore]:
    """Raises RemediationError when another process is at it, StoreError as soon as one takes it over.

    ``on_processes`` hears, at once and again whenever the lease is kept up, how many processes carry out plans.
    """
    owner = Owner.new().text
    store.take_lease(plan_id, owner, clock.now())
    try:
        on_processes(store.writing_processes(clock.now()))
        async with asyncio.TaskGroup() as tasks:
            renewing = tasks.create_task(_renew(store, clock, plan_id, owner, every_s, on_processes))
            yield LeasedStore(store, owner)
            renewing.cancel()
    except BaseExceptionGroup as group:
        raise group.exceptions[0] from group
    finally:
        with suppress(StoreError):  # it runs out by itself
            store.release_lease(plan_id, owner)
            on_processes(store.writing_processes(clock.now()))


async def _renew(
    store: Store, clock: Clock, plan_id: str, owner: str, every_s: float, on_processes: Callable[[int], None]
) -> None:
    while True:
        await asyncio.sleep(every_s)
        store.renew_lease(plan_id, owner, clock.now())
        on_processes(store.writing_processes(clock.now()))
