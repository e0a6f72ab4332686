"""The trace gives the same answer as evaluation, completely, in order, and without secrets."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from policyengine.errors import ExpressionError
from policyengine.evaluation import MASK, Subject, mask, trace
from policyengine.language.syntax import Logic
from policyengine.model.values import UNDEFINED

Parse = Callable[[str], Logic]
Make = Callable[..., Subject]
FAILS = "{value: \"[substring('abc', 9, 1)]\", equals: x}"


def test_it_names_what_was_read_and_what_was_wanted(condition: Parse, subject: Make) -> None:
    rule = condition("field: Microsoft.Kubernetes/connectedClusters/distribution\nequals: \"[parameters('want')]\"")

    leaf = trace(rule, subject({"properties": {"distribution": "k3s"}}, want="aks"))

    assert (leaf.kind, leaf.label, leaf.operator) == ("field", "distribution", "equals")
    assert (leaf.result, leaf.actual, leaf.expected) == (False, "k3s", "aks")
    assert leaf.span is not None
    assert leaf.span.short == "rule.yaml:3"


def test_it_visits_every_child_in_order(condition: Parse, subject: Make) -> None:
    rule = condition(
        "{anyOf: [{field: name, exists: true}, {not: {field: kind, exists: true}}, {value: 1, equals: 2}]}"
    )

    top = trace(rule, subject())

    assert [(child.kind, child.result) for child in top.children] == [("field", True), ("not", True), ("value", False)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"{{allOf: [{{value: 1, equals: 2}}, {FAILS}]}}", False),
        (f"{{anyOf: [{{value: 1, equals: 1}}, {FAILS}]}}", True),
        (f"{{anyOf: [{{value: 1, equals: 1}}, {{not: {FAILS}}}]}}", True),
    ],
)
def test_an_error_where_nobody_looks_changes_nothing(
    condition: Parse, subject: Make, text: str, expected: bool
) -> None:
    top = trace(condition(text), subject())
    last = top.children[-1] if top.children[-1].is_leaf else top.children[-1].children[0]

    assert top.result is expected
    assert last.error is not None


def test_an_error_that_matters_is_raised(condition: Parse, subject: Make) -> None:
    with pytest.raises(ExpressionError):
        trace(condition(f"{{anyOf: [{{value: 1, equals: 2}}, {FAILS}]}}"), subject())


def test_a_star_shows_every_value(condition: Parse, subject: Make) -> None:
    rule = condition("{field: 'properties.rules[*].port', equals: 22}")

    leaf = trace(rule, subject({"properties": {"rules": [{"port": 22}, {}]}}))

    assert leaf.each
    assert leaf.actual == [22, None]
    assert trace(rule, subject()).actual is UNDEFINED


@pytest.mark.parametrize(
    ("text", "kind", "label"),
    [
        ("{count: {field: 'properties.rules[*]'}, greater: 1}", "count", "count(rules[*])"),
        ("{jmespath: 'length(related.extensions)', greater: 1}", "jmespath", "length(related.extensions)"),
        ("{value: \"[field('name')]\", equals: x}", "value", "[field('name')]"),
        ("{field: \"[concat('tags.', 'site')]\", equals: x}", "field", "tags.site"),
    ],
)
def test_every_left_hand_side_has_a_label(condition: Parse, subject: Make, text: str, kind: str, label: str) -> None:
    leaf = trace(condition(text), subject())

    assert (leaf.kind, leaf.label) == (kind, label)


def test_clauses_take_nested_all_of_apart(condition: Parse, subject: Make) -> None:
    leaf = "{value: 1, equals: 1}"
    rule = condition(f"{{allOf: [{leaf}, {{allOf: [{leaf}, {leaf}]}}, {{anyOf: [{leaf}, {leaf}]}}, {{not: {leaf}}}]}}")

    assert [clause.kind for clause in trace(rule, subject()).clauses] == ["value"] * 3 + ["anyOf", "not"]


SECRET = {"properties": {"configurationProtectedSettings": {"httpsKey": "hunter2", "none": None}, "x": "y"}}


@pytest.mark.parametrize(
    "text",
    [
        "{field: properties.configurationProtectedSettings.httpsKey, equals: hunter2}",
        "{field: properties, exists: true}",
        "{jmespath: properties.configurationProtectedSettings.httpsKey, equals: hunter2}",
        "{jmespath: properties, exists: true}",
        "{value: \"[field('properties.configurationProtectedSettings').httpsKey]\", equals: hunter2}",
        "{value: hunter2, equals: \"[field('properties.configurationProtectedSettings.httpsKey')]\"}",
    ],
)
def test_no_secret_reaches_a_trace(condition: Parse, subject: Make, text: str) -> None:
    leaf = trace(condition(text), subject(SECRET))

    assert leaf.result
    assert "hunter2" not in repr((leaf.actual, leaf.expected))


def test_masking_keeps_names_and_absence() -> None:
    shown = mask(SECRET)["properties"]

    assert shown == {"configurationProtectedSettings": {"httpsKey": MASK, "none": None}, "x": "y"}
