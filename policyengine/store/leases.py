"""Who is carrying out which plan: one process at a time, as long as it says so every few seconds.

A lease is free when its owner's process is gone, as far as this machine can tell, and otherwise when it has run out.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TypeAlias

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session
from sqlmodel import col

from policyengine.errors import RemediationError, StoreError
from policyengine.remediation.steps import StepState
from policyengine.store.owners import Owner
from policyengine.store.tables import LeaseRow, PlanRow, StepRow

_UNDER_WAY = frozenset({StepState.INTENT.value, StepState.ACCEPTED.value})
WROTE = _UNDER_WAY | {StepState.SUCCEEDED.value, StepState.FAILED.value}
_CLOCKS_DIFFER_BY = timedelta(hours=1)


def take(session: Session, plan: PlanRow, owner: str, *, at: datetime, seconds: float) -> None:
    """Raises RemediationError when somebody else holds it."""
    now = _now(session, at)
    row = session.get(LeaseRow, plan.number)
    if row is not None and row.owner != owner and is_held(row, now):
        raise RemediationError(
            f"plan {plan.id} is being carried out by {Owner.parse(row.owner) or 'another process'}",
            help="wait for it to end, or stop it and resume",
        )
    if row is None:
        row = LeaseRow(plan=plan.number, owner=owner, expires=now)
        session.add(row)
    row.owner, row.expires = owner, now + timedelta(seconds=seconds)


def renew(session: Session, plan: PlanRow, owner: str, *, at: datetime, seconds: float) -> None:
    """Raises StoreError when somebody else took it over meanwhile."""
    demand(session, plan, owner).expires = _now(session, at) + timedelta(seconds=seconds)


def release(session: Session, plan: PlanRow, owner: str) -> None:
    """Nothing happens when it is somebody else's by now."""
    session.execute(delete(LeaseRow).where(col(LeaseRow.plan) == plan.number, col(LeaseRow.owner) == owner))


def demand(session: Session, plan: PlanRow, owner: str) -> LeaseRow:
    row = session.get(LeaseRow, plan.number)
    if row is None or row.owner != owner:
        raise StoreError(
            f"another process took plan {plan.id} over: this one was silent for too long",
            help="nothing is lost: what this process began is looked after by the other one",
        )
    return row


def is_held(row: LeaseRow, now: datetime) -> bool:
    owner = Owner.parse(row.owner)
    running = owner.is_running() if owner is not None else None
    return now < row.expires if running is None else running


def held(session: Session, at: datetime) -> set[str]:
    """Ids of the plans that somebody is carrying out."""
    now = _now(session, at)
    rows = session.execute(select(PlanRow, LeaseRow).join(LeaseRow, col(LeaseRow.plan) == col(PlanRow.number)))
    return {plan.id for plan, lease in rows if is_held(lease, now)}


def processes(session: Session, at: datetime) -> int:
    """How many processes are carrying out plans."""
    now = _now(session, at)
    held = (row.owner for row in session.scalars(select(LeaseRow)) if is_held(row, now))
    return len({owner.process if (owner := Owner.parse(text)) else text for text in held})


Rival: TypeAlias = tuple[StepRow, PlanRow, LeaseRow | None]
"""A step of another plan that wrote to an object, or may have, since this plan was made; its plan, and who has it."""


def rivals(session: Session, plan: PlanRow, steps: Sequence[StepRow]) -> dict[str, list[Rival]]:
    """By the folded id of the object, for the objects of these steps."""
    query = (
        select(StepRow, PlanRow, LeaseRow)
        .join(PlanRow, col(PlanRow.number) == col(StepRow.plan))
        .join(LeaseRow, col(LeaseRow.plan) == col(PlanRow.number), isouter=True)
        .where(
            col(PlanRow.number) != plan.number,
            col(PlanRow.started).is_not(None),
            col(PlanRow.finished).is_(None) | (col(PlanRow.finished) >= plan.created - _CLOCKS_DIFFER_BY),
            func.lower(col(StepRow.target)).in_([step.target.lower() for step in steps]),
            col(StepRow.state).in_(WROTE),
        )
    )
    found: dict[str, list[Rival]] = {}
    for step, its_plan, lease in session.execute(query).all() if steps else ():
        found.setdefault(step.target.lower(), []).append((step, its_plan, lease))
    return found


def is_contested(session: Session, rivals: Sequence[Rival], *, at: datetime) -> bool:
    """True when another plan may have written to the object. Raises RemediationError when one is writing to it now."""
    for other, its_plan, lease in rivals:
        if other.state in _UNDER_WAY and lease is not None and is_held(lease, _now(session, at)):
            raise RemediationError(f"plan {its_plan.id} is writing to the same object now")
    return bool(rivals)


def _now(session: Session, at: datetime) -> datetime:
    """Several machines share a server, and their clocks may differ: its own decides there."""
    if session.connection().dialect.name == "postgresql":
        server: datetime = session.scalars(select(func.clock_timestamp())).one()
        return server
    return at
