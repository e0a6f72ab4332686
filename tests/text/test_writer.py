from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policyengine.text.reader import read, to_value
from policyengine.text.writer import to_json, to_yaml

SAFE_TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"], include_characters="\n\t"), max_size=30)
KEYS = SAFE_TEXT.filter(lambda key: key != "<<")
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | SAFE_TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=10,
)


@given(VALUES)
def test_yaml_reads_back_as_the_same_value(value: Any) -> None:
    (node,) = read(to_yaml({"value": value}), "out.yaml")

    assert to_value(node) == {"value": value}


@given(VALUES)
def test_json_reads_back_as_the_same_value(value: Any) -> None:
    assert json.loads(to_json(value)) == value


@pytest.mark.parametrize(
    "text", ["on", "1e3", "0o17", "0x1f", "null", "~", "true", "1.0", "", "2026-01-05", ".5", "- a"]
)
def test_text_that_looks_like_something_else_stays_text(text: str) -> None:
    (node,) = read(to_yaml([text]), "out.yaml")

    assert to_value(node) == [text]


def test_yaml_is_written_for_people() -> None:
    value = {"kind": "Assignment", "spec": {"notScopes": ["/a", "/b"], "note": "one\ntwo\n", "empty": {}}}

    assert to_yaml(value) == (
        "kind: Assignment\nspec:\n  notScopes:\n  - /a\n  - /b\n  note: |\n    one\n    two\n  empty: {}\n"
    )


def test_one_object_twice_is_written_twice() -> None:
    shared = {"a": 1}

    assert to_yaml([shared, shared]) == "- a: 1\n- a: 1\n"


def test_a_scalar_alone_has_no_end_mark() -> None:
    assert to_yaml("x") == "x\n"


def test_json_is_indented_and_keeps_letters() -> None:
    assert to_json({"å": 1}) == '{\n  "å": 1\n}\n'
