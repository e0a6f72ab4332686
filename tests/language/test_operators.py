"""Every operator against the cases in tests/conformance/operators."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policyengine.language.operators import OPERATORS, find_operator, normalise_location
from policyengine.model.values import NO_RESULT, UNDEFINED
from policyengine.text.reader import read, to_value

CASES_FOLDER = Path(__file__).parent.parent / "conformance" / "operators"
NOTHING = {"undefined": UNDEFINED, "no result": NO_RESULT}


def load_cases() -> list[dict[str, Any]]:
    files = sorted(CASES_FOLDER.glob("*.yaml"))
    return [case for file in files for case in to_value(read(file.read_text(encoding="utf-8"), file.name)[0])]


def side(value: Any) -> Any:
    return NOTHING[value["$nothing"]] if isinstance(value, dict) and "$nothing" in value else value


CASES = load_cases()

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
SIDES = VALUES | st.sampled_from([UNDEFINED, NO_RESULT])


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['operator']}: {case['note']}")
def test_operator_answers_as_the_reference_says(case: dict[str, Any]) -> None:
    operator = find_operator(case["operator"])

    assert operator is not None
    assert operator.test(side(case["left"]), side(case["right"])) is case["expect"]


@pytest.mark.parametrize("operator", OPERATORS.values(), ids=lambda operator: operator.name)
def test_each_operator_has_cases_for_both_answers_and_for_null(operator: Any) -> None:
    mine = [case for case in CASES if case["operator"] == operator.name]

    assert {case["expect"] for case in mine} == {True, False}
    assert any(case["left"] is None for case in mine)


def test_operators_are_found_without_regard_to_case() -> None:
    assert find_operator("NOTEQUALS") is OPERATORS["notequals"]
    assert find_operator("equal") is None


@given(left=SIDES, right=SIDES)
def test_a_twin_says_the_opposite_unless_a_side_has_no_result(left: Any, right: Any) -> None:
    for operator in OPERATORS.values():
        twin = OPERATORS[operator.twin.casefold()] if operator.twin else None
        answers = operator.test(left, right), twin.test(left, right) if twin else None
        if left is NO_RESULT:
            assert answers[0] is False
        elif twin is not None and right is not NO_RESULT:
            assert answers[0] is not answers[1]


@given(left=VALUES, right=VALUES)
def test_equality_is_symmetric_and_a_list_of_one_finds_what_equals(left: Any, right: Any) -> None:
    equals, is_in = OPERATORS["equals"], OPERATORS["in"]

    assert equals.test(left, right) is equals.test(right, left)
    if left is not None and right is not None:
        assert is_in.test(left, [right]) is equals.test(left, right)


def test_a_predicate_compiled_once_serves_many_values() -> None:
    starts_with_a = OPERATORS["like"].compile("a*")

    assert [starts_with_a(value) for value in ("Abc", "b", None, 7)] == [True, False, False, False]


def test_locations_lose_case_and_blanks() -> None:
    assert normalise_location("East US 2") == "eastus2"
    assert normalise_location(["West Europe", None]) == ["westeurope", None]
    assert normalise_location(7) == 7
