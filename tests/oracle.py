"""A naive interpreter of conditions over plain dictionaries, to hold the engine against.

It shares no code with the engine, and is written from the reference alone: every operator, `field` with `[*]`, tags and
computed names, `value`, `count` over fields and values with `current()`, expressions with the functions that the
property tests draw from. Raises Wrong where the language asks for an error.
Source: policy language §2–§5.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

UNDEFINED: Any = object()
"""An element selected by `[*]` lacks the property."""
NO_RESULT: Any = object()
"""An expression yields nothing."""

TYPE = "Contoso.Test/things"


class Wrong(Exception):
    """The state would be Error."""


@dataclass(frozen=True)
class World:
    """What is tested, the resource of the `if`, and the counts under way: (name, its path or None, the member)."""

    resource: dict[str, Any]
    root: dict[str, Any]
    parameters: dict[str, Any]
    pins: dict[tuple[str, ...], int] = field(default_factory=dict)
    counts: tuple[tuple[str, tuple[str, ...] | None, Any], ...] = ()


def holds(rule: dict[str, Any], world: World) -> bool:
    if "allOf" in rule:
        return all(holds(child, world) for child in rule["allOf"])
    if "anyOf" in rule:
        return any(holds(child, world) for child in rule["anyOf"])
    if "not" in rule:
        return not holds(rule["not"], world)
    ((name, right),) = [(key, value) for key, value in rule.items() if key not in {"field", "value", "count"}]
    expected = value_of(right, world)
    if "field" in rule:
        return field_holds(text_of(value_of(rule["field"], world)), name, expected, world)
    left = value_of(rule["value"], world) if "value" in rule else count(rule["count"], world)
    return left is not NO_RESULT and test(name, left, expected)


def field_holds(path: str, name: str, expected: Any, world: World) -> bool:
    """§4.4: with `[*]` all of them, and false where an array is missing."""
    values, complete = read(path, world.resource, world.pins)
    if "[*]" in path:
        return complete and all(test(name, value, expected) for value in values)
    value = None if values[0] is UNDEFINED else values[0]
    if path.lower() == "location":
        value, expected = blankless(value), blankless(expected)
    return test(name, value, expected)


def blankless(value: Any) -> Any:
    if isinstance(value, list):
        return [blankless(item) for item in value]
    return "".join(value.lower().split()) if isinstance(value, str) else value


def count(spec: dict[str, Any], world: World) -> Any:
    """§5.2 and §5.3."""
    where = spec.get("where")
    if "field" in spec:
        path = text_of(value_of(spec["field"], world))
        if "[*]" not in path:
            raise Wrong(path)
        steps = steps_of(path)
        stem = steps[: len(steps) - steps[::-1].index("*")]
        inner = [
            replace(world, pins=pins, counts=(*world.counts, (path.lower(), stem, member)))
            for pins, member in members(world.resource, stem, 0, world.pins)
        ]
    else:
        items = value_of(spec["value"], world)
        if items is NO_RESULT:
            return NO_RESULT
        if items is not None and not isinstance(items, list):
            raise Wrong("count of no array")
        name = spec.get("name", "default").lower()
        inner = [replace(world, counts=(*world.counts, (name, None, item))) for item in items or []]
    return sum(where is None or holds(where, each) for each in inner)


# --- fields


def steps_of(path: str) -> tuple[str, ...]:
    """Lower-case names, and `*` for every member."""
    tag = re.fullmatch(r"tags(?:\.(.+)|\['(.+)'\]|\[([^'*\]]+)\])", path, re.IGNORECASE)
    if tag:
        return ("tags", (tag[1] or (tag[2] or tag[3]).replace("''", "'")).lower())
    if path.lower().startswith(TYPE.lower() + "/"):
        path = "properties." + path[len(TYPE) + 1 :]
    return tuple(step.lower() for name in path.split(".") for step in name.replace("[*]", ".*").split(".") if step)


def read(path: str, resource: dict[str, Any], pins: dict[tuple[str, ...], int]) -> tuple[list[Any], bool]:
    """Every selected value, and whether every array on the way is there."""
    built_in = {"name": "name", "type": "type", "id": "id", "fullname": "name"}.get(path.lower())
    if built_in:
        return [resource[built_in]], True
    if path.lower() == "location":
        return [resource.get("location") or "global"], True
    return walk(resource, steps_of(path), 0, pins)


def walk(value: Any, steps: tuple[str, ...], at: int, pins: dict[tuple[str, ...], int]) -> tuple[list[Any], bool]:
    if at == len(steps):
        return [value], True
    if steps[at] != "*":
        return walk(member(value, steps[at], in_array=at > 0 and steps[at - 1] == "*"), steps, at + 1, pins)
    if not isinstance(value, list):
        return [], False
    found = [walk(value[i], steps, at + 1, pins) for i in pinned(value, steps[: at + 1], pins)]
    return [v for values, _ in found for v in values], all(complete for _, complete in found)


def members(value: Any, steps: tuple[str, ...], at: int, pins: dict[tuple[str, ...], int]) -> list[Any]:
    """Each member of the innermost array, with what pins it; missing arrays have none."""
    if at == len(steps):
        return [(pins, value)]
    if steps[at] != "*":
        return members(member(value, steps[at], in_array=at > 0 and steps[at - 1] == "*"), steps, at + 1, pins)
    if not isinstance(value, list):
        return []
    return [
        found
        for i in pinned(value, steps[: at + 1], pins)
        for found in members(value[i], steps, at + 1, {**pins, steps[: at + 1]: i})
    ]


def pinned(array: list[Any], steps: tuple[str, ...], pins: dict[tuple[str, ...], int]) -> list[int]:
    return [pins[steps]] if steps in pins else list(range(len(array)))


def member(value: Any, name: str, *, in_array: bool) -> Any:
    """§4.3 (a): elements that are sub-resources keep their values one level down."""
    found = get(value, name)
    return get(get(value, "properties"), name) if found is UNDEFINED and in_array else found


def get(value: Any, name: str) -> Any:
    if not isinstance(value, dict):
        return UNDEFINED
    if name in value:
        return value[name]
    return next((member for key, member in value.items() if key.lower() == name.lower()), UNDEFINED)


# --- operators


def test(name: str, left: Any, right: Any) -> bool:
    if right is NO_RESULT and name.lower() in {"contains", "notcontains", "containskey", "notcontainskey"}:
        return False
    if name.lower().startswith("not"):
        return not test(name[3:], left, right)
    return OPERATORS[name.lower()](left, right)


def same(left: Any, right: Any) -> bool:
    """§3.1, §3.3."""
    if left is NO_RESULT or right is NO_RESULT:
        return False
    if left is UNDEFINED:
        return right is None
    if left is None or right is None:
        return left in (None, "") and right in (None, "")
    if isinstance(left, str) and isinstance(right, str):
        return left.casefold() == right.casefold()
    if isinstance(left, str) or isinstance(right, str):
        text, other = (left, right) if isinstance(left, str) else (right, left)
        if isinstance(other, bool):
            return text.lower() == str(other).lower()
        return is_number(other) and number_of(text) == other
    return exact(left, right)


def exact(left: Any, right: Any) -> bool:
    if is_number(left) and is_number(right):
        return bool(left == right)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(exact, left, right))
    if isinstance(left, dict) and isinstance(right, dict):
        return set(left) == set(right) and all(exact(left[key], right[key]) for key in left)
    return type(left) is type(right) and bool(left == right)


def is_in(left: Any, right: Any) -> bool:
    elements = [] if right is NO_RESULT else right if isinstance(right, list) else [right]
    if left is None:
        return False
    if left is UNDEFINED:
        return None in elements
    return any(element is not None and same(left, element) for element in elements)


def like(left: Any, right: Any) -> bool:
    return patterned(left, right, lambda pattern, text: glob(pattern.casefold(), text.casefold()))


def glob(pattern: str, text: str) -> bool:
    if not pattern:
        return not text
    if pattern[0] == "*":
        return glob(pattern[1:], text) or (bool(text) and glob(pattern, text[1:]))
    return bool(text) and pattern[0] in ("?", text[0]) and glob(pattern[1:], text[1:])


def match(left: Any, right: Any) -> bool:
    return patterned(left, right, lambda p, t: len(p) == len(t) and all(map(one, p, t)))


def match_insensitively(left: Any, right: Any) -> bool:
    return patterned(left, right, lambda p, t: len(p) == len(t) and all(map(one, p.lower(), t.lower())))


def one(pattern: str, character: str) -> bool:
    if pattern == "#":
        return character in "0123456789"
    if pattern == "?":
        return character.isascii() and character.isalpha()
    return pattern in (".", character)


def patterned(left: Any, right: Any, fits: Callable[[str, str], bool]) -> bool:
    text, pattern = scalar_text(left), scalar_text(right)
    return text is not None and pattern is not None and fits(pattern, text)


def contains(left: Any, right: Any) -> bool:
    if isinstance(left, list):
        return any(same(element, right) for element in left)
    if isinstance(left, dict):
        return contains_key(left, right)
    if not isinstance(left, str) and not isinstance(right, str):
        return False
    return patterned(left, right, lambda needle, text: needle.casefold() in text.casefold())


def contains_key(left: Any, right: Any) -> bool:
    key = scalar_text(right)
    return isinstance(left, dict) and key is not None and get(left, key) is not UNDEFINED


def order(left: Any, right: Any) -> int | None:
    """§3.4."""
    a: Any
    b: Any
    if isinstance(left, str) and isinstance(right, str):
        instants = instant(left), instant(right)
        a, b = (left.casefold(), right.casefold()) if None in instants else instants
    elif isinstance(left, bool) and isinstance(right, bool):
        a, b = left, right
    else:
        a, b = (number_of(side) if isinstance(side, str) else side for side in (left, right))
        if not is_number(a) or not is_number(b):
            return None
    return int(a > b) - int(a < b)


def instant(text: str) -> datetime | None:
    if not re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d", text):
        return None
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def exists(left: Any, right: Any) -> bool:
    return (left is not None and left is not UNDEFINED) is (str(right).lower() == "true")


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def number_of(text: str) -> float | None:
    return float(text) if re.fullmatch(r"\s*[-+]?\d+(\.\d+)?\s*", text) else None


def scalar_text(value: Any) -> str | None:
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, str) or is_number(value) else None


OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "equals": same,
    "in": is_in,
    "like": like,
    "match": match,
    "matchinsensitively": match_insensitively,
    "contains": contains,
    "containskey": contains_key,
    "exists": exists,
    "less": lambda a, b: order(a, b) == -1,
    "lessorequals": lambda a, b: order(a, b) in (-1, 0),
    "greater": lambda a, b: order(a, b) == 1,
    "greaterorequals": lambda a, b: order(a, b) in (1, 0),
}


# --- expressions


def value_of(value: Any, world: World) -> Any:
    """§5.5: a text in brackets is an expression, two brackets escape; expressions nest in arrays and objects."""
    if isinstance(value, list):
        values = [value_of(item, world) for item in value]
        return NO_RESULT if NO_RESULT in values else values
    if isinstance(value, dict):
        members = {key: value_of(item, world) for key, item in value.items()}
        return NO_RESULT if any(item is NO_RESULT for item in members.values()) else members
    if not isinstance(value, str) or not value.startswith("["):
        return value
    if value.startswith("[["):
        return value[1:]
    return evaluate(Reader(value[1:-1]).expression(), world) if value.endswith("]") else value


class Reader:
    """Text → ("literal", value), ("call", name, arguments) or ("get", target, key)."""

    def __init__(self, text: str) -> None:
        self.tokens = re.findall(r"'(?:[^']|'')*'|-?\d+|\w+|[().,\[\]]", text)

    def expression(self) -> Any:
        token = self.tokens.pop(0)
        tree: Any
        if token[0] == "'":
            tree = ("literal", token[1:-1].replace("''", "'"))
        elif token in {"true", "false", "null"}:
            tree = ("literal", {"true": True, "false": False, "null": None}[token])
        elif re.fullmatch(r"-?\d+", token):
            tree = ("literal", int(token))
        else:
            tree = ("call", token.lower(), self.arguments())
        while self.tokens and self.tokens[0] in ".[":
            if self.tokens.pop(0) == ".":
                tree = ("get", tree, ("literal", self.tokens.pop(0)))
            else:
                tree = ("get", tree, self.expression())
                self.tokens.pop(0)
        return tree

    def arguments(self) -> list[Any]:
        found: list[Any] = []
        self.tokens.pop(0)
        while self.tokens[0] != ")":
            found.append(self.expression())
            if self.tokens[0] == ",":
                self.tokens.pop(0)
        self.tokens.pop(0)
        return found


def evaluate(tree: Any, world: World) -> Any:
    kind, first, *rest = tree
    if kind == "literal":
        return first
    if kind == "get":
        target, key = evaluate(first, world), evaluate(rest[0], world)
        if isinstance(target, list) and isinstance(key, int) and 0 <= key < len(target):
            return target[key]
        found = get(target, key) if isinstance(key, str) else UNDEFINED
        return NO_RESULT if found is UNDEFINED else found
    if first == "if":
        decision = evaluate(rest[0][0], world)
        if decision is NO_RESULT:
            return NO_RESULT
        return evaluate(rest[0][1 if of(decision, bool) else 2], world)
    values = [evaluate(argument, world) for argument in rest[0]]
    return NO_RESULT if any(value is NO_RESULT for value in values) else call(first, values, world)


def call(name: str, values: list[Any], world: World) -> Any:
    if name == "parameters":
        return world.parameters[values[0]]
    if name == "field":
        return field_value(values[0], world)
    if name == "current":
        return current(values, world)
    if name == "equals":
        return same(*values)
    if name == "not":
        return not of(values[0], bool)
    if name == "concat":
        return concat(values)
    if name == "createarray":
        return values
    if name == "tolower":
        return of(values[0], str).lower()
    if name == "length":
        return len(of(values[0], str, list, dict))
    if name == "empty":
        return values[0] is None or len(of(values[0], str, list, dict)) == 0
    assert name == "first"
    return next(iter(of(values[0], str, list)), "" if isinstance(values[0], str) else None)


def of(value: Any, *types: type) -> Any:
    if not isinstance(value, types):
        raise Wrong(f"{value} is none of {types}")
    return value


def concat(values: list[Any]) -> Any:
    if not any(isinstance(value, list) for value in values):
        return "".join("" if value is None else str(of(value, str, int, float)) for value in values)
    return [item for value in values for item in of(value, list)]


def field_value(name: str, world: World) -> Any:
    """§4.5: always of the resource of the `if`; the members that lack the property are left out."""
    values, _ = read(name, world.root, world.pins if world.root is world.resource else {})
    if "[*]" in name:
        return [value for value in values if value is not UNDEFINED]
    return None if values[0] is UNDEFINED else values[0]


def current(values: list[Any], world: World) -> Any:
    """§5.2, §5.3: the innermost count, or the one that is named; below a counted alias the bare value."""
    if not world.counts:
        raise Wrong("current() outside a count")
    if not values:
        return world.counts[-1][2]
    for name, stem, item in reversed(world.counts):
        if name == values[0].lower():
            return item
        if stem is not None and values[0].lower().startswith(name + "."):
            steps = steps_of(values[0])
            found, _ = walk(world.resource, steps, 0, world.pins)
            if all(steps[: at + 1] in world.pins for at, step in enumerate(steps) if step == "*"):
                return None if found[0] is UNDEFINED else found[0]
            return [value for value in found if value is not UNDEFINED]
    raise Wrong(values[0])


def text_of(value: Any) -> str:
    if not isinstance(value, str):
        raise Wrong("a field's name is a text")
    return value
