"""The tables as SQLModel rows, and nothing else. Rows never leave this room.

The migrations are what makes the tables; a test holds the two equal. States are stored as the words people see,
except in ``state_block``, where one byte is ``ComplianceState.code``.
"""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar, Final

from sqlalchemy import BigInteger, ForeignKeyConstraint, Index, UniqueConstraint, false, text, true
from sqlmodel import Field, SQLModel

from policyengine.store.columns import FOLDED, NUMBER, UtcDateTime

_BY_KEY: Final = {"sqlite_with_rowid": False}
"""SQLite keeps the rows themselves in the order of the key: one look finds a row, not two."""


class ClusterRow(SQLModel, table=True):
    """A cluster and what is on it. ``number`` is its place in the state blocks, for good.

    A cluster that left the inventory keeps its row (``removed`` says since when), so that its history has a name and
    its number comes back with it. ``seq`` is the reading of the inventory that last changed it, ``due`` the last one
    since which it must be judged again: it changed, or what its place tells did. ``secretive`` is False only where
    the documents hold no secret. ``unreachable`` says why the cluster cannot act on a write; it is empty when
    it can, or is gone.
    """

    __tablename__ = "cluster"
    __table_args__: ClassVar = (
        Index("ix_cluster_due", "due", "removed"),
        Index("ix_cluster_present", "removed", "type", "subscription", "resource_group"),  # counts without documents
        Index("ix_cluster_name", "name"),
        Index("ix_cluster_id", "id"),  # for people who ask the view by it
        Index("ix_cluster_known", "key", "removed", "content_hash"),  # a sync compares by it, and reads no document
        Index(
            "ix_cluster_unreachable",
            "key",
            sqlite_where=text("unreachable <> ''"),
            postgresql_where=text("unreachable <> ''"),
        ),
    )

    number: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    seq: int
    key: str = Field(sa_type=FOLDED, unique=True)
    id: str
    name: str  # folded
    subscription: str  # folded
    resource_group: str  # folded
    location: str
    type: str
    document: str
    children: str
    content_hash: str
    removed: datetime | None = Field(default=None, sa_type=UtcDateTime)
    due: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    secretive: bool = Field(default=True, sa_column_kwargs={"server_default": true()})
    unreachable: str = Field(default="", sa_column_kwargs={"server_default": ""})


class ClusterTotalRow(SQLModel, table=True):
    """How many clusters of a type the inventory has in a group; never zero. All folded."""

    __tablename__ = "cluster_total"

    subscription: str = Field(primary_key=True)
    resource_group: str = Field(primary_key=True)
    type: str = Field(primary_key=True)
    n: int


class ManagementGroupRow(SQLModel, table=True):
    __tablename__ = "management_group"

    key: str = Field(sa_type=FOLDED, primary_key=True)
    name: str
    display_name: str
    parent: str | None


class SubscriptionRow(SQLModel, table=True):
    __tablename__ = "subscription"

    key: str = Field(sa_type=FOLDED, primary_key=True)
    subscription_id: str
    display_name: str
    management_group: str | None
    tenant_id: str | None
    tags: str


class ResourceGroupRow(SQLModel, table=True):
    __tablename__ = "resource_group"

    key: str = Field(sa_type=FOLDED, primary_key=True)
    id: str
    location: str
    tags: str


class SyncRow(SQLModel, table=True):
    """One reading of the inventory; its number is stamped on the clusters it changed.

    A ``partial`` one looked at some clusters only. ``failures`` is a JSON list of [scope, reason].
    """

    __tablename__ = "sync"

    seq: int = Field(default=None, primary_key=True)
    at: datetime = Field(sa_type=UtcDateTime)
    source: str
    complete: bool
    partial: bool
    failures: str
    clusters: int


class AssignmentRow(SQLModel, table=True):
    """One bound policy: an assignment, or one member of its initiative. ``retired`` since it is no longer bound."""

    __tablename__ = "assignment"

    number: int = Field(default=None, primary_key=True)
    key: str = Field(sa_type=FOLDED, unique=True)
    position: int
    digest: str
    assignment: str
    reference_id: str | None
    definition: str
    initiative: str | None
    display_name: str
    severity: str
    effect: str
    owner: str
    runbook: str
    retired: datetime | None = Field(default=None, sa_type=UtcDateTime)
    message: str = Field(default="", sa_column_kwargs={"server_default": ""})


