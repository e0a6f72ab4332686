"""Statements over many rows, given to the driver itself: where SQLite and PostgreSQL are spelt apart.

SQLite is given one statement for many rows; PostgreSQL arrays that it unnests, or a COPY where rows are only added.
Callers hold a transaction; nothing here begins or ends one. Knows no table. Rows are read through a file of SQLite by
itself, too, so SQLAlchemy is not imported here: see `documents`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from policyengine.errors import StoreError

if TYPE_CHECKING:
    from sqlalchemy import Connection
    from sqlalchemy.orm import Session

Row = tuple[Any, ...]
Readable: TypeAlias = "Session | sqlite3.Connection"

INSTANT: Final = "timestamptz"
"""The type of an instant on PostgreSQL."""

COPY_FROM: Final = 1000
"""Rows from which on a COPY is worth its start."""

AT_ONCE: Final = 500
"""Names or numbers asked for at once; every SQLite takes so many."""

_SENT_AT_ONCE: Final = 5_000
"""Rows sent to PostgreSQL in one statement."""


@dataclass(frozen=True, slots=True)
class Batch:
    """One statement over many rows. ``columns`` are the members of a row with their PostgreSQL types.

    An insert ``into`` a table ends with ``conflict``; anything else is spelt twice, with ``?`` in the order of
    ``columns`` and with the unnested rows as ``u``.
    """

    columns: Mapping[str, str]
    into: str = ""
    conflict: str = ""
    sqlite: str = ""
    postgresql: str = ""

    def run(self, session: Session, rows: Iterable[Row]) -> None:
        connection = session.connection()
        if connection.dialect.name == "sqlite":
            self._on_sqlite(connection, rows)
        else:
            self._on_postgresql(connection, rows)

    def _on_sqlite(self, connection: Connection, rows: Iterable[Row]) -> None:
        found = rows if isinstance(rows, list) else list(rows)
        if found:
            marks = ", ".join("?" * len(self.columns))
            insert = f"INSERT INTO {self.into} ({', '.join(self.columns)}) VALUES ({marks}) {self.conflict}"
            connection.exec_driver_sql(self.sqlite or insert, found)

    def _on_postgresql(self, connection: Connection, rows: Iterable[Row]) -> None:
        waiting = iter(rows)
        while page := list(islice(waiting, _SENT_AT_ONCE)):
            if self.into and not self.conflict and len(page) >= COPY_FROM:
                self._copy(connection, page)
            else:
                arrays = tuple(list(column) for column in zip(*page, strict=True))
                connection.exec_driver_sql(self._unnested(), arrays)

    def _unnested(self) -> str:
        arrays = ", ".join(f"%s::{type}[]" for type in self.columns.values())
        rows = f"unnest({arrays}) AS u({', '.join(self.columns)})"
        if self.into:
            return f"INSERT INTO {self.into} ({', '.join(self.columns)}) SELECT * FROM {rows} {self.conflict}"
        return self.postgresql.format(rows=rows)

    def _copy(self, connection: Connection, rows: Iterable[Row]) -> None:
        cursor: Any = connection.connection.cursor()
        try:
            with cursor.copy(f"COPY {self.into} ({', '.join(self.columns)}) FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)
        except Exception as error:
            raise StoreError(f"rows cannot be copied into `{self.into}`: {str(error).partition(chr(10))[0]}") from error
        finally:
            cursor.close()


def pages(names: Iterable[Any]) -> Iterable[list[Any]]:
    """So many names at a time as can be asked for at once."""
    waiting = iter(names)
    while page := list(islice(waiting, AT_ONCE)):
        yield page


def is_sqlite(session: Readable) -> bool:
    return isinstance(session, sqlite3.Connection) or session.connection().dialect.name == "sqlite"


def read_of(session: Readable, query: str, page: list[Any]) -> list[Row]:
    """The rows whose column, the last word of ``query``, is one of ``page``."""
    if is_sqlite(session):
        marks = ", ".join("?" * len(page))
        return read(session, f"{query} IN ({marks})", *page)
    return read(session, f"{query} = ANY({{}})", page)


def read(session: Readable, query: str, *values: Any) -> list[Row]:
    """The driver's own rows; ``{}`` in the query stands for a value."""
    if isinstance(session, sqlite3.Connection):
        return session.execute(query.replace("{}", "?"), values).fetchall()
    connection = session.connection()
    mark = "?" if connection.dialect.name == "sqlite" else "%s"
    result = connection.exec_driver_sql(query.replace("{}", mark), values)
    cursor: Any = result.cursor
    rows: list[Row] = cursor.fetchall()
    result.close()
    return rows


def joined(session: Session, column: str) -> str:
    """The aggregate that makes one text, with commas, of a column's whole numbers."""
    if session.connection().dialect.name == "sqlite":
        return f"GROUP_CONCAT({column})"
    return f"STRING_AGG({column}::text, ',')"


def stored_instant(session: Session, at: datetime) -> Any:
    """As the driver takes it."""
    from policyengine.store.columns import UtcDateTime

    return UtcDateTime().process_bind_param(at, session.connection().dialect)
