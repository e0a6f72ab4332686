"""What the store answers with, where the model has no noun of its own. Plain values: nothing here knows a database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias

from policyengine.model.fleet import ScopeFailure
from policyengine.model.ids import ResourceId
from policyengine.model.resource import Cluster
from policyengine.model.states import ComplianceState, Finding, Reason

PairVerdict: TypeAlias = tuple[str, ResourceId, ComplianceState, Reason | None]
"""What a scan says of one pair: the bound policy's key, the cluster, its state, and why."""


@dataclass(frozen=True, slots=True)
class PolicyRecord:
    """One bound policy, as reports need it: an assignment, or one member of its initiative.

    ``key`` is the assignment's name, or ``assignment/reference_id``. ``digest`` changes when what is asked changes.
    ``message`` is what its author says of a cluster that is not compliant, which ``{cluster.name}`` in it stands for.
    """

    key: str
    digest: str
    assignment: str
    reference_id: str | None
    definition: str
    display_name: str
    severity: str
    effect: str
    owner: str = ""
    runbook: str = ""
    initiative: str | None = None
    message: str = ""


@dataclass(frozen=True, slots=True)
class SyncRecord:
    """One reading of an inventory. ``clusters`` counts all that were known afterwards.

    ``complete`` is False when a part of the source could not be read, and ``failures`` say which and why.
    ``seq`` numbers the readings.
    """

    at: datetime
    source: str
    complete: bool
    clusters: int
    seq: int
    failures: tuple[ScopeFailure, ...] = ()


@dataclass(frozen=True, slots=True)
class ScanRecord:
    """One scan. ``counts``, ``clusters`` and ``policies`` describe the whole store after it, for trends.

    ``changed`` counts the pairs whose state became another, retired policies included. ``complete`` is False
    when some pairs could not be judged. ``inventory_seq`` is the reading of the inventory that was judged.
    ``trigger`` is what asked for it: ``scan``, ``schedule`` or ``remediation``. ``evaluated`` counts the pairs that
    were judged: those for which something had changed.
    """

    id: str
    started: datetime
    finished: datetime
    complete: bool
    changed: int
    clusters: int
    policies: int
    counts: Mapping[ComplianceState, int] = field(default_factory=dict)
    inventory_seq: int = 0
    trigger: str = "scan"
    evaluated: int = 0


@dataclass(frozen=True, slots=True)
class RollupRow:
    """How many clusters of one resource group are in one state under one policy; never zero.

    Subscription and resource group are spelt as the scope tree spells them, in lower case when it does not know them.
    """

    policy_key: str
    subscription: str
    resource_group: str
    state: ComplianceState
    count: int


@dataclass(frozen=True, slots=True)
class Change:
    """A pair that went from ``old`` to ``new``.

    A pair judged for the first time comes from NOT_APPLICABLE, and is told only when it is a finding; one whose policy
    is no longer bound, or whose cluster left the inventory, goes there. ``scan_id`` is None when a reading of the
    inventory made the change, not a scan.
    """

    policy: str
    cluster: ResourceId
    old: ComplianceState
    new: ComplianceState
    scan_id: str | None
    at: datetime


@dataclass(frozen=True, slots=True)
class CauseRecord:
    """How many findings of one policy are in one state for one reason."""

    policy: str
    state: ComplianceState
    reason: Reason
    findings: int


@dataclass(frozen=True, slots=True)
class Move:
    """A pair that is in another state now than at the end of an earlier scan; ``at`` is when it came into it.

    ``again``: it fails once more, and had failed at some time before the state it had when that scan ended.
    """

    policy: str
    cluster: ResourceId
    old: ComplianceState
    new: ComplianceState
    again: bool
    at: datetime


@dataclass(frozen=True, slots=True)
class MoveCount:
    """How many pairs of one policy moved that way."""

    policy: str
    old: ComplianceState
    new: ComplianceState
    again: bool
    pairs: int


@dataclass(frozen=True, slots=True)
class Standing:
    """A cluster and how it stands: its states and its findings, by policy."""

    cluster: Cluster
    states: Mapping[str, ComplianceState]
    findings: Mapping[str, Finding]
