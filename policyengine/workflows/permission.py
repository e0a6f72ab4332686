"""Whether a planned request is still wanted at the moment it is sent: what people decide meanwhile counts.

A policy may have been removed, disabled or no longer enforced since the plan was made, the cluster excluded,
exempted or opted out by a tag. What the object itself looks like is for `execution/` to compare.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from policyengine.arm.client import ArmClient
from policyengine.clock import Clock
from policyengine.compliance.bind import BoundPolicy
from policyengine.compliance.judge import judge
from policyengine.errors import ArmNotFound
from policyengine.inventory.live import read_cluster
from policyengine.inventory.related import Related
from policyengine.language.aliases import AliasCatalogue
from policyengine.language.documents import RemediationMode
from policyengine.model.resource import Cluster
from policyengine.model.scope import ScopeTree
from policyengine.model.states import ComplianceState
from policyengine.remediation.steps import Plan, Step
from policyengine.store.store import Store
from policyengine.workflows.load import Loaded
from policyengine.workflows.looking import wanted_by
from policyengine.workflows.world import world_of

_ASKS: Final = frozenset({ComplianceState.NON_COMPLIANT, ComplianceState.COMPLIANT})
"""Compliant too: one step of several may have made it so, and the others are still to come."""


@dataclass(frozen=True)
class Permission:
    """Answers for one plan, by the policies as they are when it starts.

    ``unattended``: no person asked, so each policy of a step must be enforced and remediated continuously;
    otherwise one policy that still asks for it will do.
    """

    plan: Plan
    policies: Mapping[str, BoundPolicy]
    tree: ScopeTree
    aliases: AliasCatalogue
    store: Store
    clock: Clock
    unattended: bool

    @classmethod
    def of(cls, plan: Plan, loaded: Loaded, store: Store, clock: Clock, *, unattended: bool) -> Permission:
        policies = {policy.key: policy for policy in loaded.policies}
        return cls(plan, policies, store.tree(), loaded.aliases, store, clock, unattended)

    async def may_send(self, arm: ArmClient, step: Step, head: Cluster) -> str:
        """Why the step must not be sent, or "". ``head`` is the cluster's own document as it is now.

        What is on the cluster is taken from the inventory, and read only before that would say no.
        """
        known = next(iter(self.store.find_clusters(step.cluster.text)), head)
        if not self.objection(step, replace(known, resource=head.resource)):
            return ""
        asking = [self.policies[key] for key in step.policies if key in self.policies]
        related = Related(arm, wanted_by(asking, self.aliases, self.clock), self.tree)
        try:
            return self.objection(step, await read_cluster(related, step.cluster))
        except ArmNotFound:
            return f"cluster `{step.cluster.name}` does not exist any more"

    def objection(self, step: Step, cluster: Cluster) -> str:
        reasons = [self._why_not(key, cluster) for key in step.policies] or ["no policy asks for it"]
        if self.unattended:
            return next((reason for reason in reasons if reason), "")
        return reasons[0] if all(reasons) else ""

    def _why_not(self, key: str, cluster: Cluster) -> str:
        policy = self.policies.get(key)
        why = "it is not assigned any more" if policy is None else self._lapse(policy, cluster)
        return why and f"policy `{key}` no longer asks for it: {why}"

    def _lapse(self, policy: BoundPolicy, cluster: Cluster) -> str:
        assignment = policy.assignment
        by_name = self.plan.unenforced and not self.unattended
        if not by_name and not policy.is_enforced_on(cluster.resource, self.tree):
            return "its assignment is not enforced"
        if self.unattended and assignment.remediation_mode is not RemediationMode.CONTINUOUS:
            return "its assignment is not remediated continuously"
        verdict = judge(policy, cluster, world_of(self.tree, self.aliases, self.clock))
        if verdict.state in _ASKS:
            return ""
        return verdict.reason.message if verdict.reason is not None else "it does not apply to the cluster"
