"""modify: a cluster for which `if` holds is non-compliant, and its operations say what would mend it.

Judging looks at `if` alone; `remedy` says what a remediation would change. Source: policy language §6.2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

from policyengine.effects import words
from policyengine.effects.base import Amendment, Judgement
from policyengine.effects.changes import Change, apply, fixed_fields, patch_between, resolve
from policyengine.errors import ExpressionError, PolicyError
from policyengine.evaluation import Context, Subject, trace
from policyengine.language.documents import PolicyDefinition
from policyengine.language.modifications import APPEND, CONFLICT_EFFECTS
from policyengine.language.syntax import ExistenceDetails, Logic, Modification
from policyengine.model.diagnostic import Diagnostic
from policyengine.model.resource import Cluster, Resource
from policyengine.model.states import ComplianceState, Reason

_TAKE_IDENTITY: Final = frozenset({"microsoft.compute/virtualmachines", "microsoft.compute/virtualmachinescalesets"})
"""The types whose `identity.type` can be modified."""


@dataclass(frozen=True, slots=True)
class Modify:
    condition: Logic
    modification: Modification
    name: ClassVar[str] = "modify"
    otherwise: ClassVar[ComplianceState] = ComplianceState.COMPLIANT
    details: ClassVar[ExistenceDetails | None] = None

    def judge(self, cluster: Cluster, context: Context) -> Judgement:
        if not self.may_change(cluster.resource):
            message = "it changes `identity.type`, which only virtual machines take"
            return Judgement(ComplianceState.NOT_APPLICABLE, Reason("identity-type", message))
        why = trace(self.condition, Subject.of(cluster.resource, context))
        return Judgement(ComplianceState.NON_COMPLIANT, Reason("matched", words.of_match(why)))

    def remedy(self, cluster: Cluster, context: Context) -> Amendment:
        before = cluster.resource.document
        after = apply(self.changes(Subject.of(cluster.resource, context)), before)
        return Amendment(patch_between(before, after), self.modification.role_definition_ids)

    def changes(self, subject: Subject) -> tuple[Change, ...]:
        """The operations as they come out on one resource. Raises ExpressionError."""
        return resolve(self.modification.operations, subject)

    def fixed_fields(self, subject: Subject) -> tuple[str, ...]:
        """Fields it wants to change that cannot be modified: the `conflictEffect` decides. Raises ExpressionError."""
        return fixed_fields(self.modification.operations, subject)

    def conflict_effect(self, resource: Resource, context: Context) -> str:
        """``audit``, ``deny`` or ``disabled``. Raises ExpressionError."""
        effect = self.modification.conflict_effect
        name = effect.evaluate(Subject.of(resource, context).expression_context)
        if str(name).casefold() in CONFLICT_EFFECTS:
            return str(name).casefold()
        raise ExpressionError(f"`conflictEffect` must be `audit`, `deny` or `disabled`, `{effect.source}` is not")

    def may_change(self, resource: Resource) -> bool:
        """False for a policy that changes the identity of what has none to change. Source: §6.2, "field"."""
        names = [operation.field for operation in self.modification.operations]
        wants_identity = any(n.is_constant and str(n.constant).casefold() == "identity.type" for n in names)
        return not wants_identity or resource.type.casefold() in _TAKE_IDENTITY


def bind(definition: PolicyDefinition) -> Modify:
    """Raises PolicyError without `details.operations`."""
    return Modify(definition.condition, required_modification(definition, "modify", "`operations`"))


def required_modification(definition: PolicyDefinition, effect: str, wanted: str) -> Modification:
    """The operations the effect cannot do without. Raises PolicyError when they are missing, or the other effect's."""
    found = definition.then.modification
    kinds = {operation.kind for operation in found.operations} if found is not None else set()
    if found is None or (APPEND in kinds) is not (effect == "append"):
        problem = Diagnostic(
            "missing-key",
            f"policy `{definition.name}` has the effect {effect}, and its `details` have no operations for it",
            definition.then.span or definition.span,
            f"`details` of {effect} hold {wanted}",
        )
        raise PolicyError([problem])
    return found
