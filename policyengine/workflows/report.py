"""The store and the policy files → a report. Reads roll-ups, findings and history; evaluates only to say what mends."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from policyengine import __version__
from policyengine.clock import Clock
from policyengine.compliance.bind import BoundPolicy
from policyengine.compliance.explain import Explanation, explain
from policyengine.compliance.judge import judge_without_exemptions
from policyengine.effects.base import World
from policyengine.errors import UsageError
from policyengine.model.ids import ResourceId
from policyengine.model.resource import Cluster
from policyengine.model.states import ComplianceState, Finding
from policyengine.remediation.remains import why_unmended
from policyengine.remediation.steps import Plan, StepOutcome, StepState
from policyengine.reports import (
    ChangeEntry,
    ClusterEntry,
    ExemptionEntry,
    FailureCause,
    FindingEntry,
    IncompleteScope,
    InventoryEntry,
    Lamp,
    Lamps,
    PolicyEntry,
    RemediationEntry,
    Report,
    ScanEntry,
    TrendPoint,
    direction_of,
    rollup_by_scope,
)
from policyengine.store.records import Change, PolicyRecord, ScanRecord
from policyengine.store.store import Store
from policyengine.workflows.load import Loaded, load
from policyengine.workflows.scan import REMEDIATION
from policyengine.workflows.settings import Settings
from policyengine.workflows.world import world_of

LOOK_BACK: Final = timedelta(days=7)
"""What changed is told since the last scan at least this old, or since the first."""
SCANS: Final = 5_000
"""Looked through at most: those of more than a week, one every two minutes."""
TREND_POINTS: Final = 90
PLANS: Final = 50

FAILING: Final = frozenset({ComplianceState.NON_COMPLIANT, ComplianceState.ERROR, ComplianceState.CONFLICT})


def make_report(settings: Settings, store: Store, clock: Clock) -> Report:
    """Raises UsageError before the first scan, PolicyError for policy files that cannot be used."""
    last = next((scan for scan in store.scans(SCANS) if scan.trigger != REMEDIATION), None)
    if last is None:
        raise UsageError("nothing has been scanned yet", help="run `policyengine scan`")
    loaded = load(settings.policies, settings.aliases)
    return _Desk(loaded, store, world_of(store.tree(), loaded.aliases, clock), last).report()


@dataclass(frozen=True)
class _Desk:
    """What the parts of one report are made from."""

    loaded: Loaded
    store: Store
    world: World
    last: ScanRecord

    def report(self) -> Report:
        clusters = {cluster.id: cluster for cluster in self.store.clusters()}
        states = dict(self.store.state_matrix())
        entries = tuple(self._cluster(cluster, states.get(id, {})) for id, cluster in clusters.items())
        records, counts = self.store.policies(), self.store.policy_counts()
        scans = list(reversed(self.store.scans(SCANS)))
        baseline = _baseline(scans, self.world.at)
        return Report(
            generated_at=self.world.at,
            engine_version=__version__,
            scan=ScanEntry(self.last.id, self.last.started, self.last.finished, self.last.complete),
            inventory=self._inventory(),
            policies=tuple(self._policy(record, counts.get(record.key, {})) for record in records),
            scopes=rollup_by_scope(self.world.tree, entries),
            clusters=entries,
            findings=tuple(self._findings(clusters, records)),
            changes=tuple(self._changes(baseline)) if baseline else (),
            previous=TrendPoint(baseline.finished, baseline.counts) if baseline else None,
            trend=tuple(TrendPoint(scan.finished, scan.counts) for scan in scans[-TREND_POINTS:]),
            remediations=tuple(self._remediations()),
            exemptions=tuple(self._exemptions(clusters.values())),
        )

    @property
    def _bound(self) -> Mapping[str, BoundPolicy]:
        return {policy.key: policy for policy in self.loaded.policies}

    def _cluster(self, cluster: Cluster, states: Mapping[str, ComplianceState]) -> ClusterEntry:
        subscription = self.world.tree.subscription(cluster.id.subscription)
        return ClusterEntry(
            id=cluster.id,
            name=cluster.name,
            kind=cluster.kind,
            subscription=subscription.display_name if subscription else cluster.id.subscription or "",
            resource_group=cluster.id.resource_group or "",
            location=cluster.resource.location,
            owner=str(cluster.resource.tags.get("owner") or ""),
            unreachable_reason=cluster.unreachable_reason,
            lamps=lamps(cluster, states),
            states=states,
        )

    def _policy(self, record: PolicyRecord, counts: Mapping[ComplianceState, int]) -> PolicyEntry:
        bound = self._bound.get(record.key)
        return PolicyEntry(
            key=record.key,
            display_name=record.display_name,
            assignment=record.assignment,
            counts=counts,
            initiative=record.initiative or "",
            severity=record.severity,
            effect=record.effect,
            owner=record.owner,
            runbook=record.runbook,
            digest=record.digest,
            version=(bound.definition.version or "") if bound else "",
        )

    def _findings(
        self, clusters: Mapping[ResourceId, Cluster], records: Sequence[PolicyRecord]
    ) -> Iterable[FindingEntry]:
        by_key = {record.key: record for record in records}
        parked = self._next_tries()
        for finding in self.store.findings():
            record, cluster = by_key.get(finding.policy), clusters.get(finding.cluster)
            if record is None or cluster is None:
                continue
            open_ = finding.state is ComplianceState.NON_COMPLIANT
            explained = self._explained(finding, cluster)
            yield FindingEntry(
                cluster=cluster.id,
                cluster_name=cluster.name,
                policy=finding.policy,
                state=finding.state,
                since=finding.since,
                reason=finding.reason.message,
                message=(explained.message or "") if open_ and explained is not None else "",
                fix=explained.fix if explained is not None else "",
                command=_command(explained) if open_ and explained is not None else "",
                next_try=parked.get((cluster.id, finding.policy), "") if open_ else "",
                owner=record.owner,
                severity=record.severity,
            )

    def _explained(self, finding: Finding, cluster: Cluster) -> Explanation | None:
        """None when the policy files no longer hold the policy that was scanned."""
        policy = self._bound.get(finding.policy)
        return explain(policy, cluster, self.world) if policy is not None else None

    def _next_tries(self) -> dict[tuple[ResourceId, str], str]:
        """What the latest plan says of each pair it did not mend."""
        latest = self.store.latest_plan()
        if latest is None:
            return {}
        return why_unmended(latest, self.store.progress(latest.id))

    def _changes(self, baseline: ScanRecord) -> Iterable[ChangeEntry]:
        reasons = {(f.cluster, f.policy): f.reason.message for f in self.store.findings()}
        mended = self._mended()
        by_pair: dict[tuple[ResourceId, str], list[Change]] = defaultdict(list)
        for change in self.store.history(since=baseline.finished):
            if change.at > baseline.finished:
                by_pair[(change.cluster, change.policy)].append(change)
        for (cluster, policy), later in by_pair.items():
            if later[0].old is later[-1].new:
                continue
            failing = later[-1].new in FAILING  # only then does it matter what was long before
            before = self.store.history(cluster=cluster, policy=policy) if failing else []
            earlier = [c for c in before if c.at <= baseline.finished]
            yield ChangeEntry(
                cluster=cluster,
                cluster_name=cluster.name,
                policy=policy,
                old=later[0].old,
                new=later[-1].new,
                at=later[-1].at,
                direction=direction_of(
                    later[0].old, later[-1].new, failed_before=any(c.new in FAILING for c in earlier)
                ),
                note=reasons.get((cluster, policy)) or mended.get((cluster, policy), ""),
            )

    def _mended(self) -> dict[tuple[ResourceId, str], str]:
        """Which plan last wrote for each pair, successfully."""
        return {
            (step.cluster, key): f"by plan {plan.id}"
            for plan in reversed(self.store.plans(PLANS))
            for progress in (self.store.progress(plan.id),)
            for step in plan.steps
            for key in step.policies
            if step.id in progress and progress[step.id].state is StepState.SUCCEEDED
        }

    def _inventory(self) -> InventoryEntry:
        sync = self.store.last_sync()
        if sync is None:
            return InventoryEntry()
        incomplete = tuple(IncompleteScope(failure.scope.text, failure.reason) for failure in sync.failures)
        return InventoryEntry(sync.source, sync.at, incomplete)

    def _remediations(self) -> Iterable[RemediationEntry]:
        for plan in self.store.plans(PLANS):
            progress = self.store.progress(plan.id)
            if any(outcome.state is not StepState.PLANNED for outcome in progress.values()):
                yield _remediation(plan, progress)

    def _exemptions(self, clusters: Iterable[Cluster]) -> Iterable[ExemptionEntry]:
        clusters = list(clusters)
        for exemption in self.loaded.library.exemptions:
            policies = [p for p in self.loaded.policies if exemption in p.exemptions]
            underlying = [
                judge_without_exemptions(policy, cluster, self.world).state
                for policy in policies
                for cluster in clusters
                if exemption.covers(cluster.resource, policy.reference_id, self.world.tree, at=self.world.at)
            ]
            covered = [state for state in underlying if state is not ComplianceState.NOT_APPLICABLE]
            yield ExemptionEntry(
                name=exemption.name,
                assignment=exemption.assignment,
                scopes=tuple(scope.text for scope in exemption.scopes),
                category=exemption.category.value,
                covers=len(covered),
                still_needed=any(state in FAILING for state in covered),
                reference_ids=exemption.reference_ids,
                reason=exemption.reason,
                owner=exemption.owner,
                ticket=exemption.ticket,
                approved_by=exemption.approved_by,
                expires_on=exemption.expires_on,
            )


def lamps(cluster: Cluster, states: Mapping[str, ComplianceState]) -> Lamps:
    """*Declared* by our policies, *reconciled* by what Flux last reported, *reachable* by the agent or the power."""
    judged = [state for state in states.values() if state is not ComplianceState.NOT_APPLICABLE]
    reported = [str(f.property("complianceState") or "").casefold() for f in cluster.flux_configurations]
    return Lamps(
        declared=_lamp(not FAILING.isdisjoint(judged), set(judged) == {ComplianceState.COMPLIANT}),
        reconciled=_lamp("non-compliant" in reported, set(reported) == {"compliant"}),
        reachable=Lamp.ON if cluster.unreachable_reason is None else Lamp.OFF,
    )


def _lamp(off: bool, on: bool) -> Lamp:
    if off:
        return Lamp.OFF
    return Lamp.ON if on else Lamp.UNKNOWN


def _baseline(scans: Sequence[ScanRecord], now: datetime) -> ScanRecord | None:
    """The scan that changes are told since; None when there is nothing to compare with. ``scans``: oldest first."""
    old_enough = [scan for scan in scans if now - scan.finished >= LOOK_BACK]
    candidate = old_enough[-1] if old_enough else (scans[0] if scans else None)
    return None if candidate is None or candidate.id == scans[-1].id else candidate


def _command(explanation: Explanation) -> str:
    """What to run about a finding: a plan where a request may help, else a closer look."""
    verb = "plan --cluster" if explanation.is_mendable else "explain"
    return f"policyengine {verb} {explanation.cluster.name} --policy {explanation.policy.key}"


def _remediation(plan: Plan, progress: Mapping[str, StepOutcome]) -> RemediationEntry:
    states = Counter(
        (progress[step.id].state if step.id in progress else StepState.PLANNED).value for step in plan.steps
    )
    causes: dict[str, list[str]] = defaultdict(list)
    for step in plan.steps:
        outcome = progress.get(step.id)
        if outcome is not None and outcome.state is StepState.FAILED:
            causes[outcome.message].append(step.cluster.name)
    failures = tuple(FailureCause(cause, tuple(names)) for cause, names in causes.items())
    return RemediationEntry(plan.id, plan.created_at, plan.scope, dict(states), failures)