class ReasonRow(SQLModel, table=True):
    """The dictionary of reasons: few texts, many findings."""

    __tablename__ = "reason"
    __table_args__: ClassVar = (UniqueConstraint("hash"),)

    number: int = Field(default=None, primary_key=True)
    hash: str
    code: str
    message: str


class StateBlockRow(SQLModel, table=True):
    """The exact state of 4,096 clusters under one policy, a byte each; 0xFF where no scan has judged the pair."""

    __tablename__ = "state_block"

    assignment: int = Field(primary_key=True, foreign_key="assignment.number")
    chunk: int = Field(primary_key=True)
    states: bytes


class MarkRow(SQLModel, table=True):
    """What the states of a block hold for: this digest of its policy, these exemptions, the inventory up to ``seq``.

    A block without a mark is judged again. ``leave`` is a JSON object of active exemptions, by name.
    """

    __tablename__ = "mark"

    assignment: int = Field(primary_key=True, foreign_key="assignment.number")
    chunk: int = Field(primary_key=True)
    digest: str
    leave: str
    seq: int


class FindingRow(SQLModel, table=True):
    """A pair that is not compliant now. No reference is declared: looking each up takes longer than writing the row."""

    __tablename__ = "finding"
    __table_args__: ClassVar = (Index("ix_finding_cause", "assignment", "reason", "since", "cluster"), _BY_KEY)

    cluster: int = Field(primary_key=True)
    assignment: int = Field(primary_key=True)
    state: str
    since: datetime = Field(sa_type=UtcDateTime)
    reason: int


class RollupCellRow(SQLModel, table=True):
    """How many clusters of a group are in a state; kept by deltas, never zero. Names are folded."""

    __tablename__ = "rollup"
    __table_args__: ClassVar = _BY_KEY

    assignment: int = Field(primary_key=True)
    subscription: str = Field(primary_key=True)
    resource_group: str = Field(primary_key=True)
    state: str = Field(primary_key=True)
    n: int


class PolicyTotalRow(SQLModel, table=True):
    """The roll-up of one policy: how many clusters are in a state; never zero."""

    __tablename__ = "policy_total"

    assignment: int = Field(primary_key=True, foreign_key="assignment.number")
    state: str = Field(primary_key=True)
    n: int


class GroupTotalRow(SQLModel, table=True):
    """The roll-up of one group: how many of its pairs are in a state; never zero. Names are folded."""

    __tablename__ = "group_total"
    __table_args__: ClassVar = _BY_KEY

    subscription: str = Field(primary_key=True)
    resource_group: str = Field(primary_key=True)
    state: str = Field(primary_key=True)
    n: int


class CauseRow(SQLModel, table=True):
    """How many findings of a policy are in a state for one reason; never zero."""

    __tablename__ = "cause"
    __table_args__: ClassVar = (Index("ix_cause_size", "assignment", "n"),)

    assignment: int = Field(primary_key=True, foreign_key="assignment.number")
    state: str = Field(primary_key=True)
    reason: int = Field(primary_key=True, foreign_key="reason.number")
    n: int


class AgeRow(SQLModel, table=True):
    """How many findings of a policy are in a state since one instant; never zero."""

    __tablename__ = "age"

    assignment: int = Field(primary_key=True, foreign_key="assignment.number")
    state: str = Field(primary_key=True)
    since: datetime = Field(primary_key=True, sa_type=UtcDateTime)
    n: int


class FailureRow(SQLModel, table=True):
    """How many clusters fail so many policies: they are not compliant, in conflict, or could not be judged."""

    __tablename__ = "failure"

    policies: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    n: int


class ScanRow(SQLModel, table=True):
    """``running``: not finished yet, or killed; what it has judged stays, and the next scan goes on from there.

    ``evaluated`` counts the pairs that were judged.
    """

    __tablename__ = "scan"

    number: int = Field(default=None, primary_key=True)
    started: datetime = Field(sa_type=UtcDateTime)
    finished: datetime = Field(sa_type=UtcDateTime)
    complete: bool
    trigger: str
    inventory_seq: int
    engine_digest: str
    changed: int
    clusters: int
    policies: int
    running: bool = Field(default=False, sa_column_kwargs={"server_default": false()})
    evaluated: int = Field(default=0, sa_type=BigInteger, sa_column_kwargs={"server_default": "0"})


