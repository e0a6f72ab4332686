"""Policies × clusters → states in the store, and what changed. A scan never writes to a cluster."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from policyengine import __version__
from policyengine.clock import Clock
from policyengine.compliance.bound import CLUSTER_NAME, BoundPolicy
from policyengine.compliance.conflicts import judge_all
from policyengine.compliance.digest import SEMANTICS_VERSION
from policyengine.effects.base import World
from policyengine.errors import InventoryError, UsageError
from policyengine.language.aliases import AliasCatalogue
from policyengine.model.fleet import ScopeFailure
from policyengine.model.ids import ResourceId
from policyengine.model.resource import Cluster, Resource
from policyengine.model.scope import ScopeTree
from policyengine.model.states import ComplianceState, Reason
from policyengine.store.records import PairVerdict, PolicyRecord, ScanRecord
from policyengine.store.store import Store
from policyengine.workflows.load import load, select
from policyengine.workflows.settings import Settings
from policyengine.workflows.sync import OnProgress, SyncResult, sync

RECENT: Final = 100
"""How far back the scan before is looked for: remediations in between leave scans of their own."""
SCHEDULE: Final = "schedule"
REMEDIATION: Final = "remediation"


@dataclass(frozen=True)
class ScanRequest:
    """What to scan: everything, or one assignment, or one policy; with or without reading the inventory first."""

    assignment: str | None = None
    policy: str | None = None
    sync: bool = True


@dataclass(frozen=True)
class PolicyLine:
    """One policy's states after a scan. ``fixed`` and ``new`` count pairs since the scan before; None for the first."""

    policy: PolicyRecord
    counts: Mapping[ComplianceState, int]
    fixed: int | None
    new: int | None


@dataclass(frozen=True)
class ScanResult:
    """What a scan found. ``idle`` are assignments whose scope holds no known cluster, often a slip of the pen."""

    scan: ScanRecord
    sync: SyncResult | None
    lines: tuple[PolicyLine, ...]
    clusters: Mapping[str, int]  # by kind
    failures: tuple[ScopeFailure, ...]
    idle: tuple[str, ...] = ()

    @property
    def complete(self) -> bool:
        return not self.failures


async def scan(
    settings: Settings,
    store: Store,
    clock: Clock,
    request: ScanRequest,
    *,
    on_sync: OnProgress,
    on_scan: OnProgress,
    trigger: str = "scan",
) -> ScanResult:
    """Raises PolicyError for policy files that cannot be used, before anything else is touched."""
    loaded = load(settings.policies, settings.aliases)
    chosen = select(loaded.policies, assignment=request.assignment, policy=request.policy)
    if not chosen:
        raise UsageError(
            "no policy is assigned", help="add a document of `kind: Assignment` to the folders under `policies:`"
        )
    synced = await sync(settings, store, clock, on_sync) if request.sync else None
    failures = _unread(synced, store)
    clusters = list(store.clusters())
    if not clusters and synced is None:
        raise UsageError("the inventory is empty", help="run `policyengine inventory sync` first")
    started = clock.now()
    world = world_of(store.tree(), loaded.aliases, clock)
    rivals = [policy for policy in loaded.policies if policy not in chosen]
    verdicts = list(_verdicts(chosen, rivals, clusters, world, failures, on_scan))
    record = store.record_scan(
        started=started,
        finished=clock.now(),
        verdicts=verdicts,
        policies=[record_of(policy) for policy in loaded.policies],
        complete=not failures,
        at=world.at,
        engine_digest=f"{__version__}/{SEMANTICS_VERSION}",
        trigger=trigger,
    )
    kinds = Counter(cluster.kind for cluster in clusters)
    lines = policy_lines(store, record, [record_of(policy) for policy in chosen])
    return ScanResult(record, synced, lines, kinds, failures, _idle(chosen, clusters, world.tree))


def _idle(policies: Sequence[BoundPolicy], clusters: Sequence[Cluster], tree: ScopeTree) -> tuple[str, ...]:
    names = dict.fromkeys(policy.assignment.name for policy in policies)
    busy = {p.assignment.name for p in policies if any(p.in_scope(cluster.resource, tree) for cluster in clusters)}
    return tuple(name for name in names if name not in busy)


