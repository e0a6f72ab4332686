"""Equality and order of values: strict as templates have them, and coercing as conditions do.

Source: policy language §3.3 and §3.4 (conditions), §5.4 (functions).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from policyengine.errors import ExpressionError
from policyengine.expressions.functions.base import kind_of
from policyengine.model.values import JSON, by_folded_key, is_array

SortKey: TypeAlias = tuple[str, str]


def equal(left: JSON, right: JSON) -> bool:
    """Deep equality of JSON values: text case-sensitive, 3 = 3.0, true is not 1; member names without case."""
    if _is_number(left) and _is_number(right):
        return bool(left == right)
    if isinstance(left, Mapping) and isinstance(right, Mapping):
        return len(left) == len(right) and _same_members(left, right)
    if is_array(left) and is_array(right):
        return len(left) == len(right) and all(equal(a, b) for a, b in zip(left, right, strict=True))
    return type(left) is type(right) and bool(left == right)


def _same_members(left: Mapping[str, JSON], right: Mapping[str, JSON]) -> bool:
    absent = object()
    folded = by_folded_key(right)
    return all(
        (other := right.get(key, folded.get(key.casefold(), absent))) is not absent and equal(value, other)
        for key, value in left.items()
    )


def equal_in_rule(left: JSON, right: JSON) -> bool:
    """Equality of a condition: text folded, text against numbers and booleans by reading it, null equals `""`."""
    if left is None or right is None:
        return left in (None, "") and right in (None, "")
    if isinstance(left, str) and isinstance(right, str):
        return left.casefold() == right.casefold()
    if isinstance(left, str) or isinstance(right, str):
        text, other = (left, right) if isinstance(left, str) else (right, left)
        return _reads_as(text, other)
    return equal(left, right)


def _reads_as(text: str, value: JSON) -> bool:
    if isinstance(value, bool):
        return text.casefold() == ("true" if value else "false")
    if not _is_number(value):
        return False
    try:
        return bool(float(text) == value)
    except ValueError:
        return False


def compare(left: JSON, right: JSON) -> int:
    """-1, 0 or 1 for two numbers or two texts; text order disregards case first. Raises for anything else."""
    if _is_number(left) and _is_number(right):
        return int(left > right) - int(left < right)
    if isinstance(left, str) and isinstance(right, str):
        a, b = collation_key(left), collation_key(right)
        return (a > b) - (a < b)
    raise ExpressionError(f"two numbers or two texts can be compared, got {kind_of(left)} and {kind_of(right)}")


def collation_key(text: str) -> SortKey:
    """Sorts folded; of texts equal but for case, the lower-case one comes first, as in .NET cultures."""
    return text.casefold(), text.swapcase()


def _is_number(value: JSON) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
