"""The reference driver: one condition tree, one resource, one answer; on request, with its trace.

`evaluate` stops as soon as the answer is known; `trace` visits everything, so that a person sees all of it, and
gives the same answer: an error where `evaluate` would not have looked is noted in the trace and changes nothing.
Raises ExpressionError when an expression that matters cannot be evaluated.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final, TypeAlias
from weakref import WeakKeyDictionary

from policyengine.errors import ExpressionError
from policyengine.evaluation import fields
from policyengine.evaluation.masking import MASK, mask, names_secret, redact, redact_text
from policyengine.evaluation.paths import Selection, members
from policyengine.evaluation.subject import Counted, Subject
from policyengine.evaluation.trace import Trace
from policyengine.expressions.compiled import CompiledValue
from policyengine.language.aliases import FieldKind, classify_field
from policyengine.language.operators import OPERATORS, Predicate, normalise_location
from policyengine.language.syntax import AllOf, AnyOf, Condition, Count, Field, JMESPath, Logic, Not, Value
from policyengine.model.values import JSON, NO_RESULT, UNDEFINED, Nothing, is_array

DEFAULT_COUNT_NAME: Final = "default"
TOO_DEEP: Final = "what is compared nests too deeply"
VALUES_A_STEP: Final = 4

_Tests: TypeAlias = WeakKeyDictionary[Condition, tuple[JSON | Nothing, bool, Predicate]]
_TESTS: Final[_Tests] = WeakKeyDictionary()
"""Of each condition the last test, and the right-hand side it is for: mostly that is the same again."""


@dataclass(frozen=True, slots=True)
class _Answer:
    """What one condition came to. ``each`` tells that ``actual`` is a list and every member was tested."""

    result: bool
    actual: JSON | Nothing
    expected: JSON | Nothing
    each: bool = False


def evaluate(logic: Logic, subject: Subject) -> bool:
    """Left to right, no further than needed. Source: policy language §2."""
    try:
        return _holds(logic, subject)
    except RecursionError as error:
        raise ExpressionError(TOO_DEEP) from error


def _holds(logic: Logic, subject: Subject) -> bool:
    if isinstance(logic, Condition):
        return _answer(logic, subject).result
    if isinstance(logic, AllOf):
        return all(_holds(condition, subject) for condition in logic.conditions)
    if isinstance(logic, AnyOf):
        return any(_holds(condition, subject) for condition in logic.conditions)
    return not _holds(logic.condition, subject)


def trace(logic: Logic, subject: Subject) -> Trace:
    """The same answer as `evaluate`, with every node's own."""
    try:
        return _trace(logic, subject, matters=True)
    except RecursionError as error:
        raise ExpressionError(TOO_DEEP) from error


def _trace(logic: Logic, subject: Subject, *, matters: bool) -> Trace:
    if isinstance(logic, AllOf | AnyOf):
        return _trace_group(logic, subject, matters)
    if isinstance(logic, Not):
        child = _trace(logic.condition, subject, matters=matters)
        return Trace(logic, "not", "not", None, not child.result, span=logic.span, children=(child,))
    return _trace_condition(logic, subject, matters)


def _trace_group(logic: AllOf | AnyOf, subject: Subject, matters: bool) -> Trace:
    decisive = isinstance(logic, AnyOf)  # the child result that settles the group
    kind = "anyOf" if decisive else "allOf"
    result = not decisive
    children = []
    for condition in logic.conditions:
        child = _trace(condition, subject, matters=matters and result is not decisive)
        children.append(child)
        if child.result is decisive:
            result = decisive
    return Trace(logic, kind, kind, None, result, span=logic.span, children=tuple(children))


