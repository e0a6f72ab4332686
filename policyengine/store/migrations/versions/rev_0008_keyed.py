"""Findings and roll-ups are kept in the order of their keys on SQLite: one look finds a row, not two.

PostgreSQL knows no such tables, and going back changes nothing: SQLite works as well with them.
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

TABLES = ("finding", "rollup", "group_total")


def upgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        for table in TABLES:
            found = sa.Table(table, sa.MetaData(), autoload_with=op.get_bind())
            with op.batch_alter_table(
                table, copy_from=found, recreate="always", table_kwargs={"sqlite_with_rowid": False}
            ):
                pass


def downgrade() -> None:
    pass
