"""When schedules fired. A fire is recorded once, whoever records it first may act on it."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session
from sqlmodel import col

from policyengine.store.tables import FireRow, ScheduleRow


def record_fire(session: Session, schedule: str, fire_time: datetime) -> bool:
    """False when this fire was recorded before."""
    row = session.scalar(select(ScheduleRow).where(col(ScheduleRow.name) == schedule))
    if row is None:
        row = ScheduleRow(name=schedule)
        session.add(row)
        session.flush()
    assert row.number is not None
    if session.get(FireRow, (row.number, fire_time)) is not None:
        return False
    session.add(FireRow(schedule=row.number, fire_time=fire_time))
    return True


def last_fire(session: Session, schedule: str, until: datetime | None) -> datetime | None:
    query = (
        select(func.max(col(FireRow.fire_time)))
        .join(ScheduleRow, col(ScheduleRow.number) == col(FireRow.schedule))
        .where(col(ScheduleRow.name) == schedule)
    )
    return session.scalar(query if until is None else query.where(col(FireRow.fire_time) <= until))
