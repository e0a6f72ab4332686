"""Column types whose meaning is the same on SQLite and PostgreSQL."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import BigInteger, DateTime, Dialect, Integer, String
from sqlalchemy.types import TypeDecorator, TypeEngine


class UtcDateTime(TypeDecorator[datetime]):
    """An aware instant in UTC: ``timestamptz`` on PostgreSQL, text of fixed width that sorts by time on SQLite.

    Refuses a time without a zone.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[datetime] | TypeEngine[str]:
        if dialect.name == "sqlite":
            return dialect.type_descriptor(String())
        return dialect.type_descriptor(DateTime(timezone=True))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | str | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"the time `{value}` has no zone")
        instant = value.astimezone(UTC)
        return instant.isoformat(timespec="microseconds") if dialect.name == "sqlite" else instant

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        instant = datetime.fromisoformat(str(value)) if dialect.name == "sqlite" else value
        return instant.astimezone(UTC)


FOLDED = String().with_variant(String(collation="C"), "postgresql")
"""Text that is compared and sorted by code point on both databases, as Python does."""

NUMBER = BigInteger().with_variant(Integer(), "sqlite")
"""A number the database hands out. SQLite does so only for INTEGER, which has 64 bits there."""
