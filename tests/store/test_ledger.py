"""What follows from a move."""

from __future__ import annotations

import pytest

from policyengine.model.states import ComplianceState
from policyengine.store.ledger import Cell, Move, Place, rollup_deltas

GOOD = ComplianceState.COMPLIANT
BAD = ComplianceState.NON_COMPLIANT
NA = ComplianceState.NOT_APPLICABLE


def test_moves_that_cancel_leave_no_delta() -> None:
    places = {1: Place(1, "edge", "stores"), 2: Place(2, "edge", "stores"), 3: Place(3, "edge", "labs")}
    moves = [Move(7, 1, GOOD, BAD), Move(7, 2, BAD, GOOD), Move(7, 3, None, BAD)]

    assert rollup_deltas(moves, places) == {Cell(7, "edge", "labs", BAD): 1}


@pytest.mark.parametrize(
    ("old", "new", "is_change", "ends"),
    [
        (None, NA, False, False),
        (None, BAD, True, False),
        (NA, None, False, False),
        (BAD, None, True, True),
        (BAD, GOOD, True, True),
        (BAD, ComplianceState.EXEMPT, True, False),
        (GOOD, BAD, True, False),
    ],
)
def test_a_move_knows_what_it_ends(
    old: ComplianceState | None, new: ComplianceState | None, is_change: bool, ends: bool
) -> None:
    move = Move(1, 1, old, new)

    assert (move.is_change, move.ends_finding) == (is_change, ends)
