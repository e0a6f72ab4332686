"""Which clusters may hold secrets, and an index that tells what is known without a look at the documents."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.add_column("cluster", sa.Column("secretive", sa.Boolean(), nullable=False, server_default=sa.true()))
    op.create_index("ix_cluster_known", "cluster", ["key", "removed", "content_hash"])


def downgrade() -> None:
    op.drop_index("ix_cluster_known", "cluster")
    op.drop_column("cluster", "secretive")
