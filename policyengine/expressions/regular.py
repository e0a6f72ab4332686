"""Regular expressions whose cost is bounded, whatever the pattern: the door for the parser of `re`.

`re` tries one way after another, which for some patterns is exponential. Where that cannot be ruled out, the pattern
is run on all ways at once, which takes the length of the text times the size of the pattern. Patterns that cannot be
run so (references to groups, looking around) are refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final, NoReturn, TypeAlias

from policyengine.errors import ExpressionError

MAX_WORK: Final = 4_000_000
"""Characters of the text times parts of the pattern."""

MAX_PARTS: Final = 5_000
_CHEAP: Final = 1_000_000
"""Ways that `re` may try at worst; fewer than this it is left to try."""

_parser: Any = vars(re)["_parser"]
_op: Any = vars(re)["_constants"]

_Test: TypeAlias = Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class Pattern:
    """A compiled pattern. ``repeats`` is how many of its parts may be of any length, None when one holds another."""

    fast: re.Pattern[str]
    program: tuple[tuple[str, Any], ...]
    repeats: int | None

    def is_in(self, text: str) -> bool:
        """True when the pattern is found anywhere in ``text``. Raises ExpressionError when that takes too long."""
        size = len(self.program)
        tries = 2 ** min(len(text), 64) if self.repeats is None else (len(text) + 1) ** (self.repeats + 1)
        if tries * size <= _CHEAP:
            return self.fast.search(text) is not None
        if len(text) * size > MAX_WORK:
            raise ExpressionError(f"a text of {len(text)} characters is too long for a pattern of {size} parts")
        return _found(self.program, text)


@lru_cache(maxsize=256)
def compile_pattern(pattern: str) -> Pattern:
    """Raises ExpressionError for what is no regular expression, or one that cannot be bounded."""
    try:
        tree, fast = _parser.parse(pattern), re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        raise ExpressionError(f"`{pattern}` is not a regular expression: {error}") from error
    builder = _Builder(pattern)
    builder.sequence(tree, tree.state.flags)
    builder.emit("found")
    return Pattern(fast, tuple(builder.program), None if builder.is_nested else builder.repeats)


@dataclass(slots=True)
class _Builder:
    """Writes the program: ``one`` tests a character, ``at`` a place, ``to`` goes on at any of several instructions."""

    pattern: str
    program: list[tuple[str, Any]] = field(default_factory=list)
    repeats: int = 0
    is_nested: bool = False

    def emit(self, kind: str, argument: Any = None) -> int:
        if len(self.program) >= MAX_PARTS:
            raise ExpressionError(f"the pattern has more than {MAX_PARTS} parts when its repeats are written out")
        self.program.append((kind, argument))
        return len(self.program) - 1

    def sequence(self, items: Iterable[tuple[Any, Any]], flags: int) -> None:
        for op, argument in items:
            if op is _op.SUBPATTERN:
                _, added, removed, inner = argument
                self.sequence(inner, (flags | added) & ~removed)
            elif op is _op.BRANCH:
                self.branch(argument[1], flags)
            elif op in {_op.MAX_REPEAT, _op.MIN_REPEAT}:
                least, most, inner = argument
                self.repeat(least, most, inner, flags)
            elif op is _op.AT:
                self.emit("at", _place(argument, flags))
            elif op in {_op.LITERAL, _op.NOT_LITERAL, _op.ANY, _op.IN}:
                self.emit("one", _character(op, argument, flags))
            else:
                self.refuse()

    def branch(self, choices: Sequence[Any], flags: int) -> None:
        start = self.emit("to")
        starts, ends = [], []
        for choice in choices:
            starts.append(len(self.program))
            self.sequence(choice, flags)
            ends.append(self.emit("to"))
        self.program[start] = ("to", starts)
        for end in ends:
            self.program[end] = ("to", [len(self.program)])

    def repeat(self, least: int, most: Any, inner: Any, flags: int) -> None:
        before = self.repeats
        for _ in range(least):
            self.sequence(inner, flags)
        if most is _op.MAXREPEAT:
            start = self.emit("to")
            self.sequence(inner, flags)
            self.emit("to", [start])
            self.program[start] = ("to", [start + 1, len(self.program)])
            self.is_nested |= self.repeats > before or any(op is _op.BRANCH for op, _ in _all(inner))
            self.repeats += 1
            return
        for _ in range(int(most) - least):
            start = self.emit("to")
            self.sequence(inner, flags)
            self.program[start] = ("to", [start + 1, len(self.program)])
            self.repeats += 1

    def refuse(self) -> NoReturn:
        help = "leave out references to groups, looking ahead or behind, and possessive repeats"
        raise ExpressionError(f"`{self.pattern}` asks for what cannot be matched in bounded time", help=help)


def _all(items: Any) -> Iterable[tuple[Any, Any]]:
    """Every item of a parsed pattern, at any depth."""
    for op, argument in items:
        yield op, argument
        for part in argument if isinstance(argument, tuple) else ():
            if isinstance(part, _parser.SubPattern):
                yield from _all(part)


def _character(op: Any, argument: Any, flags: int) -> _Test:
    if op is _op.ANY:
        return (lambda _: True) if flags & re.DOTALL else lambda c: c != "\n"
    if op is _op.IN:
        negated = argument[0][0] is _op.NEGATE
        tests = [_member(kind, value, flags) for kind, value in argument if kind is not _op.NEGATE]
        inside = _without_case(lambda c: any(test(c) for test in tests), flags)
        return (lambda c: not inside(c)) if negated else inside
    equals = _without_case(chr(argument).__eq__, flags)
    return equals if op is _op.LITERAL else lambda c: not equals(c)


def _without_case(test: _Test, flags: int) -> _Test:
    if not flags & re.IGNORECASE:
        return test
    return lambda c: test(c) or test(c.lower()) or test(c.upper())


def _member(kind: Any, value: Any, flags: int) -> _Test:
    if kind is _op.LITERAL:
        return chr(value).__eq__
    if kind is _op.RANGE:
        low, high = map(chr, value)
        return lambda c: low <= c <= high
    letter = {"DIGIT": "d", "SPACE": "s", "WORD": "w"}[str(value).rpartition("_")[2]]
    letter = letter.upper() if "_NOT_" in str(value) else letter
    fits = re.compile(f"\\{letter}", flags & re.ASCII).match
    return lambda c: fits(c) is not None


def _place(kind: Any, flags: int) -> Callable[[str, int], bool]:
    lines = bool(flags & re.MULTILINE)
    if kind in {_op.AT_BEGINNING, _op.AT_BEGINNING_STRING}:
        lines = lines and kind is _op.AT_BEGINNING
        return lambda text, at: at == 0 or (lines and text[at - 1] == "\n")
    if kind is _op.AT_END_STRING:
        return lambda text, at: at == len(text)
    if kind is _op.AT_END:
        return lambda text, at: at == len(text) or (text[at] == "\n" and (lines or at == len(text) - 1))
    word = re.compile(r"\w", flags & re.ASCII).match
    inside = kind is _op.AT_NON_BOUNDARY
    return lambda text, at: (bool(word(text[max(at - 1, 0) : at])) is bool(word(text[at : at + 1]))) is inside


def _found(program: Sequence[tuple[str, Any]], text: str) -> bool:
    """Every instruction that some way has reached, character by character; a way may begin anywhere."""
    active: set[int] = set()
    for at in range(len(text) + 1):
        reached: set[int] = set()
        waiting = [0, *active]
        while waiting:
            place = waiting.pop()
            if place in reached:
                continue
            reached.add(place)
            kind, argument = program[place]
            if kind == "found":
                return True
            if kind == "to":
                waiting.extend(argument)
            elif kind == "at" and argument(text, at):
                waiting.append(place + 1)
        if at < len(text):
            active = {p + 1 for p in reached if program[p][0] == "one" and program[p][1](text[at])}
    return False
