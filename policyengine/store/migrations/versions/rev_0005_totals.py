"""Roll-ups of the whole fleet, so that no report counts rows: by policy, group, cause, age; clusters by place."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

INSTANT = sa.String().with_variant(sa.DateTime(timezone=True), "postgresql")
FAILING = "('NonCompliant', 'Conflict', 'Error')"
ARC = "microsoft.kubernetes/connectedclusters"
FILLED = (
    "INSERT INTO cluster_total SELECT subscription, resource_group, LOWER(type), COUNT(*)"
    " FROM cluster WHERE removed IS NULL GROUP BY subscription, resource_group, LOWER(type)",
    "INSERT INTO policy_total SELECT assignment, state, SUM(n) FROM rollup GROUP BY assignment, state",
    "INSERT INTO group_total SELECT subscription, resource_group, state, SUM(n)"
    " FROM rollup GROUP BY subscription, resource_group, state",
    "INSERT INTO cause SELECT assignment, state, reason, COUNT(*) FROM finding GROUP BY assignment, state, reason",
    "INSERT INTO age SELECT assignment, state, since, COUNT(*) FROM finding GROUP BY assignment, state, since",
    "INSERT INTO failure SELECT policies, COUNT(*) FROM (SELECT COUNT(*) AS policies FROM finding"
    f" WHERE state IN {FAILING} GROUP BY cluster) AS failing GROUP BY policies",
)


def upgrade() -> None:
    op.add_column("cluster", sa.Column("unreachable", sa.String(), nullable=False, server_default=""))
    op.execute(_unreachable(op.get_bind().dialect.name))
    there = sa.text("unreachable <> ''")
    op.create_index("ix_cluster_unreachable", "cluster", ["key"], sqlite_where=there, postgresql_where=there)
    op.drop_index("ix_finding_assignment", "finding")
    op.create_index("ix_finding_cause", "finding", ["assignment", "reason", "since", "cluster"])
    _tables()
    for filled in FILLED:
        op.execute(filled)


def downgrade() -> None:
    for table in ("failure", "age", "cause", "group_total", "policy_total", "cluster_total"):
        op.drop_table(table)
    op.drop_index("ix_finding_cause", "finding")
    op.create_index("ix_finding_assignment", "finding", ["assignment", "cluster"])
    op.drop_index("ix_cluster_unreachable", "cluster")
    op.drop_column("cluster", "unreachable")


def _tables() -> None:
    op.create_table("cluster_total", _text("subscription"), _text("resource_group"), _text("type"), _n())
    op.create_table("policy_total", _of("assignment"), _text("state"), _n())
    op.create_table("group_total", _text("subscription"), _text("resource_group"), _text("state"), _n())
    op.create_table("cause", _of("assignment"), _text("state"), _of("reason"), _n())
    op.create_index("ix_cause_size", "cause", ["assignment", "n"])
    op.create_table(
        "age", _of("assignment"), _text("state"), sa.Column("since", INSTANT, nullable=False, primary_key=True), _n()
    )
    op.create_table("failure", sa.Column("policies", sa.Integer(), primary_key=True, autoincrement=False), _n())


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.String(), nullable=False, primary_key=True)


def _of(table: str) -> sa.Column[int]:
    return sa.Column(table, sa.Integer(), sa.ForeignKey(f"{table}.number"), nullable=False, primary_key=True)


def _n() -> sa.Column[int]:
    return sa.Column("n", sa.Integer(), nullable=False)


def _unreachable(dialect: str) -> str:
    """The word for now: a sync that finds the cluster changed says since when as well."""
    status, power = {
        "sqlite": (
            "LOWER(COALESCE(json_extract(document, '$.properties.connectivityStatus'), ''))",
            "LOWER(COALESCE(json_extract(document, '$.properties.powerState.code'), ''))",
        ),
        "postgresql": (
            "LOWER(COALESCE(document::jsonb #>> '{properties,connectivityStatus}', ''))",
            "LOWER(COALESCE(document::jsonb #>> '{properties,powerState,code}', ''))",
        ),
    }[dialect]
    return f"""
        UPDATE cluster SET unreachable = CASE
            WHEN LOWER(type) = '{ARC}' AND {status} NOT IN ('', 'connected') THEN 'agent ' || {status}
            WHEN LOWER(type) <> '{ARC}' AND {power} = 'stopped' THEN 'cluster is stopped'
            ELSE '' END
        WHERE removed IS NULL
    """
