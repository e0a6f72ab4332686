import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policyengine.model.values import (
    JSON,
    NO_RESULT,
    UNDEFINED,
    canonical_json,
    fingerprint,
    get_folded,
    is_array,
    walk,
)

scalar = st.none() | st.booleans() | st.integers() | st.text(max_size=5)
json_value = st.recursive(
    scalar, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
)


def test_the_kinds_of_nothing_are_three() -> None:
    assert len({None, UNDEFINED, NO_RESULT}) == 3
    assert not UNDEFINED
    assert not NO_RESULT


@given(json_value)
def test_canonical_text_reads_back_as_the_value(value: JSON) -> None:
    assert json.loads(canonical_json(value)) == value


@given(st.dictionaries(st.text(max_size=4), scalar, max_size=5))
def test_the_order_of_keys_does_not_change_a_fingerprint(value: dict[str, JSON]) -> None:
    assert fingerprint(value) == fingerprint(dict(reversed(value.items())))


def test_values_python_thinks_equal_have_their_own_fingerprints() -> None:
    assert len({fingerprint(value) for value in (1, 1.0, True, "1", None, "")}) == 6


def test_names_are_found_without_case_and_the_exact_one_first() -> None:
    assert get_folded({"Scope": 1, "scope": 2}, "scope") == 2
    assert get_folded({"SCOPE": 1}, "scope") == 1
    assert get_folded({}, "scope", "none") == "none"


def test_walking_ends_quietly_where_a_step_is_missing() -> None:
    document = {"properties": {"gitRepository": {"URL": "x"}, "suspend": False}}

    assert walk(document, "properties", "gitrepository", "url") == "x"
    assert walk(document, "properties", "suspend", "deeper") is None
    assert walk(document, "properties", "bucket", "url") is None
    assert walk(document) is document


@pytest.mark.parametrize(("value", "expected"), [([], True), ((1,), True), ("ab", False), (b"ab", False), ({}, False)])
def test_text_is_no_array(value: JSON, expected: bool) -> None:
    assert is_array(value) is expected
