"""What follows from a move."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from policyengine.model.states import ComplianceState, Reason
from policyengine.store.blocks import UNJUDGED
from policyengine.store.ledger import Growth, Moves, Place, Sheet

GOOD = ComplianceState.COMPLIANT
BAD = ComplianceState.NON_COMPLIANT
EXEMPT = ComplianceState.EXEMPT
NA = ComplianceState.NOT_APPLICABLE
STORES, LABS = Place("edge", "stores"), Place("edge", "labs")


def code(state: ComplianceState | None) -> int:
    return UNJUDGED if state is None else state.code


def moves(*pairs: tuple[ComplianceState | None, ComplianceState | None], places: str = "") -> Moves:
    """One policy, number 7; a pair of states for each cluster, numbered from 1."""
    at = [int(place) for place in places] or [0] * len(pairs)
    sheet = Sheet(
        assignments=(7,),
        numbers=np.arange(1, len(pairs) + 1),
        states=np.array([[code(new) for _, new in pairs]], dtype=np.uint8),
        reasons=np.zeros((1, len(pairs)), dtype=np.int32),
        texts=(Reason("test", "why"),),
        places=(STORES, LABS),
        at=np.array(at),
    )
    return Moves(sheet, np.array([[code(old) for old, _ in pairs]], dtype=np.uint8))


def test_moves_that_cancel_leave_no_delta() -> None:
    found = moves((GOOD, BAD), (BAD, GOOD), (None, BAD), places="001")

    assert found.rollup_deltas() == [Growth(7, *LABS, BAD.value, 1)]


def test_what_grows_and_shrinks_is_told_policy_by_policy_and_place_by_place() -> None:
    codes = [[GOOD.code, BAD.code, UNJUDGED], [BAD.code, BAD.code, GOOD.code]]
    one = moves((None, GOOD), (None, GOOD), (None, GOOD), places="010").sheet
    sheet = replace(one, assignments=(7, 3), states=np.array(codes, dtype=np.uint8), reasons=np.zeros((2, 3), np.int32))

    assert Moves(sheet, np.full((2, 3), GOOD.code, dtype=np.uint8)).rollup_deltas() == [
        Growth(7, *STORES, GOOD.value, -1),
        Growth(7, *LABS, GOOD.value, -1),
        Growth(7, *LABS, BAD.value, 1),
        Growth(3, *STORES, GOOD.value, -1),
        Growth(3, *STORES, BAD.value, 1),
        Growth(3, *LABS, GOOD.value, -1),
        Growth(3, *LABS, BAD.value, 1),
    ]


def test_what_grows_is_summed_by_policy_and_by_place_and_told_where_it_does_not_cancel() -> None:
    codes = [[GOOD.code, BAD.code, UNJUDGED], [BAD.code, BAD.code, GOOD.code]]
    one = moves((None, GOOD), (None, GOOD), (None, GOOD), places="010").sheet
    sheet = replace(one, assignments=(7, 3), states=np.array(codes, dtype=np.uint8), reasons=np.zeros((2, 3), np.int32))
    found = Moves(sheet, np.array([[GOOD.code] * 3, [GOOD.code, BAD.code, BAD.code]], dtype=np.uint8))

    assert found.policy_deltas() == [(7, GOOD.value, -2), (7, BAD.value, 1)]
    assert found.place_deltas() == [
        (*STORES, GOOD.value, -1),
        (*LABS, GOOD.value, -1),
        (*LABS, BAD.value, 1),
    ]


@pytest.mark.parametrize(
    ("old", "new", "is_change", "ends"),
    [
        (None, NA, False, False),
        (None, GOOD, False, False),
        (None, BAD, True, False),
        (NA, None, False, False),
        (NA, GOOD, True, False),
        (BAD, None, True, True),
        (BAD, GOOD, True, True),
        (BAD, EXEMPT, True, False),
        (GOOD, BAD, True, False),
    ],
)
def test_a_move_knows_what_it_ends(
    old: ComplianceState | None, new: ComplianceState | None, is_change: bool, ends: bool
) -> None:
    """To be judged for the first time, and to comply, is no change."""
    found = moves((old, new))

    assert (len(list(found.history())), len(found.ended())) == (is_change, ends)


def test_findings_begin_turn_stay_and_end() -> None:
    found = moves((None, BAD), (GOOD, EXEMPT), (BAD, EXEMPT), (BAD, BAD), (BAD, GOOD), (GOOD, GOOD))

    assert [(pair.cluster, pair.state) for pair in found.begun()] == [(1, "NonCompliant"), (2, "Exempt")]
    assert [(pair.cluster, pair.state) for pair in found.turned()] == [(3, "Exempt")]
    assert [pair.cluster for pair in found.stayed()] == [4]
    assert found.ended() == [(5, 7)]


def test_a_sheet_can_do_without_clusters_that_are_gone() -> None:
    sheet = moves((None, BAD), (None, GOOD), (None, EXEMPT)).sheet.without(np.array([2, 9]))

    assert sheet.numbers.tolist() == [1, 3]
    assert sheet.states.tolist() == [[BAD.code, EXEMPT.code]]
