"""Plans and their progress. A plan never changes once stored; its steps move as `TRANSITIONS` allows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import exists, select
from sqlalchemy.orm import Session
from sqlmodel import col

from policyengine.errors import PolicyEngineError, StoreError, UsageError
from policyengine.model.diagnostic import did_you_mean
from policyengine.model.ids import ResourceId
from policyengine.remediation.steps import TRANSITIONS, Plan, StepOutcome, StepState
from policyengine.store import leases, mapping
from policyengine.store.tables import OperationRow, PlanRow, StepRow

_NEAR = 1000
_AT_ONCE = 500  # outcomes: each is a parameter of a statement
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
    return [
        result
        for at in range(0, len(outcomes), _AT_ONCE)
        for result in _Recording.of(session, plan, outcomes[at : at + _AT_ONCE], owner).results()
    ]


@dataclass(frozen=True, slots=True)
class _Recording:
    """Outcomes of one plan, and everything that is asked of the database for them."""

    session: Session
    plan: PlanRow
    owner: str | None
    outcomes: Sequence[StepOutcome]
    steps: Mapping[str, StepRow]
    rivals: Mapping[str, Sequence[leases.Rival]]
    operations: dict[str, list[OperationRow]]
    """Not ended yet, by their steps."""

    @classmethod
    def of(cls, session: Session, plan: PlanRow, outcomes: Sequence[StepOutcome], owner: str | None) -> _Recording:
        ids = [outcome.step_id for outcome in outcomes]
        of_plan = select(StepRow).where(col(StepRow.plan) == plan.number, col(StepRow.id).in_(ids))
        steps = {row.id: row for row in session.scalars(of_plan)}
        begun = [steps[o.step_id] for o in outcomes if o.state is StepState.INTENT and o.step_id in steps]
        operations: dict[str, list[OperationRow]] = {}
        for row in session.scalars(
            select(OperationRow).where(
                col(OperationRow.plan) == plan.number,
                col(OperationRow.step).in_([outcome.step_id for outcome in outcomes if outcome.state.is_final]),
                col(OperationRow.ended).is_(None),
            )
        ):
            operations.setdefault(row.step, []).append(row)
        return cls(session, plan, owner, outcomes, steps, leases.rivals(session, plan, begun), operations)

    def results(self) -> Iterator[bool | PolicyEngineError]:
        for outcome in self.outcomes:
            try:
                yield self._record(outcome)
            except PolicyEngineError as refusal:
                yield refusal

    def _record(self, outcome: StepOutcome) -> bool:
        """INVARIANT: what raises has changed nothing, since the others of its transaction are kept."""
        step = self.steps.get(outcome.step_id)
        if step is None:
            raise StoreError(f"plan `{self.plan.id}` has no step `{outcome.step_id}`")
        if outcome.state not in TRANSITIONS[StepState(step.state)]:
            raise StoreError(
                f"step `{step.id}` of plan `{self.plan.id}` is {step.state} and cannot become {outcome.state.value}",
                help="another process may be carrying out the same plan",
            )
        contested = outcome.state is StepState.INTENT and self._may_begin(step, outcome)
        self._follow_operation(outcome)
        step.state = outcome.state.value
        step.at = outcome.at
        step.message = mapping.storable(outcome.message)
        step.operation_url = outcome.operation_url
        step.attempts = outcome.attempts
        return contested

    def _may_begin(self, step: StepRow, outcome: StepOutcome) -> bool:
        """Checked where the intent is stored: of two processes, and of two plans for one object, one goes first."""
        if self.owner is not None:
            leases.demand(self.session, self.plan, self.owner)
        return leases.is_contested(self.session, self.rivals.get(step.target.lower(), ()), at=outcome.at)

    def _follow_operation(self, outcome: StepOutcome) -> None:
        """An accepted operation is kept by its URL, and closed with the step."""
        number, id = self.plan.number, outcome.step_id
        if outcome.state is StepState.ACCEPTED and outcome.operation_url is not None:
            row = OperationRow(plan=number, step=id, url=outcome.operation_url, accepted=outcome.at)
            self.session.add(row)
            self.operations.setdefault(id, []).append(row)
        elif outcome.state.is_final:
            for row in self.operations.get(id, ()):
                row.ended, row.outcome = outcome.at, outcome.state.value


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
