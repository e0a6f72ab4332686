"""The first schema: inventory, compliance, plans, schedules.

Nothing is imported from the program: a revision must mean the same for ever.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

FOLDED = sa.String().with_variant(sa.String(collation="C"), "postgresql")
INSTANT = sa.String().with_variant(sa.DateTime(timezone=True), "postgresql")
LARGE_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
STATES = (
    "NotApplicable",
    "Compliant",
    "NonCompliant",
    "Exempt",
    "Unknown",
    "Error",
    "Conflict",
    "Protected",
)


def upgrade() -> None:
    _inventory()
    _policies()
    _compliance()
    _plans()
    _schedules()
    op.execute(_view(op.get_bind().dialect.name))
    if op.get_bind().dialect.name == "postgresql":
        _compress_documents()


def downgrade() -> None:
    op.execute("DROP VIEW compliance_state")
    for table in (
        *("fire", "schedule", "lease", "operation", "step", "plan"),
        *("history", "scan_count", "scan", "rollup", "finding", "state_block", "reason", "assignment"),
        *("sync", "resource_group", "subscription", "management_group", "cluster"),
    ):
        op.drop_table(table)


def _inventory() -> None:
    op.create_table(
        "cluster",
        sa.Column("number", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("key", FOLDED, nullable=False, unique=True),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("subscription", sa.String(), nullable=False),
        sa.Column("resource_group", sa.String(), nullable=False),
        sa.Column("location", sa.String(), nullable=False),
        sa.Column("type", sa.String(), nullable=False),
        sa.Column("document", sa.String(), nullable=False),
        sa.Column("children", sa.String(), nullable=False),
        sa.Column("content_hash", sa.String(), nullable=False),
        sa.Column("removed", INSTANT),
    )
    op.create_index("ix_cluster_seq", "cluster", ["seq"])
    op.create_index("ix_cluster_name", "cluster", ["name"])
    op.create_index("ix_cluster_id", "cluster", ["id"])
    op.create_table(
        "management_group",
        sa.Column("key", FOLDED, primary_key=True),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("display_name", sa.String(), nullable=False),
        sa.Column("parent", sa.String()),
    )
    op.create_table(
        "subscription",
        sa.Column("key", FOLDED, primary_key=True),
        sa.Column("subscription_id", sa.String(), nullable=False),
        sa.Column("display_name", sa.String(), nullable=False),
        sa.Column("management_group", sa.String()),
        sa.Column("tenant_id", sa.String()),
        sa.Column("tags", sa.String(), nullable=False),
    )
    op.create_table(
        "resource_group",
        sa.Column("key", FOLDED, primary_key=True),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("location", sa.String(), nullable=False),
        sa.Column("tags", sa.String(), nullable=False),
    )
    op.create_table(
        "sync",
        sa.Column("seq", sa.Integer(), primary_key=True),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("complete", sa.Boolean(), nullable=False),
        sa.Column("partial", sa.Boolean(), nullable=False),
        sa.Column("failures", sa.String(), nullable=False),
        sa.Column("clusters", sa.Integer(), nullable=False),
    )


def _policies() -> None:
    op.create_table(
        "assignment",
        sa.Column("number", sa.Integer(), primary_key=True),
        sa.Column("key", FOLDED, nullable=False, unique=True),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("assignment", sa.String(), nullable=False),
        sa.Column("reference_id", sa.String()),
        sa.Column("definition", sa.String(), nullable=False),
        sa.Column("initiative", sa.String()),
        sa.Column("display_name", sa.String(), nullable=False),
        sa.Column("severity", sa.String(), nullable=False),
        sa.Column("effect", sa.String(), nullable=False),
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("runbook", sa.String(), nullable=False),
        sa.Column("retired", INSTANT),
    )
    op.create_table(
        "reason",
        sa.Column("number", sa.Integer(), primary_key=True),
        sa.Column("hash", sa.String(), nullable=False, unique=True),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("message", sa.String(), nullable=False),
    )


def _compliance() -> None:
    op.create_table(
        "state_block",
        sa.Column("assignment", sa.Integer(), sa.ForeignKey("assignment.number"), primary_key=True),
        sa.Column("chunk", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("states", sa.LargeBinary(), nullable=False),
    )
    op.create_table(
        "finding",
        sa.Column("cluster", sa.Integer(), sa.ForeignKey("cluster.number"), primary_key=True),
        sa.Column("assignment", sa.Integer(), sa.ForeignKey("assignment.number"), primary_key=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("since", INSTANT, nullable=False),
        sa.Column("reason", sa.Integer(), sa.ForeignKey("reason.number"), nullable=False),
    )
    op.create_index("ix_finding_assignment", "finding", ["assignment", "cluster"])
    op.create_table(
        "rollup",
        sa.Column("assignment", sa.Integer(), sa.ForeignKey("assignment.number"), primary_key=True),
        sa.Column("subscription", sa.String(), primary_key=True),
        sa.Column("resource_group", sa.String(), primary_key=True),
        sa.Column("state", sa.String(), primary_key=True),
        sa.Column("n", sa.Integer(), nullable=False),
    )
    op.create_table(
        "scan",
        sa.Column("number", sa.Integer(), primary_key=True),
        sa.Column("started", INSTANT, nullable=False),
        sa.Column("finished", INSTANT, nullable=False),
        sa.Column("complete", sa.Boolean(), nullable=False),
        sa.Column("inventory_seq", sa.Integer(), nullable=False),
        sa.Column("trigger", sa.String(), nullable=False),
        sa.Column("engine_digest", sa.String(), nullable=False),
        sa.Column("changed", sa.Integer(), nullable=False),
        sa.Column("clusters", sa.Integer(), nullable=False),
        sa.Column("policies", sa.Integer(), nullable=False),
    )
    op.create_table(
        "scan_count",
        sa.Column("scan", sa.Integer(), sa.ForeignKey("scan.number"), primary_key=True),
        sa.Column("state", sa.String(), primary_key=True),
        sa.Column("n", sa.Integer(), nullable=False),
    )
    op.create_table(
        "history",
        sa.Column("number", LARGE_NUMBER, primary_key=True),
        sa.Column("assignment", sa.Integer(), sa.ForeignKey("assignment.number"), nullable=False),
        sa.Column("cluster", sa.Integer(), sa.ForeignKey("cluster.number"), nullable=False),
        sa.Column("old", sa.String(), nullable=False),
        sa.Column("new", sa.String(), nullable=False),
        sa.Column("scan", sa.Integer(), sa.ForeignKey("scan.number")),
        sa.Column("at", INSTANT, nullable=False),
    )
    op.create_index("ix_history_cluster", "history", ["cluster", "assignment"])
    op.create_index("ix_history_at", "history", ["at"])


def _plans() -> None:
    op.create_table(
        "plan",
        sa.Column("number", sa.Integer(), primary_key=True),
        sa.Column("id", sa.String(), nullable=False, unique=True),
        sa.Column("hash", sa.String(), nullable=False),
        sa.Column("created", INSTANT, nullable=False),
        sa.Column("scope", sa.String(), nullable=False),
        sa.Column("document", sa.String(), nullable=False),
        sa.Column("started", INSTANT),
        sa.Column("started_by", sa.String()),
        sa.Column("finished", INSTANT),
    )
    op.create_table(
        "step",
        sa.Column("plan", sa.Integer(), sa.ForeignKey("plan.number"), primary_key=True),
        sa.Column("position", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("cluster", sa.String(), nullable=False),
        sa.Column("target", sa.String(), nullable=False),
        sa.Column("document", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("at", INSTANT),
        sa.Column("message", sa.String(), nullable=False),
        sa.Column("operation_url", sa.String()),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.UniqueConstraint("plan", "id"),
    )
    op.create_table(
        "operation",
        sa.Column("number", sa.Integer(), primary_key=True),
        sa.Column("plan", sa.Integer(), nullable=False),
        sa.Column("step", sa.String(), nullable=False),
        sa.Column("url", sa.String(), nullable=False),
        sa.Column("accepted", INSTANT, nullable=False),
        sa.Column("ended", INSTANT),
        sa.Column("outcome", sa.String()),
        sa.ForeignKeyConstraint(["plan", "step"], ["step.plan", "step.id"]),
    )
    op.create_table(
        "lease",
        sa.Column("plan", sa.Integer(), sa.ForeignKey("plan.number"), primary_key=True),
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("expires", INSTANT, nullable=False),
    )


def _schedules() -> None:
    op.create_table(
        "schedule",
        sa.Column("number", sa.Integer(), primary_key=True),
        sa.Column("name", sa.String(), nullable=False, unique=True),
    )
    op.create_table(
        "fire",
        sa.Column("schedule", sa.Integer(), sa.ForeignKey("schedule.number"), primary_key=True),
        sa.Column("fire_time", INSTANT, primary_key=True),
    )


def _view(dialect: str) -> str:
    """The state of every judged pair, decoded from the blocks.

    The chunk is compared twice, as a range of numbers and as a quotient, so that either side of the join can lead.
    A byte past the end of a short block, or 0xFF, matches no state: that pair has not been judged.
    """
    byte = "x'{:02x}'" if dialect == "sqlite" else r"'\x{:02x}'::bytea"
    cut = {
        "sqlite": "substr(b.states, (c.number & 4095) + 1, 1)",
        "postgresql": "substring(b.states FROM (c.number & 4095) + 1 FOR 1)",
    }[dialect]
    cases = " ".join(f"WHEN {byte.format(code)} THEN '{state}'" for code, state in enumerate(STATES))
    return f"""
        CREATE VIEW compliance_state AS
        SELECT policy, cluster, subscription, resource_group, state FROM (
            SELECT a.key AS policy, c.id AS cluster, c.subscription, c.resource_group, CASE {cut} {cases} END AS state
            FROM state_block b
            JOIN assignment a ON a.number = b.assignment
            JOIN cluster c ON c.number BETWEEN b.chunk * 4096 AND b.chunk * 4096 + 4095 AND b.chunk = c.number / 4096
        ) AS decoded WHERE state IS NOT NULL
    """


def _compress_documents() -> None:
    """Documents are read far more often than written: lz4, where the server was built with it, reads fastest."""
    methods = op.get_bind().scalar(sa.text("SELECT enumvals FROM pg_settings WHERE name = 'default_toast_compression'"))
    if "lz4" in (methods or ()):
        for column in ("document", "children"):
            op.execute(f"ALTER TABLE cluster ALTER COLUMN {column} SET COMPRESSION lz4")
