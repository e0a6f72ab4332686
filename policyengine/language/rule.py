"""`if` and every other condition: nodes → logic. Source: policy language §2, §3, §5.

What cannot be read is reported and becomes a condition that never holds, so that the rest is still looked at.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from policyengine.errors import ExpressionError
from policyengine.expressions.compiled import CompiledValue
from policyengine.expressions.jmespath import compile_jmespath
from policyengine.language.fields import Fields, first_line, text_of
from policyengine.language.operators import OPERATORS, find_operator
from policyengine.language.problems import Problems
from policyengine.language.scalars import compile_node, place_in
from policyengine.language.syntax import (
    AllOf,
    AnyOf,
    Condition,
    Count,
    Field,
    JMESPath,
    Logic,
    Not,
    Operand,
    Value,
)
from policyengine.model.diagnostic import Span, did_you_mean
from policyengine.text.nodes import Entry, MappingNode, Node, ScalarNode, SequenceNode, describe

NEVER: Final = AnyOf(())
"""Stands where no condition could be read."""

MAX_CONDITIONS: Final = 4096
"""Conditions in one `if` or one existence condition. Source: policy language §5.5, authoring limits."""

_LOGIC: Final = ("allOf", "anyOf", "not")
_LEFT_SIDES: Final = ("field", "value", "count", "jmespath")
_OPERATOR_NAMES: Final = tuple(operator.name for operator in OPERATORS.values())


def parse_logic(node: Node, problems: Problems) -> Logic:
    """A group of conditions or one condition."""
    if _has_too_many(node):
        help = "compare one field with a list, or split the policy"
        problems.error("too-large", f"there are more than {MAX_CONDITIONS:,} conditions", first_line(node), help)
        return NEVER
    return _parse_logic(node, problems)


def _has_too_many(node: Node) -> bool:
    """Counts mappings outside right-hand sides' own: groups, conditions and counts."""
    found, waiting = 0, [node]
    while waiting and found <= MAX_CONDITIONS:
        item = waiting.pop()
        if isinstance(item, SequenceNode):
            waiting.extend(item.items)
        elif isinstance(item, MappingNode):
            found += any(_is_one_of(entry, _LEFT_SIDES) for entry in item)
            waiting.extend(entry.value for entry in item if _is_one_of(entry, (*_LOGIC, "count", "where")))
    return found > MAX_CONDITIONS


def _parse_logic(node: Node, problems: Problems) -> Logic:
    if not isinstance(node, MappingNode):
        help = "put the conditions under `allOf` or `anyOf`" if isinstance(node, SequenceNode) else None
        problems.error("wrong-type", f"a condition must be a mapping, got {describe(node)}", first_line(node), help)
        return NEVER
    for entry in node:
        if _is_one_of(entry, _LOGIC):
            return _parse_group(node, entry, problems)
    return _parse_condition(node, problems)


def _is_one_of(entry: Entry, names: Sequence[str]) -> bool:
    return entry.name.casefold() in {name.casefold() for name in names}


def _parse_group(node: MappingNode, group: Entry, problems: Problems) -> Logic:
    for entry in node:
        if entry is not group:
            help = f"put it inside `{group.name}`, as a condition of its own"
            problems.error("mixed-logic", f"`{entry.name}` stands beside `{group.name}`", entry.key.span, help)
    word = group.name.casefold()
    if word == "not":
        return Not(_parse_logic(group.value, problems), group.key.span)
    if not isinstance(group.value, SequenceNode):
        message = f"`{group.name}` must be a list of conditions, got {describe(group.value)}"
        problems.error("wrong-type", message, group.key.span)
        return NEVER
    if not group.value.items:
        problems.error("empty-logic", f"`{group.name}` has no conditions", group.span)
    conditions = tuple(_parse_logic(item, problems) for item in group.value.items)
    return AllOf(conditions, group.key.span) if word == "allof" else AnyOf(conditions, group.key.span)


