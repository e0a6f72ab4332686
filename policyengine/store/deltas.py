"""A sheet of states → the tables, as differences from what they hold: only pairs that moved write anything.

In the caller's transaction, so all of it or nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt
from sqlalchemy.orm import Session

from policyengine.store import bulk, changes, mapping, tallies
from policyengine.store.blocks import CHUNK, UNJUDGED, States, packed
from policyengine.store.ledger import Moves, Pair, Sheet

PAIRS_AT_ONCE: Final = 100_000
"""A row for each of so many is all that stands in memory, however much was found."""


def write(session: Session, sheet: Sheet, *, scan: int | None, at: datetime) -> int:
    """Makes the store say what the sheet says; the number of changes that history tells."""
    return sum(_write(session, piece, scan=scan, at=at) for piece in _pieces(sheet))


def _write(session: Session, sheet: Sheet, *, scan: int | None, at: datetime) -> int:
    blocks = bulk.blocks(session, bulk.chunks_of(sheet.numbers), sheet.assignments)
    moves = Moves(sheet, _stored(sheet, blocks))
    _write_blocks(session, moves, blocks)
    _write_findings(session, moves, at=at)
    growths = moves.rollup_deltas()
    bulk.add_to_rollup(session, growths)
    tallies.count_pairs(session, growths)
    changes.enter(session, moves.history(), scan=scan, at=at)
    return int(moves.changes.sum())


def differences(session: Session, sheet: Sheet) -> npt.NDArray[np.bool_]:
    """For each pair whether the store says another state of it, or gives another reason."""
    found = [_differences(session, piece) for piece in _pieces(sheet)]
    return np.concatenate(found, axis=1) if found else np.zeros(sheet.states.shape, dtype=bool)


def _differences(session: Session, sheet: Sheet) -> npt.NDArray[np.bool_]:
    moves = Moves(sheet, _stored(sheet, bulk.blocks(session, bulk.chunks_of(sheet.numbers), sheet.assignments)))
    found = moves.moved.copy()
    stayed = moves.stayed()
    known = bulk.finding_texts(session, sheet.numbers) if stayed else {}
    rows = {assignment: row for row, assignment in enumerate(sheet.assignments)}
    columns = {number: column for column, number in enumerate(sheet.numbers.tolist())}
    for pair in stayed:
        said = mapping.storable_reason(sheet.texts[pair.reason] if pair.reason >= 0 else None)
        if known.get((pair.cluster, pair.assignment)) != (pair.state, said):
            found[rows[pair.assignment], columns[pair.cluster]] = True
    return found


def _pieces(sheet: Sheet) -> Iterable[Sheet]:
    """The sheet by as many whole chunks at a time as make PAIRS_AT_ONCE, at least one."""
    begin = end = 0
    for columns, _ in _by_chunk(sheet):
        if end > begin and (columns.stop - begin) * len(sheet.assignments) > PAIRS_AT_ONCE:
            yield sheet.cut(slice(begin, end))
            begin = end
        end = columns.stop
    if end > begin:
        yield sheet.cut(slice(begin, end))


def _stored(sheet: Sheet, blocks: dict[tuple[int, int], States]) -> States:
    old = np.full(sheet.states.shape, UNJUDGED, dtype=np.uint8)
    for columns, chunk in _by_chunk(sheet):
        for row, assignment in enumerate(sheet.assignments):
            block = blocks.get((assignment, chunk))
            if block is not None:
                old[row, columns] = block[sheet.numbers[columns] % CHUNK]
    return old


def _by_chunk(sheet: Sheet) -> Iterable[tuple[slice, int]]:
    """The clusters of each chunk: they stand together, since numbers ascend."""
    chunks, begins = np.unique(sheet.numbers // CHUNK, return_index=True)
    borders = [*begins.tolist(), len(sheet.numbers)]
    for chunk, (begin, end) in zip(chunks.tolist(), pairwise(borders), strict=True):
        yield slice(begin, end), chunk


def _write_blocks(session: Session, moves: Moves, blocks: dict[tuple[int, int], States]) -> None:
    sheet, rows = moves.sheet, []
    for columns, chunk in _by_chunk(sheet):
        for row, assignment in enumerate(sheet.assignments):
            if not moves.moved[row, columns].any():
                continue
            block = blocks.get((assignment, chunk))
            block = np.full(CHUNK, UNJUDGED, dtype=np.uint8) if block is None else block
            block[sheet.numbers[columns] % CHUNK] = sheet.states[row, columns]
            rows.append((assignment, chunk, packed(block)))
    bulk.write_blocks(session, rows)


def _write_findings(session: Session, moves: Moves, *, at: datetime) -> None:
    """A pair that entered its state now is in it since now; for the others a reason that changed is all that is new."""
    begun, turned, stayed = moves.begun(), moves.turned(), moves.stayed()
    numbers = _reasons(session, moves.sheet, [*begun, *turned, *stayed])
    known = bulk.finding_reasons(session, moves.sheet.numbers) if stayed else {}
    entered = [(p.cluster, p.assignment, p.state, numbers[p.reason]) for p in begun]
    changed = [(p.cluster, p.assignment, p.state, numbers[p.reason]) for p in turned]
    reworded = [
        (numbers[p.reason], p.cluster, p.assignment)
        for p in stayed
        if known.get((p.cluster, p.assignment)) != numbers[p.reason]
    ]
    ended = moves.ended()
    tallies.count_findings(session, begun=entered, turned=changed, reworded=reworded, ended=ended, at=at)
    bulk.insert_findings(session, entered, since=at)
    bulk.turn_findings(session, changed, since=at)
    bulk.reword_findings(session, reworded)
    bulk.delete_findings(session, ended)


def _reasons(session: Session, sheet: Sheet, pairs: Sequence[Pair]) -> dict[int, int]:
    """Index into the sheet's texts → number in the dictionary, for those in use."""
    used = {pair.reason for pair in pairs}
    texts = {at: mapping.storable_reason(sheet.texts[at] if at >= 0 else None) for at in used}
    numbers = bulk.reason_numbers(session, set(texts.values()))
    return {at: numbers[reason] for at, reason in texts.items()}
