"""The condition operators: one table, one predicate factory per operator.

The outer function of an operator takes the right-hand side and runs once when that is known; the inner one takes
the left-hand side and runs once per value. The kinds of nothing keep apart as the reference demands.
Source: policy language §3.
"""

from __future__ import annotations

import string
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from policyengine.errors import ExpressionError
from policyengine.language.comparison import Value, as_text, compare, exact_key, parse_number, values_equal
from policyengine.model.values import JSON, NO_RESULT, UNDEFINED, is_array

Predicate: TypeAlias = Callable[[Value], bool]

MAX_LIKE_WORK: Final = 4_000_000
"""Characters of a text times characters of a piece between two ``*`` that holds a ``?``."""

_CLASSES: Final = {"#": frozenset(string.digits), "?": frozenset(string.ascii_letters)}
_BOOLEANS: Final = {"true": True, "false": False}
_MANY: Final = 16


@dataclass(frozen=True, slots=True)
class Operator:
    """One operator. ``twin`` is the operator that is its exact negation, where there is one.

    ``needs_right`` tells that the twin, too, is false when the right-hand side has no result.
    """

    name: str
    compile_positive: Callable[[Value], Predicate]
    negated: bool = False
    twin: str | None = None
    needs_right: bool = False

    def compile(self, right: Value) -> Predicate:
        """The test that remains once the right-hand side is known."""
        if self.needs_right and right is NO_RESULT:
            return _never
        holds = self.compile_positive(right)
        negated = self.negated

        # A left-hand side without a result fails every test, the negated ones included (§3.1).
        def test(left: Value) -> bool:
            return left is not NO_RESULT and holds(left) is not negated

        return test

    def test(self, left: Value, right: Value) -> bool:
        """``left operator right``, each a JSON value or a kind of nothing."""
        return self.compile(right)(left)


def _never(_left: Value) -> bool:
    return False


def equals(right: Value) -> Predicate:
    """Equal after coercion. Source: §3.2, §3.3."""
    return lambda left: values_equal(left, right)


def is_in(right: Value) -> Predicate:
    """Some element equals the left-hand side; null is in no list, UNDEFINED only where null is listed. Source: §3.2."""
    elements: Sequence[JSON] = right if is_array(right) else [] if right is NO_RESULT else [right]
    if len(elements) > _MANY:
        return _is_in_many(elements)

    def holds(left: Value) -> bool:
        if left is None:
            return False
        if left is UNDEFINED:
            return any(element is None for element in elements)
        return any(_element_equals(left, element) for element in elements)

    return holds


def _is_in_many(elements: Sequence[JSON]) -> Predicate:
    """`is_in`, looked up rather than tried one by one; what equals what is as `values_equal` has it."""
    listed = [element for element in elements if element is not None]
    texts = {element.casefold() for element in listed if isinstance(element, str)}
    exact = {exact_key(element) for element in listed if not isinstance(element, str)}
    spelt = {exact_key(parse_number(element)) for element in listed if isinstance(element, str)}

    def holds(left: Value) -> bool:
        if left is None:
            return False
        if left is UNDEFINED:
            return len(listed) < len(elements)
        if isinstance(left, bool):
            return exact_key(left) in exact or ("true" if left else "false") in texts
        if not isinstance(left, str):
            return (key := exact_key(left)) in exact or key in spelt
        folded = left.casefold()
        if folded in texts or (folded in _BOOLEANS and exact_key(_BOOLEANS[folded]) in exact):
            return True
        number = parse_number(left)
        return number is not None and exact_key(number) in exact

    return holds


def _element_equals(left: Value, element: JSON) -> bool:
    return element is not None and values_equal(left, element)


def like(right: Value) -> Predicate:
    """The whole text, folded; ``*`` stands for any run of characters, ``?`` for one. Source: §3.2."""
    pattern = as_text(right)
    if pattern is None:
        return _never
    head, *rest = pattern.casefold().split("*")
    if len(rest) == 1 and "?" not in pattern:
        return _ends(head, rest[0])
    if not rest:
        return _text_test(lambda text: len(text := text.casefold()) == len(head) and _fits(head, text, 0))
    return _text_test(lambda text: _is_like(text.casefold(), head, rest[:-1], rest[-1]))


def _ends(head: str, tail: str) -> Predicate:
    """`like` as it mostly is: one ``*``."""
    least = len(head) + len(tail)

    def starts(left: Value) -> bool:
        text = left if isinstance(left, str) else as_text(left)
        return text is not None and text.casefold().startswith(head)

    def holds(left: Value) -> bool:
        text = left if isinstance(left, str) else as_text(left)
        if text is None:
            return False
        folded = text.casefold()
        return len(folded) >= least and folded.startswith(head) and folded.endswith(tail)

    return holds if tail else starts


