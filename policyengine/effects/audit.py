"""audit and deny: a cluster for which `if` holds is non-compliant; nothing is ever written.

They differ at write time only: what exists already gets the same state from both. Source: policy language §6, §7.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from policyengine.effects import words
from policyengine.effects.base import Judgement, Remedy
from policyengine.evaluation import Context, Subject, trace
from policyengine.language.documents import PolicyDefinition
from policyengine.language.syntax import ExistenceDetails, Logic
from policyengine.model.resource import Cluster
from policyengine.model.states import ComplianceState, Reason


@dataclass(frozen=True, slots=True)
class Audit:
    """``rule`` is what a finding is about: conditions that only say which clusters are meant are left out."""

    rule: Logic
    name: str = "audit"
    otherwise: ClassVar[ComplianceState] = ComplianceState.COMPLIANT
    details: ClassVar[ExistenceDetails | None] = None

    def judge(self, cluster: Cluster, context: Context) -> Judgement:
        why = trace(self.rule, Subject.of(cluster.resource, context))
        return Judgement(ComplianceState.NON_COMPLIANT, Reason("matched", words.of_match(why)))

    def remedy(self, _cluster: Cluster, _context: Context) -> Remedy | None:
        return None


def bind(definition: PolicyDefinition) -> Audit:
    return Audit(definition.rule or definition.condition)


def bind_deny(definition: PolicyDefinition) -> Audit:
    return Audit(definition.rule or definition.condition, "deny")
