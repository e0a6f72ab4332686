"""What reports ask of a fleet of any size: counts from the roll-ups, and a bounded choice of findings and changes.

Nothing here reads a row for every cluster, pair or finding.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Subquery,
    and_,
    case,
    func,
    literal_column,
    or_,
    select,
    true,
)
from sqlalchemy.orm import Session, aliased
from sqlmodel import col

from policyengine.model.ids import ResourceId
from policyengine.model.states import FAILING, ComplianceState, Finding, Reason
from policyengine.store import compliance
from policyengine.store.records import CauseRecord
from policyengine.store.tables import (
    AgeRow,
    AssignmentRow,
    CauseRow,
    ClusterRow,
    ClusterTotalRow,
    FailureRow,
    FindingRow,
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
