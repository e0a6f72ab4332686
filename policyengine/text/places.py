"""From offsets to lines and columns, and the list of problems found on the way."""

from __future__ import annotations

import re
import sys
from bisect import bisect_right
from dataclasses import dataclass, field

from policyengine.model.diagnostic import Diagnostic, Source, Span

MAX_DEPTH = 1_100
"""Deeper nesting is refused: Azure nests at most 512 conditions, two levels each, and there are levels around them."""

_USUAL_DEPTH = 100
_FRAMES_A_LEVEL = 8
"""Of Python's stack, for whoever walks a document, or what was made of it, by recursion."""

MAX_PROBLEMS = 200
"""Of one text; the rest is not looked for."""

_LINE_BREAK = re.compile(r"\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")  # what str.splitlines() breaks at


@dataclass(slots=True)
class Reading:
    """A text while it is being read: where its lines start, and what is wrong with it so far."""

    source: Source
    diagnostics: list[Diagnostic] = field(default_factory=list)
    line_starts: list[int] = field(init=False)

    def __post_init__(self) -> None:
        self.line_starts = [0, *(match.end() for match in _LINE_BREAK.finditer(self.source.text))]

    def span(self, start: int, end: int) -> Span:
        """The characters from ``start`` up to ``end``, offsets counted from 0."""
        starts = self.line_starts
        line = bisect_right(starts, start)
        last = line if line == len(starts) or end < starts[line] else bisect_right(starts, end)
        return Span(self.source, line, start - starts[line - 1] + 1, last, end - starts[last - 1] + 1)

    def error(self, code: str, message: str, span: Span, help: str | None = None) -> None:
        if len(self.diagnostics) == MAX_PROBLEMS:
            help = "mend these, then look again"
            self.diagnostics.append(Diagnostic("too-many", "there are more problems in this file", span, help))
            raise Unreadable
        self.diagnostics.append(Diagnostic(code, message, span, help))


def make_room(depth: int) -> None:
    """Let Python recurse into a document in which something is nested ``depth`` levels deep.

    The limit is the process's own, so it is only ever raised, and only by documents that no person would write.
    """
    if depth == _USUAL_DEPTH:
        sys.setrecursionlimit(max(sys.getrecursionlimit(), MAX_DEPTH * _FRAMES_A_LEVEL))


class Unreadable(Exception):
    """Reading cannot go on; the reason is already among the diagnostics. Never leaves this folder."""