def _parse_condition(node: MappingNode, problems: Problems) -> Logic:
    lefts = [entry for entry in node if _is_one_of(entry, _LEFT_SIDES)]
    operators = [entry for entry in node if find_operator(entry.name)]
    others = [entry for entry in node if entry not in lefts and entry not in operators]
    for entry in others:
        _report_unknown(entry, problems, wanted_operator=bool(lefts) and not operators)
    if not others:
        _check_single(node, lefts, "one-left-side", "left-hand side", _LEFT_SIDES, problems)
        _check_single(node, operators, "one-operator", "operator", ("equals", "in", "like", "exists"), problems)
    if not lefts or not operators:
        return NEVER
    operand = _parse_operand(lefts[0], problems)
    operator = find_operator(operators[0].name)
    if operand is None or operator is None:
        return NEVER
    return Condition(operand, operator.name, compile_node(operators[0].value, problems), _place(node, lefts[0]))


def _place(node: MappingNode, left: Entry) -> Span:
    return node.span if node.span.line == node.span.end_line else left.span


def _report_unknown(entry: Entry, problems: Problems, *, wanted_operator: bool) -> None:
    if entry.name.casefold() == "source":
        problems.error("unknown-key", "`source` is no longer part of the language", entry.key.span)
    elif wanted_operator:
        help = did_you_mean(entry.name, _OPERATOR_NAMES)
        problems.error("unknown-operator", f"`{entry.name}` is not an operator", entry.key.span, help)
    else:
        help = did_you_mean(entry.name, (*_LEFT_SIDES, *_LOGIC, *_OPERATOR_NAMES))
        problems.error("unknown-key", f"`{entry.name}` has no meaning in a condition", entry.key.span, help)


def _check_single(
    node: MappingNode, entries: list[Entry], code: str, noun: str, examples: Sequence[str], problems: Problems
) -> None:
    if not entries:
        listed = ", ".join(f"`{name}`" for name in examples)
        problems.error(code, f"this condition has no {noun}", first_line(node), f"add one, such as {listed}")
    for entry in entries[1:]:
        message = f"this condition has a second {noun}, `{entry.name}`"
        problems.error(code, message, entry.key.span, "make it a condition of its own, under `allOf` or `anyOf`")


def _parse_operand(entry: Entry, problems: Problems) -> Operand | None:
    match entry.name.casefold():
        case "field":
            return _parse_field(entry, problems)
        case "value":
            return Value(compile_node(entry.value, problems))
        case "jmespath":
            return _parse_jmespath(entry, problems)
        case _:
            return _parse_count(entry, problems)


def _parse_field(entry: Entry, problems: Problems) -> Field | None:
    text = text_of(entry.value, "`field`", problems)
    if text is None:
        return None
    name = compile_node(entry.value, problems)
    if name.is_constant and not name.constant:
        problems.error("missing-key", "`field` is empty", entry.span)
        return None
    return Field(name)


def _parse_jmespath(entry: Entry, problems: Problems) -> JMESPath | None:
    text = text_of(entry.value, "`jmespath`", problems)
    if text is None:
        return None
    try:
        return JMESPath(compile_jmespath(text))
    except ExpressionError as error:
        assert isinstance(entry.value, ScalarNode)
        problems.error("invalid-jmespath", error.message, place_in(entry.value, error.offset), error.help)
        return None


def _parse_count(entry: Entry, problems: Problems) -> Count | None:
    """Source: policy language §5.2, §5.3."""
    if not isinstance(entry.value, MappingNode):
        problems.error("wrong-type", f"`count` must be a mapping, got {describe(entry.value)}", entry.key.span)
        return None
    fields = Fields(entry.value, "a `count`", problems)
    field, value, name, where = (fields.entry(key) for key in ("field", "value", "name", "where"))
    fields.close()
    if field is not None and name is not None:
        help = "remove it: `current()` takes the alias itself"
        problems.error("unknown-key", "`name` goes with `value`, not with `field`", name.key.span, help)
    condition = _parse_logic(where.value, problems) if where else None
    if (field is None) == (value is None):
        problems.error("one-left-side", "`count` needs one of `field` and `value`", entry.key.span)
        return None
    if field is not None:
        over = _parse_field(field, problems)
        if over is not None:
            _check_counts_array(field, over.name, problems)
        return Count(over, where=condition) if over else None
    assert value is not None
    label = text_of(name.value, "`name`", problems) if name else None
    return Count(Value(compile_node(value.value, problems)), label, condition)


def _check_counts_array(entry: Entry, name: CompiledValue, problems: Problems) -> None:
    if name.is_constant and "[*]" not in str(name.constant):
        help = f"write `{name.constant}[*]`"
        problems.error("invalid-value", f"`count` needs an array, and `{name.constant}` has no `[*]`", entry.span, help)
