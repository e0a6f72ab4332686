"""Laid out: two blanks a level, keys in order, comments where they belong; the meaning never changes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import pytest
import yaml
from hypothesis import assume, given
from hypothesis import strategies as st

from policyengine.errors import PolicyError
from policyengine.text.layout import lay_out, unordered
from policyengine.text.reader import read, to_value


def order(path: tuple[str, ...]) -> Sequence[str]:
    return ("kind", "name", "items", "z") if path == () or path[-1] == "[]" else ()


def laid_out(text: str) -> str | None:
    return lay_out(text, "x.yaml", [order] * 9)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", ""),
        ("# only a comment\n", "# only a comment\n"),
        ("name: x\nkind: y\n", "kind: y\nname: x\n"),
        ("other: 1\nname: x", "name: x\nother: 1\n"),
        ("a:\n    b:\n        c: 1\n", "a:\n  b:\n    c: 1\n"),
        ("a:\n- 1\n- 2\n", "a:\n  - 1\n  - 2\n"),
        ("a:\n    -   b: 1\n        c: 2\n", "a:\n  - b: 1\n    c: 2\n"),
        ("a:\n-\n    b: 1\n", "a:\n  -\n    b: 1\n"),
        ("- - 1\n  - 2\n-   - 3\n", "- - 1\n  - 2\n- - 3\n"),
        ("a: {z: 1,   name: 2}  # kept\n", "a: {z: 1,   name: 2}  # kept\n"),
        ("a:\n    [1,\n     2]\nkind: x\n", "kind: x\na:\n    [1,\n     2]\n"),
        ("a: 1   \n\n\n\nb: 2\n\n\n", "a: 1\n\nb: 2\n"),
        ("a: 'it''s'\nb: \"x\\ty\"\n", "a: 'it''s'\nb: \"x\\ty\"\n"),
        ("a:\nkind: x\n", "kind: x\na:\n"),
        ("# head\nname: x\n# of kind\nkind: y\n", "# head\n# of kind\nkind: y\nname: x\n"),
        ("a:\n    b: 1\n    # still of a\n# of z\nz: 2\n", "# of z\nz: 2\na:\n  b: 1\n  # still of a\n"),
        ("a:\n      # of b\n      b: 1\n", "a:\n  # of b\n  b: 1\n"),
        ("a:\n- name: x\n  # of kind\n  kind: y\n", "a:\n  # of kind\n  - kind: y\n    name: x\n"),
        ("a: |\n    one\n\n      two\nkind: x\n", "kind: x\na: |\n    one\n\n      two\n"),
        ("a:\n    b: |2\n        one\n    c: >-\n      x\n      y\n",
         "a:\n  b: |2\n      one\n  c: >-\n    x\n    y\n"),
        ("a: |+\n  one\n\nkind: x\n", "a: |+\n  one\n\nkind: x\n"),  # at the end, its empty line would be lost
        ("name: x\nkind: y\n---\n# second\nname: z\nkind: w\n", "kind: y\nname: x\n---\n# second\nkind: w\nname: z\n"),
        ("---\nname: x\nkind: y\n---\n\n---\nname: x\nkind: y\n",
         "---\nkind: y\nname: x\n---\n\n---\nkind: y\nname: x\n"),
        ("--- {name: x}\n", "--- {name: x}\n"),
        ("a: &x {b: 1}\nkind: *x\n", "a: &x {b: 1}\nkind: *x\n"),
        ("a: &x\n    b: 1\nc: *x\n", "a: &x\n  b: 1\nc: *x\n"),
        ("a:\n  - &x\n    b: 1\n  - *x\n", "a:\n  - &x\n    b: 1\n  - *x\n"),
        ("name: x\r\nkind: y\r\n", "kind: y\nname: x\n"),
    ],
)  # fmt: skip
def test_layout(before: str, after: str) -> None:
    assert laid_out(before) == after
    assert laid_out(after) == after


def test_what_cannot_be_read_is_reported() -> None:
    with pytest.raises(PolicyError):
        lay_out("a: [", "x.yaml", [])


def meaning(text: str) -> list[Any]:
    return [to_value(node) for node in read(text, "x.yaml")]


RARE = ("? a\n: 1\n", "a: 1\n...\n# x\n---\nb: 2\n", "%YAML 1.2\n---\na: 1\n", 'a: "x\n  y"\n')


@pytest.mark.parametrize("text", RARE)
def test_rare_forms_keep_their_meaning_or_are_left_alone(text: str) -> None:
    result = laid_out(text)

    assert result is None or meaning(result) == meaning(text)


words = st.text("ab #:-'\"\\[]{},&*!|>%@`?\n\t", max_size=8) | st.sampled_from(
    ["name", "kind", "z", "null", "1", "yes"]
)
scalars = st.none() | st.booleans() | st.integers() | words
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words, inner, max_size=4), max_leaves=12
)


RARELY = re.compile(r"^\s*(- +)*\? |^\.\.\.$", re.MULTILINE)
"""Explicit keys and ends of documents: such files are left alone."""


@given(values, st.integers(2, 6), st.sampled_from([None, False]), st.integers(10, 120))
def test_meaning_stays_and_a_second_time_changes_nothing(
    value: Any, indent: int, flow: bool | None, width: int
) -> None:
    text = yaml.safe_dump(value, indent=indent, default_flow_style=flow, width=width, sort_keys=False)
    assume(not RARELY.search(text))
    result = lay_out(text, "x.yaml", [order])

    assert result is not None
    assert meaning(result) == meaning(text)
    assert lay_out(result, "x.yaml", [order]) == result
    assert lay_out(text, "x.yaml", [unordered]) is not None
