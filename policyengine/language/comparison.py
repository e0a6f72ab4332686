"""How two values compare: equality after coercion, and order. The kinds of nothing are kept apart here.

Source: policy language §3.1 (nothing), §3.3 (coercion), §3.4 (order).
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final, TypeAlias

from policyengine.errors import ExpressionError
from policyengine.model.values import JSON, NO_RESULT, UNDEFINED, is_array

Value: TypeAlias = Any
"""A JSON value, UNDEFINED or NO_RESULT."""


def values_equal(left: Value, right: Value) -> bool:
    """Equality after coercion; null equals null and the empty text, UNDEFINED equals null only. Source: §3.1, §3.3."""
    if left is NO_RESULT or right is NO_RESULT:
        return False
    if left is UNDEFINED or right is UNDEFINED:
        return (left is None or left is UNDEFINED) and (right is None or right is UNDEFINED)
    if left is None or right is None:
        return left in (None, "") and right in (None, "")
    if isinstance(left, str) and isinstance(right, str):
        return left.casefold() == right.casefold()
    if isinstance(left, str):
        return _text_equals_scalar(left, right)
    if isinstance(right, str):
        return _text_equals_scalar(right, left)
    return same_value(left, right)


def same_value(left: JSON, right: JSON) -> bool:
    """Equality of type and value, deep and exact; 3 is 3.0, true is not 1."""
    if is_array(left) and is_array(right):
        return len(left) == len(right) and all(same_value(a, b) for a, b in zip(left, right, strict=True))
    if isinstance(left, Mapping) and isinstance(right, Mapping):
        return left.keys() == right.keys() and all(same_value(left[key], right[key]) for key in left)
    if is_number(left) and is_number(right):
        return bool(left == right)
    return type(left) is type(right) and bool(left == right)


def exact_key(value: JSON) -> Hashable:
    """Equal for two values exactly when `same_value` holds."""
    if isinstance(value, Mapping):
        return frozenset((key, exact_key(member)) for key, member in value.items())
    if is_array(value):
        return tuple(exact_key(item) for item in value)
    return "number" if is_number(value) else type(value), value


def _text_equals_scalar(text: str, other: JSON) -> bool:
    if isinstance(other, bool):
        return text.casefold() == ("true" if other else "false")
    if is_number(other):
        number = parse_number(text)
        return number is not None and number == other
    return False


def compare(left: Value, right: Value) -> int | None:
    """-1, 0 or 1; None when the two have no order. Source: §3.4."""
    if isinstance(left, str) and isinstance(right, str):
        return _compare_text(left, right)
    if isinstance(left, bool) and isinstance(right, bool):
        return _sign(left, right)
    a, b = _as_number(left), _as_number(right)
    return None if a is None or b is None else _sign(a, b)


def _compare_text(left: str, right: str) -> int:
    a, b = _instant(left), _instant(right)
    if a is not None and b is not None:
        return _sign(a, b)
    return _sign(left.casefold(), right.casefold())


def _sign(a: JSON, b: JSON) -> int:
    return int(a > b) - int(a < b)


_MAX_BITS: Final = 4096
_DATE_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d(:\d\d(?P<fraction>\.\d+)?)?([Zz]|[-+]\d\d:\d\d)?")


@lru_cache(maxsize=4096)
def _instant(text: str) -> datetime | None:
    """ISO 8601 date and time; without an offset it is UTC. Fractions finer than a microsecond are cut."""
    match = _DATE_TIME.fullmatch(text)
    if match is None:
        return None
    fraction = match["fraction"]
    if fraction and len(fraction) > 7:
        text = text.replace(fraction, fraction[:7])
    try:
        instant = datetime.fromisoformat(text.upper())
    except ValueError:
        return None
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)


_NUMBER = re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d{1,4})?")


def parse_number(text: str) -> int | float | None:
    """The number a text spells, blanks around it ignored; None when it spells none."""
    stripped = text.strip()
    match = _NUMBER.fullmatch(stripped)
    if match is None or len(stripped) > 400:
        return None
    return int(stripped) if match[2] is None and match[3] is None and "." not in stripped else float(stripped)


def as_text(value: Value) -> str | None:
    """Text as it is, numbers and booleans as JSON spells them; None for everything else."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) and value.bit_length() > _MAX_BITS:
        raise ExpressionError("a number has too many digits to be compared as text")
    return str(value) if is_number(value) else None


def _as_number(value: Value) -> int | float | None:
    if isinstance(value, str):
        return parse_number(value)
    if not is_number(value):
        return None
    number: int | float = value
    return number


def is_number(value: Value) -> bool:
    """Booleans are not numbers."""
    return isinstance(value, int | float) and not isinstance(value, bool)
