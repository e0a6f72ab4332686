"""What changed since any scan: sums that are kept when a pair moves, so that nobody walks the history for them.

A sum tells of pairs by where they stood and where they stand now. There and back is no change: whoever moves again has
all his moves counted anew, by his new end. In the caller's transaction.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from typing import Any, Final, NamedTuple

import numpy as np
from sqlalchemy import ColumnElement, Select, and_, case, func, select
from sqlalchemy.orm import Session, aliased
from sqlmodel import col

from policyengine.model.ids import ResourceId
from policyengine.model.states import FAILING, ComplianceState
from policyengine.store import bulk, compliance, mapping
from policyengine.store.driver import Batch, pages
from policyengine.store.records import Move, MoveCount, ScanRecord
from policyengine.store.tables import AssignmentRow, ClusterRow, HistoryRow, MovedRow, ScanRow

FIRST: Final = 1
"""The first scan. Nobody can ask what changed before it ended, and no sum is kept of that."""

LOOKED_AT: Final = 2_000
"""The latest moves, among which those to be named are looked for."""

Moved = tuple[int, int, str, str]
"""Assignment, cluster, old and new word."""

Kind = tuple[ComplianceState, ComplianceState, bool]

_FAILING: Final = [state.value for state in FAILING]
_MOVED: Final = Batch(
    {"period": "int", "assignment": "int", "old": "text", "new": "text", "again": "bool", "n": "int"},
    into="moved",
    conflict="ON CONFLICT (period, assignment, old, new, again) DO UPDATE SET n = moved.n + excluded.n",
)


class Step(NamedTuple):
    """One move of a pair."""

    period: int
    old: str
    new: str


def enter(session: Session, moved: Iterable[Moved], *, scan: int | None, at: datetime) -> None:
    """Writes the moves into the history, and counts them."""
    rows = list(moved)
    if not rows:
        return
    period = _period(session) if scan is None else scan
    _count(session, rows, period)
    bulk.write_history(session, rows, scan=scan, period=period, at=at)


def _period(session: Session) -> int:
    """What happens between two scans belongs to the later one."""
    latest = session.execute(
        select(col(ScanRow.number), col(ScanRow.running)).order_by(col(ScanRow.number).desc()).limit(1)
    ).first()
    return 1 if latest is None else latest.number + (not latest.running)


def _count(session: Session, moved: Sequence[Moved], period: int) -> None:
    if period <= FIRST:
        return
    cells: Counter[Any] = Counter()
    by_cluster = groupby(sorted(moved, key=itemgetter(1)), itemgetter(1))
    for page in pages(list(own) for _, own in by_cluster):
        _recount(session, [row for own in page for row in own], period, cells)
    _MOVED.run(session, [(*cell, n) for cell, n in sorted(cells.items(), key=itemgetter(0)) if n])


def _recount(session: Session, moved: Sequence[Moved], period: int, cells: Counter[Any]) -> None:
    """Takes away what the earlier moves of these pairs added, and adds what they tell with the new one."""
    before = _earlier(session, moved)
    for assignment, cluster, old, new in moved:
        steps = before.get((cluster, assignment), [])
        _tell(cells, assignment, steps, by=-1)
        _tell(cells, assignment, [*steps, Step(period, old, new)], by=1)


def _earlier(session: Session, moved: Sequence[Moved]) -> Mapping[tuple[int, int], list[Step]]:
    """The moves of these pairs until now, oldest first."""
    wanted = {(cluster, assignment) for assignment, cluster, *_ in moved}
    clusters = np.array(sorted({cluster for cluster, _ in wanted}), dtype=np.int64)
    found: dict[tuple[int, int], list[Step]] = defaultdict(list)
    for _, cluster, assignment, *step in sorted(bulk.history_rows(session, clusters), key=itemgetter(0)):
        if (cluster, assignment) in wanted:
            found[cluster, assignment].append(Step(*step))
    return found


def _tell(cells: Counter[Any], assignment: int, steps: Sequence[Step], *, by: int) -> None:
    """What one pair adds to the sums.

    The sum over all periods after a scan is 1 for where the pair stood then and stands now, and 0 elsewhere: each move
    counts where it began and takes away where the next one begins.
    """
    failed = False
    for at, (period, old, moved) in enumerate(steps):
        new = steps[-1].new
        if period > FIRST and old != new:
            cells[period, assignment, old, new, _is_again(old, new, failed)] += by
        failed = failed or moved in _FAILING
        if period > FIRST and at + 1 < len(steps) and (following := steps[at + 1].old) != new:
            cells[period, assignment, following, new, _is_again(following, new, failed)] -= by


def _is_again(old: str, new: str, failed: bool) -> bool:
    return failed and new in _FAILING and old not in _FAILING


def moves(session: Session, after: ScanRecord, limit: int) -> tuple[list[MoveCount], list[Move]]:
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
    return counts, list(_moves(session, _named(session, scan, limit)))


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
