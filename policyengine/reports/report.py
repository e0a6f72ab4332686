"""A compliance report as a value: everything the formats may print, gathered at one instant.

The workflow fills it from the store and the policy library; the formats only read it. Nothing here knows where the
numbers came from. Counts tell of the whole fleet; clusters, findings and changes are named as far as there is room for
them, so a report is no larger for a million clusters than for a thousand.
INVARIANT: `policies[i].counts`, `initiatives` and `scopes` tell of the same pairs, so they add up.

A *pair* is one cluster judged by one bound policy.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import TypeAlias

from policyengine.model.ids import ResourceId
from policyengine.model.states import ComplianceState, roll_up

Counts: TypeAlias = Mapping[ComplianceState, int]
"""How many pairs are in each state; a state that is not named has none."""


def state_of(counts: Counts) -> ComplianceState:
    """The one state of all these pairs. Source: policy language §8.2."""
    return roll_up(state for state, n in counts.items() if n)


@dataclass(frozen=True, slots=True)
class ScanEntry:
    """The scan this report tells of. ``complete`` is False when some scope could not be read or judged.

    ``unfinished`` is a later one that was stopped, or still runs: what it has judged is told as it found it.
    """

    id: str
    started: datetime
    finished: datetime
    complete: bool = True
    unfinished: str | None = None


@dataclass(frozen=True, slots=True)
class TrendPoint:
    """The whole fleet's counts as one earlier (or this) scan left them."""

    at: datetime
    counts: Counts


@dataclass(frozen=True, slots=True)
class IncompleteScope:
    """A place that could not be read, and why, in words."""

    scope: str
    reason: str


@dataclass(frozen=True, slots=True)
class InventoryEntry:
    """What the clusters were read from. ``synced_at`` is None when nothing was ever read."""

    source: str = ""
    synced_at: datetime | None = None
    incomplete: tuple[IncompleteScope, ...] = ()


@dataclass(frozen=True, slots=True)
class PolicyEntry:
    """One bound policy and how its pairs stand. ``key`` is the bound policy's key."""

    key: str
    display_name: str
    assignment: str
    counts: Counts
    initiative: str = ""
    severity: str = "medium"
    effect: str = ""
    owner: str = ""
    runbook: str = ""
    digest: str = ""
    version: str = ""


@dataclass(frozen=True, slots=True)
class InitiativeEntry:
    """An initiative with the counts of all its policies, wherever it is assigned."""

    name: str
    policies: int
    counts: Counts

    @property
    def state(self) -> ComplianceState:
        return state_of(self.counts)


class ScopeKind(Enum):
    MANAGEMENT_GROUP = "management group"
    SUBSCRIPTION = "subscription"
    RESOURCE_GROUP = "resource group"


@dataclass(frozen=True, slots=True)
class ScopeNode:
    """A place in the scope tree with the counts of everything under it."""

    id: ResourceId
    name: str
    kind: ScopeKind
    clusters: int
    counts: Counts
    children: tuple[ScopeNode, ...] = ()

    @property
    def state(self) -> ComplianceState:
        return state_of(self.counts)


@dataclass(frozen=True, slots=True)
class GroupEntry:
    """A resource group with its clusters and the counts of their pairs."""

    id: ResourceId
    clusters: int
    counts: Counts


class Lamp(Enum):
    """One of a cluster's three lamps."""

    ON = "yes"
    OFF = "no"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Lamps:
    """*Declared*: the object exists and matches. *Reconciled*: Flux applied it. *Reachable*: the agent is connected."""

    declared: Lamp = Lamp.UNKNOWN
    reconciled: Lamp = Lamp.UNKNOWN
    reachable: Lamp = Lamp.UNKNOWN


@dataclass(frozen=True, slots=True)
class ClusterEntry:
    """One cluster. ``states`` is keyed by policy key; a policy that is not named does not apply here."""

    id: ResourceId
    name: str
    kind: str  # AKS or Arc
    subscription: str  # display name
    resource_group: str
    location: str
    owner: str = ""  # the cluster's owner tag
    unreachable_reason: str | None = None
    lamps: Lamps = Lamps()
    states: Mapping[str, ComplianceState] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FleetEntry:
    """All clusters, by kind; how many cannot be reached now; how many fail a policy."""

    clusters: int = 0
    by_kind: Mapping[str, int] = field(default_factory=dict)
    unreachable: int = 0
    failing: int = 0


@dataclass(frozen=True, slots=True)
class UnreachedEntry:
    """A cluster that cannot act on a write now."""

    id: ResourceId
    reason: str


