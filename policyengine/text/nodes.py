"""A document as a tree of nodes, each knowing its place in the text; what the words mean is decided elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

from policyengine.model.diagnostic import Span
from policyengine.model.values import JSON


@dataclass(frozen=True, slots=True, eq=False)
class ScalarNode:
    """Text, a number, a boolean or null. As a mapping's key, ``value`` is the text as written."""

    value: JSON
    span: Span

    def at(self, offset: int, length: int = 1) -> Span:
        """The place ``offset`` characters into the text, if the file spells it out on one line; else the whole span."""
        span = self.span
        lines = span.source.lines
        if not isinstance(self.value, str) or span.line != span.end_line or span.line > len(lines):
            return span
        quote = 1 if lines[span.line - 1][span.column - 1 : span.column] in {"'", '"'} else 0
        start = span.column - 1 + quote
        if lines[span.line - 1][start : start + offset] != self.value[:offset]:
            return span
        column = start + offset + 1
        end = max(column + 1, min(column + length, span.end_column - quote))
        return Span(span.source, span.line, column, span.line, end)


@dataclass(frozen=True, slots=True, eq=False)
class SequenceNode:
    items: tuple[Node, ...]
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """One member of a mapping."""

    key: ScalarNode
    value: Node

    @property
    def name(self) -> str:
        return str(self.key.value)

    @property
    def span(self) -> Span:
        """From the key to the end of the value, or the key alone when the value goes on over several lines."""
        key, value = self.key.span, self.value.span
        if value.end_line != key.line or value.line != key.line:
            return key
        return Span(key.source, key.line, key.column, value.end_line, value.end_column)


@dataclass(frozen=True, slots=True, eq=False)
class MappingNode:
    entries: tuple[Entry, ...]
    span: Span

    def __iter__(self) -> Iterator[Entry]:
        return iter(self.entries)

    def entry(self, name: str) -> Entry | None:
        """The first member called ``name``, case folded; an exact match wins."""
        folded = name.casefold()
        near = None
        for entry in self.entries:
            if entry.key.value == name:
                return entry
            if near is None and entry.name.casefold() == folded:
                near = entry
        return near

    def get(self, name: str) -> Node | None:
        entry = self.entry(name)
        return entry.value if entry else None


Node: TypeAlias = ScalarNode | SequenceNode | MappingNode


def to_value(node: Node) -> JSON:
    """The plain value: dicts (in the order written), lists and scalars."""
    if isinstance(node, MappingNode):
        return {entry.name: to_value(entry.value) for entry in node.entries}
    if isinstance(node, SequenceNode):
        return [to_value(item) for item in node.items]
    return node.value


def describe(node: Node) -> str:
    """What a person would call this kind of value: ``a list``, ``text``, ``a number``."""
    if isinstance(node, MappingNode):
        return "a mapping"
    if isinstance(node, SequenceNode):
        return "a list"
    return describe_scalar(node.value)


def describe_scalar(value: JSON) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true or false"
    return "text" if isinstance(value, str) else "a number"
