"""The documents of the inventory, for a process that does nothing but judge them.

Imports little, for such a process is waited for. Does not look at the schema: whoever sent it here has done so.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Self

from policyengine.store import census
from policyengine.store.blocks import CHUNK
from policyengine.store.database import Database
from policyengine.store.driver import Row


class Documents:
    """What is known of clusters, by number."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @classmethod
    def open(cls, url: str) -> Self:
        return cls(Database(url))

    def close(self) -> None:
        self._database.close()

    def documents(self, chunks: Sequence[int], numbers: Sequence[int] | None = None) -> list[Row]:
        """Those of these clusters, or of all in the chunks, in order of number. See `census.documents`."""
        with self._database.read() as session:
            if numbers is not None:
                return census.documents(session, numbers)
            return [row for run in _runs(chunks) for row in census.documents(session, run)]


def _runs(chunks: Sequence[int]) -> Iterable[range]:
    """The numbers of the chunks, with those joined that follow each other."""
    begin = 0
    for at in range(1, len(chunks) + 1):
        if at == len(chunks) or chunks[at] != chunks[at - 1] + 1:
            yield range(chunks[begin] * CHUNK, (chunks[at - 1] + 1) * CHUNK)
            begin = at
