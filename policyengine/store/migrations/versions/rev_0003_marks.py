"""What each block of states was judged with, so that a scan knows what it need not judge again."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "mark",
        sa.Column("assignment", sa.Integer(), sa.ForeignKey("assignment.number"), primary_key=True),
        sa.Column("chunk", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("leave", sa.String(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
    )
    op.add_column("cluster", sa.Column("due", sa.Integer(), nullable=False, server_default="0"))
    op.execute("UPDATE cluster SET due = seq")
    op.drop_index("ix_cluster_seq", "cluster")
    op.create_index("ix_cluster_due", "cluster", ["due", "removed"])
    op.create_index("ix_cluster_present", "cluster", ["removed", "type", "subscription", "resource_group"])
    op.add_column("scan", sa.Column("running", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("scan", sa.Column("evaluated", sa.BigInteger(), nullable=False, server_default="0"))


def downgrade() -> None:
    op.drop_column("scan", "evaluated")
    op.execute("DELETE FROM scan_count WHERE scan IN (SELECT number FROM scan WHERE running)")
    op.execute("UPDATE history SET scan = NULL WHERE scan IN (SELECT number FROM scan WHERE running)")
    op.execute("DELETE FROM scan WHERE running")
    op.drop_column("scan", "running")
    op.drop_index("ix_cluster_present", "cluster")
    op.drop_index("ix_cluster_due", "cluster")
    op.create_index("ix_cluster_seq", "cluster", ["seq"])
    op.drop_column("cluster", "due")
    op.drop_table("mark")
