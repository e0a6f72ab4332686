"""append: fields added to a request; what exists already and matches is non-compliant, and nothing mends it.

Source: policy language §6.1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from policyengine.effects import words
from policyengine.effects.base import Judgement
from policyengine.effects.changes import Change, resolve
from policyengine.effects.modify import required_modification
from policyengine.evaluation import Context, Subject, trace
from policyengine.language.documents import PolicyDefinition
from policyengine.language.syntax import ExistenceDetails, Logic, Modification
from policyengine.model.resource import Cluster
from policyengine.model.states import ComplianceState, Reason


@dataclass(frozen=True, slots=True)
class Append:
    condition: Logic
    modification: Modification
    name: ClassVar[str] = "append"
    otherwise: ClassVar[ComplianceState] = ComplianceState.COMPLIANT
    details: ClassVar[ExistenceDetails | None] = None

    def judge(self, cluster: Cluster, context: Context) -> Judgement:
        why = trace(self.condition, Subject.of(cluster.resource, context))
        return Judgement(ComplianceState.NON_COMPLIANT, Reason("matched", words.of_match(why)))

    def remedy(self, _cluster: Cluster, _context: Context) -> None:
        return None

    def changes(self, subject: Subject) -> tuple[Change, ...]:
        """What it adds to a request. Raises ExpressionError."""
        return resolve(self.modification.operations, subject)


def bind(definition: PolicyDefinition) -> Append:
    """Raises PolicyError without a list of fields."""
    return Append(definition.condition, required_modification(definition, "append", "a list of `field` and `value`"))