def _trace_condition(condition: Condition, subject: Subject, matters: bool) -> Trace:
    kind, label = _describe(condition, subject)
    try:
        answer, error = _answer(condition, subject), None
    except ExpressionError as problem:
        if matters:
            raise
        answer, error = _Answer(False, NO_RESULT, NO_RESULT), redact_text(problem.message, subject.secrets)
    if answer.each:
        answer = replace(answer, actual=_shown_all(answer.actual))
    hidden = names_secret(f"{label} {_sources(condition)}")
    return Trace(
        node=condition,
        kind=kind,
        label=redact_text(label, subject.secrets),
        operator=condition.operator,
        result=answer.result,
        actual=_hide(answer.actual) if hidden else redact(mask(answer.actual), subject.secrets),
        expected=_hide(answer.expected) if hidden else redact(mask(answer.expected), subject.secrets),
        span=condition.span,
        each=answer.each,
        error=error,
    )


def _answer(condition: Condition, subject: Subject) -> _Answer:
    operand = condition.operand
    effort = subject.context.effort
    effort.spend(1)
    given = condition.expected
    expected = given.constant if given.is_constant else given.evaluate(subject.expression_context)
    if isinstance(operand, Field):
        return _answer_field(condition, operand, expected, subject)
    actual = _read(operand, subject)
    if actual is NO_RESULT:
        # Source: policy language §3.1: false for every operator, the negated ones included.
        return _Answer(False, actual, expected)
    effort.look_at(actual)
    if _speaks_of_location(operand, condition.expected):
        test = _test(condition, expected, subject, of_location=True)
        return _Answer(test(normalise_location(actual)), actual, expected)
    return _Answer(_test(condition, expected, subject)(actual), actual, expected)


