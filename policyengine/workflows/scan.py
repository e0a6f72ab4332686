"""Policies × clusters → states in the store, and what changed. A scan never writes to a cluster."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from time import perf_counter
from typing import Final

from policyengine.clock import Clock
from policyengine.compliance.bound import CLUSTER_NAME, BoundPolicy
from policyengine.compliance.outline import Outline
from policyengine.errors import UsageError
from policyengine.model.fleet import ScopeFailure
from policyengine.model.ids import ResourceId
from policyengine.model.resource import Resource
from policyengine.model.states import ComplianceState
from policyengine.store.records import PolicyRecord, ScanRecord
from policyengine.store.scans import ScanFacts
from policyengine.store.store import Store
from policyengine.workflows.bench import Bench, set_up
from policyengine.workflows.cycles import rare_collection
from policyengine.workflows.executors import AUTO, choose, demand_executor, map_shards
from policyengine.workflows.load import load, select
from policyengine.workflows.looking import wanted_by
from policyengine.workflows.settings import Settings
from policyengine.workflows.shards import ENGINE, Judged
from policyengine.workflows.sync import OnProgress, SyncResult, sync
from policyengine.workflows.work import Because, Work, everything

RECENT: Final = 100
"""How far back the scan before is looked for: remediations in between leave scans of their own."""
SCHEDULE: Final = "schedule"
REMEDIATION: Final = "remediation"


@dataclass(frozen=True)
class ScanRequest:
    """What to scan: everything, or one assignment, or one policy; with or without reading the inventory first.

    What has not changed since it was judged last is left alone, unless ``full``. ``executor`` and ``workers`` say where
    clusters are judged, see `executors`. ``profile``: tell how each policy is evaluated.
    """

    assignment: str | None = None
    policy: str | None = None
    sync: bool = True
    full: bool = False
    executor: str = AUTO
    workers: int | None = None
    profile: bool = False


@dataclass(frozen=True)
class PolicyLine:
    """One policy's states after a scan. ``fixed`` and ``new`` count pairs since the scan before; None for the first."""

    policy: PolicyRecord
    counts: Mapping[ComplianceState, int]
    fixed: int | None
    new: int | None


@dataclass(frozen=True)
class Effort:
    """What a scan had to do. ``pairs`` of ``of`` were judged, ``because`` of these.

    ``decoded`` clusters were read through the projection, ``whole`` in full, and ``odd`` had a shape that no projection
    reads; ``asked`` counts the calls of the scalar driver by policy, ``judged`` the pairs. The times are sums over all
    processes, in seconds.
    """

    pairs: int
    of: int
    because: tuple[Because, ...]
    executor: str
    decoded: int = 0
    whole: int = 0
    odd: int = 0
    asked: Mapping[str, int] = field(default_factory=dict)
    judged: Mapping[str, int] = field(default_factory=dict)
    reading_s: float = 0.0
    judging_s: float = 0.0
    writing_s: float = 0.0

    def with_shard(self, judged: Judged, *, writing_s: float = 0.0) -> Effort:
        return replace(
            self,
            pairs=self.pairs + judged.found.sheet.states.size,
            decoded=self.decoded + judged.decoded,
            whole=self.whole + judged.whole,
            odd=self.odd + len(judged.found.sheet.numbers) - judged.decoded,
            asked=Counter(self.asked) + Counter(judged.asked),
            judged=Counter(self.judged) + Counter(dict.fromkeys(judged.found.keys, len(judged.found.sheet.numbers))),
            reading_s=self.reading_s + judged.reading_s,
            judging_s=self.judging_s + judged.judging_s,
            writing_s=self.writing_s + writing_s,
        )


