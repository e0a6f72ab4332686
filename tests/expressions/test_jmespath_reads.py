"""What a JMESPath expression may look at is never said too narrowly."""

from __future__ import annotations

import pytest

from policyengine.expressions.jmespath import compile_jmespath
from policyengine.expressions.jmespath_reads import places_read

LISTS = frozenset({("related", "extensions")})


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("a.b", {("a", "b")}),
        ("a.b == 'x' && c", {("a", "b"), ("c",)}),
        ("a || b.c", {("a",), ("b", "c")}),
        ("a[0].b", {("a",)}),
        ("a[*].b", {("a",)}),
        ("a.*.b", {("a",)}),
        ("length(a)", {("a",)}),
        ("@", {()}),
        ("'x'", set()),
        ("{x: a.b, y: c} | x", {("a", "b"), ("c",)}),
        ("[a, b.c]", {("a",), ("b", "c")}),
        ("lower(a.b)", {("a", "b")}),
        ("sort_by(a, &b)[0].c", {("a",), ()}),
        ("related.extensions[?p.t == 'x'].p.v", {("related", "extensions", "[]", "p", step) for step in "tv"}),
        (
            "length(related.extensions[?p.t == 'x'])",
            {("related", "extensions"), ("related", "extensions", "[]", "p", "t")},
        ),
        ("length(related.extensions)", {("related", "extensions")}),
        ("related.extensions[0].p", {("related", "extensions", "[]", "p")}),
        ("related.extensions", {("related", "extensions", "[]")}),
        (
            "related.extensions[].p.[a, b.c][]",
            {("related", "extensions", "[]", "p", *rest) for rest in (("a",), ("b", "c"))},
        ),
        ("related", {("related",)}),
    ],
)
def test_every_place_is_found(text: str, places: set[tuple[str, ...]]) -> None:
    assert places_read(compile_jmespath(text).tree, LISTS) == places
