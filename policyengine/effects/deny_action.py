"""denyAction: a cluster for which `if` holds is protected from being deleted. Source: policy language §6, §8.1."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Final

from policyengine.effects.base import Judgement
from policyengine.errors import PolicyError
from policyengine.evaluation import Context
from policyengine.language.documents import PolicyDefinition
from policyengine.language.syntax import ExistenceDetails
from policyengine.model.diagnostic import Diagnostic
from policyengine.model.resource import Cluster
from policyengine.model.states import ComplianceState, Reason
from policyengine.model.values import get_folded, is_array

ACTIONS: Final = ("delete",)


@dataclass(frozen=True, slots=True)
class DenyAction:
    name: ClassVar[str] = "denyAction"
    otherwise: ClassVar[ComplianceState] = ComplianceState.COMPLIANT
    details: ClassVar[ExistenceDetails | None] = None

    def judge(self, _cluster: Cluster, _context: Context) -> Judgement:
        return Judgement(ComplianceState.PROTECTED, Reason("delete-denied", "Azure refuses to delete it"))

    def remedy(self, _cluster: Cluster, _context: Context) -> None:
        return None


def bind(definition: PolicyDefinition) -> DenyAction:
    """Raises PolicyError for actions other than delete."""
    raw = definition.then.raw
    given = get_folded(raw, "actionNames") if isinstance(raw, Mapping) else None
    actions = list(given) if given is not None and is_array(given) else []
    wrong = [action for action in actions if str(action).casefold() not in ACTIONS]
    if not actions or wrong:
        what = f"`{wrong[0]}` among its `actionNames`" if wrong else "no list of `actionNames`"
        problem = Diagnostic(
            "unknown-value" if wrong else "missing-key",
            f"policy `{definition.name}` has the effect denyAction and {what}",
            definition.then.span or definition.span,
            "write `details: {actionNames: [delete]}`: no other action can be denied",
        )
        raise PolicyError([problem])
    return DenyAction()
