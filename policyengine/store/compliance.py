"""Questions about states: findings, roll-ups, the matrix, history, the scans themselves. Reads only."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime
from typing import TypeAlias

from sqlalchemy import ColumnElement, Select, select
from sqlalchemy.orm import Session
from sqlmodel import col

from policyengine.model.ids import ResourceId
from policyengine.model.states import ComplianceState, Finding, Reason
from policyengine.store import inventory, mapping
from policyengine.store.records import Change, PolicyRecord, RollupRow, ScanRecord
from policyengine.store.tables import (
    AssignmentRow,
    ClusterRow,
    FindingRow,
    GroupTotalRow,
    HistoryRow,
    PolicyTotalRow,
    ReasonRow,
    RollupCellRow,
    ScanCountRow,
    ScanRow,
)


def policies(session: Session) -> list[PolicyRecord]:
    return [mapping.policy_value(row) for row in _bound(session)]


def _bound(session: Session) -> list[AssignmentRow]:
    query = select(AssignmentRow).where(col(AssignmentRow.retired).is_(None)).order_by(col(AssignmentRow.position))
    return list(session.scalars(query))


def findings(
    session: Session,
    *,
    policy: str | None,
    cluster: ResourceId | None,
    states: Collection[ComplianceState] | None,
) -> list[Finding]:
    query = (
        select_findings().where(*_of_pair(policy, cluster)).order_by(col(AssignmentRow.position), col(ClusterRow.key))
    )
    if states is not None:
        query = query.where(col(FindingRow.state).in_([state.value for state in states]))
    return list(found(session, query))


Findings: TypeAlias = Select[str, str, str, datetime, str, str]


def keys(session: Session) -> dict[int, str]:
    """The key of each policy there ever was, by its number."""
    return {row.number: row.key for row in session.execute(select(col(AssignmentRow.number), col(AssignmentRow.key)))}


def bound_keys(session: Session) -> dict[int, str]:
    """The keys of the bound policies by their number, in order."""
    return {row.number: row.key for row in _bound(session)}


def select_findings() -> Findings:
    """Findings with the names of their cluster, policy and reason; see `found`."""
    return (
        select(
            col(ClusterRow.id),
            col(AssignmentRow.key),
            col(FindingRow.state),
            col(FindingRow.since),
            col(ReasonRow.code),
            col(ReasonRow.message),
        )
        .join(ClusterRow, col(ClusterRow.number) == col(FindingRow.cluster))
        .join(AssignmentRow, col(AssignmentRow.number) == col(FindingRow.assignment))
        .join(ReasonRow, col(ReasonRow.number) == col(FindingRow.reason))
    )


def found(session: Session, query: Findings) -> Iterator[Finding]:
    for id, key, state, since, code, message in session.execute(query):
        yield Finding(ResourceId(id), key, ComplianceState(state), since, Reason(code, message))


def history(
    session: Session,
    *,
    policy: str | None,
    cluster: ResourceId | None,
    since: datetime | None,
    after: str | None = None,
) -> list[Change]:
    query = (
        select(
            col(AssignmentRow.key),
            col(ClusterRow.id),
            col(HistoryRow.old),
            col(HistoryRow.new),
            col(HistoryRow.scan),
            col(HistoryRow.at),
        )
        .join(ClusterRow, col(ClusterRow.number) == col(HistoryRow.cluster))
        .join(AssignmentRow, col(AssignmentRow.number) == col(HistoryRow.assignment))
        .where(*_of_pair(policy, cluster))
        .order_by(col(HistoryRow.number))
    )
    if since is not None:
        query = query.where(col(HistoryRow.at) >= since)
    if after is not None:
        query = query.where(col(HistoryRow.number) > last_change(session, mapping.scan_number(after)))
    return [
        Change(
            key,
            ResourceId(id),
            ComplianceState(old),
            ComplianceState(new),
            None if scan is None else mapping.scan_id(scan),
            at,
        )
        for key, id, old, new, scan, at in session.execute(query)
    ]


def last_change(session: Session, scan: int) -> int:
    """The number of the last change that this scan or one before it made; 0 when none did. Found from the end."""
    made = select(col(HistoryRow.number)).where(col(HistoryRow.scan) <= scan)
    return session.scalar(made.order_by(col(HistoryRow.number).desc()).limit(1)) or 0


def _of_pair(policy: str | None, cluster: ResourceId | None) -> list[ColumnElement[bool]]:
    """The conditions that name one policy, one cluster, both or neither."""
    conditions = []
    if policy is not None:
        conditions.append(col(AssignmentRow.key) == policy)
    if cluster is not None:
        conditions.append(col(ClusterRow.key) == cluster.key)
    return conditions


def rollups(session: Session) -> list[RollupRow]:
    tree = inventory.tree(session)
    subscriptions = {s.subscription_id.casefold(): s.subscription_id for s in tree.subscriptions}
    groups = {g.id.key: g.name for g in tree.resource_groups}
    query = (
        select(
            col(AssignmentRow.key),
            col(RollupCellRow.subscription),
            col(RollupCellRow.resource_group),
            col(RollupCellRow.state),
            col(RollupCellRow.n),
        )
        .join(AssignmentRow, col(AssignmentRow.number) == col(RollupCellRow.assignment))
        .order_by(col(AssignmentRow.position), col(RollupCellRow.subscription), col(RollupCellRow.resource_group))
    )
    return [
        RollupRow(
            policy_key=key,
            subscription=subscriptions.get(subscription, subscription),
            resource_group=groups.get(f"/subscriptions/{subscription}/resourcegroups/{group}", group),
            state=ComplianceState(state),
            count=n,
        )
        for key, subscription, group, state, n in session.execute(query)
    ]


def policy_counts(session: Session) -> dict[str, dict[ComplianceState, int]]:
    """The fleet's pairs by policy and state."""
    query = select(col(AssignmentRow.key), col(PolicyTotalRow.state), col(PolicyTotalRow.n)).join(
        AssignmentRow, col(AssignmentRow.number) == col(PolicyTotalRow.assignment)
    )
    found: dict[str, dict[ComplianceState, int]] = {}
    for key, state, n in session.execute(query):
        found.setdefault(key, {})[ComplianceState(state)] = n
    return found


