"""Compliance states, how they roll up, and what a finding is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Final

from policyengine.model.ids import ResourceId


class ComplianceState(Enum):
    """The state of one (cluster, bound policy) pair. The value is the word people and files see."""

    NOT_APPLICABLE = "NotApplicable"
    COMPLIANT = "Compliant"
    NON_COMPLIANT = "NonCompliant"
    EXEMPT = "Exempt"
    UNKNOWN = "Unknown"
    ERROR = "Error"
    CONFLICT = "Conflict"
    PROTECTED = "Protected"

    @property
    def code(self) -> int:
        """The byte that stands for this state in a stored block; never renumber."""
        return _CODES[self]

    @property
    def symbol(self) -> str:
        """One character, so that colour is never alone."""
        return _SYMBOLS[self]

    @property
    def is_finding(self) -> bool:
        """True for the states that are kept as a row of their own."""
        return self not in {ComplianceState.COMPLIANT, ComplianceState.NOT_APPLICABLE}

    @classmethod
    def from_code(cls, code: int) -> ComplianceState:
        return _BY_CODE[code]


_CODES: Final = {
    ComplianceState.NOT_APPLICABLE: 0,
    ComplianceState.COMPLIANT: 1,
    ComplianceState.NON_COMPLIANT: 2,
    ComplianceState.EXEMPT: 3,
    ComplianceState.UNKNOWN: 4,
    ComplianceState.ERROR: 5,
    ComplianceState.CONFLICT: 6,
    ComplianceState.PROTECTED: 7,
}
_BY_CODE: Final = {code: state for state, code in _CODES.items()}
_SYMBOLS: Final = {
    ComplianceState.NOT_APPLICABLE: "·",
    ComplianceState.COMPLIANT: "✔",
    ComplianceState.NON_COMPLIANT: "✘",
    ComplianceState.EXEMPT: "–",
    ComplianceState.UNKNOWN: "?",
    ComplianceState.ERROR: "!",
    ComplianceState.CONFLICT: "≠",
    ComplianceState.PROTECTED: "⛨",
}

PRECEDENCE: Final = (
    ComplianceState.NON_COMPLIANT,
    ComplianceState.COMPLIANT,
    ComplianceState.ERROR,
    ComplianceState.CONFLICT,
    ComplianceState.PROTECTED,
    ComplianceState.EXEMPT,
    ComplianceState.UNKNOWN,
    ComplianceState.NOT_APPLICABLE,
)
"""Worst first: the state of a group is the first of these that any member has. Source: policy language §8.2."""

COUNTED: Final = (
    ComplianceState.COMPLIANT,
    ComplianceState.NON_COMPLIANT,
    ComplianceState.ERROR,
    ComplianceState.CONFLICT,
    ComplianceState.UNKNOWN,
)
"""The states in the denominator of our percentage; exempt and not applicable stand beside it."""

FAILING: Final = (ComplianceState.NON_COMPLIANT, ComplianceState.CONFLICT, ComplianceState.ERROR)
"""The states that ask somebody to do something. Unknown is not among them, nor is it good."""


def roll_up(states: Iterable[ComplianceState]) -> ComplianceState:
    """The state of a group; NOT_APPLICABLE for an empty one."""
    present = set(states)
    return next((state for state in PRECEDENCE if state in present), ComplianceState.NOT_APPLICABLE)


def compliance_ratio(counts: Mapping[ComplianceState, int]) -> float | None:
    """compliant / (compliant + non-compliant + error + conflict + unknown), in [0, 1]; None when nothing counts."""
    total = sum(counts.get(state, 0) for state in COUNTED)
    return counts.get(ComplianceState.COMPLIANT, 0) / total if total else None


def azure_ratio(counts: Mapping[ComplianceState, int]) -> float | None:
    """The figure Azure's portal shows for the same counts. Source: policy language §8.3."""
    good = sum(counts.get(s, 0) for s in (ComplianceState.COMPLIANT, ComplianceState.EXEMPT, ComplianceState.UNKNOWN))
    bad = sum(
        counts.get(s, 0) for s in (ComplianceState.NON_COMPLIANT, ComplianceState.CONFLICT, ComplianceState.ERROR)
    )
    return good / (good + bad) if good + bad else None


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a state is what it is: a stable word and one sentence for people. Secrets are masked before they get here."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Finding:
    """A pair that is not compliant. ``policy`` is the bound policy's key; ``since`` is when it entered this state."""

    cluster: ResourceId
    policy: str
    state: ComplianceState
    since: datetime
    reason: Reason
