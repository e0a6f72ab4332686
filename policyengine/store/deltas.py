"""A sheet of states → the tables, as differences from what they hold: only pairs that moved write anything.

In the caller's transaction, so all of it or nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Self

import numpy as np
import numpy.typing as npt
from sqlalchemy.orm import Session

from policyengine.store import bulk, changes, mapping, tallies
from policyengine.store.blocks import CHUNK, UNJUDGED, States, packed
from policyengine.store.ledger import Moves, Numbers, Pair, Sheet

PAIRS_AT_ONCE: Final = 250_000
"""A row for each of so many is all that stands in memory, however much was found."""


def write(session: Session, sheet: Sheet, *, scan: int | None, at: datetime) -> int:
    """Makes the store say what the sheet says; the number of changes that history tells."""
    return sum(_write(session, piece, scan=scan, at=at) for piece in _pieces(sheet))


def _write(session: Session, sheet: Sheet, *, scan: int | None, at: datetime) -> int:
    blocks = _Blocks.read(session, sheet)
    moves = Moves(sheet, blocks.states_of(sheet))
    blocks.write(session, moves)
    _write_findings(session, moves, at=at)
    bulk.add_to_rollup(session, moves.rollup_deltas())
    tallies.count_pairs(session, moves.policy_deltas(), moves.place_deltas())
    changes.enter(session, moves.history(), scan=scan, at=at)
    return int(moves.changes.sum())


def differences(session: Session, sheet: Sheet) -> npt.NDArray[np.bool_]:
    """For each pair whether the store says another state of it, or gives another reason."""
    found = [_differences(session, piece) for piece in _pieces(sheet)]
    return np.concatenate(found, axis=1) if found else np.zeros(sheet.states.shape, dtype=bool)


def _differences(session: Session, sheet: Sheet) -> npt.NDArray[np.bool_]:
    moves = Moves(sheet, _Blocks.read(session, sheet).states_of(sheet))
    found = moves.moved.copy()
    stayed = moves.stayed()
    known = bulk.finding_texts(session, sheet.numbers) if stayed else {}
    rows = {assignment: row for row, assignment in enumerate(sheet.assignments)}
    columns = {number: column for column, number in enumerate(sheet.numbers.tolist())}
    for pair in stayed:
        said = mapping.storable_reason(sheet.texts[pair.reason])
        if known.get((pair.cluster, pair.assignment)) != (pair.state, said):
            found[rows[pair.assignment], columns[pair.cluster]] = True
    return found


def _pieces(sheet: Sheet) -> Iterable[Sheet]:
    """The sheet by as many whole chunks at a time as make PAIRS_AT_ONCE, at least one."""
    begin = end = 0
    begins = np.unique(sheet.numbers // CHUNK, return_index=True)[1]
    for stop in [*begins[1:].tolist(), len(sheet.numbers)]:
        if end > begin and (stop - begin) * len(sheet.assignments) > PAIRS_AT_ONCE:
            yield sheet.cut(slice(begin, end))
            begin = end
        end = stop
    if end > begin:
        yield sheet.cut(slice(begin, end))


@dataclass(frozen=True)
class _Blocks:
    """The blocks that a sheet's pairs stand in: policy × chunk × place in the chunk.

    ``at[cluster]`` is the cluster's chunk; the clusters of a chunk stand together, from ``begins[chunk]`` on, since
    numbers ascend.
    """

    chunks: Sequence[int]
    begins: Numbers
    at: Numbers
    states: States

    @classmethod
    def read(cls, session: Session, sheet: Sheet) -> Self:
        found, begins, at = np.unique(sheet.numbers // CHUNK, return_index=True, return_inverse=True)
        chunks = found.tolist()
        states = np.full((len(sheet.assignments), len(chunks), CHUNK), UNJUDGED, dtype=np.uint8)
        rows = {assignment: row for row, assignment in enumerate(sheet.assignments)}
        places = {chunk: place for place, chunk in enumerate(chunks)}
        for (assignment, chunk), block in bulk.blocks(session, chunks, sheet.assignments).items():
            states[rows[assignment], places[chunk]] = block
        return cls(chunks, begins, at, states)

    def states_of(self, sheet: Sheet) -> States:
        """What is stored of each of its pairs."""
        return self.states[:, self.at, sheet.numbers % CHUNK]

    def write(self, session: Session, moves: Moves) -> None:
        """Makes the blocks say what the sheet says, where they do not yet."""
        sheet = moves.sheet
        self.states[:, self.at, sheet.numbers % CHUNK] = sheet.states
        moved = np.argwhere(np.logical_or.reduceat(moves.moved, self.begins, axis=1))
        rows = ((sheet.assignments[row], self.chunks[at], packed(self.states[row, at])) for row, at in moved.tolist())
        bulk.write_blocks(session, rows)


def _write_findings(session: Session, moves: Moves, *, at: datetime) -> None:
    """A pair that entered its state now is in it since now; for the others a reason that changed is all that is new."""
    begun, turned, stayed, ended = moves.begun(), moves.turned(), moves.stayed(), moves.ended()
    numbers = _reasons(session, moves.sheet, [*begun, *turned, *stayed])
    touched = {pair.cluster for pair in (*begun, *turned, *stayed)} | {cluster for cluster, _ in ended}
    known = bulk.finding_rows(session, np.array(sorted(touched), dtype=np.int64))
    entered = [(p.cluster, p.assignment, p.state, numbers[p.reason]) for p in begun]
    changed = [(p.cluster, p.assignment, p.state, numbers[p.reason]) for p in turned]
    reworded = [
        (numbers[p.reason], p.cluster, p.assignment)
        for p in stayed
        if known[p.cluster, p.assignment][1] != numbers[p.reason]
    ]
    tallies.count_findings(session, known, begun=entered, turned=changed, reworded=reworded, ended=ended, at=at)
    bulk.insert_findings(session, entered, since=at)
    bulk.turn_findings(session, changed, since=at)
    bulk.reword_findings(session, reworded)
    bulk.delete_findings(session, ended)


def _reasons(session: Session, sheet: Sheet, pairs: Sequence[Pair]) -> dict[int, int]:
    """Index into the sheet's texts → number in the dictionary, for those in use."""
    used = {pair.reason for pair in pairs}
    texts = {at: mapping.storable_reason(sheet.texts[at]) for at in used}
    numbers = bulk.reason_numbers(session, set(texts.values()))
    return {at: numbers[reason] for at, reason in texts.items()}
