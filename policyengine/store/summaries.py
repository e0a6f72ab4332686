"""What reports ask of a fleet of any size: counts from the roll-ups, and a bounded choice of findings and changes.

Nothing here reads a row for every cluster, pair or finding, save `moved`, whose cost follows what has changed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Select,
    Subquery,
    and_,
    case,
    func,
    literal,
    literal_column,
    null,
    or_,
    select,
    true,
    union_all,
)
from sqlalchemy.orm import Session, aliased
from sqlmodel import col

from policyengine.model.ids import ResourceId
from policyengine.model.states import FAILING, ComplianceState, Finding, Reason
from policyengine.store import compliance, mapping
from policyengine.store.records import CauseRecord, Move, MoveCount, ScanRecord
from policyengine.store.tables import (
    AgeRow,
    AssignmentRow,
    CauseRow,
    ClusterRow,
    ClusterTotalRow,
    FailureRow,
    FindingRow,
    HistoryRow,
    ReasonRow,
)

_KEYS_AT_ONCE: Final = 500
"""Every SQLite takes so many parameters."""
_FAILING: Final = [state.value for state in FAILING]


def cluster_counts(session: Session) -> dict[ResourceId, dict[str, int]]:
    """The clusters of each resource group by their type; all in lower case."""
    place = (col(ClusterTotalRow.subscription), col(ClusterTotalRow.resource_group))
    found: dict[ResourceId, dict[str, int]] = {}
    for subscription, group, type, n in session.execute(
        select(*place, col(ClusterTotalRow.type), col(ClusterTotalRow.n))
    ):
        found.setdefault(ResourceId(f"/subscriptions/{subscription}/resourceGroups/{group}"), {})[type] = n
    return found


def failing_clusters(session: Session) -> int:
    return int(session.scalar(select(func.sum(col(FailureRow.n)))) or 0)


def unreachable(session: Session, limit: int) -> tuple[int, list[tuple[ResourceId, str]]]:
    """How many clusters cannot act on a write now, and the first of them with why; an index holds only those."""
    # spelt as the index is: with a parameter, SQLite does not know that it holds just these
    there = col(ClusterRow.unreachable) != literal_column("''")
    count = session.scalar(select(func.count()).select_from(ClusterRow).where(there)) or 0
    first = select(col(ClusterRow.id), col(ClusterRow.unreachable)).where(there).order_by(col(ClusterRow.key))
    return count, [(ResourceId(id), reason) for id, reason in session.execute(first.limit(limit))]


def causes(session: Session, policy: str, *, limit: int) -> list[CauseRecord]:
    """What most findings of a policy have in common, the commonest first."""
    query = (
        select(col(CauseRow.state), col(ReasonRow.code), col(ReasonRow.message), col(CauseRow.n))
        .join(AssignmentRow, col(AssignmentRow.number) == col(CauseRow.assignment))
        .join(ReasonRow, col(ReasonRow.number) == col(CauseRow.reason))
        .where(col(AssignmentRow.key) == policy)
        .order_by(col(CauseRow.n).desc(), col(CauseRow.state), col(CauseRow.reason))
    )
    return [
        CauseRecord(policy, ComplianceState(state), Reason(code, message), n)
        for state, code, message, n in session.execute(query.limit(limit))
    ]


def examples(session: Session, policy: str, *, causes: int, each: int) -> list[Finding]:
    """The oldest findings of a policy for each of its commonest causes."""
    common = (
        select(CauseRow)
        .join(AssignmentRow, col(AssignmentRow.number) == col(CauseRow.assignment))
        .where(col(AssignmentRow.key) == policy)
        .order_by(col(CauseRow.n).desc(), col(CauseRow.state), col(CauseRow.reason))
        .limit(causes)
        .subquery()
    )
    return _of_causes(session, policy, common, each)


def _of_causes(session: Session, policy: str, chosen: Subquery, each: int) -> list[Finding]:
    """The first findings of each of these causes of one policy."""
    own = aliased(FindingRow)
    oldest = (
        select(col(own.cluster))
        .where(
            col(own.assignment) == chosen.c.assignment,
            col(own.reason) == chosen.c.reason,
            col(own.state) == chosen.c.state,
        )
        .order_by(col(own.since), col(own.cluster))
        .limit(each)
        .correlate(chosen)
    )
    query = (
        select(
            col(ClusterRow.id),
            col(FindingRow.state),
            col(FindingRow.since),
            col(ReasonRow.code),
            col(ReasonRow.message),
        )
        .select_from(chosen)
        .join(
            FindingRow,
            and_(col(FindingRow.assignment) == chosen.c.assignment, col(FindingRow.cluster).in_(oldest)),
        )
        .join(ClusterRow, col(ClusterRow.number) == col(FindingRow.cluster))
        .join(ReasonRow, col(ReasonRow.number) == col(FindingRow.reason))
    )
    return [
        Finding(ResourceId(id), policy, ComplianceState(state), since, Reason(code, message))
        for id, state, since, code, message in session.execute(query)
    ]


def first_findings(session: Session, states: Collection[ComplianceState] | None, limit: int) -> list[Finding]:
    """At most so many, policy after policy and cause after cause; in order of policy and cluster."""
    query = (
        select(CauseRow, col(AssignmentRow.key))
        .join(AssignmentRow, col(AssignmentRow.number) == col(CauseRow.assignment))
        .order_by(col(AssignmentRow.position), col(CauseRow.state), col(CauseRow.reason))
        .limit(limit)
    )
    if states is not None:
        query = query.where(col(CauseRow.state).in_([state.value for state in states]))
    found: list[Finding] = []
    for cause, policy in session.execute(query):
        chosen = _one(cause.assignment, cause.state, cause.reason)
        found += _of_causes(session, policy, chosen, limit - len(found))
        if len(found) >= limit:
            break
    order = {policy: at for at, policy in enumerate(dict.fromkeys(f.policy for f in found))}
    return sorted(found, key=lambda f: (order[f.policy], f.cluster))


def findings_of(session: Session, clusters: Collection[ResourceId]) -> list[Finding]:
    keys, found = sorted(id.key for id in clusters), list[Finding]()
    for at in range(0, len(keys), _KEYS_AT_ONCE):
        chosen = col(ClusterRow.key).in_(keys[at : at + _KEYS_AT_ONCE])
        found += compliance.found(session, compliance.select_findings().where(chosen))
    return found


def exempted(session: Session, texts: Sequence[str]) -> int:
    """How many exempt pairs have a reason with one of these texts in it."""
    said = or_(*(col(ReasonRow.message).icontains(text, autoescape=True) for text in texts))
    query = select(func.sum(col(CauseRow.n))).join(ReasonRow, col(ReasonRow.number) == col(CauseRow.reason))
    return int(session.scalar(query.where(col(CauseRow.state) == ComplianceState.EXEMPT.value, said)) or 0)


def _one(assignment: int, state: str, reason: int) -> Subquery:
    cell = (col(CauseRow.assignment) == assignment, col(CauseRow.state) == state, col(CauseRow.reason) == reason)
    return select(CauseRow).where(*cell).subquery()


def open_since(session: Session, borders: Sequence[datetime]) -> list[int]:
    """How many failing pairs are so since after the first of these instants, between it and the next, and so on;
    the last number is of those that are so since the last instant or longer. ``borders``: latest first."""
    since, n = col(AgeRow.since), col(AgeRow.n)
    parts: list[ColumnElement[Any]] = []
    later: datetime | None = None
    for border in [*borders, None]:
        inside = [since > border] if border is not None else []
        inside += [since <= later] if later is not None else []
        parts.append(func.coalesce(func.sum(case((and_(true(), *inside), n), else_=0)), 0))
        later = border
    row = session.execute(select(*parts).where(col(AgeRow.state).in_(_FAILING))).one()
    return [int(number) for number in row]


def oldest_failing(session: Session) -> Finding | None:
    """The pair that has failed longest; of several, one of the first policy."""
    query = select(AgeRow).where(col(AgeRow.state).in_(_FAILING))
    age = session.scalar(query.order_by(col(AgeRow.since), col(AgeRow.assignment)).limit(1))
    if age is None:
        return None
    reasons = select(col(CauseRow.reason)).where(
        col(CauseRow.assignment) == age.assignment, col(CauseRow.state) == age.state
    )
    found = compliance.select_findings().where(
        col(FindingRow.assignment) == age.assignment,
        col(FindingRow.reason).in_(reasons),
        col(FindingRow.since) == age.since,
        col(FindingRow.state) == age.state,
    )
    return next(compliance.found(session, found.limit(1)), None)


def moves(session: Session, after: ScanRecord, limit: int) -> tuple[list[MoveCount], list[Move]]:
    """How many pairs have moved since that scan, by policy and kind, and the latest of each kind, at most so many.

    There and back is no move. One statement does both: what it takes is to find where each pair began and ended.
    """
    ends = _ends(session, after).cte("ends")
    kind = (ends.c.old, ends.c.new, ends.c.failed_before)
    counted = select(null().label("number"), ends.c.assignment, *kind, func.count().label("n"))
    rank = func.row_number().over(partition_by=kind, order_by=ends.c.number.desc()).label("rank")
    ranked = select(ends.c.number, ends.c.assignment, *kind, rank).subquery()
    latest = select(*list(ranked.c)[:-1], literal(1)).where(ranked.c.rank <= limit)
    policies = compliance.keys(session)
    counts, named = list[MoveCount](), dict[int, tuple[ComplianceState, ComplianceState, bool]]()
    for row in session.execute(union_all(counted.group_by(ends.c.assignment, *kind), latest)):
        states = (ComplianceState(row.old), ComplianceState(row.new), bool(row.failed_before))
        if row.number is None:
            counts.append(MoveCount(policies[row.assignment], *states, row.n))
        else:
            named[row.number] = states
    return counts, _moves(session, named)


def _moves(session: Session, named: Mapping[int, tuple[ComplianceState, ComplianceState, bool]]) -> list[Move]:
    """Latest first."""
    numbers, number = sorted(named, reverse=True), col(HistoryRow.number)
    query = (
        select(number, col(AssignmentRow.key), col(ClusterRow.id), col(HistoryRow.at))
        .join(AssignmentRow, col(AssignmentRow.number) == col(HistoryRow.assignment))
        .join(ClusterRow, col(ClusterRow.number) == col(HistoryRow.cluster))
        .order_by(number.desc())
    )
    pages = (numbers[at : at + _KEYS_AT_ONCE] for at in range(0, len(numbers), _KEYS_AT_ONCE))
    rows = (row for page in pages for row in session.execute(query.where(number.in_(page))))
    return [Move(policy, ResourceId(id), *named[own], at) for own, policy, id, at in rows]


def _ends(session: Session, after: ScanRecord) -> Select[Any]:
    """Each pair that is in another state now than at the end of that scan: both, and when it came into this one."""
    # the bare columns would make SQLite walk the whole history by its index of pairs, however short the span
    pair = ((col(HistoryRow.assignment) + 0).label("assignment"), (col(HistoryRow.cluster) + 0).label("cluster"))
    last = compliance.last_change(session, mapping.scan_number(after.id))
    span = (
        select(*pair, func.min(col(HistoryRow.number)).label("begin"), func.max(col(HistoryRow.number)).label("end"))
        .where(col(HistoryRow.number) > last, col(HistoryRow.at) >= after.started)
        .group_by(*pair)
        .subquery()
    )
    first, then = aliased(HistoryRow), aliased(HistoryRow)
    query: Any = (
        select(
            col(then.assignment).label("assignment"),
            col(first.old).label("old"),
            col(then.new).label("new"),
            col(then.number).label("number"),
            _failed_before(first, then, last).label("failed_before"),
        )
        .select_from(span)
        .join(first, col(first.number) == span.c.begin)
        .join(then, col(then.number) == span.c.end)
        .where(col(first.old) != col(then.new))
    )
    ends: Select[Any] = query
    return ends


def _failed_before(first: Any, then: Any, last: int) -> ColumnElement[int]:
    """1 for a pair that fails now, did not when the last scan of before ended, and had at some time before that."""
    earlier = aliased(HistoryRow)
    failed: Select[int] = select(col(earlier.number)).where(
        col(earlier.cluster) == first.cluster,
        col(earlier.assignment) == first.assignment,
        col(earlier.number) <= last,
        col(earlier.new).in_(_FAILING),
    )
    broke = and_(col(then.new).in_(_FAILING), col(first.old).not_in(_FAILING))
    return case((and_(broke, failed.correlate(first).exists()), 1), else_=0)
