"""`--fail-on`: from which severity on a finding makes the answer "no"."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from policyengine.model.states import ComplianceState


class FailOn(StrEnum):
    NEVER = "never"
    ANY = "any"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


_RANK = {"low": 1, "medium": 2, "high": 3, "critical": 4}


def fails(threshold: FailOn, lines: Iterable[tuple[str, Mapping[ComplianceState, int]]]) -> bool:
    """True when a policy of that severity or above has a non-compliant, failed or conflicting cluster.

    ``lines`` are (severity, counts).
    """
    from policyengine.model.states import ComplianceState

    if threshold is FailOn.NEVER:
        return False
    bad = (ComplianceState.NON_COMPLIANT, ComplianceState.ERROR, ComplianceState.CONFLICT)
    least = _RANK.get(threshold.value, 0)
    return any(_RANK.get(severity, 2) >= least and any(counts.get(s) for s in bad) for severity, counts in lines)
