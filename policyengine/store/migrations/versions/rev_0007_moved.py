"""What changed since a scan is kept as sums; those of the history there is are counted here, once."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

FAILING = "('NonCompliant', 'Conflict', 'Error')"
PERIODS = (
    "UPDATE history SET period = COALESCE(scan,"
    " (SELECT COALESCE(MAX(s.number), 0) + 1 FROM scan s WHERE s.started <= history.at))"
)
PAIR = "(PARTITION BY cluster, assignment ORDER BY number"
STEPS = f"""
    SELECT period, assignment, old,
        LEAD(old) OVER {PAIR}) AS following,
        LAST_VALUE(new) OVER {PAIR} ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS now,
        MAX(CASE WHEN new IN {FAILING} THEN 1 ELSE 0 END) OVER {PAIR} ROWS UNBOUNDED PRECEDING) AS failed,
        MAX(CASE WHEN new IN {FAILING} THEN 1 ELSE 0 END)
            OVER {PAIR} ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS failed_before
    FROM history
"""


def upgrade() -> None:
    op.add_column("history", sa.Column("period", sa.Integer(), nullable=False, server_default="0"))
    op.execute(PERIODS)
    op.create_index("ix_history_period", "history", ["period"])
    op.create_table(
        "moved",
        *(sa.Column(name, sa.Integer(), primary_key=True, autoincrement=False) for name in ("period", "assignment")),
        *(sa.Column(name, sa.String(), nullable=False, primary_key=True) for name in ("old", "new")),
        sa.Column("again", sa.Boolean(), nullable=False, primary_key=True),
        sa.Column("n", sa.Integer(), nullable=False),
    )
    op.execute(
        f"WITH steps AS ({STEPS}), told AS ({_told('old', 'failed_before', 1)} UNION ALL"
        f" {_told('following', 'failed', -1)}) INSERT INTO moved"
        " SELECT period, assignment, old, now, again, SUM(n) FROM told"
        " GROUP BY period, assignment, old, now, again HAVING SUM(n) <> 0"
    )


def downgrade() -> None:
    op.drop_table("moved")
    op.drop_index("ix_history_period", "history")
    op.drop_column("history", "period")


def _told(old: str, failed: str, n: int) -> str:
    """Each move counts where it began, and takes away where the next of its pair begins."""
    again = f"{failed} = 1 AND now IN {FAILING} AND {old} NOT IN {FAILING}"
    return (
        f"SELECT period, assignment, {old} AS old, now, CASE WHEN {again} THEN TRUE ELSE FALSE END AS again, {n} AS n"
        f" FROM steps WHERE {old} <> now AND period > 1"
    )
