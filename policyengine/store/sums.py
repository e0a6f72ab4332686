"""Sums that are kept by differences: cells of a table that grow and shrink, and are not there when they hold nothing.

Looks at the cells that are touched and at no others, however many there are. Callers hold a transaction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from policyengine.store.driver import Batch, Row


@dataclass(frozen=True, slots=True)
class Sums:
    """A table whose key are ``columns``, with their PostgreSQL types, beside ``n``."""

    table: str
    columns: Mapping[str, str]

    def add(self, session: Session, rows: Sequence[Row]) -> None:
        """Key, and by how much its cell grows, which may be new; cells that come down to nothing are taken away."""
        self._grown.run(session, list(rows))
        self._emptied.run(session, [row[:-1] for row in rows if row[-1] < 0])

    @property
    def _grown(self) -> Batch:
        conflict = f"ON CONFLICT ({', '.join(self.columns)}) DO UPDATE SET n = {self.table}.n + excluded.n"
        return Batch({**self.columns, "n": "int"}, into=self.table, conflict=conflict)

    @property
    def _emptied(self) -> Batch:
        asked = " AND ".join(f"{name} = ?" for name in self.columns)
        joined = " AND ".join(f"{self.table}.{name} = u.{name}" for name in self.columns)
        return Batch(
            self.columns,
            sqlite=f"DELETE FROM {self.table} WHERE {asked} AND n = 0",
            postgresql=f"DELETE FROM {self.table} USING {{rows}} WHERE {joined} AND {self.table}.n = 0",
        )
