"""A naive interpreter of conditions over plain dictionaries, to hold the engine against.

It shares no code with the engine and knows the part of the language that the property test draws from: allOf, anyOf,
not; field with dotted paths and `[*]`; count; the operators on text, numbers, booleans, null and arrays.
Source: policy language §2, §3, §4.4, §5.2.
"""

from __future__ import annotations

from typing import Any

UNDEFINED: Any = object()


def holds(rule: dict[str, Any], document: Any) -> bool:
    if "allOf" in rule:
        return all(holds(child, document) for child in rule["allOf"])
    if "anyOf" in rule:
        return any(holds(child, document) for child in rule["anyOf"])
    if "not" in rule:
        return not holds(rule["not"], document)
    (name, wanted), *_ = [(k, v) for k, v in rule.items() if k not in {"field", "count"}]
    if "count" in rule:
        return test(name, len(walk(document, rule["count"]["field"].split("."))[0]), wanted)
    path = rule["field"].split(".")
    values, complete = walk(document, path)
    if "[*]" in rule["field"]:
        return complete and all(test(name, value, wanted) for value in values)
    return test(name, None if values[0] is UNDEFINED else values[0], wanted)


def walk(value: Any, path: list[str]) -> tuple[list[Any], bool]:
    """Every selected value, and whether every array on the way is there."""
    if not path:
        return [value], True
    step, rest = path[0].removesuffix("[*]"), path[1:]
    value = value.get(step, UNDEFINED) if isinstance(value, dict) else UNDEFINED
    if not path[0].endswith("[*]"):
        return walk(value, rest)
    if not isinstance(value, list):
        return [], False
    found = [walk(item, rest) for item in value]
    return [v for values, _ in found for v in values], all(complete for _, complete in found)


def test(name: str, left: Any, right: Any) -> bool:
    if name.startswith("not"):
        return not test(name[3].lower() + name[4:], left, right)
    if name == "exists":
        return (left is not None and left is not UNDEFINED) is right
    if name == "equals":
        return same(left, right)
    if name == "in":
        return left is not None and left is not UNDEFINED and any(r is not None and same(left, r) for r in right)
    if name == "contains":
        if isinstance(left, str):
            return str(right).lower() in left.lower()
        return isinstance(left, list) and any(same(item, right) for item in left)
    if name == "like":
        head, star, tail = right.lower().partition("*")
        if not isinstance(left, str):
            return False
        text = left.lower()
        return text == head if not star else text[len(head) :].endswith(tail) and text.startswith(head)
    assert name == "greater"
    return isinstance(left, int) and not isinstance(left, bool) and left > right


def same(left: Any, right: Any) -> bool:
    if left is UNDEFINED:
        return right is None
    if left is None or right is None:
        return left in (None, "") and right in (None, "")
    if isinstance(left, str) and isinstance(right, str):
        return left.lower() == right.lower()
    return type(left) is type(right) and bool(left == right)