@dataclass(frozen=True, slots=True)
class FindingEntry:
    """A pair that is not compliant: since when, why, who owns it, what mends it, when it will be tried."""

    cluster: ResourceId
    cluster_name: str
    policy: str  # key of the bound policy
    state: ComplianceState
    since: datetime
    reason: str
    message: str = ""  # what the policy's author says of it
    fix: str = ""  # in words
    command: str = ""  # to run
    next_try: str = ""  # in words; empty when nothing is planned
    owner: str = ""
    severity: str = "medium"


@dataclass(frozen=True, slots=True)
class CauseEntry:
    """How many findings of a policy are in one state for one reason, whether they are named or not."""

    policy: str
    state: ComplianceState
    reason: str
    findings: int


@dataclass(frozen=True, slots=True)
class PairEntry:
    """One cluster under one policy: a line of the lists that name every pair."""

    cluster: ClusterEntry
    policy: PolicyEntry
    finding: FindingEntry | None = None

    @property
    def state(self) -> ComplianceState:
        if self.finding is not None:
            return self.finding.state
        return self.cluster.states.get(self.policy.key, ComplianceState.NOT_APPLICABLE)


class Direction(Enum):
    """Which way a pair went since the earlier scan that the report compares with."""

    NEW = "new"  # fails, and never did before
    BACK = "back"  # fails again after it had been fixed
    FIXED = "fixed"
    CHANGED = "changed"  # neither broke nor was mended: exempted, lost sight of, out of scope


@dataclass(frozen=True, slots=True)
class ChangeEntry:
    """One pair whose state is not what the earlier scan found. ``old`` is None for a pair not seen before."""

    cluster: ResourceId
    cluster_name: str
    policy: str
    old: ComplianceState | None
    new: ComplianceState
    at: datetime
    direction: Direction
    note: str = ""  # the reason, or what fixed it


@dataclass(frozen=True, slots=True)
class MovedEntry:
    """How many pairs of a policy went one way since the earlier scan, whether they are named or not."""

    policy: str
    direction: Direction
    pairs: int


@dataclass(frozen=True, slots=True)
class FailureCause:
    """Steps that failed for the same innermost cause."""

    cause: str
    clusters: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RemediationEntry:
    """One plan that was carried out, or begun. ``steps`` counts its steps by their state's word."""

    plan_id: str
    at: datetime
    scope: str
    steps: Mapping[str, int]
    failures: tuple[FailureCause, ...] = ()
    by: str = ""


@dataclass(frozen=True, slots=True)
class ExemptionEntry:
    """An exemption, what it covers now, and whether it still has to."""

    name: str
    assignment: str
    scopes: tuple[str, ...]
    category: str
    covers: int  # pairs
    still_needed: bool | None = None  # None: not known
    reference_ids: tuple[str, ...] = ()  # empty: the whole assignment
    reason: str = ""
    owner: str = ""
    ticket: str = ""
    approved_by: tuple[str, ...] = ()
    expires_on: datetime | None = None  # None: never

    def days_left(self, at: datetime) -> int | None:
        """Whole days until it ends, negative once it has; None when it never does."""
        return None if self.expires_on is None else (self.expires_on - at).days


@dataclass(frozen=True, slots=True)
class Report:
    """Everything a compliance report says. ``scan`` is None before the first scan.

    ``clusters``, ``unreached``, ``findings``, ``causes`` and ``changes`` are those that are named; how many there are
    say ``fleet``, the policies' counts and ``moved``. ``ages`` counts the failing pairs by `words.AGES`.
    """

    generated_at: datetime
    engine_version: str
    scan: ScanEntry | None = None
    title: str = "Compliance report"
    organisation: str = ""
    inventory: InventoryEntry = InventoryEntry()
    fleet: FleetEntry = FleetEntry()
    policies: tuple[PolicyEntry, ...] = ()
    initiatives: tuple[InitiativeEntry, ...] = ()
    scopes: tuple[ScopeNode, ...] = ()
    clusters: tuple[ClusterEntry, ...] = ()
    unreached: tuple[UnreachedEntry, ...] = ()
    findings: tuple[FindingEntry, ...] = ()
    causes: tuple[CauseEntry, ...] = ()
    ages: tuple[int, ...] = ()
    oldest: FindingEntry | None = None  # of those that fail
    changes: tuple[ChangeEntry, ...] = ()
    moved: tuple[MovedEntry, ...] = ()
    previous: TrendPoint | None = None
    trend: tuple[TrendPoint, ...] = ()
    remediations: tuple[RemediationEntry, ...] = ()
    exemptions: tuple[ExemptionEntry, ...] = ()
