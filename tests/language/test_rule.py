from __future__ import annotations

from collections.abc import Callable

import pytest

from policyengine.language.syntax import AllOf, AnyOf, Condition, Count, Field, JMESPath, Logic, Not, Value
from policyengine.language.walk import conditions_in

Rule = Callable[[str], Logic]
Found = Callable[[str], list[tuple[str, int]]]


def test_groups_nest_and_keywords_have_no_case(rule: Rule) -> None:
    logic = rule(
        """
        ALLOF:
        - {Field: type, Equals: a}
        - anyof:
          - Not: {field: name, NotEquals: b}
          - {value: "[parameters('x')]", IN: [1, 2]}
    """.replace("[parameters('x')]", "x")
    )

    assert isinstance(logic, AllOf)
    first, second = logic.conditions
    assert isinstance(first, Condition)
    assert isinstance(first.operand, Field)
    assert (first.operand.name.constant, first.operator, first.expected.constant) == ("type", "equals", "a")
    assert isinstance(second, AnyOf)
    negated, value = second.conditions
    assert isinstance(negated, Not)
    assert isinstance(value, Condition)
    assert isinstance(value.operand, Value)
    assert value.operator == "in"


def test_conditions_know_their_line(rule: Rule) -> None:
    logic = rule("""
        allOf:
        - {field: type, equals: a}
        - field: name
          equals: b
    """)

    assert [c.span.line - 6 for c in conditions_in(logic) if c.span] == [2, 3]


def test_a_field_may_be_computed(rule: Rule) -> None:
    logic = rule("""{field: "[concat('tags[', 'x', ']')]", exists: true}""")

    assert isinstance(logic, Condition)
    assert isinstance(logic.operand, Field)
    assert not logic.operand.name.is_constant


def test_a_count_counts_fields_or_values(rule: Rule) -> None:
    fields = rule("{count: {field: 'properties.a[*]', where: {field: 'properties.a[*].b', equals: 1}}, less: 2}")
    values = rule("{count: {value: [a, b], name: x, where: {value: \"[current('x')]\", equals: a}}, greater: 0}")

    assert isinstance(fields, Condition)
    assert isinstance(fields.operand, Count)
    assert isinstance(fields.operand.over, Field)
    assert isinstance(values, Condition)
    assert isinstance(values.operand, Count)
    assert values.operand.name == "x"
    assert len(list(conditions_in(values))) == 2


def test_jmespath_is_one_more_left_hand_side(rule: Rule) -> None:
    logic = rule("{jmespath: 'length(related.extensions)', greater: 1}")

    assert isinstance(logic, Condition)
    assert isinstance(logic.operand, JMESPath)
    assert logic.operand.expression.text == "length(related.extensions)"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{field: type, equal: a}", [("unknown-operator", 1)]),
        ("{feild: type, equals: a}", [("unknown-key", 1)]),
        ("{field: type, equals: a, note: b}", [("unknown-key", 1)]),
        ("{source: action, equals: a}", [("unknown-key", 1)]),
        ("{equals: a}", [("one-left-side", 1)]),
        ("{field: type, value: x, equals: a}", [("one-left-side", 1)]),
        ("{field: type}", [("one-operator", 1)]),
        ("{field: type, equals: a, in: [b]}", [("one-operator", 1)]),
        ("{}", [("one-left-side", 1), ("one-operator", 1)]),
        ("[{field: type, equals: a}]", [("wrong-type", 1)]),
        ("just text", [("wrong-type", 1)]),
        ("{allOf: []}", [("empty-logic", 1)]),
        ("{anyOf: {field: type, equals: a}}", [("wrong-type", 1)]),
        ("{not: [{field: type, equals: a}]}", [("wrong-type", 1)]),
        ("{allOf: [{field: a, equals: b}], equals: x}", [("mixed-logic", 1)]),
        ("{field: 7, equals: a}", [("wrong-type", 1)]),
        ("{field: '', equals: a}", [("missing-key", 1)]),
        ("{jmespath: 'a[', equals: 1}", [("invalid-jmespath", 1)]),
        ("{jmespath: 'lenght(a)', equals: 1}", [("invalid-jmespath", 1)]),
        ("{value: \"[concat('a']\", equals: 1}", [("invalid-expression", 1)]),
        ("{value: \"[concta('a')]\", equals: 1}", [("invalid-expression", 1)]),
        ("{value: \"[parameters('nope')]\", equals: 1}", [("unknown-parameter", 1)]),
        ("{count: 3, equals: 1}", [("wrong-type", 1)]),
        ("{count: {where: {field: a, equals: b}}, equals: 1}", [("one-left-side", 1)]),
        ("{count: {field: 'a[*]', value: []}, equals: 1}", [("one-left-side", 1)]),
        ("{count: {field: 'a[*]', name: x}, equals: 1}", [("unknown-key", 1)]),
        ("{count: {field: properties.a}, equals: 1}", [("invalid-value", 1)]),
        ("{count: {value: [], wher: 1}, equals: 1}", [("unknown-key", 1)]),
    ],
)
def test_what_cannot_be_a_condition_is_refused(
    rule_problems: Found, text: str, expected: list[tuple[str, int]]
) -> None:
    assert rule_problems(text) == expected


def test_every_problem_of_a_rule_is_told_at_its_own_place(rule_problems: Found) -> None:
    text = """
        allOf:
        - {field: type, equal: a}
        - value: ["[ok()]", "[concat('a'"]
          equals: b
        - not:
            anyOf:
            - {field: name, matches: b}
    """

    assert rule_problems(text) == [("unknown-operator", 2), ("invalid-expression", 3), ("unknown-operator", 7)]


def test_an_expression_error_points_into_the_text(load: Callable[..., object]) -> None:
    parsed = load("""
        if: {value: "[concat('a', nope('b'))]", equals: ab}
        then: {effect: audit}
    """)

    (diagnostic,) = parsed.diagnostics  # type: ignore[attr-defined]
    assert (diagnostic.span.line, diagnostic.span.column) == (1, 27)


def test_suggestions_name_what_is_near(load: Callable[..., object]) -> None:
    parsed = load("""
        if: {allOf: [{field: type, notequal: a}, {feild: a, equals: b}, {field: a, contain: b}]}
        then: {effect: deployIfNotExist}
    """)

    helps = [diagnostic.help for diagnostic in parsed.diagnostics]  # type: ignore[attr-defined]
    assert helps == [
        "did you mean `notEquals`?",
        "did you mean `field`?",
        "did you mean `contains`?",
        "did you mean `deployIfNotExists`?",
    ]