class ScanCountRow(SQLModel, table=True):
    """The fleet's pairs by state after one scan: a point of the trend."""

    __tablename__ = "scan_count"

    scan: int = Field(primary_key=True, foreign_key="scan.number")
    state: str = Field(primary_key=True)
    n: int


class MovedRow(SQLModel, table=True):
    """By how much the pairs that were ``old`` and are ``new`` now were more before the period than after it.

    Sums over all periods after a scan tell what changed since; see `changes`. ``again``: the pair fails now,
    did not then, and had before. May be zero or less.
    """

    __tablename__ = "moved"

    period: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    assignment: int = Field(primary_key=True)
    old: str = Field(primary_key=True)
    new: str = Field(primary_key=True)
    again: bool = Field(primary_key=True)
    n: int


class HistoryRow(SQLModel, table=True):
    """A change of one pair's state. ``scan`` is null when a reading of the inventory made it.

    ``period`` is the scan that made it, or the one that ran then, or else the next.
    """

    __tablename__ = "history"
    __table_args__: ClassVar = (
        Index("ix_history_cluster", "cluster", "assignment"),
        Index("ix_history_at", "at"),
        Index("ix_history_period", "period"),
    )

    number: int = Field(default=None, primary_key=True, sa_type=NUMBER)
    assignment: int
    cluster: int
    old: str
    new: str
    scan: int | None
    at: datetime = Field(sa_type=UtcDateTime)
    period: int = Field(default=0, sa_column_kwargs={"server_default": "0"})


class PlanRow(SQLModel, table=True):
    """A stored plan; ``started`` once somebody asked for it to be carried out."""

    __tablename__ = "plan"
    __table_args__: ClassVar = (UniqueConstraint("id"),)

    number: int = Field(default=None, primary_key=True)
    id: str
    hash: str
    created: datetime = Field(sa_type=UtcDateTime)
    scope: str
    document: str
    started: datetime | None = Field(default=None, sa_type=UtcDateTime)
    started_by: str | None = None
    finished: datetime | None = Field(default=None, sa_type=UtcDateTime)


class StepRow(SQLModel, table=True):
    """One request of a plan, and where it stands; ``at`` is null until something was recorded."""

    __tablename__ = "step"
    __table_args__: ClassVar = (UniqueConstraint("plan", "id"),)

    plan: int = Field(primary_key=True, foreign_key="plan.number")
    position: int = Field(primary_key=True)
    id: str
    cluster: str
    target: str
    document: str
    state: str
    at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    message: str = ""
    operation_url: str | None = None
    attempts: int = 0


class OperationRow(SQLModel, table=True):
    """A long-running operation the service accepted, by the URL that follows it."""

    __tablename__ = "operation"
    __table_args__: ClassVar = (ForeignKeyConstraint(["plan", "step"], ["step.plan", "step.id"]),)

    number: int = Field(default=None, primary_key=True)
    plan: int
    step: str
    url: str
    accepted: datetime = Field(sa_type=UtcDateTime)
    ended: datetime | None = Field(default=None, sa_type=UtcDateTime)
    outcome: str | None = None


class LeaseRow(SQLModel, table=True):
    """Who is carrying out a plan, until when unless he says so again."""

    __tablename__ = "lease"

    plan: int = Field(primary_key=True, foreign_key="plan.number")
    owner: str
    expires: datetime = Field(sa_type=UtcDateTime)


class ScheduleRow(SQLModel, table=True):
    __tablename__ = "schedule"

    number: int = Field(default=None, primary_key=True)
    name: str = Field(unique=True)


class FireRow(SQLModel, table=True):
    """A schedule fires once at a time, whoever asks: the key says so."""

    __tablename__ = "fire"

    schedule: int = Field(primary_key=True, foreign_key="schedule.number")
    fire_time: datetime = Field(primary_key=True, sa_type=UtcDateTime)
