"""`--fail-on`: from which severity on a finding makes the answer "no"."""

from __future__ import annotations

import pytest

from policyengine.cli.fail_on import FailOn, fails
from policyengine.model.states import ComplianceState

ORDER = ("low", "medium", "high", "critical")


@pytest.mark.parametrize("severity", ORDER)
@pytest.mark.parametrize("threshold", list(FailOn))
def test_a_finding_counts_from_its_severity_on(threshold: FailOn, severity: str) -> None:
    lines = [(severity, {ComplianceState.NON_COMPLIANT: 1, ComplianceState.COMPLIANT: 9})]
    expected = {FailOn.NEVER: False, FailOn.ANY: True}.get(
        threshold, threshold.value in ORDER[: ORDER.index(severity) + 1]
    )

    assert fails(threshold, lines) is expected


@pytest.mark.parametrize(
    ("state", "counts"),
    [(state, state.value in {"NonCompliant", "Error", "Conflict"}) for state in ComplianceState],
    ids=lambda value: str(getattr(value, "value", value)),
)
def test_only_what_is_wrong_counts(state: ComplianceState, counts: bool) -> None:
    """An unknown or exempt cluster is not a finding against anybody."""
    assert fails(FailOn.ANY, [("high", {state: 1})]) is counts


def test_one_bad_line_is_enough_and_none_is_fine() -> None:
    good = ("critical", {ComplianceState.COMPLIANT: 3})

    assert fails(FailOn.LOW, [good, ("low", {ComplianceState.ERROR: 1})])
    assert not fails(FailOn.ANY, [good, ("low", {ComplianceState.ERROR: 0})])
    assert not fails(FailOn.ANY, [])
