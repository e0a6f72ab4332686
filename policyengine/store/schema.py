"""Brings a database to the schema this program knows, or says why it will not touch it.

A database that is already there costs two small queries; Alembic is imported only when something must be migrated.
"""

from __future__ import annotations

import threading
import time
from typing import Final

from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from policyengine.errors import StoreError
from policyengine.store.backend import SQLITE
from policyengine.store.database import Database, is_busy
from policyengine.store.tables import ClusterRow

VERSION_TABLE: Final = "policyengine_schema"
"""Not Alembic's own `alembic_version`: that one would make another program's database look like ours."""

REVISIONS: Final = ("0001", "0002", "0003", "0004", "0005", "0006", "0007", "0008")
"""Every revision in `migrations/versions`, oldest first; a test holds the two equal."""

HEAD: Final = REVISIONS[-1]
EXPECTED: Final = frozenset(ClusterRow.metadata.tables) | {"compliance_state", VERSION_TABLE}
_WAL_PAUSE_S: Final = 0.02
_one_upgrade: Final = threading.Lock()  # Alembic keeps its running environment in a module


def prepare(database: Database, *, busy_timeout_s: float) -> None:
    """Creates or upgrades the schema when needed, and checks it.

    Raises StoreError for a database of another program, of a newer policyengine, or with a table missing. Safe when
    several processes do it at once: the writers' lock lets one of them work, and the others find it done.
    """
    with database.read() as session:
        version = _version(session, database)
    if database.backend is SQLITE:
        _use_wal(database, busy_timeout_s)
    if version == HEAD:
        return
    with database.write() as session:
        if _version(session, database) != HEAD:
            _upgrade(session.connection())
            _version(session, database)


def _version(session: Session, database: Database) -> str | None:
    """The revision the database is at; None for an empty one."""
    tables = set(session.scalars(text(database.backend.list_tables)))
    if VERSION_TABLE not in tables:
        if tables:
            raise StoreError(
                f"database `{database.name}` belongs to another program: it has a table `{min(tables)}`",
                help="name an empty database, or a file that does not exist yet",
            )
        return None
    version: str | None = session.scalar(text(f"SELECT version_num FROM {VERSION_TABLE}"))
    if version is not None and version not in REVISIONS:
        raise StoreError(
            f"database `{database.name}` was written by a newer policyengine: its schema is `{version}`, "
            f"this program knows `{HEAD}`",
            help="upgrade policyengine, or name another database",
        )
    if version == HEAD and (missing := EXPECTED - tables):
        raise StoreError(
            f"database `{database.name}` is damaged: `{min(missing)}` is missing",
            help="restore a backup, or name another database",
        )
    return version


def _upgrade(connection: Connection) -> None:
    """Runs the migrations on this connection, in its transaction. Alembic stays silent: no logging is configured."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "policyengine.store:migrations")
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    with _one_upgrade:
        command.upgrade(config, HEAD)


def _use_wal(database: Database, busy_timeout_s: float) -> None:
    """Turns write-ahead logging on, for good: readers then never wait for a writer.

    SQLite does not wait for a lock here, so two processes opening a new file at once must try again themselves.
    """
    deadline = time.monotonic() + busy_timeout_s
    with database.bare() as connection:
        while connection.exec_driver_sql("PRAGMA journal_mode").scalar_one() != "wal":
            try:
                mode = connection.exec_driver_sql("PRAGMA journal_mode = WAL").scalar_one()
            except OperationalError as error:
                if not is_busy(error.orig) or time.monotonic() > deadline:
                    raise
                time.sleep(_WAL_PAUSE_S)
            else:
                if mode != "wal":
                    return  # a file system without shared memory: slower, and still right
