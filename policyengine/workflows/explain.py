"""Why a cluster has the states it has: each policy's conditions, walked again on what is in the store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from policyengine.clock import Clock
from policyengine.compliance.explain import Explanation, explain
from policyengine.model.resource import Cluster
from policyengine.model.scope import ScopeTree
from policyengine.model.states import ComplianceState, Finding
from policyengine.store.store import Store
from policyengine.workflows.inventory import one_cluster
from policyengine.workflows.load import load, select
from policyengine.workflows.scan import world_of
from policyengine.workflows.settings import Settings


@dataclass(frozen=True)
class ExplainedCluster:
    """One cluster and the explanations that were asked for; ``since`` is keyed by policy."""

    cluster: Cluster
    tree: ScopeTree
    explanations: tuple[Explanation, ...]
    since: Mapping[str, Finding]


def explain_cluster(
    settings: Settings, store: Store, clock: Clock, name: str, *, policy: str | None = None, everything: bool = False
) -> ExplainedCluster:
    """Every policy that is not satisfied; all that apply with ``everything`` or when one is named."""
    loaded = load(settings.policies)
    chosen = select(loaded.policies, policy=policy)
    cluster = one_cluster(store, name)
    world = world_of(store.tree(), loaded.aliases, clock)
    found = [explain(bound, cluster, world) for bound in chosen]
    hidden = (
        {ComplianceState.NOT_APPLICABLE} if everything else {ComplianceState.NOT_APPLICABLE, ComplianceState.COMPLIANT}
    )
    shown = tuple(e for e in found if policy is not None or e.verdict.state not in hidden)
    since = {finding.policy: finding for finding in store.findings(cluster=cluster.id)}
    return ExplainedCluster(cluster, world.tree, shown, since)
