"""Query text → tokens. Knows the words of the language only in so far as some hold a hyphen or a `!`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from policyengine.emulator.resource_graph.errors import parser_failure


class Kind(Enum):
    NAME = auto()
    TEXT = auto()
    NUMBER = auto()
    TIMESPAN = auto()
    SYMBOL = auto()
    END = auto()


@dataclass(frozen=True, slots=True)
class Token:
    """``text`` is as written, of a text its value without the quotes."""

    kind: Kind
    text: str
    start: int
    line: int
    column: int

    def __str__(self) -> str:
        return "the end of the query" if self.kind is Kind.END else f"'{self.text}'"


_TOKEN: Final = re.compile(
    r"""
    (?P<SKIP>\s+|//[^\n]*)
  | (?P<VERBATIM>@'(?:[^']|'')*'|@"(?:[^"]|"")*")
  | (?P<TEXT>'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*")
  | (?P<TIMESPAN>\d+(?:\.\d+)?(?:ms|[dhms])\b)
  | (?P<NUMBER>\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)
  | (?P<NAME>project-(?:away|rename|keep|reorder)\b|mv-(?:expand|apply)\b|make-series\b
           |!?[A-Za-z_$][\w$]*~?)
  | (?P<SYMBOL>==|=~|!=|!~|<=|>=|<>|\.\.|[-+*/%<>=()\[\],.|:;{}])
    """,
    re.VERBOSE,
)
_ESCAPES: Final = {"n": "\n", "t": "\t", "r": "\r"}
_ESCAPE: Final = re.compile(r"\\(.)")


def tokens(text: str) -> Iterator[Token]:
    """Ends with END. Raises QueryError for a character that begins nothing."""
    at, line, line_start = 0, 1, 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise parser_failure(f"Query is invalid at '{text[at]}'", line, at - line_start + 1)
        found, kind = match.group(), str(match.lastgroup)
        if kind != "SKIP":
            yield _token(kind, found, at, line, at - line_start + 1)
        if "\n" in found:
            line, line_start = line + found.count("\n"), at + found.rfind("\n") + 1
        at = match.end()
    yield Token(Kind.END, "", at, line, at - line_start + 1)


def _token(kind: str, found: str, start: int, line: int, column: int) -> Token:
    if kind == "VERBATIM":
        quote = found[1]
        return Token(Kind.TEXT, found[2:-1].replace(quote * 2, quote), start, line, column)
    if kind == "TEXT":
        text = _ESCAPE.sub(lambda m: _ESCAPES.get(m.group(1), m.group(1)), found[1:-1])
        return Token(Kind.TEXT, text, start, line, column)
    return Token(Kind[kind], found, start, line, column)
