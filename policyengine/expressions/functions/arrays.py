"""Functions over arrays, and those that treat texts, arrays and objects alike."""

from __future__ import annotations

from policyengine.errors import ExpressionError
from policyengine.expressions.functions.base import (
    ANY,
    ARRAY,
    INTEGER,
    NULL,
    OBJECT,
    SCALAR,
    TEXT,
    Function,
    kind_of,
    to_text,
)
from policyengine.expressions.functions.objects import common_members, has_member, merged
from policyengine.expressions.limits import MAX_NODES, check_length
from policyengine.model.values import JSON, canonical_json, is_array

MAX_RANGE = 10_000


def concat(*values: JSON) -> JSON:
    """Arrays one after the other; scalars as one text."""
    if not any(is_array(value) for value in values):
        texts = [to_text(value) for value in values]
        check_length(sum(map(len, texts)))
        return "".join(texts)
    strangers = [kind_of(value) for value in values if not is_array(value)]
    if strangers:
        raise ExpressionError(f"arrays join with arrays only, got {strangers[0]}", help="wrap it: `createArray(…)`")
    if sum(map(len, values)) > MAX_NODES:
        raise ExpressionError(f"the result holds more than {MAX_NODES:,} values")
    return [item for value in values for item in value]


def contains(container: JSON, wanted: JSON) -> bool:
    """Text: substring, case-sensitive; array: an equal element; object: a key, without regard to case."""
    if isinstance(container, str):
        return to_text(wanted) in container
    if is_array(container):
        key = canonical_json(wanted)
        return any(canonical_json(item) == key for item in container)
    return has_member(container, to_text(wanted))


def empty(value: JSON) -> bool:
    return value is None or len(value) == 0


def length(value: JSON) -> int:
    return len(value)


def first(value: JSON) -> JSON:
    """The first element or character; an empty text gives `''`, an empty array null."""
    return value[0] if value else _nothing_of(value)


def last(value: JSON) -> JSON:
    return value[-1] if value else _nothing_of(value)


def _nothing_of(value: JSON) -> JSON:
    return "" if isinstance(value, str) else None


def take(value: JSON, count: int) -> JSON:
    """The first ``count`` elements or characters, or as many as there are."""
    return value[: max(count, 0)]


def skip(value: JSON, count: int) -> JSON:
    return value[max(count, 0) :]


def create_array(*values: JSON) -> list[JSON]:
    return list(values)


def array(value: JSON) -> list[JSON]:
    return list(value) if is_array(value) else [value]


def number_range(start: int, count: int) -> list[int]:
    if not 0 <= count <= MAX_RANGE:
        raise ExpressionError(f"the count must be 0 to {MAX_RANGE}, got {count}")
    return list(range(start, start + count))


def union(*values: JSON) -> JSON:
    """Arrays without duplicates, in order of appearance; objects merged deeply, the right one winning."""
    if all(is_array(value) for value in values):
        return list({canonical_json(item): item for value in values for item in value}.values())
    result = _only_objects(values)[0]
    for value in values[1:]:
        result = merged(result, value)
    return dict(result)


def intersection(*values: JSON) -> JSON:
    """Elements, or members with equal key and value, that all have; in the order of the first."""
    if not all(is_array(value) for value in values):
        result = _only_objects(values)[0]
        for value in values[1:]:
            result = common_members(result, value)
        return dict(result)
    common = set.intersection(*({canonical_json(item) for item in value} for value in values))
    return [item for key, item in {canonical_json(item): item for item in values[0]}.items() if key in common]


def _only_objects(values: tuple[JSON, ...]) -> tuple[JSON, ...]:
    if any(is_array(value) for value in values):
        raise ExpressionError("the arguments must all be arrays or all be objects")
    return values


ARRAYS = (
    Function("concat", concat, rest=SCALAR + NULL + ARRAY),
    Function("contains", contains, (TEXT + ARRAY + OBJECT, ANY)),
    Function("empty", empty, (NULL + TEXT + ARRAY + OBJECT,)),
    Function("length", length, (TEXT + ARRAY + OBJECT,)),
    Function("first", first, (TEXT + ARRAY,)),
    Function("last", last, (TEXT + ARRAY,)),
    Function("take", take, (TEXT + ARRAY, INTEGER)),
    Function("skip", skip, (TEXT + ARRAY, INTEGER)),
    Function("createArray", create_array, rest=ANY),
    Function("array", array, (ANY,)),
    Function("range", number_range, (INTEGER, INTEGER)),
    Function("union", union, (ARRAY + OBJECT,), rest=ARRAY + OBJECT),
    Function("intersection", intersection, (ARRAY + OBJECT,), rest=ARRAY + OBJECT),
)
