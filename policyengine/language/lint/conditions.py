"""Rules about conditions: patterns, lists, logic that cannot mean what it says."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import combinations
from typing import Final

from policyengine.language.aliases import AliasCatalogue, FieldKind, classify_field
from policyengine.language.documents import PolicyDefinition
from policyengine.language.lint.base import Finding, constant_of, groups_of, meaning, plain_field, subject_of, texts_in
from policyengine.language.operators import OPERATORS
from policyengine.language.syntax import AllOf, AnyOf, Condition, Count, Field, JMESPath, Logic, Not, Value
from policyengine.language.walk import conditions_in, conditions_of
from policyengine.model.values import UNDEFINED, canonical_json, is_array

_QUOTED: Final = re.compile(r"'(?:[^'\\]|\\.)*'|`(?:[^`\\]|\\.)*`|\"(?:[^\"\\]|\\.)*\"")
_BARE: Final = re.compile(r"(?<![.\w@])(null|true|false)\b(?!\s*[(:])")
_UNCLOSED: Final = re.compile(r"\[\s*[A-Za-z]\w*\(.*[^\]\s]\s*", re.DOTALL)
_PARAMETER: Final = re.compile(r"\[\s*parameters\(\s*'([^']+)'\s*\)\s*\]", re.IGNORECASE)
MAX_COMPARED: Final = 64
"""Conditions on one field of a group that are compared with one another."""

_ALWAYS_THERE: Final = frozenset({"type", "name", "fullname", "id", "location"})
_MISSING_HOLDS: Final = frozenset(
    {"notEquals", "notIn", "notLike", "notContains", "notMatch", "notMatchInsensitively", "notContainsKey"}
)


def bare_literal(definition: PolicyDefinition, _aliases: AliasCatalogue) -> Iterator[Finding]:
    """A bare `null` in JMESPath is the name of a field, which is absent. Source: experience, "JMESPath context"."""
    for condition in conditions_of(definition):
        if isinstance(condition.operand, JMESPath):
            text = _QUOTED.sub(lambda match: " " * len(match[0]), condition.operand.expression.text)
            for match in _BARE.finditer(text):
                message = f"`{match[1]}` in JMESPath is the name of a field, not the value"
                yield Finding(message, condition.span, "put it between backticks")


def _patterns(definition: PolicyDefinition, *operators: str) -> Iterator[tuple[Condition, str]]:
    for condition in conditions_of(definition):
        pattern = constant_of(condition.expected)
        if condition.operator in operators and isinstance(pattern, str):
            yield condition, pattern


def several_wildcards(definition: PolicyDefinition, _aliases: AliasCatalogue) -> Iterator[Finding]:
    """Azure documents one `*` in `like`. Source: §3.2."""
    for condition, pattern in _patterns(definition, "like", "notLike"):
        if pattern.count("*") > 1:
            message = f"`{pattern}` has more than the one `*` that Azure documents for `{condition.operator}`"
            yield Finding(message, condition.span, "use `contains` for a part in the middle, or several conditions")


def question_mark_wildcard(definition: PolicyDefinition, _aliases: AliasCatalogue) -> Iterator[Finding]:
    """`?` in `like` is one character for one implementation and itself in the documentation. Source: §3.2."""
    for condition, pattern in _patterns(definition, "like", "notLike"):
        if "?" in pattern:
            message = f"the `?` in `{pattern}` stands for one character; Azure does not document that"
            yield Finding(message, condition.span, "use `match` with `.`, or leave it out")


def like_without_wildcard(definition: PolicyDefinition, _aliases: AliasCatalogue) -> Iterator[Finding]:
    """The same as `equals`, and reads as if more were meant. Source: §3.2."""
    for condition, pattern in _patterns(definition, "like", "notLike"):
        if "*" not in pattern and "?" not in pattern:
            other = "equals" if condition.operator == "like" else "notEquals"
            yield Finding(f"`{pattern}` has no `*`", condition.span, f"write `{other}`, or add the `*`")


def case_sensitive_match(definition: PolicyDefinition, _aliases: AliasCatalogue) -> Iterator[Finding]:
    """`match` is the one operator that tells case. Source: §3.2."""
    for condition, pattern in _patterns(definition, "match", "notMatch"):
        if re.search(r"[^\W\d_]", pattern):
            other = "matchInsensitively" if condition.operator == "match" else "notMatchInsensitively"
            message = f"`{condition.operator}` tells upper from lower case in `{pattern}`"
            yield Finding(message, condition.span, f"write `{other}` unless that is meant")


def match_without_pattern(definition: PolicyDefinition, _aliases: AliasCatalogue) -> Iterator[Finding]:
    """Without `#`, `?` or `.` every character stands for itself; `*` does too. Source: §3.2."""
    names = ("match", "notMatch", "matchInsensitively", "notMatchInsensitively")
    for condition, pattern in _patterns(definition, *names):
        if not set("#?.") & set(pattern):
            message = f"`{pattern}` has none of `#`, `?` and `.`, so only that very text matches"
            help = "`*` is for `like`" if "*" in pattern else "write `equals`"
            yield Finding(message, condition.span, help)


def single_value_list(definition: PolicyDefinition, _aliases: AliasCatalogue) -> Iterator[Finding]:
    """A list of one is a value. Types are left alone: a list of them is what `appliesTo` stands for."""
    for condition in conditions_of(definition):
        values = constant_of(condition.expected)
        if plain_field(condition) == "type":
            continue
        if condition.operator in {"in", "notIn"} and is_array(values) and len(values) == 1:
            other = "equals" if condition.operator == "in" else "notEquals"
            yield Finding(f"`{condition.operator}` has a list of one value", condition.span, f"write `{other}`")


def exists_operand(definition: PolicyDefinition, _aliases: AliasCatalogue) -> Iterator[Finding]:
    """`exists` takes whatever is not true for false. Source: policy language §3.2."""
    for condition in conditions_of(definition):
        if condition.operator == "exists" and condition.expected.is_constant:
            wanted = condition.expected.constant
            if str(wanted).casefold() not in {"true", "false"}:
                message = f"`exists` is neither true nor false here, and reads `{wanted}` as false"
                yield Finding(message, condition.span, "write `exists: true` or `exists: false`")


def list_operand(definition: PolicyDefinition, _aliases: AliasCatalogue) -> Iterator[Finding]:
    """`in` finds nothing in what is no list, so that it never holds and `notIn` always does."""
    for condition in conditions_of(definition):
        if condition.operator in {"in", "notIn"} and condition.expected.is_constant:
            wanted = condition.expected.constant
            if not is_array(wanted):
                outcome = "never" if condition.operator == "in" else "always"
                help = f"write `{condition.operator}: [{wanted}]`" if not isinstance(wanted, Mapping) else None
                yield Finding(f"`{condition.operator}` without a list {outcome} holds", condition.span, help)


def unclosed_expression(definition: PolicyDefinition, _aliases: AliasCatalogue) -> Iterator[Finding]:
    """Text that begins like an expression and does not end like one is taken as it stands."""
    for condition in conditions_of(definition):
        operand = condition.operand
        over = operand.over if isinstance(operand, Count) else operand
        left = [over.name] if isinstance(over, Field) else [over.value] if isinstance(over, Value) else []
        for value in (*left, condition.expected):
            for text in filter(_UNCLOSED.fullmatch, texts_in(value.source)):
                help = "end it with `]`; begin it with `[[` if it is meant as text"
                yield Finding(f"`{text}` is plain text, for no `]` closes it", condition.span, help)


def negation_meets_missing(definition: PolicyDefinition, _aliases: AliasCatalogue) -> Iterator[Finding]:
    """A negated operator holds where the property is missing, too. Source: §3.1.

    In the short form's `when`, and for tags, that is how some are left out, and nothing is said.
    """
    if definition.then.details is not None and definition.then.details.desired is not None:
        return
    asked = {plain_field(c) for c in conditions_of(definition) if c.operator == "exists"}
    for condition in conditions_in(definition.condition):
        name = plain_field(condition)
        if name is None or name in _ALWAYS_THERE or name in asked or classify_field(name).kind is FieldKind.TAG:
            continue
        wanted = constant_of(condition.expected)
        meant = wanted in (None, "") or isinstance(wanted, bool) or not condition.expected.is_constant
        if condition.operator in _MISSING_HOLDS and not meant:
            message = f"`{condition.operator}` holds where the field is missing, too"
            yield Finding(message, condition.span, "add `exists: true` for the field, or `exists: false` to say so")


def pointless_count(definition: PolicyDefinition, _aliases: AliasCatalogue) -> Iterator[Finding]:
    """A count is never below zero."""
    for condition in conditions_of(definition):
        wanted = constant_of(condition.expected)
        if not isinstance(condition.operand, Count) or isinstance(wanted, bool) or not isinstance(wanted, int | float):
            continue
        outcome = {OPERATORS[condition.operator.casefold()].test(number, wanted) for number in (0, 1, 2**31)}
        if len(outcome) == 1 and wanted <= 0:
            always = "always" if outcome == {True} else "never"
            yield Finding(f"a count is {always} `{condition.operator}` {wanted}", condition.span, "counts begin at 0")


def constant_condition(definition: PolicyDefinition, _aliases: AliasCatalogue) -> Iterator[Finding]:
    """Two constants: the answer is the same for every resource."""
    for condition in conditions_of(definition):
        operand = condition.operand
        if not isinstance(operand, Value) or any(map(_UNCLOSED.fullmatch, texts_in(operand.value.source))):
            continue
        if operand.value.is_constant and condition.expected.is_constant:
            holds = OPERATORS[condition.operator.casefold()].test(operand.value.constant, condition.expected.constant)
            message = f"this condition {'always' if holds else 'never'} holds: both sides are constants"
            yield Finding(message, condition.span, "put an expression in brackets: `[field('name')]`")


def double_negation(definition: PolicyDefinition, _aliases: AliasCatalogue) -> Iterator[Finding]:
    """`not` around a negation. Over ``[*]`` it is the way to say "some member", and is left alone. Source: §4.4."""
    for group in groups_of(definition):
        if not isinstance(group, Not):
            continue
        inner = group.condition
        if isinstance(inner, Not):
            yield Finding("`not` around `not`", group.span, "leave both out")
        elif isinstance(inner, Condition) and isinstance(inner.operand, Field) and plain_field(inner) is not None:
            operator = OPERATORS[inner.operator.casefold()]
            if operator.negated and operator.twin:
                yield Finding(f"`not` around `{operator.name}`", group.span, f"write `{operator.twin}`")


def duplicate_condition(definition: PolicyDefinition, _aliases: AliasCatalogue) -> Iterator[Finding]:
    """The same condition twice in one group."""
    for group in groups_of(definition):
        seen: set[str] = set()
        for inner in group.conditions if isinstance(group, AllOf | AnyOf) else ():
            if (text := meaning(inner)) in seen:
                yield Finding("the same condition stands in this group already", inner.span, "remove it, or correct it")
            seen.add(text)


def contradiction(definition: PolicyDefinition, _aliases: AliasCatalogue) -> Iterator[Finding]:
    """Two conditions of one `allOf` that no value can meet: the branch is never reached."""
    for group in groups_of(definition):
        if isinstance(group, AllOf):
            for first, second in _pairs(_conjuncts(group)):
                if _exclude_each_other(first, second):
                    message = f"this never holds together with the condition on the same field at {first.span}"
                    yield Finding(message, second.span, "put them under `anyOf`, or correct one")


def _conjuncts(logic: Logic) -> Iterator[Condition]:
    if isinstance(logic, AllOf):
        for inner in logic.conditions:
            if not isinstance(inner, AllOf):
                yield from _conjuncts(inner)
    elif isinstance(logic, Condition):
        yield logic


def _exclude_each_other(first: Condition, second: Condition) -> bool:
    if plain_field(first) == "location":
        return False
    for one, other in ((first, second), (second, first)):
        value = constant_of(one.expected)
        if one.operator == "equals" and value not in (None, ""):
            return not OPERATORS[other.operator.casefold()].test(value, other.expected.constant)
    return _are_opposite_exists(first, second)


def _pairs(conditions: Iterable[Condition]) -> Iterator[tuple[Condition, Condition]]:
    """Every two conditions that compare one field with constants; of very many on one field, the first."""
    by_field: dict[str, list[Condition]] = {}
    for condition in conditions:
        name = plain_field(condition)
        if name is not None and condition.expected.is_constant:
            by_field.setdefault(name, []).append(condition)
    for alike in by_field.values():
        yield from combinations(alike[:MAX_COMPARED], 2)


def _are_opposite_exists(first: Condition, second: Condition) -> bool:
    if (first.operator, second.operator) != ("exists", "exists"):
        return False
    test = OPERATORS["exists"].test
    return test("x", first.expected.constant) is not test("x", second.expected.constant)


def always_true(definition: PolicyDefinition, _aliases: AliasCatalogue) -> Iterator[Finding]:
    """Two conditions of one `anyOf` of which one holds for every value: `notEquals a` or `notEquals b`."""
    for group in groups_of(definition):
        if not isinstance(group, AnyOf):
            continue
        for first, second in _pairs(inner for inner in group.conditions if isinstance(inner, Condition)):
            if _one_always_holds(first, second):
                message = f"this or the condition on the same field at {first.span} holds for every value"
                yield Finding(message, second.span, "put them under `allOf`, or use `notIn` with both values")


def _one_always_holds(first: Condition, second: Condition) -> bool:
    if _are_opposite_exists(first, second):
        return True
    values = (first.expected.constant, second.expected.constant)
    operators = {first.operator, second.operator}
    same = OPERATORS["equals"].test(*values)
    if operators == {"notEquals"}:
        return not same and not {None, ""} >= {v for v in values if not is_array(v) and not isinstance(v, dict)}
    twin = OPERATORS[first.operator.casefold()].twin
    return twin == second.operator and canonical_json(values[0]) == canonical_json(values[1])


def weak_any_of(definition: PolicyDefinition, _aliases: AliasCatalogue) -> Iterator[Finding]:
    """`""` equals a missing property: with the defaults, one branch holds for every object that leaves a field out.

    Source: GitOps behaviour G51; policy language §3.1.
    """
    for group in groups_of(definition):
        if not isinstance(group, AnyOf):
            continue
        weak = [
            inner for inner in group.conditions if isinstance(inner, Condition) and _meets_missing(inner, definition)
        ]
        others = {subject_of(c.operand) for c in group.conditions if isinstance(c, Condition)}
        if weak and len(others) > 1:
            message = 'a missing field equals the default `""`, so this `anyOf` holds whatever the other fields say'
            help = "guard each branch with `exists: true`, or drop the empty default"
            yield Finding(message, weak[0].span, help)


def _meets_missing(condition: Condition, definition: PolicyDefinition) -> bool:
    if condition.operator != "equals" or plain_field(condition) is None:
        return False
    source = condition.expected.source
    match = _PARAMETER.fullmatch(source) if isinstance(source, str) else None
    parameter = definition.parameters.get(match[1].casefold()) if match else None
    default = parameter.default if parameter is not None else UNDEFINED
    return default == "" if match else condition.expected.is_constant and source == ""
