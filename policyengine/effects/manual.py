"""manual: a person says whether a cluster complies, by an attestation; until then it has the default state.

Source: policy language §6, §1.9.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Final

from policyengine.effects.base import Judgement
from policyengine.errors import PolicyError
from policyengine.evaluation import Context
from policyengine.language.documents import Attestation, PolicyDefinition
from policyengine.language.syntax import ExistenceDetails
from policyengine.model.diagnostic import Diagnostic, did_you_mean
from policyengine.model.resource import Cluster
from policyengine.model.states import ComplianceState, Reason
from policyengine.model.values import get_folded

STATES: Final = {
    "unknown": ComplianceState.UNKNOWN,
    "compliant": ComplianceState.COMPLIANT,
    "noncompliant": ComplianceState.NON_COMPLIANT,
    "non-compliant": ComplianceState.NON_COMPLIANT,
}


@dataclass(frozen=True, slots=True)
class Manual:
    """``attestations`` are those of its assignment and member, whatever they cover and however old they are."""

    default: ComplianceState
    reference_id: str | None = None
    attestations: tuple[Attestation, ...] = ()
    name: ClassVar[str] = "manual"
    otherwise: ClassVar[ComplianceState] = ComplianceState.COMPLIANT
    details: ClassVar[ExistenceDetails | None] = None

    def judge(self, cluster: Cluster, context: Context) -> Judgement:
        covering = [
            a for a in self.attestations if a.covers(cluster.id, self.reference_id, context.tree, at=context.at)
        ]
        newest = max(covering, key=lambda a: a.assessed_at.isoformat() if a.assessed_at else "", default=None)
        if newest is None:
            return Judgement(self.default, Reason("not-attested", "nobody has attested it; an `Attestation` would"))
        return Judgement(newest.state, Reason("was-attested", _words(newest)))

    def remedy(self, _cluster: Cluster, _context: Context) -> None:
        return None


def bind(definition: PolicyDefinition) -> Manual:
    """Raises PolicyError for a default state that does not exist."""
    raw = definition.then.raw
    given = get_folded(raw, "defaultState") if isinstance(raw, Mapping) else None
    state = STATES.get(str(given or "Unknown").casefold())
    if state is None:
        problem = Diagnostic(
            "unknown-value",
            f"`defaultState` of policy `{definition.name}` cannot be `{given}`",
            definition.then.span or definition.span,
            did_you_mean(str(given), ("Unknown", "Compliant", "NonCompliant")),
        )
        raise PolicyError([problem])
    return Manual(state)


def _words(attestation: Attestation) -> str:
    by = f" by {attestation.owner}" if attestation.owner else ""
    on = f" on {attestation.assessed_at:%Y-%m-%d}" if attestation.assessed_at else ""
    until = f", until {attestation.expires_on:%Y-%m-%d}" if attestation.expires_on else ""
    said = f": {attestation.comments}" if attestation.comments else ""
    return f"attested {attestation.state.value}{by}{on}{until} (`{attestation.name}`){said}"
