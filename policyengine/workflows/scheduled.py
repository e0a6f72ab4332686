"""What happens when an assignment is due: scan it, and remediate it when it says `remediation.mode: continuous`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from policyengine.clock import Clock
from policyengine.language.documents import EnforcementMode, RemediationMode
from policyengine.model.states import ComplianceState
from policyengine.store.store import Store
from policyengine.workflows.load import load, select
from policyengine.workflows.plan import PlanRequest, make_plan
from policyengine.workflows.remediate import Remediated, remediate
from policyengine.workflows.scan import SCHEDULE, ScanRequest, scan, total_counts
from policyengine.workflows.settings import Settings
from policyengine.workflows.sync import unwatched

SERVICE = "serve"
"""Who started a remediation, as the store remembers it."""


@dataclass(frozen=True)
class Outcome:
    """``steps`` counts the steps of the remediation by the state they ended in; empty when nothing was written."""

    scan_id: str
    counts: Mapping[ComplianceState, int]
    plan_id: str | None = None
    steps: Mapping[str, int] = field(default_factory=dict)


async def run_assignment(settings: Settings, store: Store, clock: Clock, name: str) -> Outcome:
    """Raises PolicyEngineError; what was written before stays recorded and can be resumed."""
    result = await scan(
        settings, store, clock, ScanRequest(assignment=name), on_sync=unwatched, on_scan=unwatched, trigger=SCHEDULE
    )
    counts = total_counts(result.lines)
    # Asked only now: a scan takes its time, and what was decided during it counts.
    assignment = select(load(settings.policies, settings.aliases).policies, assignment=name)[0].assignment
    continuous = assignment.remediation_mode is RemediationMode.CONTINUOUS
    if not continuous or assignment.enforcement_mode is EnforcementMode.DO_NOT_ENFORCE or not result.complete:
        return Outcome(result.scan.id, counts)
    planned = await make_plan(settings, store, clock, PlanRequest(assignment=name), unwatched)
    if not planned.plan.runnable:
        return Outcome(result.scan.id, counts)
    done = await remediate(settings, store, clock, planned.plan.id, started_by=SERVICE, unattended=True)
    states = Counter(outcome.state.value for outcome in done.outcomes)
    return Outcome(result.scan.id, counts, planned.plan.id, states)


def interrupted(store: Store, clock: Clock) -> list[str]:
    """The plans that a service began, did not finish, and that nobody is carrying out.

    Those a person began are left to that person.
    """
    at_work = store.leased_plans(clock.now())
    return [id for id in store.unfinished_plans(started_by=SERVICE) if id not in at_work]


async def resume(settings: Settings, store: Store, clock: Clock, plan_id: str) -> Remediated:
    """Finish a remediation that a service began, as far as its policies still ask for it."""
    return await remediate(settings, store, clock, plan_id, started_by=SERVICE, resume=True, unattended=True)
