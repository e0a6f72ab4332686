"""Connections and transactions, and the door through which foreign errors become `StoreError`.

One writer at a time, on both databases: SQLite by its nature, PostgreSQL by an advisory lock. Readers see one
instant and never wait for a writer.
"""

from __future__ import annotations

import importlib.util
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, OperationalError, SQLAlchemyError, StatementError
from sqlalchemy.orm import Session

from policyengine.errors import StoreError
from policyengine.store.backend import POSTGRESQL, SQLITE, Backend

BUSY_TIMEOUT_S = 30.0
_SCHEMES = {
    "sqlite": SQLITE,
    "postgresql": POSTGRESQL,
    "postgres": POSTGRESQL,
    "postgresql+psycopg": POSTGRESQL,
}
_WRITE_IT = "write `sqlite:///policyengine.db`, or `postgresql://USER@HOST/DATABASE`"


class Database:
    """An engine for one URL. ``name`` is the URL as it may be shown: without password and without query."""

    def __init__(self, url: str, *, busy_timeout_s: float = BUSY_TIMEOUT_S) -> None:
        parsed = _parse(url)
        self.backend: Backend = _SCHEMES[parsed.drivername]
        self.name = _shown(parsed)
        path = _sqlite_path(parsed) if self.backend is SQLITE else None
        if self.backend is POSTGRESQL:
            _demand_psycopg()
        self._busy_timeout_s = busy_timeout_s
        self._engine = create_engine(
            _for_driver(parsed, self.backend, path),
            connect_args=self.backend.connect_args(busy_timeout_s, parsed.query),
            pool_pre_ping=self.backend is POSTGRESQL,
        )
        event.listen(self._engine, "connect", self._on_connect)

    def close(self) -> None:
        self._engine.dispose()

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session that sees one instant of the database."""
        with self._transaction(self.backend.begin_read) as session:
            yield session

    @contextmanager
    def write(self, *, durable: bool = False) -> Iterator[Session]:
        """A session whose changes are all kept when the block ends, or none when it raises.

        Waits for other writers. ``durable``: a power cut after the block cannot undo it.
        """
        with self._transaction(self.backend.begin_durable if durable else self.backend.begin_write) as session:
            yield session
            session.flush()

    @contextmanager
    def bare(self) -> Iterator[Connection]:
        """A connection outside any transaction."""
        with self._translated(), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def _transaction(self, statements: tuple[str, ...]) -> Iterator[Session]:
        with self._translated(), self._engine.connect() as connection, connection.begin():
            for statement in statements:
                connection.exec_driver_sql(statement)
            with Session(bind=connection) as session:
                yield session

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (SQLAlchemyError, sqlite3.Error) as error:
            raise self._store_error(error) from error

    def _store_error(self, error: Exception) -> StoreError:
        cause = error.orig if isinstance(error, StatementError) and error.orig is not None else error
        if is_busy(cause):
            return StoreError(
                f"database `{self.name}` is busy: another process has been writing for {self._busy_timeout_s:g} s",
                help="wait for it to finish, then try again",
            )
        if isinstance(error, OperationalError) and self.backend is POSTGRESQL and not error.statement:
            return StoreError(
                f"database `{self.name}` cannot be reached: {_sentence(cause)}",
                help="check that the server runs, and the host, database and user of the URL",
            )
        return StoreError(f"database `{self.name}` cannot be used: {_sentence(cause)}")

    def _on_connect(self, connection: Any, _record: object) -> None:
        for statement in self.backend.on_connect:
            connection.execute(statement)


def _parse(url: str) -> URL:
    """The URL taken apart. No message repeats it: it may hold a password."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:
        raise StoreError("the database is not named by a URL", help=_WRITE_IT) from error
    if parsed.drivername not in _SCHEMES:
        raise StoreError(f"there is no kind of database called `{parsed.drivername}`", help=_WRITE_IT)
    if "@" in (parsed.host or ""):
        raise StoreError(
            "the database URL has more than one `@`", help="write an `@` in the password as `%40`, and a `/` as `%2F`"
        )
    return parsed


def _shown(url: URL) -> str:
    if url.get_backend_name() == "sqlite":
        return str(url.database or "")
    return URL.create("postgresql", url.username, None, url.host, url.port, url.database).render_as_string()


def _sqlite_path(url: URL) -> Path:
    """The file. Its folder must be there: a mistyped path must not quietly start an empty database."""
    if not url.database or url.database == ":memory:" or url.host:
        raise StoreError("the database URL names no file", help="write `sqlite:///policyengine.db`, with three slashes")
    path = Path(url.database)
    if not path.parent.is_dir():
        raise StoreError(
            f"the database `{path}` cannot be made: there is no folder `{path.parent}`",
            help="make the folder first, or name another file",
        )
    if path.is_dir():
        raise StoreError(f"the database `{path}` is a folder", help="name a file")
    return path


def _for_driver(url: URL, backend: Backend, path: Path | None) -> URL:
    """The URL with our driver. A file is made absolute, so that a later change of folder does not move it."""
    query = {key: value for key, value in url.query.items() if key not in {"options", "connect_timeout"}}
    url = url.set(drivername=backend.driver, query=query)
    return url if path is None else url.set(database=str(path.absolute()))


def _demand_psycopg() -> None:
    if importlib.util.find_spec("psycopg") is None:
        raise StoreError(
            "PostgreSQL needs the package `psycopg`, which is not installed",
            help="install it with: pip install 'policyengine-fleet[postgres]'",
        )


def is_busy(cause: BaseException | None) -> bool:
    """True for a driver's error that says: somebody else holds the lock."""
    if isinstance(cause, sqlite3.OperationalError):
        return (getattr(cause, "sqlite_errorname", "") or "").startswith(("SQLITE_BUSY", "SQLITE_LOCKED"))
    return type(cause).__name__ in {"LockNotAvailable", "DeadlockDetected"}


def _sentence(cause: BaseException) -> str:
    """The first line of a driver's message; later lines repeat values and hints for its own users."""
    lines = [line.strip() for line in str(cause).splitlines() if line.strip()]
    return lines[0].rstrip(".:") if lines else type(cause).__name__
