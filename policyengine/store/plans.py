"""Plans and their progress. A plan never changes once stored; its steps move as `TRANSITIONS` allows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import exists, select, update
from sqlalchemy.orm import Session
from sqlmodel import col

from policyengine.errors import PolicyEngineError, StoreError, UsageError
from policyengine.model.diagnostic import did_you_mean
from policyengine.model.ids import ResourceId
from policyengine.remediation.steps import TRANSITIONS, Plan, StepOutcome, StepState
from policyengine.store import leases, mapping
from policyengine.store.tables import OperationRow, PlanRow, StepRow

_NEAR = 1000
_AT_ONCE = 500  # parameters of one statement
_FINAL = [state.value for state in StepState if state.is_final]


def save(session: Session, plan: Plan) -> None:
    """Saving a plan that is there already changes nothing."""
    known = session.scalar(select(PlanRow).where(col(PlanRow.id) == plan.id))
    if known is not None:
        if known.hash != plan.hash:
            raise StoreError(f"another plan is already stored as `{plan.id}`", help="make the plan again")
        return
    row = mapping.plan_row(plan)
    session.add(row)
    session.flush()
    session.add_all(mapping.step_row(row.number, position, step) for position, step in enumerate(plan.steps))


def named(session: Session, id: str) -> PlanRow:
    """The one plan whose id is ``id`` or begins with it. Raises UsageError when there is none, or more than one."""
    wanted = id.casefold()
    rows = list(session.scalars(select(PlanRow).where(col(PlanRow.id).startswith(wanted, autoescape=True))))
    exact = [row for row in rows if row.id == wanted]
    if len(exact or rows) == 1:
        return (exact or rows)[0]
    if rows:
        near = ", ".join(f"`{row.id}`" for row in sorted(rows, key=lambda row: row.id)[:5])
        raise UsageError(f"`{id}` is the beginning of {len(rows)} plans", help=f"write more of it: {near}")
    raise UsageError(f"there is no plan `{id}`", help=_near(session, id))


def _near(session: Session, id: str) -> str:
    newest = list(session.scalars(select(col(PlanRow.id)).order_by(col(PlanRow.number).desc()).limit(_NEAR)))
    if not newest:
        return "no plan has been stored yet: make one with `policyengine plan`"
    return did_you_mean(id, newest) or f"the latest plan is `{newest[0]}`"


def value(session: Session, row: PlanRow) -> Plan:
    steps = session.scalars(select(StepRow).where(col(StepRow.plan) == row.number).order_by(col(StepRow.position)))
    return mapping.plan_value(row, list(steps))


def latest(session: Session, limit: int) -> list[Plan]:
    """Newest first, in the order in which they were stored."""
    rows = session.scalars(select(PlanRow).order_by(col(PlanRow.number).desc()).limit(limit)).all()
    return [value(session, row) for row in rows]


def progress(session: Session, row: PlanRow) -> dict[str, StepOutcome]:
    steps = session.scalars(select(StepRow).where(col(StepRow.plan) == row.number).order_by(col(StepRow.position)))
    return {step.id: outcome for step in steps if (outcome := mapping.outcome_value(step)) is not None}


def record_outcomes(
    session: Session, plan: PlanRow, outcomes: Sequence[StepOutcome], owner: str | None
) -> list[bool | PolicyEngineError]:
    """See `Store.record_outcomes`."""
    ids = [outcome.step_id for outcome in outcomes]
    steps = {
        row.id: row
        for at in range(0, len(ids), _AT_ONCE)
        for row in session.scalars(
            select(StepRow).where(col(StepRow.plan) == plan.number, col(StepRow.id).in_(ids[at : at + _AT_ONCE]))
        )
    }
    results: list[bool | PolicyEngineError] = []
    for outcome in outcomes:
        try:
            results.append(_record(session, plan, steps.get(outcome.step_id), outcome, owner))
        except PolicyEngineError as refusal:
            results.append(refusal)
    return results


def _record(session: Session, plan: PlanRow, step: StepRow | None, outcome: StepOutcome, owner: str | None) -> bool:
    """INVARIANT: what raises has changed nothing, since the others of its transaction are kept."""
    if step is None:
        raise StoreError(f"plan `{plan.id}` has no step `{outcome.step_id}`")
    if outcome.state not in TRANSITIONS[StepState(step.state)]:
        raise StoreError(
            f"step `{step.id}` of plan `{plan.id}` is {step.state} and cannot become {outcome.state.value}",
            help="another process may be carrying out the same plan",
        )
    contested = outcome.state is StepState.INTENT and _may_begin(session, plan, step, outcome, owner)
    _follow_operation(session, step, outcome)
    step.state = outcome.state.value
    step.at = outcome.at
    step.message = mapping.storable(outcome.message)
    step.operation_url = outcome.operation_url
    step.attempts = outcome.attempts
    return contested


def _may_begin(session: Session, plan: PlanRow, step: StepRow, outcome: StepOutcome, owner: str | None) -> bool:
    """Checked where the intent is stored: of two processes, and of two plans for one object, one goes first."""
    if owner is not None:
        leases.demand(session, plan, owner)
    return leases.is_contested(session, plan, step, at=outcome.at)


def _follow_operation(session: Session, step: StepRow, outcome: StepOutcome) -> None:
    """An accepted operation is kept by its URL, and closed with the step."""
    if outcome.state is StepState.ACCEPTED and outcome.operation_url is not None:
        session.add(OperationRow(plan=step.plan, step=step.id, url=outcome.operation_url, accepted=outcome.at))
    elif outcome.state.is_final:
        session.execute(
            update(OperationRow)
            .where(
                col(OperationRow.plan) == step.plan,
                col(OperationRow.step) == step.id,
                col(OperationRow.ended).is_(None),
            )
            .values(ended=outcome.at, outcome=outcome.state.value)
        )


def start(plan: PlanRow, *, at: datetime, by: str) -> None:
    """The first start counts; a resumed remediation is the same one, and is not finished any more."""
    if plan.started is None:
        plan.started, plan.started_by = at, by
    plan.finished = None


def finish(plan: PlanRow, *, at: datetime) -> None:
    if plan.started is None:
        raise StoreError(f"the remediation of plan `{plan.id}` cannot be finished: it was never started")
    plan.finished = at


def unfinished(session: Session, started_by: str | None) -> list[str]:
    open_steps = exists().where(col(StepRow.plan) == col(PlanRow.number), col(StepRow.state).not_in(_FINAL))
    query = select(col(PlanRow.id)).where(col(PlanRow.started).is_not(None), open_steps).order_by(col(PlanRow.number))
    if started_by is not None:
        query = query.where(col(PlanRow.started_by) == started_by)
    return list(session.scalars(query))


def written_since(session: Session, instant: datetime) -> list[ResourceId]:
    """In id order. A plan that ended before is not looked into."""
    finished = col(PlanRow.finished)
    query = (
        select(col(StepRow.cluster))
        .join(PlanRow, col(PlanRow.number) == col(StepRow.plan))
        .where(col(PlanRow.started).is_not(None), finished.is_(None) | (finished >= instant))
        .where(col(StepRow.state).in_(leases.WROTE), col(StepRow.at) >= instant)
    )
    return sorted({ResourceId(id) for id in session.scalars(query)})