def _unread(synced: SyncResult | None, store: Store) -> tuple[ScopeFailure, ...]:
    """The scopes that could not be read: by this sync, else by the last one."""
    if synced is not None:
        return synced.failures
    last = store.last_sync()
    return last.failures if last is not None else ()


def world_of(tree: ScopeTree, aliases: AliasCatalogue, clock: Clock) -> World:
    """What policies may read beside the cluster itself, at this instant."""
    return World(tree=tree, at=clock.now(), aliases=aliases, resources=_no_other_resources)


def _no_other_resources(type: str, scope: ResourceId) -> Sequence[Resource]:
    raise InventoryError(
        f"the inventory holds clusters with their extensions and Flux configurations, not `{type}` in {scope}"
    )


def _verdicts(
    policies: Sequence[BoundPolicy],
    rivals: Sequence[BoundPolicy],
    clusters: Sequence[Cluster],
    world: World,
    failures: Sequence[ScopeFailure],
    on_progress: OnProgress,
) -> Iterator[PairVerdict]:
    total = len(policies) * len(clusters)
    done = 0
    for cluster in clusters:
        unread = next((f for f in failures if world.tree.contains(f.scope, cluster.id)), None)
        verdicts = judge_all(policies, cluster, world, rivals)
        for policy in policies:
            verdict = verdicts[policy.key]
            done += 1
            if unread is not None and verdict.state is not ComplianceState.NOT_APPLICABLE:
                reason = Reason("not-read", f"the inventory of {unread.scope} could not be read: {unread.reason}")
                yield policy.key, cluster.id, ComplianceState.UNKNOWN, reason
            else:
                yield policy.key, cluster.id, verdict.state, verdict.reason
        on_progress(done, total)


def record_of(policy: BoundPolicy) -> PolicyRecord:
    """What the store and reports keep of a bound policy."""
    definition = policy.definition
    return PolicyRecord(
        key=policy.key,
        digest=policy.digest,
        assignment=policy.assignment.name,
        initiative=policy.initiative.name if policy.initiative else None,
        reference_id=policy.reference_id,
        definition=definition.name,
        display_name=policy.display_name,
        severity=policy.severity,
        effect=policy.effect_name,
        owner=definition.owner or policy.assignment.owner,
        runbook=definition.runbook,
        message=policy.message_for(CLUSTER_NAME) or "",
    )


def policy_lines(store: Store, scan: ScanRecord, policies: Sequence[PolicyRecord]) -> tuple[PolicyLine, ...]:
    """Each policy's states after ``scan``, and how they moved since the scan before it."""
    counts: dict[str, Counter[ComplianceState]] = defaultdict(Counter)
    for row in store.rollups():
        counts[row.policy_key][row.state] += row.count
    before = next((s for s in store.scans(RECENT) if s.id < scan.id and s.trigger != REMEDIATION), None)
    moved = _moves(store, before) if before is not None else None
    return tuple(
        PolicyLine(
            policy,
            counts[policy.key],
            fixed=moved[policy.key]["fixed"] if moved is not None else None,
            new=moved[policy.key]["new"] if moved is not None else None,
        )
        for policy in policies
    )


def _moves(store: Store, before: ScanRecord) -> Mapping[str, Counter[str]]:
    """Per policy, the pairs that are compliant now and were not, and the other way round; a detour counts as none."""
    first: dict[tuple[str, ResourceId], ComplianceState] = {}
    last: dict[tuple[str, ResourceId], ComplianceState] = {}
    for change in store.history(since=before.started):
        if change.scan_id is None or change.scan_id > before.id:
            first.setdefault((change.policy, change.cluster), change.old)
            last[(change.policy, change.cluster)] = change.new
    moved: dict[str, Counter[str]] = defaultdict(Counter)
    bad = ComplianceState.NON_COMPLIANT
    for (policy, cluster), new in last.items():
        old = first[(policy, cluster)]
        moved[policy]["new"] += new is bad and old is not bad
        moved[policy]["fixed"] += old is bad and new is ComplianceState.COMPLIANT
    return moved


def total_counts(lines: Iterable[PolicyLine]) -> Mapping[ComplianceState, int]:
    """The states of all pairs together."""
    total: Counter[ComplianceState] = Counter()
    for line in lines:
        total.update(line.counts)
    return total
