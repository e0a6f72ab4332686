"""Arithmetic, and conversions between scalars."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import TypeAlias

from policyengine.errors import ExpressionError
from policyengine.expressions.functions.base import (
    ANY,
    ARRAY,
    BOOLEAN,
    INTEGER,
    NUMBER,
    TEXT,
    Function,
    kind_of,
    to_text,
)
from policyengine.model.values import JSON, is_array

Number: TypeAlias = int | float


def add(left: Number, right: Number) -> Number:
    return left + right


def sub(left: Number, right: Number) -> Number:
    return left - right


def mul(left: Number, right: Number) -> Number:
    return left * right


def div(left: int, right: int) -> int:
    """The quotient cut towards zero."""
    _refuse_zero(right)
    quotient = abs(left) // abs(right)
    return quotient if (left < 0) == (right < 0) else -quotient


def mod(left: int, right: int) -> int:
    """The remainder, with the sign of ``left``."""
    _refuse_zero(right)
    return left - right * div(left, right)


def _refuse_zero(divisor: int) -> None:
    if divisor == 0:
        raise ExpressionError("division by zero")


def smallest(*values: JSON) -> Number:
    return min(_numbers(values))


def largest(*values: JSON) -> Number:
    return max(_numbers(values))


def _numbers(values: tuple[JSON, ...]) -> list[Number]:
    """The arguments, or the elements of the only argument when it is an array."""
    numbers = list(values[0]) if len(values) == 1 and is_array(values[0]) else list(values)
    for value in numbers:
        if kind_of(value) not in NUMBER:
            raise ExpressionError(f"the values must be numbers, got {kind_of(value)}")
    if not numbers:
        raise ExpressionError("the array is empty")
    return numbers


def to_int(value: JSON) -> int:
    if isinstance(value, float):
        return math.trunc(value) if math.isfinite(value) else _refuse(value, "a whole number")
    try:
        return int(value)
    except ValueError:
        return _refuse(value, "a whole number")


def to_float(value: JSON) -> float:
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    return number if math.isfinite(number) else _refuse(value, "a number")


def to_bool(value: JSON) -> bool:
    """``true``, ``1`` and their texts in any case; ``false`` and ``0`` likewise."""
    known = {"true": True, "1": True, "false": False, "0": False}
    word = to_text(value).strip().casefold()
    if word not in known:
        raise ExpressionError(f"`{to_text(value)}` is neither true nor false")
    return known[word]


def to_string(value: JSON) -> str:
    """Scalars as .NET writes them; arrays and objects as compact JSON."""
    if isinstance(value, Mapping) or is_array(value):
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return to_text(value)


def _refuse(value: JSON, wanted: str) -> int:
    raise ExpressionError(f"`{to_text(value)}` is not {wanted}")


NUMBERS = (
    Function("add", add, (NUMBER, NUMBER)),
    Function("sub", sub, (NUMBER, NUMBER)),
    Function("mul", mul, (NUMBER, NUMBER)),
    Function("div", div, (INTEGER, INTEGER)),
    Function("mod", mod, (INTEGER, INTEGER)),
    Function("min", smallest, (NUMBER + ARRAY,), rest=NUMBER),
    Function("max", largest, (NUMBER + ARRAY,), rest=NUMBER),
    Function("int", to_int, (NUMBER + TEXT,)),
    Function("float", to_float, (NUMBER + TEXT,)),
    Function("bool", to_bool, (BOOLEAN + NUMBER + TEXT,)),
    Function("string", to_string, (ANY,)),
)
