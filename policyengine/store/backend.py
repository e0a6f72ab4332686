"""What SQLite and PostgreSQL spell differently: opening, beginning, listing tables. One value for each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

WRITER_LOCK: Final = 0x706F6C656E67
"""The advisory lock that makes writers on PostgreSQL wait for each other, as SQLite does by itself."""


@dataclass(frozen=True, slots=True)
class Backend:
    """Statements that begin a transaction and ask what is there.

    ``begin_durable`` begins a write that must survive a power cut as well as a killed process.
    """

    driver: str
    on_connect: tuple[str, ...]
    begin_read: tuple[str, ...]
    begin_write: tuple[str, ...]
    begin_durable: tuple[str, ...]
    list_tables: str

    def connect_args(self, busy_timeout_s: float, query: Mapping[str, Any]) -> dict[str, Any]:
        """Arguments for the driver. What the URL's ``query`` says wins."""
        if self is SQLITE:
            return {"timeout": busy_timeout_s, "isolation_level": None}
        options = f"{query.get('options', '')} -c lock_timeout={int(busy_timeout_s * 1000)}".strip()
        return {"connect_timeout": query.get("connect_timeout", 10), "options": options}


SQLITE: Final = Backend(
    driver="sqlite",
    on_connect=("PRAGMA foreign_keys = ON",),
    begin_read=("BEGIN",),
    begin_write=("PRAGMA synchronous = NORMAL", "BEGIN IMMEDIATE"),
    begin_durable=("PRAGMA synchronous = FULL", "BEGIN IMMEDIATE"),
    list_tables="SELECT name FROM sqlite_master WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite_%'",
)

_LOCK = f"SELECT pg_advisory_xact_lock({WRITER_LOCK})"

POSTGRESQL: Final = Backend(
    driver="postgresql+psycopg",
    on_connect=(),
    begin_read=("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY",),
    begin_write=(_LOCK,),
    begin_durable=(_LOCK,),
    list_tables=(
        "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE n.nspname = current_schema() AND c.relkind IN ('r', 'p', 'v', 'm')"
    ),
)
