"""The documents of the inventory, for a process that does nothing but judge them.

Imports little, for such a process is waited for: of SQLite it reads the file by itself, since SQLAlchemy takes half as
long to import as all that judging needs. Does not look at the schema: whoever sent it here has done so.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Final, Protocol

from policyengine.errors import StoreError
from policyengine.store import census
from policyengine.store.blocks import CHUNK
from policyengine.store.driver import Readable, Row

_FILE: Final = "sqlite:///"


class Source(Protocol):
    """A database, as far as it is read."""

    def read(self) -> AbstractContextManager[Readable]: ...

    def close(self) -> None: ...


class Documents:
    """What is known of clusters, by number."""

    def __init__(self, source: Source) -> None:
        self._source = source

    @classmethod
    def open(cls, url: str) -> Documents:
        file = url.removeprefix(_FILE)
        if url.startswith(_FILE) and not {"?", "%"} & set(file):  # nothing that must be understood first
            return Documents(_File(Path(file).absolute()))
        from policyengine.store.database import Database

        return Documents(Database(url))

    def close(self) -> None:
        self._source.close()

    def documents(self, chunks: Sequence[int], numbers: Sequence[int] | None = None) -> list[Row]:
        """Those of these clusters, or of all in the chunks, in order of number. See `census.documents`."""
        with self._source.read() as session:
            if numbers is not None:
                return census.documents(session, numbers)
            return [row for run in _runs(chunks) for row in census.documents(session, run)]


class _File:
    """A file of SQLite, which must be there. Opened for each reading: several threads may read."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """Sees one instant of the database."""
        try:
            address = f"{self._path.as_uri()}?mode=ro"
            with closing(sqlite3.connect(address, uri=True, isolation_level=None)) as connection:
                connection.execute("BEGIN")
                yield connection
        except sqlite3.Error as error:
            raise StoreError(f"database `{self._path}` cannot be read: {error}") from error

    def close(self) -> None:
        """Nothing stays open."""


def _runs(chunks: Sequence[int]) -> Iterable[range]:
    """The numbers of the chunks, with those joined that follow each other."""
    begin = 0
    for at in range(1, len(chunks) + 1):
        if at == len(chunks) or chunks[at] != chunks[at - 1] + 1:
            yield range(chunks[begin] * CHUNK, (chunks[at - 1] + 1) * CHUNK)
            begin = at