def _answer_field(condition: Condition, operand: Field, expected: JSON | Nothing, subject: Subject) -> _Answer:
    """With ``[*]``: true when every selected value passes; false when an array is missing. Source: §4.4."""
    name = field_name(operand, subject)
    selection = _select(name, subject)
    is_location = name.casefold() == "location"
    test = _test(condition, expected, subject, of_location=is_location)
    if selection.each:
        for value in selection.values:
            subject.context.effort.look_at(value)
        subject.context.effort.spend(len(selection.values) // VALUES_A_STEP)
        result = selection.complete and all(map(test, selection.values))
        return _Answer(result, selection.values if selection.complete else UNDEFINED, expected, each=True)
    value = fields.as_value(selection)
    subject.context.effort.look_at(value)
    return _Answer(test(normalise_location(value) if is_location else value), value, expected)


def single_test(condition: Condition) -> Predicate | None:
    """The answer as a function of the one value that is read, None where there is none.

    For a property, a tag or the name compared with something fixed; None for every other condition.
    """
    operand, expected = condition.operand, condition.expected
    if not isinstance(operand, Field) or not operand.name.is_constant or not expected.is_constant:
        return None
    name = operand.name.constant
    field = classify_field(name) if isinstance(name, str) else None
    if field is None or "[*]" in name or (field.kind is FieldKind.BUILT_IN and field.name not in _PLAIN_FIELDS):
        return None
    return OPERATORS[condition.operator.casefold()].compile(expected.constant)


_PLAIN_FIELDS: Final = frozenset({"name", "kind"})


def _test(condition: Condition, expected: JSON | Nothing, subject: Subject, *, of_location: bool = False) -> Predicate:
    known = _TESTS.get(condition)
    if known is not None and known[0] is expected and known[1] is of_location:
        return known[2]
    subject.context.effort.look_at(expected)
    wanted = normalise_location(expected) if of_location else expected
    test = OPERATORS[condition.operator.casefold()].compile(wanted)
    _TESTS[condition] = (expected, of_location, test)
    return test


def _read(operand: Value | Count | JMESPath, subject: Subject) -> JSON | Nothing:
    if isinstance(operand, Value):
        return operand.value.evaluate(subject.expression_context)
    if isinstance(operand, JMESPath):
        return operand.expression.search(subject.document, at=subject.context.at, effort=subject.context.effort)
    counted = counted_subjects(operand, subject)
    if counted is None:
        return NO_RESULT
    if operand.where is None:
        return sum(1 for _ in counted)
    where = operand.where
    return sum(_holds(where, inner) for inner in counted)


def counted_subjects(count: Count, subject: Subject) -> Iterator[Subject] | None:
    """The subject once for every member that ``count`` looks at, `where` not yet asked; None when there is no result.

    Raises ExpressionError for what cannot be counted.
    """
    if isinstance(count.over, Field):
        return _counted_fields(count.over, subject)
    return _counted_values(count, count.over, subject)


def _counted_fields(over: Field, subject: Subject) -> Iterator[Subject]:
    """Source: policy language §5.2."""
    name = field_name(over, subject)
    steps = fields.steps(name, subject.resource, subject.context.aliases)
    if "[*]" not in name:
        raise ExpressionError(f"`count` needs a field with `[*]`, `{name}` has none")
    found = members(subject.resource.document, steps or (), subject.pins)
    folded = name.casefold()
    return (subject.counting(Counted(folded, member, is_field=True), pins) for pins, member in found)


def _counted_values(count: Count, over: Value, subject: Subject) -> Iterator[Subject] | None:
    """Null counts as empty; what is no array cannot be counted. Source: policy language §5.3."""
    items = over.value.evaluate(subject.expression_context)
    if items is NO_RESULT:
        return None
    if items is not None and (isinstance(items, Nothing) or not is_array(items)):
        raise ExpressionError(f"`count` needs an array to count, got `{over.value.source}`")
    name = (count.name or DEFAULT_COUNT_NAME).casefold()
    return (subject.counting(Counted(name, item, is_field=False), subject.pins) for item in items or ())


def field_name(operand: Field, subject: Subject) -> str:
    """The name as written, or as computed. Source: policy language §4.2."""
    name = operand.name.constant if operand.name.is_constant else operand.name.evaluate(subject.expression_context)
    if not isinstance(name, str):
        raise ExpressionError(f"the name of a field must be a text, `{operand.name.source}` is not")
    return name


def _select(name: str, subject: Subject) -> Selection:
    return fields.read(name, subject.resource, subject.context.aliases, subject.pins)


def _shown_all(values: JSON | Nothing) -> JSON | Nothing:
    return values if isinstance(values, Nothing) else [_shown(value) for value in values]


def _shown(value: JSON | Nothing) -> JSON:
    return None if isinstance(value, Nothing) else value


def _speaks_of_location(operand: Value | Count | JMESPath, expected: CompiledValue) -> bool:
    """`field('location')` on either side makes a comparison of locations. Source: policy language §4.1."""
    sides = [expected, operand.value] if isinstance(operand, Value) else [expected]
    return any("field" in side.functions and fields.reads_location(side.source) for side in sides)


def _describe(condition: Condition, subject: Subject) -> tuple[str, str]:
    """The kind of the left-hand side and its name for people."""
    operand = condition.operand
    if isinstance(operand, Field):
        return "field", fields.short_name(_name_for_people(operand, subject))
    if isinstance(operand, Value):
        return "value", _text(operand.value)
    if isinstance(operand, JMESPath):
        return "jmespath", operand.expression.text
    over = operand.over
    inner = fields.short_name(_name_for_people(over, subject)) if isinstance(over, Field) else _text(over.value)
    return "count", f"count({inner})"


def _name_for_people(operand: Field, subject: Subject) -> str:
    try:
        return field_name(operand, subject)
    except ExpressionError:
        return _text(operand.name)


def _text(value: CompiledValue) -> str:
    return value.source if isinstance(value.source, str) else str(value.source)


def _sources(condition: Condition) -> str:
    operand = condition.operand
    name = _text(operand.name) if isinstance(operand, Field) else ""
    return f"{name} {_text(condition.expected)}"


def _hide(value: JSON | Nothing) -> JSON | Nothing:
    return value if value is None or isinstance(value, Nothing | bool) else MASK