def group_counts(session: Session) -> dict[ResourceId, dict[ComplianceState, int]]:
    """The pairs of each resource group by state; ids are in lower case."""
    place = (col(GroupTotalRow.subscription), col(GroupTotalRow.resource_group))
    found: dict[ResourceId, dict[ComplianceState, int]] = {}
    for subscription, group, state, n in session.execute(
        select(*place, col(GroupTotalRow.state), col(GroupTotalRow.n))
    ):
        id = ResourceId(f"/subscriptions/{subscription}/resourceGroups/{group}")
        found.setdefault(id, {})[ComplianceState(state)] = n
    return found


def scans(session: Session, limit: int, *, without: str | None = None) -> list[ScanRecord]:
    """The latest scans that were finished, newest first; ``without`` those of that trigger."""
    query = _finished().order_by(col(ScanRow.number).desc()).limit(limit)
    if without is not None:
        query = query.where(col(ScanRow.trigger) != without)
    return _values(session, query)


def scan_before(session: Session, instant: datetime) -> ScanRecord | None:
    """The latest scan that was finished at that instant or before, else the first one."""
    number = col(ScanRow.number)
    before = _finished().where(col(ScanRow.finished) <= instant).order_by(number.desc()).limit(1)
    found = _values(session, before) or _values(session, _finished().order_by(number).limit(1))
    return next(iter(found), None)


def begun_scan(session: Session) -> ScanRecord | None:
    """The latest scan, where it is not finished: it runs now, or was killed. Its counts are not known yet."""
    row = session.scalar(select(ScanRow).order_by(col(ScanRow.number).desc()).limit(1))
    return mapping.scan_value(row, {}) if row is not None and row.running else None


def _finished() -> Select[ScanRow]:
    return select(ScanRow).where(col(ScanRow.running).is_(False))


def _values(session: Session, query: Select[ScanRow]) -> list[ScanRecord]:
    rows = list(session.scalars(query))
    counts: dict[int, dict[ComplianceState, int]] = {}
    told = select(ScanCountRow).where(col(ScanCountRow.scan).in_([row.number for row in rows]))
    for count in session.scalars(told):
        counts.setdefault(count.scan, {})[ComplianceState(count.state)] = count.n
    return [mapping.scan_value(row, counts.get(row.number, {})) for row in rows]
