"""Tables for people: columns as wide as their longest cell, then prose. Nothing is ever cut off.

Prose stands beside its row, wrapped in the room that is left. Where that is too little to read in, prose that does
not fit on one line stands below its row instead. Lines end where their text ends: nothing pads them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

from rich.console import Console, ConsoleOptions
from rich.text import Text

GAP: Final = 2
READABLE: Final = 40
"""Columns that prose of several lines needs."""


@dataclass(frozen=True)
class Row:
    """One cell for each heading; ``prose`` is free text about the row, ``below`` are lines of their own under it."""

    cells: Sequence[Text]
    prose: Text = field(default_factory=Text)
    below: Sequence[Text] = ()


@dataclass(frozen=True)
class Heading:
    title: str
    align: str = "left"


@dataclass(frozen=True)
class Table:
    """``prose`` is the title over the prose; ``indent`` is where lines under a row begin."""

    headings: Sequence[Heading]
    rows: Sequence[Row]
    prose: str = ""
    indent: int = 4

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Text]:
        if any(heading.title for heading in self.headings):
            titles = [Text(heading.title.upper()) for heading in self.headings]
            yield from self._lines(console, Row(titles, Text(self.prose.upper())), options.max_width, "bold")
        for row in self.rows:
            yield from self._lines(console, row, options.max_width)

    def _lines(self, console: Console, row: Row, width: int, style: str = "") -> Iterator[Text]:
        line = self._cells(row)
        start = sum(self._widths) + GAP * len(self._widths)
        room = width - start
        below = list(row.below)
        beside: list[Text] = []
        if row.prose.cell_len <= room or room >= READABLE:
            beside = _wrapped(console, row.prose, room)
        else:
            below.insert(0, row.prose)
        if beside:
            line.pad_right(start - line.cell_len)
            line.append_text(beside[0])
        line.rstrip()
        line.stylize(style)
        yield line
        yield from (_indented(text, start) for text in beside[1:])
        for text in below:
            yield from (_indented(part, self.indent) for part in _wrapped(console, text, width - self.indent))

    @cached_property
    def _widths(self) -> list[int]:
        return [
            max(len(heading.title), *(row.cells[n].cell_len for row in self.rows), 0)
            for n, heading in enumerate(self.headings)
        ]

    def _cells(self, row: Row) -> Text:
        line, at = Text(), 0
        for cell, heading, width in zip(row.cells, self.headings, self._widths, strict=True):
            blank = width - cell.cell_len if heading.align == "right" else 0
            line.pad_right(at + blank - line.cell_len)
            line.append_text(cell)
            at += width + GAP
        return line


def _wrapped(console: Console, text: Text, width: int) -> list[Text]:
    lines = list(text.wrap(console, max(width, 1), overflow="fold")) if text else []
    for line in lines:
        line.rstrip()
    return lines


def _indented(text: Text, by: int) -> Text:
    return Text(" " * by) + text
