"""What a scan asks and tells the store: what there is to judge, what it was judged with last, what was found.

Opened once and closed once; between them every shard is a transaction of its own. What one says of the inventory is
true of a reading of it, by number: whatever changes later is due again.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt
from sqlalchemy.orm import Session

from policyengine.compliance.workset import Mark
from policyengine.model.cluster_text import to_text
from policyengine.store import bulk, census, deltas, inventory, scans
from policyengine.store.blocks import CHUNK, States
from policyengine.store.database import Database
from policyengine.store.documents import Documents
from policyengine.store.driver import Row
from policyengine.store.ledger import Found, Numbers, Sheet
from policyengine.store.records import PolicyRecord, ScanRecord
from policyengine.store.tables import ScanRow


@dataclass(frozen=True)
class Survey:
    """The inventory at one reading, and how many clusters of each type, folded, it has."""

    seq: int
    last: int  # the highest number of a cluster; -1 when there was never one
    counts: Mapping[str, int]

    @property
    def chunks(self) -> int:
        return self.last // CHUNK + 1

    @property
    def clusters(self) -> int:
        return sum(self.counts.values())


class Scanning(Documents):
    """The store as a scan sees it."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self._database = database

    def survey(self) -> Survey:
        with self._database.read() as session:
            return Survey(inventory.last_seq(session), census.last_number(session), dict(census.counts(session)))

    def marks(self) -> dict[str, dict[int, Mark]]:
        """The mark of each block of the bound policies, by key and chunk."""
        found: dict[str, dict[int, Mark]] = {}
        known: dict[tuple[str, str, int], Mark] = {}  # most blocks of a policy have one and the same
        with self._database.read() as session:
            for key, chunk, digest, leave, seq in bulk.marks(session):
                if (digest, leave, seq) not in known:
                    known[digest, leave, seq] = Mark(digest, json.loads(leave), seq)
                found.setdefault(key, {})[chunk] = known[digest, leave, seq]
        return found

    def due(self, after: int) -> tuple[Numbers, Numbers]:
        """The clusters to be judged since a reading after that one, in order of number, and since which."""
        with self._database.read() as session:
            numbers, since = census.due_clusters(session, after)
        order = np.argsort(numbers)
        return numbers[order], since[order]

    def states(self, key: str, chunk: int) -> States | None:
        """None for a block that there is not."""
        with self._database.read() as session:
            number = scans.numbers(session).get(key)
            return None if number is None else bulk.blocks(session, [chunk], [number]).get((number, chunk))

    def headings(self, chunk: int) -> list[Row]:
        """Number, id and location of the clusters of a chunk."""
        with self._database.read() as session:
            return census.headings(session, range(chunk * CHUNK, (chunk + 1) * CHUNK))

    def begin(self, policies: Sequence[PolicyRecord], facts: scans.ScanFacts) -> int:
        """The number of the scan. ``policies`` are bound from now on, and what is not among them is retired."""
        with self._database.write() as session:
            return scans.begin(session, policies, facts).number

    def write(self, scan: int, found: Found, chunks: Sequence[int], marks: Mapping[str, Mark], *, at: datetime) -> None:
        """Enters a shard, and marks its blocks. Clusters that left while they were judged are passed over."""
        with self._database.write() as session:
            row = _open(session, scan)
            numbers = scans.numbers(session)
            sheet = _bound(found, numbers).without(census.gone_since(session, row.inventory_seq))
            row.changed += deltas.write(session, sheet, scan=scan, at=at)
            row.evaluated += sheet.states.size
            bulk.write_marks(
                session,
                (
                    (numbers[key], chunk, mark.digest, leave, mark.seq)
                    for key, mark in marks.items()
                    for leave in (to_text(dict(mark.leave)),)
                    for chunk in chunks
                ),
            )

    def differences(self, found: Found) -> npt.NDArray[np.bool_]:
        """For each pair whether the store says another state of it, or another reason."""
        with self._database.read() as session:
            sheet = _bound(found, scans.numbers(session))
            return deltas.differences(session, sheet)

    def finish(self, scan: int, judged: Iterable[str], *, finished: datetime) -> ScanRecord:
        """Closes the scan: the blocks of the policies ``judged`` hold for its reading of the inventory."""
        with self._database.write() as session:
            row, numbers = _open(session, scan), scans.numbers(session)
            bulk.advance_marks(session, [numbers[key] for key in judged], row.inventory_seq)
            return scans.finish(session, row, finished=finished)


def _open(session: Session, scan: int) -> ScanRow:
    return session.get_one(ScanRow, scan)


def _bound(found: Found, numbers: Mapping[str, int]) -> Sheet:
    """The sheet under the numbers of its policies."""
    return found.sheet.under([numbers[key] for key in found.keys])
