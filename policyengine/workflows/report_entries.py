"""What the store knows of clusters, policies and findings → what a report says of each. Evaluates to say what mends."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from policyengine.compliance.bind import BoundPolicy
from policyengine.compliance.explain import Explanation, explain
from policyengine.effects.base import World
from policyengine.model.ids import ResourceId
from policyengine.model.resource import Cluster
from policyengine.model.states import FAILING, ComplianceState, Finding
from policyengine.reports import ClusterEntry, FindingEntry, Lamp, Lamps, PolicyEntry
from policyengine.store.records import PolicyRecord, Standing
from policyengine.workflows.load import Loaded

Pair = tuple[ResourceId, str]


@dataclass(frozen=True)
class Clerk:
    """Writes entries. ``next_tries`` says of pairs why they were not mended."""

    loaded: Loaded
    world: World
    records: Mapping[str, PolicyRecord]
    next_tries: Mapping[Pair, str] = field(default_factory=dict)

    @cached_property
    def _bound(self) -> Mapping[str, BoundPolicy]:
        return {policy.key: policy for policy in self.loaded.policies}

    def policy(self, record: PolicyRecord, counts: Mapping[ComplianceState, int]) -> PolicyEntry:
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

    def cluster(self, standing: Standing) -> ClusterEntry:
        cluster = standing.cluster
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
            lamps=lamps(cluster, standing.states),
            states=standing.states,
        )

    def finding(self, finding: Finding, cluster: Cluster) -> FindingEntry | None:
        """None for a policy that is not bound any longer."""
        record = self.records.get(finding.policy)
        if record is None:
            return None
        open_ = finding.state is ComplianceState.NON_COMPLIANT
        explained = self._explained(finding, cluster)
        return FindingEntry(
            cluster=cluster.id,
            cluster_name=cluster.name,
            policy=finding.policy,
            state=finding.state,
            since=finding.since,
            reason=finding.reason.message,
            message=(explained.message or "") if open_ and explained is not None else "",
            fix=explained.fix if explained is not None else "",
            command=_command(explained) if open_ and explained is not None else "",
            next_try=self.next_tries.get((cluster.id, finding.policy), "") if open_ else "",
            owner=record.owner,
            severity=record.severity,
        )

    def _explained(self, finding: Finding, cluster: Cluster) -> Explanation | None:
        """None when the policy files no longer hold the policy that was scanned."""
        policy = self._bound.get(finding.policy)
        return explain(policy, cluster, self.world) if policy is not None else None


def lamps(cluster: Cluster, states: Mapping[str, ComplianceState]) -> Lamps:
    """*Declared* by our policies, *reconciled* by what Flux last reported, *reachable* by the agent or the power."""
    judged = [state for state in states.values() if state is not ComplianceState.NOT_APPLICABLE]
    reported = [str(f.property("complianceState") or "").casefold() for f in cluster.flux_configurations]
    return Lamps(
        declared=_lamp(not frozenset(FAILING).isdisjoint(judged), set(judged) == {ComplianceState.COMPLIANT}),
        reconciled=_lamp("non-compliant" in reported, set(reported) == {"compliant"}),
        reachable=Lamp.ON if cluster.unreachable_reason is None else Lamp.OFF,
    )


def _lamp(off: bool, on: bool) -> Lamp:
    if off:
        return Lamp.OFF
    return Lamp.ON if on else Lamp.UNKNOWN


def _command(explanation: Explanation) -> str:
    """What to run about a finding: a plan where a request may help, else a closer look."""
    verb = "plan --cluster" if explanation.is_mendable else "explain"
    return f"policyengine {verb} {explanation.cluster.name} --policy {explanation.policy.key}"
