"""What a provider evaluates inside itself: modes such as `Microsoft.Kubernetes.Data`, and the effects they bring.

The `if` still says which clusters are meant; the state of those is not ours to tell. Source: policy language §1.2, §6.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from policyengine.effects.base import Judgement
from policyengine.evaluation import Context
from policyengine.language.documents import PolicyDefinition
from policyengine.language.providers import handler_of
from policyengine.language.syntax import ExistenceDetails
from policyengine.model.resource import Cluster
from policyengine.model.states import ComplianceState, Reason


@dataclass(frozen=True, slots=True)
class HandledElsewhere:
    """``by`` says who evaluates it."""

    name: str
    by: str
    otherwise: ClassVar[ComplianceState] = ComplianceState.NOT_APPLICABLE
    details: ClassVar[ExistenceDetails | None] = None

    def judge(self, _cluster: Cluster, _context: Context) -> Judgement:
        return Judgement(ComplianceState.NOT_APPLICABLE, Reason("handled-elsewhere", self.by))

    def remedy(self, _cluster: Cluster, _context: Context) -> None:
        return None


def bind(definition: PolicyDefinition, name: str) -> HandledElsewhere:
    return HandledElsewhere(name, handler_of(definition.mode, name))
