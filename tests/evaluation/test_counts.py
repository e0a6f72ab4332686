"""`count` over fields and over values, and `current()`. Policy language §5.2 and §5.3."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from policyengine.errors import ExpressionError

Holds = Callable[..., bool]

RULES = {
    "properties": {
        "limit": 2,
        "rules": [
            {"name": "ssh", "port": 22, "sources": ["*", "10.0.0.0/8"]},
            {"name": "web", "port": 443, "sources": ["*"]},
            {"name": "dns", "port": 53, "sources": []},
            {"name": "odd", "port": 1},
        ],
    }
}


def count(holds: Holds, of: str, document: dict[str, Any] = RULES, **parameters: Any) -> int:
    """The number a `count` comes to, found by asking for each."""
    return next(n for n in range(20) if holds(f"{{count: {of}, equals: {n}}}", document, **parameters))


@pytest.mark.parametrize(
    ("of", "expected"),
    [
        ("{field: 'properties.rules[*]'}", 4),
        ("{field: 'properties.rules[*].sources[*]'}", 3),
        ("{field: 'properties.missing[*]'}", 0),
        ("{field: 'properties.limit[*]'}", 0),
        ("{field: 'properties.rules[*]', where: {field: 'properties.rules[*].port', equals: 22}}", 1),
        ("{field: 'properties.rules[*]', where: {field: 'properties.rules[*].sources[*]', equals: '*'}}", 2),
        ("{field: 'properties.rules[*]', where: {not: {field: 'properties.rules[*].sources[*]', notEquals: '*'}}}", 3),
        ("{field: 'properties.rules[*].sources[*]', where: {field: 'properties.rules[*].sources[*]', equals: '*'}}", 2),
        ("{field: 'properties.rules[*].sources[*]', where: {field: 'properties.rules[*].port', equals: 22}}", 2),
        ("{field: 'properties.rules[*]', where: {field: properties.limit, equals: 2}}", 4),
        ("{field: 'PROPERTIES.rules[*]', where: {field: 'properties.RULES[*].name', like: 's*'}}", 1),
    ],
)
def test_a_field_count_counts_members(holds: Holds, of: str, expected: int) -> None:
    assert count(holds, of) == expected


@pytest.mark.parametrize(
    "value",
    [
        "[first(field('properties.rules[*].port'))]",
        "[current('properties.rules[*].port')]",
        "[current('properties.rules[*]').port]",
        "[current().port]",
    ],
)
def test_the_array_behaves_as_if_the_member_were_the_only_one(holds: Holds, value: str) -> None:
    of = f"{{field: 'properties.rules[*]', where: {{value: \"{value}\", greater: 40}}}}"

    assert count(holds, of) == 2


def test_field_function_gives_a_list_of_one_while_counting(holds: Holds) -> None:
    of = "{field: 'properties.rules[*]', where: {value: \"[length(field('properties.rules[*].name'))]\", equals: 1}}"

    assert count(holds, of) == 4


def test_current_of_an_absent_property_is_null(holds: Holds) -> None:
    of = "{field: 'properties.rules[*]', where: {value: \"[current('properties.rules[*].sources')]\", equals: ''}}"

    assert count(holds, of) == 1


def test_current_keeps_deeper_arrays_as_lists(holds: Holds) -> None:
    of = """
      {field: 'properties.rules[*]',
       where: {value: "[length(current('properties.rules[*].sources[*]'))]", equals: 2}}
    """

    assert count(holds, of.strip().replace("\n", " ")) == 1


def test_counts_nest_field_in_field(holds: Holds) -> None:
    of = """{field: 'properties.rules[*]', where: {
      count: {field: 'properties.rules[*].sources[*]', where: {field: 'properties.rules[*].sources[*]', like: '*.*'}},
      greater: 0}}"""

    assert count(holds, " ".join(of.split())) == 1


@pytest.mark.parametrize(
    ("of", "expected"),
    [
        ("{value: [a, b, c]}", 3),
        ("{value: \"[parameters('names')]\"}", 2),
        ("{value: [1, 2, 3], where: {value: '[current()]', greater: 1}}", 2),
        ("{value: [1, 2, 3], name: n, where: {value: \"[current('N')]\", greater: 1}}", 2),
        ("{value: [1, 2, 3], where: {value: \"[current('default')]\", greater: 1}}", 2),
        ("{value: [{p: 1}, {q: 1}], name: n, where: {value: \"[current('n').p]\", equals: 1}}", 1),
        ("{value: [{p: 1}, {q: 1}], name: n, where: {not: {value: \"[current('n').p]\", equals: 1}}}", 1),
        ("{value: \"[field('properties.missing')]\"}", 0),
        ("{value: [\"[parameters('names')[0]]\", x], where: {value: '[current()]', equals: ssh}}", 1),
    ],
)
def test_a_value_count_counts_elements(holds: Holds, of: str, expected: int) -> None:
    assert count(holds, of, names=["ssh", "web"]) == expected


def test_counts_nest_field_in_value(holds: Holds) -> None:
    of = """{value: "[parameters('names')]", name: n, where: {
      count: {field: 'properties.rules[*]', where: {field: 'properties.rules[*].name', equals: "[current('n')]"}},
      equals: 1}}"""

    assert count(holds, " ".join(of.split()), names=["ssh", "ftp", "dns"]) == 2


def test_counts_nest_value_in_field(holds: Holds) -> None:
    of = """{field: 'properties.rules[*]', where: {
      count: {value: "[parameters('names')]", name: n,
              where: {value: "[current('n')]", equals: "[current('properties.rules[*].name')]"}},
      equals: 1}}"""

    assert count(holds, " ".join(of.split()), names=["ssh", "ftp", "dns"]) == 2


def test_a_count_of_no_array_is_an_error(holds: Holds) -> None:
    with pytest.raises(ExpressionError, match="needs an array"):
        holds("{count: {value: \"[parameters('x')]\"}, equals: 0}", x="text")


def test_a_count_without_result_is_false(holds: Holds) -> None:
    assert not holds("{count: {value: \"[field('properties').nothing]\"}, notEquals: 7}")


def test_a_computed_field_without_star_cannot_be_counted(holds: Holds) -> None:
    with pytest.raises(ExpressionError, match=r"needs a field with `\[\*\]`"):
        holds("{count: {field: \"[concat('properties.', 'limit')]\"}, equals: 0}", RULES)


@pytest.mark.parametrize("call", ["current()", "current('properties.rules[*]')"])
def test_current_outside_a_count_is_an_error(holds: Holds, call: str) -> None:
    with pytest.raises(ExpressionError, match="only inside the `where`"):
        holds(f'{{value: "[{call}]", equals: x}}')


def test_current_of_an_unknown_name_says_what_is_near(holds: Holds) -> None:
    with pytest.raises(ExpressionError, match="names no count") as caught:
        holds("{count: {value: [1], name: port, where: {value: \"[current('prot')]\", equals: 1}}, equals: 1}")
    assert caught.value.help == "did you mean `port`?"
