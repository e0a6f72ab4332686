"""What changed since any scan: sums that are kept when a pair moves, so that nobody walks the history for them.

A sum tells of pairs by where they stood and where they stand now. There and back is no change: whoever moves again has
all his moves counted anew, by his new end. `moves` reads them. In the caller's transaction.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from operator import itemgetter
from typing import Any, Final, NamedTuple

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session
from sqlmodel import col

from policyengine.model.states import FAILING
from policyengine.store import bulk
from policyengine.store.driver import Batch, pages
from policyengine.store.tables import ScanRow

FIRST: Final = 1
"""The first scan. Nobody can ask what changed before it ended, and no sum is kept of that."""

Moved = tuple[int, int, str, str]
"""Assignment, cluster, old and new word."""

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
    for page in pages(sorted(moved, key=itemgetter(1))):  # by cluster: each may have moved often
        _recount(session, page, period, cells)
    _MOVED.run(session, [(*cell, n) for cell, n in sorted(cells.items(), key=itemgetter(0)) if n])


def _recount(session: Session, moved: Sequence[Moved], period: int, cells: Counter[Any]) -> None:
    """Takes away what the earlier moves of these pairs added, and adds what they tell with the new one.

    Pairs that went the same way tell the same, and most never moved before.
    """
    before = _earlier(session, moved)
    ways = Counter(
        (assignment, before.get((cluster, assignment), ()), old, new) for assignment, cluster, old, new in moved
    )
    for (assignment, steps, old, new), n in ways.items():
        _tell(cells, assignment, steps, by=-n)
        _tell(cells, assignment, (*steps, Step(period, old, new)), by=n)


def _earlier(session: Session, moved: Sequence[Moved]) -> Mapping[tuple[int, int], tuple[Step, ...]]:
    """The moves of these pairs until now, oldest first."""
    wanted = {(cluster, assignment) for assignment, cluster, *_ in moved}
    clusters = np.array(sorted({cluster for cluster, _ in wanted}), dtype=np.int64)
    found: dict[tuple[int, int], tuple[Step, ...]] = {}
    for _, cluster, assignment, *step in sorted(bulk.history_rows(session, clusters), key=itemgetter(0)):
        if (cluster, assignment) in wanted:
            found[cluster, assignment] = (*found.get((cluster, assignment), ()), Step(*step))
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
