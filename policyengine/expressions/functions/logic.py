"""Comparisons, and the functions that choose. The lazy ones evaluate only what they need, so guards hold."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from policyengine.errors import ExpressionError
from policyengine.expressions.functions.base import ANY, BOOLEAN, NUMBER, TEXT, Calling, Function, kind_of
from policyengine.expressions.functions.comparison import compare, equal, equal_in_rule
from policyengine.model.values import JSON, Nothing

Thunk: TypeAlias = Callable[[], JSON | Nothing]


def less(left: JSON, right: JSON) -> bool:
    return compare(left, right) < 0


def less_or_equals(left: JSON, right: JSON) -> bool:
    return compare(left, right) <= 0


def greater(left: JSON, right: JSON) -> bool:
    return compare(left, right) > 0


def greater_or_equals(left: JSON, right: JSON) -> bool:
    return compare(left, right) >= 0


def negation(value: bool) -> bool:
    return not value


def choose(condition: Thunk, when_true: Thunk, when_false: Thunk) -> JSON | Nothing:
    """Evaluates the condition and one branch."""
    decision = _truth(condition)
    if isinstance(decision, Nothing):
        return decision
    return when_true() if decision else when_false()


def conjunction(*conditions: Thunk) -> JSON | Nothing:
    """True when all are; stops at the first that is not."""
    return _until(False, conditions)


def disjunction(*conditions: Thunk) -> JSON | Nothing:
    return _until(True, conditions)


def _until(stop: bool, conditions: tuple[Thunk, ...]) -> JSON | Nothing:
    for condition in conditions:
        value = _truth(condition)
        if isinstance(value, Nothing) or value is stop:
            return value
    return not stop


def _truth(condition: Thunk) -> bool | Nothing:
    value = condition()
    if isinstance(value, bool | Nothing):
        return value
    raise ExpressionError(f"a condition must be a boolean, got {kind_of(value)}")


def coalesce(*choices: Thunk) -> JSON:
    """The first value that is neither null nor without result; null when there is none."""
    for choice in choices:
        value = choice()
        if value is not None and not isinstance(value, Nothing):
            return value
    return None


def true() -> bool:
    return True


def false() -> bool:
    return False


def null() -> None:
    return None


_ORDERED = NUMBER + TEXT

LOGIC = (
    Function("equals", equal, (ANY, ANY), in_rule=equal_in_rule),
    Function("less", less, (_ORDERED, _ORDERED)),
    Function("lessOrEquals", less_or_equals, (_ORDERED, _ORDERED)),
    Function("greater", greater, (_ORDERED, _ORDERED)),
    Function("greaterOrEquals", greater_or_equals, (_ORDERED, _ORDERED)),
    Function("not", negation, (BOOLEAN,)),
    Function("if", choose, (BOOLEAN, ANY, ANY), calling=Calling.LAZY),
    Function("and", conjunction, (BOOLEAN, BOOLEAN), rest=BOOLEAN, calling=Calling.LAZY),
    Function("or", disjunction, (BOOLEAN, BOOLEAN), rest=BOOLEAN, calling=Calling.LAZY),
    Function("coalesce", coalesce, (ANY,), rest=ANY, calling=Calling.LAZY),
    Function("true", true),
    Function("false", false),
    Function("null", null),
)
