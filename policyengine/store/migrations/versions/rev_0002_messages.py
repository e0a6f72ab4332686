"""What the authors of policies say of findings."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("assignment", sa.Column("message", sa.String(), nullable=False, server_default=""))


def downgrade() -> None:
    op.drop_column("assignment", "message")
