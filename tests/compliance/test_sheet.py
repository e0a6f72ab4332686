"""What was found of a block: a state and a reason for every pair."""

from __future__ import annotations

from policyengine.compliance.block import Block
from policyengine.compliance.judge import Verdict
from policyengine.compliance.sheet import NARROW, Sheet
from policyengine.model.states import ComplianceState, Reason

BAD, GOOD = ComplianceState.NON_COMPLIANT, ComplianceState.COMPLIANT


def test_a_pair_that_nothing_was_said_of_is_not_applicable_and_has_no_reason() -> None:
    found = Sheet(2, block(3)).verdicts()
    assert [found.state(1, row) for row in range(3)] == [ComplianceState.NOT_APPLICABLE] * 3
    assert [found.reason(1, row) for row in range(3)] == [None] * 3


def test_only_findings_have_a_reason() -> None:
    sheet = Sheet(1, block(2))
    sheet.put(0, 0, Verdict(GOOD, Reason("fine", "all is well")))
    sheet.put(0, 1, Verdict(BAD, None))
    found = sheet.verdicts()
    assert [(found.state(0, row), found.reason(0, row)) for row in range(2)] == [(GOOD, None), (BAD, None)]


def test_every_cluster_of_a_large_block_may_have_a_reason_of_its_own() -> None:
    size = NARROW + 10
    sheet = Sheet(1, block(size))
    for row in range(size):
        sheet.put(0, row, Verdict(BAD, Reason("own", str(row))))
    found = sheet.verdicts()
    assert [found.reason(0, row) for row in range(size)] == [Reason("own", str(row)) for row in range(size)]


def block(size: int) -> Block:
    return Block([f"/{row}" for row in range(size)], ["t"] * size, [b"{}"] * size, [b"{}"] * size)
