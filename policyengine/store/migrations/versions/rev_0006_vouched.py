"""Findings, changes and roll-ups refer to rows that whoever writes them has just read: nobody looks them up again.

Going back restores the references on PostgreSQL alone: SQLite works as well without.
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

REFERENCES = {
    "finding": ("cluster", "assignment", "reason"),
    "history": ("assignment", "cluster", "scan"),
    "rollup": ("assignment",),
}  # each column is named after the table it refers to


def upgrade() -> None:
    for table, columns in REFERENCES.items():
        if op.get_bind().dialect.name == "sqlite":
            _make_anew(table)
        else:
            for column in columns:
                op.drop_constraint(f"{table}_{column}_fkey", table, type_="foreignkey")


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        return
    for table, columns in REFERENCES.items():
        for column in columns:
            op.create_foreign_key(f"{table}_{column}_fkey", table, column, [column], ["number"])


def _make_anew(table: str) -> None:
    """SQLite cannot drop a reference: the table is copied into one that has none."""
    found = sa.Table(table, sa.MetaData(), autoload_with=op.get_bind(), resolve_fks=False)
    for constraint in list(found.foreign_key_constraints):
        found.constraints.remove(constraint)
        for element in constraint.elements:
            element.parent.foreign_keys.discard(element)
    with op.batch_alter_table(table, copy_from=found, recreate="always"):
        pass
