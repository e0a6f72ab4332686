"""Recording scans: what is bound, what was found, when it was done.

A scan is opened, judged a shard at a time and closed. Each step is a transaction of the caller's: a scan killed
between two of them keeps what it has judged, and readers go on seeing the last one that was closed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session
from sqlmodel import col

from policyengine.errors import StoreError
from policyengine.model.states import ComplianceState, Reason
from policyengine.store import bulk, census, changes, deltas, mapping, tallies
from policyengine.store.blocks import CHUNK, UNJUDGED
from policyengine.store.ledger import WORDS, Place, Sheet, placed
from policyengine.store.records import PairVerdict, PolicyRecord, ScanRecord
from policyengine.store.tables import (
    AssignmentRow,
    ClusterTotalRow,
    FindingRow,
    MarkRow,
    PolicyTotalRow,
    RollupCellRow,
    ScanCountRow,
    ScanRow,
    StateBlockRow,
)


@dataclass(frozen=True, slots=True)
class ScanFacts:
    """What the caller knows of the scan itself. ``at`` is the instant of judgement."""

    started: datetime
    at: datetime
    complete: bool
    inventory_seq: int
    engine_digest: str
    trigger: str


@dataclass(slots=True)
class Verdicts:
    """What was said of single pairs, by policy key and folded id of the cluster; the last word on a pair counts."""

    pairs: dict[str, dict[str, tuple[ComplianceState, Reason | None]]] = field(default_factory=dict)

    def fill(self, verdicts: Iterable[PairVerdict]) -> None:
        for policy, cluster, state, reason in verdicts:
            self.pairs.setdefault(policy, {})[cluster.key] = (state, reason)


def begin(session: Session, policies: Sequence[PolicyRecord], facts: ScanFacts) -> ScanRow:
    """The scan, open; ``policies`` are bound from now on, and what is not among them is retired."""
    scan = ScanRow(
        started=facts.started,
        finished=facts.started,
        complete=facts.complete,
        inventory_seq=facts.inventory_seq,
        engine_digest=facts.engine_digest,
        trigger=facts.trigger,
        changed=0,
        clusters=0,
        policies=len(policies),
        running=True,
    )
    session.add(scan)
    session.flush()
    retired = _bind(session, policies, at=facts.at)
    for number in retired:
        scan.changed += _retire(session, number, scan=scan.number, at=facts.at)
    tallies.forget_policies(session, retired)
    return scan


def numbers(session: Session) -> dict[str, int]:
    """The number of each bound policy, by its key."""
    query = select(col(AssignmentRow.key), col(AssignmentRow.number)).where(col(AssignmentRow.retired).is_(None))
    return {row.key: row.number for row in session.execute(query)}


def _bind(session: Session, policies: Sequence[PolicyRecord], *, at: datetime) -> list[int]:
    """The numbers of those that were bound until now."""
    bulk.upsert_assignments(
        session, [mapping.assignment_columns(policy, position) for position, policy in enumerate(policies)]
    )
    keys = {policy.key for policy in policies}
    retired = [number for key, number in numbers(session).items() if key not in keys]
    session.execute(update(AssignmentRow).where(col(AssignmentRow.number).in_(retired)).values(retired=at))
    return retired


def _retire(session: Session, assignment: int, *, scan: int, at: datetime) -> int:
    """The policy's pairs are judged no longer, whatever their state was."""
    none = ComplianceState.NOT_APPLICABLE
    history = [
        (assignment, chunk * CHUNK + place, WORDS[code], none.value)
        for chunk, states in bulk.blocks_of(session, assignment).items()
        for place, code in enumerate(states.tolist())
        if code not in {UNJUDGED, none.code}
    ]
    changes.enter(session, history, scan=scan, at=at)
    for table in (FindingRow, RollupCellRow, MarkRow, StateBlockRow):
        session.execute(delete(table).where(col(table.assignment) == assignment))
    return len(history)


def record(session: Session, verdicts: Verdicts, scan: ScanRow, *, at: datetime) -> None:
    """Enters what was said of single pairs. A cluster that is not in the inventory is passed over."""
    bound = numbers(session)
    unknown = verdicts.pairs.keys() - bound.keys()
    if unknown:
        raise StoreError(f"a scan judged the policy `{min(unknown)}`, which is not among the bound policies it names")
    places = census.places(session, {key for pairs in verdicts.pairs.values() for key in pairs})
    for policy, pairs in verdicts.pairs.items():
        known = sorted(((places[key], said) for key, said in pairs.items() if key in places), key=lambda item: item[0])
        sheet = _sheet(bound[policy], [place for place, _ in known], [said for _, said in known])
        scan.changed += deltas.write(session, sheet, scan=scan.number, at=at)
        scan.evaluated += len(known)


def _sheet(
    assignment: int, places: Sequence[tuple[int, Place]], said: Sequence[tuple[ComplianceState, Reason | None]]
) -> Sheet:
    """One policy's verdicts; every cluster has a text of its own."""
    where, at = placed([place for _, place in places])
    return Sheet(
        assignments=(assignment,),
        numbers=np.array([number for number, _ in places], dtype=np.int64),
        states=np.array([[state.code for state, _ in said]], dtype=np.uint8),
        reasons=np.arange(len(places), dtype=np.int32)[np.newaxis],
        texts=[reason for _, reason in said],
        places=where,
        at=at,
    )


def finish(session: Session, scan: ScanRow, *, finished: datetime) -> ScanRecord:
    """The scan, closed, with the counts of the whole store."""
    scan.clusters = session.scalar(select(func.sum(col(ClusterTotalRow.n)))) or 0
    scan.finished, scan.running = finished, False
    return mapping.scan_value(scan, _keep_counts(session, scan))


def _keep_counts(session: Session, scan: ScanRow) -> dict[ComplianceState, int]:
    """The fleet's pairs by state, read from the roll-up and kept as a point of the trend."""
    query = select(col(PolicyTotalRow.state), func.sum(col(PolicyTotalRow.n))).group_by(col(PolicyTotalRow.state))
    counts = {ComplianceState(state): int(n) for state, n in session.execute(query)}
    session.add_all(ScanCountRow(scan=scan.number, state=state.value, n=n) for state, n in counts.items())
    return counts