@dataclass(frozen=True)
class ScanResult:
    """What a scan found. ``idle`` are assignments whose scope holds no known cluster, often a slip of the pen.

    ``whole`` is False when the inventory was never read to its end: clusters may be missing.
    When that was asked for, ``outlines`` tells how each policy is evaluated on each type of cluster there is, and
    ``rivals`` with which others it may dispute.
    """

    scan: ScanRecord
    sync: SyncResult | None
    lines: tuple[PolicyLine, ...]
    clusters: Mapping[str, int]  # by kind
    failures: tuple[ScopeFailure, ...]
    idle: tuple[str, ...]
    effort: Effort
    whole: bool = True
    outlines: tuple[tuple[str, str, Outline], ...] = field(default=(), repr=False)  # policy, type
    rivals: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        return self.whole and not self.failures


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
    """Raises PolicyError for policy files that cannot be used, before anything else is touched.

    ``on_scan`` is told of clusters. Cancelled, it keeps what it has judged, and the next scan goes on from there.
    """
    demand_executor(request.executor)
    with rare_collection():
        loaded = load(settings.policies, settings.aliases)
        chosen = select(loaded.policies, assignment=request.assignment, policy=request.policy)
        if not chosen:
            raise UsageError(
                "no policy is assigned", help="add a document of `kind: Assignment` to the folders under `policies:`"
            )
        wanted = wanted_by(loaded.policies, loaded.aliases, clock)
        synced = await sync(settings, store, clock, on_sync, wanted) if request.sync else None
        bench = set_up(settings, store, clock, loaded, chosen, synced.failures if synced is not None else None)
        if not bench.survey.clusters and synced is None:
            raise UsageError("the inventory is empty", help="run `policyengine inventory sync` first")
        work = everything(len(chosen), bench.survey) if request.full else bench.work()
        complete = bench.whole and not bench.brief.failures
        facts = ScanFacts(bench.started, bench.brief.at, complete, bench.survey.seq, ENGINE, trigger)
        number = store.scanning.begin([record_of(policy) for policy in loaded.policies], facts)
        effort = await _carry_out(bench, work, number, request, on_scan)
        record = store.scanning.finish(number, bench.brief.keys, finished=clock.now())
        lines = policy_lines(store, record, [record_of(policy) for policy in chosen])
        types = bench.types if request.profile else ()
        outlines = tuple((key, type, found) for type in types for key, found in bench.desk.outlines(type))
        rivals = {one.key: one.partners for one in bench.chosen if one.partners and request.profile}
        idle, failures = _idle(chosen, lines, bench), bench.brief.failures
        return ScanResult(record, synced, lines, bench.kinds, failures, idle, effort, bench.whole, outlines, rivals)


async def _carry_out(bench: Bench, work: Work, number: int, request: ScanRequest, on_scan: OnProgress) -> Effort:
    """Shard after shard, each entered as soon as it is there."""
    executor = choose(request.executor, clusters=work.clusters, shards=len(work.shards), workers=request.workers)
    effort = Effort(0, len(bench.chosen) * bench.survey.clusters, work.because, executor)
    done, total = 0, work.clusters
    on_scan(done, total)
    found = map_shards(executor, bench.desk, bench.brief, work.shards, workers=request.workers)
    async with aclosing(found):
        async for judged in found:
            began = perf_counter()
            bench.scanning.write(
                number, judged.found, judged.shard.chunks, bench.marks(judged.shard), at=bench.brief.at
            )
            effort = effort.with_shard(judged, writing_s=perf_counter() - began)
            done += work.size(judged.shard)
            on_scan(done, total)
    return effort


def _idle(policies: Sequence[BoundPolicy], lines: Iterable[PolicyLine], bench: Bench) -> tuple[str, ...]:
    """A policy that says anything of a cluster has one in its scope; the others are asked about one after another."""
    names = dict.fromkeys(policy.assignment.name for policy in policies)
    busy = {line.policy.assignment for line in lines if line.counts.keys() - {ComplianceState.NOT_APPLICABLE}}
    silent = [policy for policy in policies if policy.assignment.name not in busy]
    headings = (heading for chunk in range(bench.survey.chunks) for heading in bench.scanning.headings(chunk))
    while silent and (heading := next(headings, None)) is not None:
        resource = Resource(ResourceId(heading[1]), {"location": heading[2]})
        busy |= {p.assignment.name for p in silent if p.in_scope(resource, bench.desk.world.tree)}
        silent = [policy for policy in silent if policy.assignment.name not in busy]
    return tuple(name for name in names if name not in busy)


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
    counts = store.policy_counts()
    before = next((s for s in store.scans(RECENT) if s.id < scan.id and s.trigger != REMEDIATION), None)
    moved = _moves(store, before) if before is not None else None
    return tuple(
        PolicyLine(
            policy,
            Counter(counts.get(policy.key, {})),
            fixed=moved[policy.key]["fixed"] if moved is not None else None,
            new=moved[policy.key]["new"] if moved is not None else None,
        )
        for policy in policies
    )


def _moves(store: Store, before: ScanRecord) -> Mapping[str, Counter[str]]:
    """Per policy, the pairs that are compliant now and were not, and the other way round; a detour counts as none."""
    moved: dict[str, Counter[str]] = defaultdict(Counter)
    bad = ComplianceState.NON_COMPLIANT
    for move in store.moves(before, limit=0)[0]:
        moved[move.policy]["new"] += move.pairs if move.new is bad else 0
        moved[move.policy]["fixed"] += move.pairs if move.old is bad and move.new is ComplianceState.COMPLIANT else 0
    return moved


def total_counts(lines: Iterable[PolicyLine]) -> Mapping[ComplianceState, int]:
    """The states of all pairs together."""
    total: Counter[ComplianceState] = Counter()
    for line in lines:
        total.update(line.counts)
    return total
