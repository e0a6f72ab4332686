"""Recording what a scan found, as differences from what is known.

A scan's verdicts are compared with the state blocks; only pairs that moved write history, findings and roll-up deltas.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session
from sqlmodel import col

from policyengine.errors import StoreError
from policyengine.model.states import ComplianceState, Reason
from policyengine.store import bulk, mapping
from policyengine.store.blocks import StateBlocks
from policyengine.store.ledger import Move, Place, rollup_deltas
from policyengine.store.records import PairVerdict, PolicyRecord, ScanRecord
from policyengine.store.tables import AssignmentRow, RollupCellRow, ScanCountRow, ScanRow, StateBlockRow


@dataclass(frozen=True, slots=True)
class Judged:
    """What was said of one pair; a finding always has a reason."""

    state: ComplianceState
    reason: Reason


@dataclass(frozen=True, slots=True)
class ScanFacts:
    """What the caller knows of the scan itself."""

    started: datetime
    finished: datetime
    at: datetime
    complete: bool
    inventory_seq: int
    engine_digest: str
    trigger: str


@dataclass(slots=True)
class Sheet:
    """A scan's verdicts by policy key and cluster number; the last word on a pair counts."""

    pairs: dict[str, dict[int, Judged]] = field(default_factory=dict)

    def fill(self, verdicts: Iterable[PairVerdict], places: Mapping[str, Place]) -> None:
        """A cluster that is not in the inventory is passed over: it left while it was being judged."""
        for policy, cluster, state, reason in verdicts:
            place = places.get(cluster.key)
            if place is not None:
                self.pairs.setdefault(policy, {})[place.number] = Judged(state, mapping.storable_reason(reason))


def record(session: Session, sheet: Sheet, policies: Sequence[PolicyRecord], facts: ScanFacts) -> ScanRecord:
    """Makes the store say what the sheet says; in the caller's transaction, so all of it or nothing."""
    _demand_known(sheet, policies)
    places = {place.number: place for place in bulk.places(session).values()}
    bound, retired = _bind(session, policies, at=facts.at)
    blocks = bulk.state_blocks(session)
    judged = {
        bound[key]: {number: said for number, said in pairs.items() if number in places}
        for key, pairs in sheet.pairs.items()
    }
    moves = _retirements(blocks, retired) + _moves(blocks, judged)
    changes = sum(move.is_change for move in moves)
    scan = _scan_row(facts, changed=changes, clusters=len(places), policies=len(policies))
    session.add(scan)
    session.flush()
    _write_findings(session, judged, moves, at=facts.at)
    post(session, moves, blocks, places=places, scan=scan.number, at=facts.at)
    session.execute(delete(StateBlockRow).where(col(StateBlockRow.assignment).in_(retired)))
    return mapping.scan_value(scan, _keep_counts(session, scan))


def post(
    session: Session,
    moves: Sequence[Move],
    blocks: Mapping[int, StateBlocks],
    *,
    places: Mapping[int, Place],
    scan: int | None,
    at: datetime,
) -> None:
    """Enters moves everywhere they show: blocks, roll-up, history, findings that end."""
    bulk.write_blocks(session, blocks)
    bulk.add_to_rollup(session, rollup_deltas(moves, places))
    bulk.write_history(session, (move for move in moves if move.is_change), scan=scan, at=at)
    bulk.delete_findings(session, (move for move in moves if move.ends_finding))


def _demand_known(sheet: Sheet, policies: Sequence[PolicyRecord]) -> None:
    unknown = sheet.pairs.keys() - {policy.key for policy in policies}
    if unknown:
        raise StoreError(f"a scan judged the policy `{min(unknown)}`, which is not among the bound policies it names")


def _bind(session: Session, policies: Sequence[PolicyRecord], *, at: datetime) -> tuple[dict[str, int], list[int]]:
    """The number of each bound policy, and the numbers of those that were bound until now."""
    bulk.upsert_assignments(
        session, [mapping.assignment_columns(policy, position) for position, policy in enumerate(policies)]
    )
    keys = {policy.key for policy in policies}
    query = select(col(AssignmentRow.key), col(AssignmentRow.number)).where(col(AssignmentRow.retired).is_(None))
    numbers = {row.key: row.number for row in session.execute(query)}
    retired = [number for key, number in numbers.items() if key not in keys]
    session.execute(update(AssignmentRow).where(col(AssignmentRow.number).in_(retired)).values(retired=at))
    return numbers, retired


def _retirements(blocks: Mapping[int, StateBlocks], retired: Iterable[int]) -> list[Move]:
    return [
        Move(assignment, number, state, None)
        for assignment in retired
        if assignment in blocks
        for number, state in blocks[assignment].judged()
    ]


def _moves(blocks: dict[int, StateBlocks], judged: Mapping[int, Mapping[int, Judged]]) -> list[Move]:
    """The pairs whose state is not the stored one; the blocks are brought up to date on the way."""
    moves = []
    for assignment, pairs in judged.items():
        stored = blocks.setdefault(assignment, StateBlocks({}))
        for number, said in pairs.items():
            old = stored.get(number)
            if old is not said.state:
                moves.append(Move(assignment, number, old, said.state))
                stored.put(number, said.state)
    return moves


def _write_findings(
    session: Session, judged: Mapping[int, Mapping[int, Judged]], moves: Iterable[Move], *, at: datetime
) -> None:
    """A pair that entered its state now is since now; for the others a reason that changed is all that is new."""
    entered = {(move.cluster, move.assignment) for move in moves}
    known = bulk.finding_reasons(session)
    found = {
        (number, assignment): said
        for assignment, pairs in judged.items()
        for number, said in pairs.items()
        if said.state.is_finding
    }
    numbers = bulk.reason_numbers(session, {said.reason for said in found.values()})
    written, reworded = [], []
    for pair in sorted(found):
        said, reason = found[pair], numbers[found[pair].reason]
        row = {"cluster": pair[0], "assignment": pair[1], "reason": reason}
        if pair in entered:
            written.append({**row, "state": said.state.value, "since": at})
        elif known.get(pair) != reason:
            reworded.append(row)
    bulk.write_findings(session, written)
    bulk.change_reasons(session, reworded)


def _scan_row(facts: ScanFacts, *, changed: int, clusters: int, policies: int) -> ScanRow:
    return ScanRow(
        started=facts.started,
        finished=facts.finished,
        complete=facts.complete,
        inventory_seq=facts.inventory_seq,
        engine_digest=facts.engine_digest,
        trigger=facts.trigger,
        changed=changed,
        clusters=clusters,
        policies=policies,
    )


def _keep_counts(session: Session, scan: ScanRow) -> dict[ComplianceState, int]:
    """The fleet's pairs by state, read from the roll-up and kept as a point of the trend."""
    query = select(col(RollupCellRow.state), func.sum(col(RollupCellRow.n))).group_by(col(RollupCellRow.state))
    counts = {ComplianceState(state): int(n) for state, n in session.execute(query)}
    session.add_all(ScanCountRow(scan=scan.number, state=state.value, n=n) for state, n in counts.items())
    return counts
