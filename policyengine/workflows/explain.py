"""Why a cluster has the states it has: each policy's conditions, walked again on what is in the store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from policyengine.clock import Clock
from policyengine.compliance.explain import Explanation, explain
from policyengine.compliance.judge import Verdict
from policyengine.model.resource import Cluster
from policyengine.model.scope import ScopeTree
from policyengine.model.states import ComplianceState, Finding
from policyengine.store.store import Store
from policyengine.workflows.inventory import one_cluster
from policyengine.workflows.load import load, select
from policyengine.workflows.settings import Settings
from policyengine.workflows.world import world_of


@dataclass(frozen=True)
class ExplainedCluster:
    """One cluster and the explanations that were asked for.

    ``since`` is keyed by policy, ``not_applicable`` too: why each policy that was looked at does not apply.
    ``applicable`` counts those that do. ``observed_at`` is when the cluster was last read.
    """

    cluster: Cluster
    tree: ScopeTree
    explanations: tuple[Explanation, ...]
    since: Mapping[str, Finding]
    not_applicable: Mapping[str, str]
    applicable: int
    observed_at: datetime | None = None


def explain_cluster(
    settings: Settings, store: Store, clock: Clock, name: str, *, policy: str | None = None, everything: bool = False
) -> ExplainedCluster:
    """Every policy that is not satisfied; all that apply with ``everything`` or when one is named.

    ``everything`` also shows the policies that a provider evaluates in the cluster.
    """
    loaded = load(settings.policies, settings.aliases)
    chosen = select(loaded.policies, policy=policy)
    cluster = one_cluster(store, name)
    world = world_of(store.tree(), loaded.aliases, clock)
    findings = {finding.policy: finding for finding in store.findings(cluster=cluster.id)}
    looked = [explain(bound, cluster, world, rivals=loaded.policies) for bound in chosen]
    found = [_as_known(explanation, findings.get(explanation.policy.key)) for explanation in looked]
    applicable = [e for e in found if e.verdict.state is not ComplianceState.NOT_APPLICABLE]
    shown = [e for e in found if _is_shown(e, asked_for=everything or policy is not None)]
    return ExplainedCluster(
        cluster=cluster,
        tree=world.tree,
        explanations=tuple(shown),
        since=findings,
        not_applicable={e.policy.key: _why_not(e, world.tree) for e in found if e not in applicable and e not in shown},
        applicable=len(applicable),
        observed_at=store.observed([cluster.id]).get(cluster.id),
    )


def _is_shown(explanation: Explanation, *, asked_for: bool) -> bool:
    """What is not satisfied; when asked for, also what is, and what a provider evaluates in the cluster."""
    if explanation.verdict.state is ComplianceState.NOT_APPLICABLE:
        return asked_for and explanation.is_handled_elsewhere
    return asked_for or explanation.verdict.state is not ComplianceState.COMPLIANT


def _as_known(explanation: Explanation, finding: Finding | None) -> Explanation:
    """What is in the store of a cluster that could not be read is old: the answer is Unknown, as the scan said."""
    applies = explanation.verdict.state is not ComplianceState.NOT_APPLICABLE
    if finding is None or finding.reason.code != "not-read" or not applies:
        return explanation
    return replace(explanation, verdict=Verdict(ComplianceState.UNKNOWN, finding.reason), fix="")


def _why_not(explanation: Explanation, tree: ScopeTree) -> str:
    policy, id = explanation.policy, explanation.cluster.id
    if policy.effect is None:
        return "its effect is disabled"
    if not tree.contains(policy.assignment.scope, id):
        return f"the cluster is not in the scope of `{policy.assignment.name}`"
    excluded = next((s for s in policy.assignment.not_scopes if s.covers(id, tree)), None)
    if excluded is not None:
        return f"excluded by `notScopes` of `{policy.assignment.name}`: {excluded.text}"
    if not policy.selects(explanation.cluster.resource):
        return f"the `resourceSelectors` of `{policy.assignment.name}` leave the cluster out"
    reason = explanation.verdict.reason
    return reason.message if reason is not None else "its `if` does not hold"
