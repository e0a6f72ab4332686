"""YAML text → nodes with places: the YAML 1.2 core schema, so `on`, `no` and timestamps stay text.

Works on the parser's events, which are flat, so that hostile nesting cannot exhaust any stack.
INVARIANT: aliases, written out, never add more than MAX_ALIASED values to the tree.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import Any

import yaml

from policyengine.model.diagnostic import Span
from policyengine.model.values import JSON
from policyengine.text.nodes import Entry, MappingNode, Node, ScalarNode, SequenceNode
from policyengine.text.places import Reading, Unreadable, make_room

_MAX_DEPTH = 990
"""libyaml itself gives up at 1,000, and calls it a syntax error."""

MAX_ALIASED = 100_000
"""How many values the aliases of one file may stand for."""

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_PREFIX = "tag:yaml.org,2002:"
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLEANS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INTEGER = re.compile(r"[-+]?[0-9]{1,400}")
_OCTAL = re.compile(r"0o([0-7]{1,400})")
_HEXADECIMAL = re.compile(r"0x([0-9a-fA-F]{1,400})")
FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")


def read_yaml(reading: Reading) -> list[Node]:
    """One node per document that holds something. Raises Unreadable at the first syntax error."""
    builder = _Builder(reading)
    try:
        for event in yaml.parse(reading.source.text, Loader=_Loader):
            builder.take(event)
    except yaml.MarkedYAMLError as error:
        _report_syntax(reading, error)
        raise Unreadable from None
    except (yaml.reader.ReaderError, UnicodeEncodeError) as error:
        at = error.start if isinstance(error, UnicodeEncodeError) else min(error.position, len(reading.source.text))
        reading.error("yaml-syntax", "a character here is not allowed in YAML", reading.span(at, at + 1))
        raise Unreadable from None
    return builder.documents


@dataclass(slots=True)
class _Open:
    """A collection whose end has not been seen yet. In a mapping, ``parts`` alternates keys and values."""

    start: Any
    size: int = 1
    parts: list[Node] = field(default_factory=list)


class _Builder:
    def __init__(self, reading: Reading) -> None:
        self.reading = reading
        self.documents: list[Node] = []
        self.open: list[_Open] = []
        self.anchors: dict[str, tuple[Node, int]] = {}
        self.aliased = 0

    def take(self, event: Any) -> None:
        if isinstance(event, yaml.ScalarEvent):
            self.add(self.scalar(event), 1, event.anchor)
        elif isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
            self.start(event)
        elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            self.end(event)
        elif isinstance(event, yaml.AliasEvent):
            self.alias(event)
        elif isinstance(event, yaml.DocumentStartEvent):
            self.anchors.clear()

    def start(self, event: Any) -> None:
        if len(self.open) >= _MAX_DEPTH:
            self.reading.error("too-deep", f"nested more than {_MAX_DEPTH} levels deep", self.span(event))
            raise Unreadable
        make_room(len(self.open))
        wanted = "map" if isinstance(event, yaml.MappingStartEvent) else "seq"
        if event.tag not in {None, "!", _PREFIX + wanted}:
            self.unsupported_tag(event)
        self.open.append(_Open(event))

    def end(self, event: Any) -> None:
        done = self.open.pop()
        span = self.span(done.start, event)
        node: Node = SequenceNode(tuple(done.parts), span)
        if isinstance(event, yaml.MappingEndEvent):
            node = MappingNode(self.entries(done.parts), span)
        self.add(node, done.size, done.start.anchor)

    def alias(self, event: Any) -> None:
        if event.anchor in self.anchors:
            self.add_again(event, *self.anchors[event.anchor])
            return
        inside = any(part.start.anchor == event.anchor for part in self.open)
        problem = "refers to the value it stands in" if inside else "has no anchor before it"
        self.reading.error("alias-bomb" if inside else "yaml-syntax", f"`*{event.anchor}` {problem}", self.span(event))
        self.add(ScalarNode(None, self.span(event)), 1, None)

    def add_again(self, event: Any, node: Node, size: int) -> None:
        self.aliased += size
        if self.aliased > MAX_ALIASED:
            help = "write the repeated part out, or repeat it less often"
            message = f"aliases stand for more than {MAX_ALIASED:,} values"
            self.reading.error("alias-bomb", message, self.span(event), help)
            raise Unreadable
        self.add(node, size, None)

    def add(self, node: Node, size: int, anchor: str | None) -> None:
        top = self.open[-1] if self.open else None
        if top is not None:
            top.size += size
        if anchor is not None:
            self.anchors[anchor] = (node, size)
        if top is not None:
            top.parts.append(node)
        elif not (isinstance(node, ScalarNode) and node.value is None):
            self.documents.append(node)

    def entries(self, parts: list[Node]) -> tuple[Entry, ...]:
        entries: list[Entry] = []
        seen: set[str] = set()
        for key, value in zip(parts[::2], parts[1::2], strict=True):
            if not isinstance(key, ScalarNode):
                self.reading.error("yaml-syntax", "a key must be plain text, not a list or a mapping", key.span)
                continue
            name = ScalarNode(self.key_text(key), key.span)
            if name.value in seen:
                self.reading.error("duplicate-key", f"`{name.value}` is given twice", key.span, "keep one of them")
            elif name.value == "<<":
                help = "write the keys out; an alias may stand for a whole value"
                self.reading.error("unsupported-tag", "merge keys (`<<`) are not part of YAML 1.2", key.span, help)
            seen.add(str(name.value))
            entries.append(Entry(name, value))
        return tuple(entries)

    def key_text(self, key: ScalarNode) -> str:
        """As written: `on:`, `1:` and `true:` are the texts `on`, `1` and `true`."""
        if isinstance(key.value, str):
            return key.value
        span = key.span
        return self.reading.source.lines[span.line - 1][span.column - 1 : span.end_column - 1]

    def scalar(self, event: Any) -> ScalarNode:
        return ScalarNode(self.value(event), self.span(event))

    def value(self, event: Any) -> JSON:
        text: str = event.value
        tag = event.tag
        if tag is None:
            return self.resolve(event) if event.implicit[0] else text
        if tag in {"!", _PREFIX + "str"}:
            return text
        if tag not in {_PREFIX + kind for kind in ("null", "bool", "int", "float")}:
            self.unsupported_tag(event)
            return text
        value = self.resolve(event)
        if isinstance(value, str):
            self.reading.error("unsupported-tag", f"`{text}` is not what its tag says", self.span(event))
        return value

    def resolve(self, event: Any) -> JSON:
        text: str = event.value
        if NOT_FINITE.fullmatch(text):
            self.reading.error("yaml-syntax", f"`{text}` has no JSON value", self.span(event), "quote it to mean text")
            return text
        value = resolve_plain(text)
        if isinstance(value, float) and math.isinf(value):
            self.reading.error("yaml-syntax", f"the number `{text}` is too large", self.span(event))
        return value

    def unsupported_tag(self, event: Any) -> None:
        tag = str(event.tag).replace(_PREFIX, "!!")
        help = "remove the tag; plain values need none"
        self.reading.error("unsupported-tag", f"the tag `{tag}` is not supported", self.span(event), help)

    def span(self, start: Any, end: Any = None) -> Span:
        first, last = start.start_mark, (end or start).end_mark
        return Span(self.reading.source, first.line + 1, first.column + 1, last.line + 1, last.column + 1)


def resolve_plain(text: str) -> JSON:
    """The value of unquoted text. Source: YAML 1.2.2, "Core Schema"."""
    if text in _NULLS:
        return None
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if match := _OCTAL.fullmatch(text):
        return int(match[1], 8)
    if match := _HEXADECIMAL.fullmatch(text):
        return int(match[1], 16)
    return float(text) if FLOAT.fullmatch(text) else text


def _report_syntax(reading: Reading, error: yaml.MarkedYAMLError) -> None:
    mark = error.problem_mark or error.context_mark
    lines = reading.source.lines
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    if line > len(lines):  # libyaml sees a line break at the end that is not there
        line, column = max(1, len(lines)), len(lines[-1]) + 1 if lines else 1
    problem = (error.problem or "this is not YAML").replace("\n", " ")
    if error.context:
        problem += f" {error.context}"
        problem += f" that begins on line {error.context_mark.line + 1}" if error.context_mark else ""
    help = (
        "indent with blanks, not tabs" if reading.source.text[: 1 + mark.index if mark else 0].endswith("\t") else None
    )
    reading.error("yaml-syntax", problem, Span(reading.source, line, column, line, column + 1), help)
