"""Where text came from, and what is wrong with it; rendered with a caret under the place."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property


class Severity(Enum):
    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, eq=False)
class Source:
    """A text with a name people recognise (a path as they typed it, ``<stdin>``, ``<string>``)."""

    name: str
    text: str = field(repr=False)

    @cached_property
    def lines(self) -> tuple[str, ...]:
        return tuple(self.text.splitlines())


@dataclass(frozen=True, slots=True)
class Span:
    """A run of characters. Lines and columns count from 1; ``end_column`` is exclusive, on ``end_line``."""

    source: Source
    line: int
    column: int
    end_line: int
    end_column: int

    def __str__(self) -> str:
        return f"{self.source.name}:{self.line}:{self.column}"

    @property
    def short(self) -> str:
        """``file:line`` with the folder left out."""
        return f"{self.source.name.rsplit('/', 1)[-1]}:{self.line}"


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One problem: a stable code, one lower-case sentence, the place, and how to mend it."""

    code: str
    message: str
    span: Span | None = None
    help: str | None = None
    severity: Severity = Severity.ERROR

    @property
    def is_error(self) -> bool:
        return self.severity is Severity.ERROR

    @property
    def sort_key(self) -> tuple[str, int, int, str]:
        if self.span is None:
            return ("", 0, 0, self.code)
        return (self.span.source.name, self.span.line, self.span.column, self.code)


def render(diagnostic: Diagnostic) -> str:
    """Several lines for a person: place and message, the source line, a caret, the help."""
    head = f"{diagnostic.severity.value}[{diagnostic.code}]: {diagnostic.message}"
    span = diagnostic.span
    if span is None:
        return head + (f"\n  = help: {diagnostic.help}" if diagnostic.help else "")
    lines = [f"{span}: {head}"]
    pad = " " * len(str(span.line))
    if span.line <= len(span.source.lines):
        text = span.source.lines[span.line - 1].replace("\t", " ")
        end = span.end_column if span.end_line == span.line else len(text) + 1
        carets = "^" * max(1, min(end, len(text) + 1) - span.column)
        lines += [f"{pad} |", f"{span.line} | {text}", f"{pad} | {' ' * (span.column - 1)}{carets}"]
    if diagnostic.help:
        lines.append(f"{pad} = help: {diagnostic.help}")
    return "\n".join(lines)


def did_you_mean(word: str, candidates: Iterable[str]) -> str | None:
    """Help naming the nearest candidate, compared without case; None when nothing is near."""
    by_fold = {candidate.casefold(): candidate for candidate in candidates}
    near = difflib.get_close_matches(word.casefold(), by_fold, n=1, cutoff=0.6)
    return f"did you mean `{by_fold[near[0]]}`?" if near else None
