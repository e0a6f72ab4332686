"""Expression text → tokens with offsets. Knows no grammar beyond what a token is."""

from __future__ import annotations

import re
from dataclasses import dataclass

from policyengine.errors import ExpressionError

MAX_CHARACTERS = 81_920
"""Source: policy language §5.5, authoring limits."""

_TOKEN = re.compile(
    r"""(?P<blank>\s+)
      | (?P<number>[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)
      | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
      | (?P<string>'(?:[^']|'')*')
      | (?P<mark>[()\[\],.\-])""",
    re.VERBOSE,
)

END = "end"


@dataclass(frozen=True, slots=True)
class Token:
    """``kind`` is ``name``, ``number``, ``string``, ``end``, or the mark itself; ``text`` is as written."""

    kind: str
    text: str
    offset: int

    def __str__(self) -> str:
        return "the end of the expression" if self.kind == END else f"`{self.text}`"


def tokenize(text: str) -> tuple[Token, ...]:
    """Tokens of what stands between the outer brackets of ``text``, closed by one END token.

    Offsets count from the start of ``text``, bracket included. Raises ExpressionError.
    """
    if len(text) > MAX_CHARACTERS:
        raise ExpressionError(f"the expression has {len(text)} characters, {MAX_CHARACTERS} are allowed")
    tokens: list[Token] = []
    position, end = 1, len(text) - 1
    while position < end:
        match = _TOKEN.match(text, position, end)
        if match is None:
            raise _stray(text, position)
        kind = match.lastgroup or ""
        if kind != "blank":
            tokens.append(Token(match.group() if kind == "mark" else kind, match.group(), position))
        position = match.end()
    return (*tokens, Token(END, "", end))


def _stray(text: str, offset: int) -> ExpressionError:
    character = text[offset]
    if character == "'":
        return ExpressionError(
            "the text has no closing quote", offset=offset, help="double a quote inside a text: `'it''s'`"
        )
    help = "texts stand in single quotes: `'like this'`" if character in '"`“”‘’' else None
    return ExpressionError(f"`{character}` does not belong in an expression", offset=offset, help=help)
