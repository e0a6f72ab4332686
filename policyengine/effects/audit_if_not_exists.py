"""auditIfNotExists: non-compliant unless a related resource exists; nothing is ever written. Source: §6.3."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from policyengine.effects.base import Judgement, Remedy
from policyengine.effects.existence import judge_existence, required_details
from policyengine.evaluation import Context
from policyengine.language.documents import PolicyDefinition
from policyengine.language.syntax import ExistenceDetails
from policyengine.model.resource import Cluster
from policyengine.model.states import ComplianceState


@dataclass(frozen=True, slots=True)
class AuditIfNotExists:
    details: ExistenceDetails
    name: ClassVar[str] = "auditIfNotExists"
    otherwise: ClassVar[ComplianceState] = ComplianceState.NOT_APPLICABLE

    def judge(self, cluster: Cluster, context: Context) -> Judgement:
        return judge_existence(self.details, cluster, context)

    def remedy(self, _cluster: Cluster, _context: Context) -> Remedy | None:
        return None


def bind(definition: PolicyDefinition) -> AuditIfNotExists:
    """`deployment` and `roleDefinitionIds` are ignored when they stand there. Source: policy language §6."""
    return AuditIfNotExists(required_details(definition, "auditIfNotExists"))
