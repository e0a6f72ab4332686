"""Questions about states: findings, roll-ups, the matrix, history, the scans themselves. Reads only."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session
from sqlmodel import col

from policyengine.model.ids import ResourceId
from policyengine.model.states import ComplianceState, Finding, Reason
from policyengine.store import bulk, inventory, mapping
from policyengine.store.blocks import CHUNK, state_of
from policyengine.store.records import Change, PolicyRecord, RollupRow, ScanRecord
from policyengine.store.tables import (
    AssignmentRow,
    ClusterRow,
    FindingRow,
    HistoryRow,
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
        .where(*_of_pair(policy, cluster))
        .order_by(col(AssignmentRow.position), col(ClusterRow.key))
    )
    if states is not None:
        query = query.where(col(FindingRow.state).in_([state.value for state in states]))
    return [
        Finding(ResourceId(id), key, ComplianceState(state), since, Reason(code, message))
        for id, key, state, since, code, message in session.execute(query)
    ]


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
        query = query.where(col(HistoryRow.number) > _last_change(session, mapping.scan_number(after)))
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


def _last_change(session: Session, scan: int) -> int:
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
    total = func.sum(col(RollupCellRow.n))
    query = (
        select(col(AssignmentRow.key), col(RollupCellRow.state), total)
        .join(AssignmentRow, col(AssignmentRow.number) == col(RollupCellRow.assignment))
        .group_by(col(AssignmentRow.key), col(RollupCellRow.state))
    )
    found: dict[str, dict[ComplianceState, int]] = {}
    for key, state, n in session.execute(query):
        found.setdefault(key, {})[ComplianceState(state)] = int(n)
    return found


def group_counts(session: Session) -> dict[ResourceId, dict[ComplianceState, int]]:
    """The pairs of each resource group by state; ids are in lower case."""
    place = (col(RollupCellRow.subscription), col(RollupCellRow.resource_group))
    query = select(*place, col(RollupCellRow.state), func.sum(col(RollupCellRow.n)))
    found: dict[ResourceId, dict[ComplianceState, int]] = {}
    for subscription, group, state, n in session.execute(query.group_by(*place, col(RollupCellRow.state))):
        id = ResourceId(f"/subscriptions/{subscription}/resourceGroups/{group}")
        found.setdefault(id, {})[ComplianceState(state)] = int(n)
    return found


def state_matrix(session: Session) -> list[tuple[ResourceId, dict[str, ComplianceState]]]:
    """Every cluster in order of its folded id, with the state of each pair that has been judged."""
    blocks = {row.key: bulk.blocks_of(session, row.number) for row in _bound(session)}
    clusters = session.execute(
        select(col(ClusterRow.number), col(ClusterRow.id))
        .where(col(ClusterRow.removed).is_(None))
        .order_by(col(ClusterRow.key))
    )
    return [
        (
            ResourceId(id),
            {
                key: state
                for key, chunks in blocks.items()
                if number // CHUNK in chunks
                and (state := state_of(int(chunks[number // CHUNK][number % CHUNK]))) is not None
            },
        )
        for number, id in clusters
    ]


def scans(session: Session, limit: int) -> list[ScanRecord]:
    """The latest scans that were finished, newest first."""
    finished = select(ScanRow).where(col(ScanRow.running).is_(False))
    rows = list(session.scalars(finished.order_by(col(ScanRow.number).desc()).limit(limit)))
    counts: dict[int, dict[ComplianceState, int]] = {}
    query = select(ScanCountRow).where(col(ScanCountRow.scan).in_([row.number for row in rows]))
    for count in session.scalars(query):
        counts.setdefault(count.scan, {})[ComplianceState(count.state)] = count.n
    return [mapping.scan_value(row, counts.get(row.number, {})) for row in rows]
