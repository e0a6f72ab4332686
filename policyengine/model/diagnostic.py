"""Where text came from, and what is wrong with it; rendered with a caret under the place."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from itertools import islice
from typing import Final

LONGEST_LINE: Final = 160
"""A source line longer than this is shown in part."""
WINDOW: Final = 100
MOST_NAMES: Final = 8
"""As many names a help lists."""
LONGEST_WORD: Final = 200
"""For a longer word nothing near is looked for."""
MOST_CANDIDATES: Final = 1000
"""As many names a word is compared with."""


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
        text, carets = _excerpt(span)
        lines += [f"{pad} |", f"{span.line} | {text}", f"{pad} | {carets}"]
    if diagnostic.help:
        lines.append(f"{pad} = help: {diagnostic.help}")
    return "\n".join(lines)


def _excerpt(span: Span) -> tuple[str, str]:
    """The span's first line with the carets below it; of a long line the part around the place, between `…`."""
    text = span.source.lines[span.line - 1].replace("\t", " ")
    first = span.column - 1
    last = min(span.end_column - 1, len(text)) if span.end_line == span.line else len(text)
    length = max(1, last - first)
    if len(text) <= LONGEST_LINE:
        return text, " " * first + "^" * length
    start = max(0, min(first - max(WINDOW // 4, (WINDOW - length) // 2), len(text) - WINDOW))
    end = start + WINDOW
    head, tail = "…" if start else "", "…" if end < len(text) else ""
    carets = "^" * min(length, max(1, end - first))
    return f"{head}{text[start:end]}{tail}", " " * (len(head) + first - start) + carets


def did_you_mean(word: str, candidates: Iterable[str]) -> str | None:
    """Help naming the nearest candidate, compared without case; None when nothing is near."""
    if len(word) > LONGEST_WORD:
        return None
    near = (candidate for candidate in candidates if abs(len(candidate) - len(word)) <= max(len(word), 3))
    by_fold = {candidate.casefold(): candidate for candidate in islice(near, MOST_CANDIDATES)}
    found = difflib.get_close_matches(word.casefold(), by_fold, n=1, cutoff=0.6)
    return f"did you mean `{by_fold[found[0]]}`?" if found else None


def listing(names: Iterable[str]) -> str | None:
    """Help naming what there is, at most `MOST_NAMES` of it, and how many more there are; None for nothing."""
    listed = sorted(set(names), key=str.casefold)
    if not listed:
        return None
    shown = ", ".join(f"`{name}`" for name in listed[:MOST_NAMES])
    more = f" and {len(listed) - MOST_NAMES} more" if len(listed) > MOST_NAMES else ""
    return f"there {'is' if len(listed) == 1 else 'are'} {shown}{more}"
