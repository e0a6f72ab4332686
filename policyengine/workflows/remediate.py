"""A stored plan → the fleet: exactly that plan is carried out, then what it touched is read again and judged."""

from __future__ import annotations

import getpass
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from policyengine.clock import Clock
from policyengine.compliance.conflicts import judge_all
from policyengine.errors import PolicyEngineError, RemediationError, UsageError
from policyengine.execution import Event, EventListener, SecretResolver, execute
from policyengine.inventory.live import read_clusters
from policyengine.model.ids import ResourceId
from policyengine.model.states import ComplianceState, Reason
from policyengine.remediation.steps import Plan, StepOutcome, StepState
from policyengine.store.store import Store
from policyengine.workflows.connect import arm_client, share_budget
from policyengine.workflows.lease import leased
from policyengine.workflows.load import load
from policyengine.workflows.looking import related_by
from policyengine.workflows.permission import Permission
from policyengine.workflows.scan import REMEDIATION, record_of
from policyengine.workflows.settings import Settings
from policyengine.workflows.sync import unwatched
from policyengine.workflows.world import world_of


@dataclass(frozen=True)
class Judged:
    """One pair the plan was to mend, judged on what the cluster says afterwards."""

    cluster: ResourceId
    policy: str
    state: ComplianceState
    reason: Reason | None


@dataclass(frozen=True)
class Remediated:
    """``outcomes`` in the order of the plan. ``note`` says why the clusters could not be judged afterwards."""

    plan: Plan
    outcomes: tuple[StepOutcome, ...]
    judged: tuple[Judged, ...]
    note: str = ""

    def in_state(self, *states: StepState) -> int:
        return sum(outcome.state in states for outcome in self.outcomes)


def plan_to_resume(store: Store) -> str:
    """The remediation that was interrupted. Raises UsageError when there is none, or more than one."""
    found = store.unfinished_plans()
    if len(found) == 1:
        return found[0]
    if found:
        raise UsageError(
            f"{len(found)} remediations are unfinished", help="name one: " + ", ".join(f"--plan {id}" for id in found)
        )
    raise UsageError("no remediation is unfinished", help="run `policyengine plan` to see what there is to do")


async def remediate(
    settings: Settings,
    store: Store,
    clock: Clock,
    plan_id: str,
    *,
    on_event: EventListener | None = None,
    resume: bool = False,
    started_by: str | None = None,
    unattended: bool = False,
) -> Remediated:
    """Raises RemediationError for a plan that must not be applied (again), or is being applied by another process,
    UsageError for one nobody knows, PolicyError for policy files that cannot be used.

    ``unattended``: only what assignments allow to be written without a person.
    """
    plan = store.plan(plan_id)
    async with leased(store, clock, plan.id, on_processes=partial(share_budget, settings)) as progress:
        guard(settings, store, plan, resume=resume)
        permission = Permission.of(plan, load(settings.policies, settings.aliases), store, clock, unattended=unattended)
        store.start_remediation(plan.id, clock.now(), started_by or getpass.getuser())
        async with arm_client(settings) as client:
            outcomes = await execute(
                plan,
                client,
                progress,
                clock,
                resume=resume,
                parallel=settings.remediation.parallel,
                secrets=SecretResolver(os.environ),
                on_event=on_event or _unheard,
                may_send=partial(permission.may_send, client),
            )
        if all(outcome.state.is_final for outcome in outcomes):
            store.finish_remediation(plan.id, clock.now())
    judged, note = await _judge_again(settings, store, clock, plan, outcomes)
    return Remediated(plan, tuple(outcomes), judged, note)


def _unheard(event: Event) -> None:
    """Nobody listens."""


def guard(settings: Settings, store: Store, plan: Plan, *, resume: bool) -> None:
    """Raises RemediationError for a plan that must not be applied, or not again, or that was never begun."""
    if not settings.inventory.startswith("arm:"):
        raise RemediationError(
            f"the inventory is `{settings.inventory}`, which nothing can be written to",
            help="remediate with `inventory: arm:`",
        )
    unfinished = plan.id in store.unfinished_plans()
    begun = any(outcome.state is not StepState.PLANNED for outcome in store.progress(plan.id).values())
    if begun and not unfinished:
        raise RemediationError(f"plan {plan.id} was applied already", help="make a new one with `policyengine plan`")
    if begun and not resume:
        raise RemediationError(
            f"plan {plan.id} was interrupted", help=f"finish it with `policyengine remediate --plan {plan.id} --resume`"
        )
    if resume and not unfinished:
        raise RemediationError(f"plan {plan.id} was never begun", help="apply it without --resume")
    if not plan.runnable:
        raise RemediationError(f"plan {plan.id} has no request that is ready", help="see `policyengine plan`")


async def _judge_again(
    settings: Settings, store: Store, clock: Clock, plan: Plan, outcomes: Sequence[StepOutcome]
) -> tuple[tuple[Judged, ...], str]:
    """Read the clusters that were written to, remember them, and record their states as a scan of their own."""
    untouched = {StepState.SKIPPED, StepState.STALE, StepState.PLANNED}
    touched = {outcome.step_id for outcome in outcomes if outcome.state not in untouched}
    ids = list(dict.fromkeys(step.cluster for step in plan.steps if step.id in touched))
    if not ids:
        return (), ""
    try:
        loaded = load(settings.policies, settings.aliases)
        async with arm_client(settings) as client:
            related = related_by(loaded, client, store.tree(), clock)
            live = await read_clusters(related, ids, on_progress=unwatched)
    except PolicyEngineError as error:
        return (), f"what was written could not be judged: {error.message}; run `policyengine scan`"
    world = world_of(store.tree(), loaded.aliases, clock)
    store.apply_changes(
        upserts=live.clusters,
        removed=(),
        tree=world.tree,
        source=settings.inventory,
        complete=not live.failures,
        failures=live.failures,
        partial=True,
        at=world.at,
    )
    judged = [
        Judged(cluster.id, policy.key, verdict.state, verdict.reason)
        for cluster in live.clusters
        for verdicts in (judge_all(loaded.policies, cluster, world),)
        for policy in loaded.policies
        for verdict in (verdicts[policy.key],)
    ]
    store.record_scan(
        started=world.at,
        finished=clock.now(),
        verdicts=[(j.policy, j.cluster, j.state, j.reason) for j in judged],
        policies=[record_of(policy) for policy in loaded.policies],
        complete=not live.failures,
        at=world.at,
        trigger=REMEDIATION,
    )
    mended = {(step.cluster, key) for step in plan.steps if step.id in touched for key in step.policies}
    return tuple(j for j in judged if (j.cluster, j.policy) in mended), ""