def _is_like(text: str, head: str, middle: Sequence[str], tail: str) -> bool:
    """``head`` and ``tail`` at the ends, ``middle`` between them in order: the first place of each is good enough."""
    at, end = len(head), len(text) - len(tail)
    if at > end or not _fits(head, text, 0) or not _fits(tail, text, end):
        return False
    for piece in middle:
        found = _find(piece, text, at, end)
        if found < 0:
            return False
        at = found + len(piece)
    return True


def _fits(piece: str, text: str, at: int) -> bool:
    if "?" not in piece:
        return text.startswith(piece, at)
    return all(wanted in ("?", got) for wanted, got in zip(piece, text[at : at + len(piece)], strict=False))


def _find(piece: str, text: str, at: int, end: int) -> int:
    if "?" not in piece:
        return text.find(piece, at, end)
    if len(piece) * (end - at) > MAX_LIKE_WORK:
        raise ExpressionError(f"a text of {len(text)} characters is too long for a pattern with `?`")
    places = range(at, end - len(piece) + 1)
    return next((place for place in places if _fits(piece, text, place)), -1)


def match(right: Value) -> Predicate:
    """The whole text; ``#`` one digit, ``?`` one letter, ``.`` any character, the rest itself. Source: §3.2."""
    return _match(right, str)


def match_insensitively(right: Value) -> Predicate:
    """As `match`, case folded. Source: §3.2."""
    return _match(right, str.casefold)


def _match(right: Value, fold: Callable[[str], str]) -> Predicate:
    pattern = as_text(right)
    if pattern is None:
        return _never

    def holds(text: str) -> bool:
        return len(text) == len(pattern) and all(map(_matches_one, map(fold, pattern), map(fold, text)))

    return _text_test(holds)


def _matches_one(wanted: str, got: str) -> bool:
    if wanted in _CLASSES:
        return got in _CLASSES[wanted]
    return wanted == "." or wanted == got


def _text_test(holds: Callable[[str], bool]) -> Predicate:
    def test(left: Value) -> bool:
        text = as_text(left)
        return text is not None and holds(text)

    return test


def contains(right: Value) -> Predicate:
    """A substring of text, an element of an array, a key of an object. Source: §3.2."""
    needle = as_text(right)
    has_key = contains_key(right)

    def holds(left: Value) -> bool:
        if isinstance(left, str):
            return needle is not None and needle.casefold() in left.casefold()
        if is_array(left):
            return any(values_equal(element, right) for element in left)
        if isinstance(left, Mapping):
            return has_key(left)
        text = as_text(left) if isinstance(right, str) else None
        return text is not None and needle is not None and needle.casefold() in text.casefold()

    return holds


def contains_key(right: Value) -> Predicate:
    """An object with that key, without case. Source: §3.2."""
    key = as_text(right)
    folded = key.casefold() if key is not None else None
    return lambda left: isinstance(left, Mapping) and any(name.casefold() == folded for name in left)


def _ordered(wanted: frozenset[int]) -> Callable[[Value], Predicate]:
    def operator(right: Value) -> Predicate:
        return lambda left: compare(left, right) in wanted

    return operator


def exists(right: Value) -> Predicate:
    """There and not null, or the opposite; empty text, objects and arrays exist. Source: §3.2."""
    wanted = right is True or (isinstance(right, str) and right.casefold() == "true")
    return lambda left: (left is not None and left is not UNDEFINED) is wanted


def normalise_location(value: JSON) -> JSON:
    """A location, or a list of them, as comparisons see it: lower case, no blanks. Source: §4.1."""
    if isinstance(value, str):
        return "".join(value.casefold().split())
    return [normalise_location(item) for item in value] if is_array(value) else value


def _pair(
    name: str, negated: str, compile_positive: Callable[[Value], Predicate], **more: bool
) -> tuple[Operator, ...]:
    return (
        Operator(name, compile_positive, twin=negated, **more),
        Operator(negated, compile_positive, negated=True, twin=name, **more),
    )


_ALL: Final = (
    *_pair("equals", "notEquals", equals),
    *_pair("like", "notLike", like),
    *_pair("match", "notMatch", match),
    *_pair("matchInsensitively", "notMatchInsensitively", match_insensitively),
    *_pair("contains", "notContains", contains, needs_right=True),
    *_pair("in", "notIn", is_in),
    *_pair("containsKey", "notContainsKey", contains_key, needs_right=True),
    Operator("less", _ordered(frozenset({-1}))),
    Operator("lessOrEquals", _ordered(frozenset({-1, 0}))),
    Operator("greater", _ordered(frozenset({1}))),
    Operator("greaterOrEquals", _ordered(frozenset({1, 0}))),
    Operator("exists", exists),
)

OPERATORS: Final[Mapping[str, Operator]] = {operator.name.casefold(): operator for operator in _ALL}
"""Folded name → operator."""


def find_operator(name: str) -> Operator | None:
    return OPERATORS.get(name.casefold())
