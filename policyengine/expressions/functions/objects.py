"""Functions over objects; keys are compared without regard to case."""

from __future__ import annotations

import json
from collections.abc import Mapping

from policyengine.errors import ExpressionError
from policyengine.expressions.functions.base import ANY, INTEGER, OBJECT, TEXT, Function, kind_of
from policyengine.model.values import (
    JSON,
    UNDEFINED,
    Nothing,
    by_folded_key,
    canonical_json,
    get_folded,
    is_array,
)


def member(target: JSON, key: JSON) -> JSON | Nothing:
    """``target.key`` or ``target[key]``; UNDEFINED when it is not there, whatever the target is."""
    if isinstance(target, Mapping):
        return get_folded(target, key, UNDEFINED) if isinstance(key, str) else UNDEFINED
    if is_array(target) and isinstance(key, int) and not isinstance(key, bool) and 0 <= key < len(target):
        return target[key]
    return UNDEFINED


def has_member(target: Mapping[str, JSON], key: str) -> bool:
    return member(target, key) is not UNDEFINED


def merged(left: Mapping[str, JSON], right: Mapping[str, JSON]) -> dict[str, JSON]:
    """All members of both; nested objects merged, anything else taken from ``right``."""
    result = dict(left)
    spelling = {key.casefold(): key for key in result}
    for key, value in right.items():
        name = spelling.setdefault(key.casefold(), key)
        old = result.get(name)
        result[name] = merged(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return result


def common_members(left: Mapping[str, JSON], right: Mapping[str, JSON]) -> dict[str, JSON]:
    folded = by_folded_key(right)

    def shared(key: str, value: JSON) -> bool:
        other = right.get(key, folded.get(key.casefold(), UNDEFINED))
        return not isinstance(other, Nothing) and canonical_json(other) == canonical_json(value)

    return {key: value for key, value in left.items() if shared(key, value)}


def create_object(*pairs: JSON) -> dict[str, JSON]:
    """An object from key, value, key, value…"""
    if len(pairs) % 2:
        raise ExpressionError("keys and values must come in pairs")
    for key in pairs[::2]:
        if not isinstance(key, str):
            raise ExpressionError(f"a key must be a text, got {kind_of(key)}")
    return dict(zip(pairs[::2], pairs[1::2], strict=True))


def items(value: Mapping[str, JSON]) -> list[JSON]:
    """``[{"key": …, "value": …}]``, sorted by key."""
    return [{"key": key, "value": value[key]} for key in sorted(value, key=str.casefold)]


def try_get(target: JSON, *keys: JSON) -> JSON:
    """The member at the end of the path, or null as soon as a step is absent."""
    for key in keys:
        target = member(target, key)
        if isinstance(target, Nothing):
            return None
    return target


def parse_json(text: str) -> JSON:
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise ExpressionError("the text is not JSON") from error


def _refuse_constant(word: str) -> JSON:
    raise ValueError(f"{word} is not JSON")


OBJECTS = (
    Function("createObject", create_object, rest=ANY),
    Function("items", items, (OBJECT,)),
    Function("tryGet", try_get, (ANY, TEXT + INTEGER), rest=TEXT + INTEGER),
    Function("json", parse_json, (TEXT,)),
)
