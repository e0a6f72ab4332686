"""JSON text → nodes with places. Strict JSON (RFC 8259), a byte order mark tolerated; no library keeps positions."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from json import decoder
from typing import Any, NoReturn

from policyengine.model.values import JSON
from policyengine.text.nodes import Entry, MappingNode, Node, ScalarNode, SequenceNode
from policyengine.text.places import MAX_DEPTH, Reading, Unreadable, make_room

_scanstring: Any = vars(decoder)["scanstring"]  # the standard library's own, in C where it can be

_BLANK = re.compile(r"[ \t\r\n]*")
_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(\.\d+)?([eE][-+]?\d+)?")
_WORDS: dict[str, JSON] = {"true": True, "false": False, "null": None}
_WORD = re.compile("true|false|null")
_MAX_DIGITS = 400


def read_json(reading: Reading) -> Node | None:
    """The one value of the text, None for blank text. Raises Unreadable at the first syntax error."""
    scanner = _Scanner(reading)
    at = scanner.skip(1 if reading.source.text.startswith("\ufeff") else 0)
    if at == len(scanner.text):
        return None
    node, at = scanner.value(at, 1)
    at = scanner.skip(at)
    if at != len(scanner.text):
        scanner.fail("there is more text after the end of the JSON value", at)
    return node


def read_json_values(reading: Reading) -> Iterator[Node]:
    """The values of a text with one after another, as NDJSON has them. Raises Unreadable at the first syntax error."""
    scanner = _Scanner(reading)
    at = scanner.skip(1 if reading.source.text.startswith("\ufeff") else 0)
    while at < len(scanner.text):
        node, at = scanner.value(at, 1)
        yield node
        at = scanner.skip(at)


class _Scanner:
    """Each method takes the offset where something starts and gives it back with the offset after it."""

    def __init__(self, reading: Reading) -> None:
        self.reading = reading
        self.text = reading.source.text

    def skip(self, at: int) -> int:
        if self.text[at : at + 1] > " ":
            return at
        match = _BLANK.match(self.text, at)
        return match.end() if match else at

    def fail(self, message: str, at: int, help: str | None = None, code: str = "json-syntax") -> NoReturn:
        self.reading.error(code, message, self.reading.span(at, at + 1), help)
        raise Unreadable

    def value(self, at: int, depth: int) -> tuple[Node, int]:
        first = self.text[at : at + 1]
        if first == "{":
            return self.mapping(at, depth)
        if first == "[":
            return self.sequence(at, depth)
        if first == '"':
            return self.string(at)
        return self.scalar(at)

    def mapping(self, start: int, depth: int) -> tuple[Node, int]:
        self.check_depth(start, depth)
        entries: list[Entry] = []
        seen: set[str] = set()
        at = self.skip(start + 1)
        while self.text[at : at + 1] != "}":
            at = self.separator(at, first=not entries, closing="}")
            key, at = self.key(at)
            if key.value in seen:
                self.reading.error("duplicate-key", f"`{key.value}` is given twice", key.span, "keep one of them")
            seen.add(key.value)
            value, at = self.value(self.skip(at), depth + 1)
            entries.append(Entry(key, value))
            at = self.skip(at)
        return MappingNode(tuple(entries), self.reading.span(start, at + 1)), at + 1

    def key(self, at: int) -> tuple[ScalarNode, int]:
        if self.text[at : at + 1] != '"':
            self.fail("a key in double quotes is expected here", at)
        key, at = self.string(at)
        at = self.skip(at)
        if self.text[at : at + 1] != ":":
            self.fail(f"a colon is expected after the key `{key.value}`", at)
        return key, at + 1

    def sequence(self, start: int, depth: int) -> tuple[Node, int]:
        self.check_depth(start, depth)
        items: list[Node] = []
        at = self.skip(start + 1)
        while self.text[at : at + 1] != "]":
            at = self.separator(at, first=not items, closing="]")
            item, at = self.value(at, depth + 1)
            items.append(item)
            at = self.skip(at)
        return SequenceNode(tuple(items), self.reading.span(start, at + 1)), at + 1

    def separator(self, at: int, *, first: bool, closing: str) -> int:
        if first:
            return at
        if self.text[at : at + 1] != ",":
            self.fail(f"a comma or `{closing}` is expected here", at)
        after = self.skip(at + 1)
        if self.text[after : after + 1] == closing:
            self.fail(f"there is a comma before `{closing}`", at, "JSON allows no comma after the last one; remove it")
        return after

    def string(self, start: int) -> tuple[ScalarNode, int]:
        try:
            value, end = _scanstring(self.text, start + 1, True)
        except json.JSONDecodeError as error:
            self.fail(_string_problem(error), error.pos)
        if "\\u" in self.text[start:end] and any("\ud800" <= character <= "\udfff" for character in value):
            self.fail("half of a surrogate pair stands alone in this text", start)
        return ScalarNode(value, self.reading.span(start, end)), end

    def scalar(self, at: int) -> tuple[ScalarNode, int]:
        word = _WORD.match(self.text, at)
        if word:
            return ScalarNode(_WORDS[word.group()], self.reading.span(at, word.end())), word.end()
        number = _NUMBER.match(self.text, at)
        if number is None:
            self.fail("a JSON value is expected here" if at < len(self.text) else "the text ends too early", at)
        return ScalarNode(self.number(number), self.reading.span(at, number.end())), number.end()

    def number(self, match: re.Match[str]) -> int | float:
        if match[1] is None and match[2] is None and len(match[0]) <= _MAX_DIGITS:
            return int(match[0])
        value = float(match[0])
        if math.isinf(value):
            self.fail("this number is too large", match.start())
        return value

    def check_depth(self, at: int, depth: int) -> None:
        if depth > MAX_DEPTH:
            self.fail(f"nested more than {MAX_DEPTH} levels deep", at, code="too-deep")
        make_room(depth)


def _string_problem(error: json.JSONDecodeError) -> str:
    if "Unterminated" in error.msg:
        return "the text that starts here has no closing quote"
    if "control character" in error.msg:
        return "a line break or control character stands inside quotes: write it as an escape such as `\\n`"
    return "this is not an escape that JSON knows"
