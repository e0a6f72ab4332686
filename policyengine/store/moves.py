"""What changed since any scan, as `changes` has kept it: how much, and the latest of it by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, and_, case, func, select
from sqlalchemy.orm import Session, aliased
from sqlmodel import col

from policyengine.model.ids import ResourceId
from policyengine.model.states import FAILING, ComplianceState
from policyengine.store import compliance, mapping
from policyengine.store.driver import pages
from policyengine.store.records import Move, MoveCount, ScanRecord
from policyengine.store.tables import AssignmentRow, ClusterRow, HistoryRow, MovedRow

LOOKED_AT: Final = 2_000
"""The latest moves, among which those to be named are looked for."""

Kind = tuple[ComplianceState, ComplianceState, bool]

_FAILING: Final = [state.value for state in FAILING]


def moves_since(session: Session, after: ScanRecord, limit: int) -> tuple[list[MoveCount], list[Move]]:
    """How many pairs have moved since that scan, by policy and kind; and the latest of each kind, at most so many.

    There and back is no move. Those named are among the LOOKED_AT latest moves: what is asked costs the same however
    much has moved.
    """
    scan, policies = mapping.scan_number(after.id), compliance.keys(session)
    kind = (col(MovedRow.assignment), col(MovedRow.old), col(MovedRow.new), col(MovedRow.again))
    n = func.sum(col(MovedRow.n))
    summed = select(*kind, n.label("n")).where(col(MovedRow.period) > scan).group_by(*kind).having(n > 0)
    counts = [
        MoveCount(policies[row.assignment], ComplianceState(row.old), ComplianceState(row.new), row.again, int(row.n))
        for row in session.execute(summed)
    ]
    return counts, list(_moves(session, _named(session, scan, limit) if limit else {}))


def _named(session: Session, scan: int, limit: int) -> dict[int, Kind]:
    """The numbers of the moves to be told, with the state that the pair had when that scan ended."""
    ends = _ends(scan).subquery()
    kind = (ends.c.old, ends.c.new, ends.c.again)
    rank = func.row_number().over(partition_by=kind, order_by=ends.c.number.desc()).label("rank")
    ranked = select(ends.c.number, *kind, rank).subquery()
    return {
        row.number: (ComplianceState(row.old), ComplianceState(row.new), bool(row.again))
        for row in session.execute(select(ranked).where(ranked.c.rank <= limit))
    }


def _ends(scan: int) -> Select[Any]:
    """The latest moves that no other of their pair has followed, of pairs that stood elsewhere when that scan ended."""
    number, period = col(HistoryRow.number), col(HistoryRow.period)
    newest = (
        select(number, col(HistoryRow.assignment), col(HistoryRow.cluster), col(HistoryRow.new))
        .where(period > scan)
        .order_by(period.desc(), number.desc())
        .limit(LOOKED_AT)
        .subquery()
    )
    first, later, begun = aliased(HistoryRow), aliased(HistoryRow), aliased(HistoryRow)
    begin = select(func.min(col(begun.number))).where(*_same_pair(begun, newest.c), col(begun.period) > scan)
    followed = select(col(later.number)).where(*_same_pair(later, newest.c), col(later.number) > newest.c.number)
    ends: Select[Any] = (
        select(newest.c.number, col(first.old), newest.c.new, _again(first, newest.c, scan).label("again"))
        .select_from(newest)
        .join(first, col(first.number) == begin.correlate(newest).scalar_subquery())
        .where(~followed.correlate(newest).exists(), col(first.old) != newest.c.new)
    )
    return ends


def _again(first: Any, then: Any, scan: int) -> ColumnElement[int]:
    """1 for a pair that fails now, did not when that scan ended, and had at some time before that."""
    earlier = aliased(HistoryRow)
    failed = select(col(earlier.number)).where(
        *_same_pair(earlier, first), col(earlier.period) <= scan, col(earlier.new).in_(_FAILING)
    )
    broke = and_(then.new.in_(_FAILING), col(first.old).not_in(_FAILING))
    return case((and_(broke, failed.correlate(first).exists()), 1), else_=0)


def _same_pair(one: Any, other: Any) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return one.cluster == other.cluster, one.assignment == other.assignment


def _moves(session: Session, named: Mapping[int, Kind]) -> Iterator[Move]:
    """Latest first."""
    number = col(HistoryRow.number)
    query = (
        select(number, col(AssignmentRow.key), col(ClusterRow.id), col(HistoryRow.at))
        .join(AssignmentRow, col(AssignmentRow.number) == col(HistoryRow.assignment))
        .join(ClusterRow, col(ClusterRow.number) == col(HistoryRow.cluster))
        .order_by(number.desc())
    )
    for page in pages(sorted(named, reverse=True)):
        for own, policy, id, at in session.execute(query.where(number.in_(page))):
            yield Move(policy, ResourceId(id), *named[own], at)
