"""YAML text → the same text laid out in one way: two blanks a level, lists indented, keys in a given order.

Works on lines: what stands inside a line (quotes, flow collections, a comment at its end) stays as it was written, a
comment on lines of its own goes with what follows it. Knows no document; whoever calls says in which order keys stand.
INVARIANT: the result means what the text meant, and holds the same comments, or there is no result.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

import yaml

from policyengine.model.values import canonical_json
from policyengine.text.nodes import to_value
from policyengine.text.reader import read, read_leniently

STEP: Final = 2

Order: TypeAlias = Callable[[tuple[str, ...]], Sequence[str]]
"""From the keys that lead to a mapping (``[]`` for the items of a list) to its keys in order; others follow."""

_NOTHING: Final = frozenset({"", "~", "null", "Null", "NULL"})
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def unordered(_path: tuple[str, ...]) -> Sequence[str]:
    """Every key where it stands."""
    return ()


def lay_out(text: str, name: str, orders: Sequence[Order]) -> str | None:
    """The text in canonical layout, one order for each document that holds something; None when its meaning is at risk.

    Raises PolicyError for a text that cannot be read.
    """
    read(text, name)
    for tried in (orders, [unordered] * len(orders)):
        # An alias must stand after its anchor: where the order would break that, keys stay where they are.
        result = _Layout(text, tried).text()
        if _is_same(text, result, name):
            return result
    return None


def _is_same(before: str, after: str, name: str) -> bool:
    nodes, problems = read_leniently(after, name)
    if problems or _comments(before) != _comments(after):
        return False
    return [canonical_json(to_value(n)) for n in read(before, name)] == [canonical_json(to_value(n)) for n in nodes]


def _comments(text: str) -> list[str]:
    return sorted(line.strip() for line in text.splitlines() if line.lstrip().startswith("#"))


@dataclass(slots=True)
class _Node:
    """A value and the lines it takes, counted from 0. ``is_block`` is true for block collections only."""

    line: int
    column: int
    last: int
    is_block: bool = False
    is_mapping: bool = False
    is_literal: bool = False
    parts: list[_Node] = field(default_factory=list)
    text: str = ""

    @property
    def is_nothing(self) -> bool:
        return not (self.is_block or self.parts or self.is_literal) and self.text in _NOTHING

    @property
    def pairs(self) -> Iterator[tuple[_Node, _Node]]:
        return zip(self.parts[::2], self.parts[1::2], strict=True)


@dataclass(slots=True)
class _Document:
    """``first`` is the line of its `---`, or where it begins without one."""

    first: int
    root: _Node | None = None


def _documents(text: str) -> list[_Document]:
    documents: list[_Document] = []
    open_: list[_Node] = []
    event: Any
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.DocumentStartEvent):
            documents.append(_Document(_line(event.start_mark)))
        elif isinstance(event, yaml.CollectionEndEvent):
            done = open_.pop()
            done.last = max([part.last for part in done.parts], default=done.line)
            if not done.is_block:
                done.last = _line(event.end_mark)
        elif isinstance(event, yaml.NodeEvent):
            node = _node(event, open_[-1] if open_ else None)
            if open_:
                open_[-1].parts.append(node)
            else:
                documents[-1].root = node
            if isinstance(event, yaml.CollectionStartEvent):
                open_.append(node)
    return documents


def _line(mark: Any) -> int:
    return int(mark.line)


def _node(event: Any, parent: _Node | None) -> _Node:
    start, end = event.start_mark, event.end_mark
    if isinstance(event, yaml.CollectionStartEvent):
        is_mapping = isinstance(event, yaml.MappingStartEvent)
        return _Node(start.line, start.column, start.line, not event.flow_style, is_mapping)
    literal = isinstance(event, yaml.ScalarEvent) and event.style in {"|", ">"}
    last = end.line - 1 if literal and end.column == 0 and end.line > start.line else end.line
    text = event.value if isinstance(event, yaml.ScalarEvent) else ""
    if start.index == end.index and parent is not None and parent.parts:
        last = parent.parts[-1].last  # nothing is written: it stands where its key does
    return _Node(start.line, start.column, last, is_literal=literal, text=text)


class _Layout:
    def __init__(self, text: str, orders: Sequence[Order]) -> None:
        self.lines = text.lstrip("\ufeff").replace("\r\n", "\n").split("\n")
        self.documents = _documents("\n".join(self.lines))
        self.orders = orders

    def text(self) -> str:
        out: list[str] = []
        at = number = 0
        for index, document in enumerate(self.documents):
            following = self.documents[index + 1 : index + 2]
            end = following[0].first if following else len(self.lines)
            if document.root is None or not document.root.is_block or self._shares_its_line(document):
                out += self.lines[at:end]
            else:
                order = self.orders[number] if number < len(self.orders) else unordered
                start = document.root.line
                out += self._gap(at, start, 0)
                out += self._block(document.root, start, end, 0, order, ())
            number += document.root is not None and not document.root.is_nothing
            at = end
        if not self.documents:
            out = self._gap(0, len(self.lines), 0)
        while out and not out[-1].strip():
            out.pop()
        while out and not out[0].strip():
            out.pop(0)
        return "\n".join(out) + "\n" if out else ""

    def _shares_its_line(self, document: _Document) -> bool:
        return document.root is not None and self.lines[document.root.line].startswith("---")

    def _block(self, node: _Node, low: int, high: int, indent: int, order: Order, path: tuple[str, ...]) -> list[str]:
        if node.is_mapping:
            return self._mapping(node, low, high, indent, order, path)
        return self._sequence(node, low, high, indent, order, path)

    def _mapping(self, node: _Node, low: int, high: int, indent: int, order: Order, path: tuple[str, ...]) -> list[str]:
        pairs = list(node.pairs)
        regions = self._regions([key.line for key, _ in pairs], [value.last for _, value in pairs], high, node.column)
        chunks: list[tuple[str, list[str]]] = []
        for (key, value), (start, end) in zip(pairs, regions, strict=True):
            gap = self._gap(low, start, indent)
            chunks.append((key.text, gap + self._entry(key, value, start, end, indent, order, (*path, key.text))))
            low = end
        wanted = {name: position for position, name in enumerate(order(path))}
        chunks.sort(key=lambda chunk: wanted.get(chunk[0], len(wanted)))
        return self._joined([lines for _, lines in chunks], self._gap(low, high, indent))

    def _sequence(
        self, node: _Node, low: int, high: int, indent: int, order: Order, path: tuple[str, ...]
    ) -> list[str]:
        dashes = [self._dash(item, node.column) for item in node.parts]
        chunks: list[list[str]] = []
        for item, (start, end) in zip(
            node.parts, self._regions(dashes, [item.last for item in node.parts], high, node.column), strict=True
        ):
            gap = self._gap(low, start, indent)
            chunks.append(gap + self._item(item, start, end, node.column, indent, order, (*path, "[]")))
            low = end
        return self._joined(chunks, self._gap(low, high, indent))

    def _joined(self, chunks: list[list[str]], tail: list[str]) -> list[str]:
        """What begins a block begins without an empty line."""
        lines = [line for chunk in chunks for line in chunk]
        while lines and not lines[0]:
            lines.pop(0)
        return lines + tail

    def _dash(self, item: _Node, column: int) -> int:
        line = item.line
        while line > 0 and self.lines[line][column : column + 1] != "-":
            line -= 1
        return line

    def _regions(self, starts: list[int], lasts: list[int], high: int, column: int) -> list[tuple[int, int]]:
        """For each part its lines: up to the comments that are indented deeper than ``column``, which are still its."""
        regions = []
        for start, last, limit in zip(starts, lasts, [*starts[1:], high], strict=True):
            end = max(start, last) + 1
            for number in range(end, limit):
                line = self.lines[number]
                if line.lstrip().startswith("#") and len(line) - len(line.lstrip()) > column:
                    end = number + 1
            regions.append((start, end))
        return regions

    def _gap(self, low: int, high: int, indent: int) -> list[str]:
        """Comments and empty lines between parts; never two empty lines together."""
        out: list[str] = []
        for line in self.lines[low:high]:
            text = line.strip()
            if text:
                out.append(text if text.startswith(("---", "%")) else " " * indent + text)
            elif not out or out[-1]:
                out.append("")
        return out

    def _entry(
        self, key: _Node, value: _Node, start: int, end: int, indent: int, order: Order, path: tuple[str, ...]
    ) -> list[str]:
        if not value.is_block or not value.parts:
            return self._inline(key.column, value, start, end, indent, "")
        head = " " * indent + self.lines[start][key.column :].rstrip()
        return [head, *self._block(value, start + 1, end, indent + STEP, order, path)]

    def _item(
        self, item: _Node, start: int, end: int, column: int, indent: int, order: Order, path: tuple[str, ...]
    ) -> list[str]:
        after = self.lines[start][column + 1 :]
        content = column + 1 + len(after) - len(after.lstrip())
        if not item.is_block or not item.parts:
            return self._inline(content, item, start, end, indent, "- ")
        if item.parts[0].line > start:
            head = " " * indent + ("- " + self.lines[start][content:]).rstrip()
            return [head, *self._block(item, start + 1, end, indent + STEP, order, path)]
        lines = self._block(item, start, end, indent + STEP, order, path)
        above = next(n for n, line in enumerate(lines) if line and not line.lstrip().startswith("#"))
        first = " " * indent + "- " + lines[above].lstrip()
        return [*(" " * indent + line.strip() for line in lines[:above]), first, *lines[above + 1 :]]

    def _inline(self, column: int, value: _Node, start: int, end: int, indent: int, mark: str) -> list[str]:
        """What is written from ``column`` on, its further lines moved along with the first."""
        shift = indent + len(mark) - column
        last = min(max(start, value.last) + 1, end)
        out = [" " * indent + mark + self.lines[start][column:].rstrip()]
        for line in self.lines[start + 1 : last]:
            text = line if value.is_literal else line.rstrip()
            out.append(_shifted(text, shift) if text.strip() else "")
        return out + self._gap(last, end, indent + STEP)


def _shifted(line: str, by: int) -> str:
    if by >= 0:
        return " " * by + line
    blanks = len(line) - len(line.lstrip(" "))
    return line[min(-by, blanks) :]
