"""The kinds of nothing, and `[*]`. The tables of policy language §3.1 and §4.4."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

Holds = Callable[..., bool]

NULL = "field: properties.a.b"  # property absent, or null
UNDEFINED = "field: 'properties.list[*].b'"  # an element that lacks the property
NO_RESULT = "value: \"[field('properties').nothing]\""  # an expression that yields nothing

KINDS = [
    # left side, equals null, equals "", notEquals x, exists: false
    (NULL, {}, True, True, True, True),
    (NULL, {"a": None}, True, True, True, True),
    (NULL, {"a": {"b": None}}, True, True, True, True),
    (UNDEFINED, {"list": [{}]}, True, False, True, True),
    (UNDEFINED, {"list": [{"b": None}]}, True, True, True, True),
    (NO_RESULT, {}, False, False, False, False),
]


@pytest.mark.parametrize(("left", "properties", "null", "empty", "other", "absent"), KINDS)
def test_nothing_compares(
    holds: Holds, left: str, properties: dict[str, Any], null: bool, empty: bool, other: bool, absent: bool
) -> None:
    document = {"properties": properties}

    # A null literal on the right is written as an expression: the parser may refuse a bare one.
    assert holds(f"{{{left}, equals: '[null()]'}}", document) is null
    assert holds(f"{{{left}, equals: ''}}", document) is empty
    assert holds(f"{{{left}, notEquals: x}}", document) is other
    assert holds(f"{{{left}, exists: false}}", document) is absent


@pytest.mark.parametrize(
    "operator",
    [
        "equals: x",
        "notEquals: x",
        "in: [x]",
        "notIn: [x]",
        "like: 'x*'",
        "notLike: 'x*'",
        "contains: x",
        "notContains: x",
        "match: '#'",
        "notMatch: '#'",
        "containsKey: x",
        "notContainsKey: x",
        "exists: true",
        "exists: false",
        "less: 3",
        "greater: 3",
    ],
)
class TestEveryOperator:
    def test_a_value_without_result_is_false(self, holds: Holds, operator: str) -> None:
        assert not holds(f"{{{NO_RESULT}, {operator}}}")

    def test_not_of_a_value_without_result_is_true(self, holds: Holds, operator: str) -> None:
        assert holds(f"{{not: {{{NO_RESULT}, {operator}}}}}")

    def test_an_empty_array_is_true(self, holds: Holds, operator: str) -> None:
        assert holds(f"{{field: 'properties.list[*].a', {operator}}}", {"properties": {"list": []}})

    @pytest.mark.parametrize("value", [None, "text", 3, {"a": 1}, ...])
    def test_a_missing_array_is_false(self, holds: Holds, operator: str, value: Any) -> None:
        properties = {} if value is ... else {"list": value}

        assert not holds(f"{{field: 'properties.list[*].a', {operator}}}", {"properties": properties})

    def test_a_missing_inner_array_is_false(self, holds: Holds, operator: str) -> None:
        document: dict[str, Any] = {"properties": {"list": [{"inner": []}, {}]}}

        assert not holds(f"{{field: 'properties.list[*].inner[*]', {operator}}}", document)

    def test_an_empty_inner_array_is_true(self, holds: Holds, operator: str) -> None:
        document: dict[str, Any] = {"properties": {"list": [{"inner": []}, {"inner": []}]}}

        assert holds(f"{{field: 'properties.list[*].inner[*]', {operator}}}", document)


@pytest.mark.parametrize(
    ("text", "ports", "expected"),
    [
        ("equals: 22", [22, 22], True),
        ("equals: 22", [22, 80], False),
        ("notEquals: 22", [80, 443], True),
        ("notEquals: 22", [22, 80], False),
    ],
)
def test_every_selected_value_must_pass(holds: Holds, text: str, ports: list[int], expected: bool) -> None:
    document = {"properties": {"rules": [{"port": port} for port in ports]}}

    assert holds(f"{{field: 'properties.rules[*].port', {text}}}", document) is expected


def test_some_element_equals_is_written_with_not(holds: Holds) -> None:
    text = "{not: {field: 'properties.ports[*]', notEquals: 22}}"

    assert holds(text, {"properties": {"ports": [80, 22]}})
    assert not holds(text, {"properties": {"ports": [80]}})


def test_the_plain_array_is_one_value(holds: Holds) -> None:
    document = {"properties": {"ports": [80, 22]}}

    assert holds("{field: properties.ports, contains: 22}", document)
    assert holds("{field: properties.ports, exists: true}", {"properties": {"ports": []}})


def test_an_undefined_element_is_not_found_in_a_list_of_text(holds: Holds) -> None:
    document: dict[str, Any] = {"properties": {"list": [{}]}}

    assert not holds("{field: 'properties.list[*].b', in: ['', x]}", document)
    assert not holds("{field: properties.b, in: ['', x]}", document)
