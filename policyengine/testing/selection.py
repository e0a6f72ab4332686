"""`-k EXPR`: words joined by `and`, `or`, `not` and parentheses, as pytest has it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, TypeAlias

from policyengine.errors import UsageError

Selection: TypeAlias = Callable[[str], bool]
"""True for a name that is chosen."""

_TOKEN: Final = re.compile(r"""\s*(?: ([()]) | "([^"]*)" | '([^']*)' | ([^\s()"']+) )""", re.VERBOSE)


def compile_selection(text: str) -> Selection:
    """A word holds for every name it is part of, compared without case; quotes keep blanks. Raises UsageError."""
    reader = _Reader(text)
    selection = reader.any_of()
    if reader.token is not None:
        raise reader.problem()
    return selection


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.token: str | None = None
        self.quoted = False
        self.next()

    def next(self) -> None:
        """Step to the next token, None at the end."""
        rest = self.text[self.at :]
        match = _TOKEN.match(rest)
        if match is None:
            if rest.strip():
                raise self.problem()
            self.token, self.quoted = None, False
            return
        self.at += match.end()
        self.token = next(group for group in match.groups() if group is not None)
        self.quoted = match[2] is not None or match[3] is not None

    def problem(self) -> UsageError:
        help = "write words joined by `and`, `or`, `not`, such as `-k 'aks and not preview'`"
        return UsageError(f"`-k {self.text}` cannot be understood", help=help)

    def takes(self, word: str) -> bool:
        """Step over ``word`` if it comes next."""
        if self.quoted or self.token is None or self.token.casefold() != word:
            return False
        self.next()
        return True

    def any_of(self) -> Selection:
        parts = [self.all_of()]
        while self.takes("or"):
            parts.append(self.all_of())
        return lambda name: any(part(name) for part in parts)

    def all_of(self) -> Selection:
        parts = [self.one()]
        while self.takes("and"):
            parts.append(self.one())
        return lambda name: all(part(name) for part in parts)

    def one(self) -> Selection:
        if self.takes("not"):
            inner = self.one()
            return lambda name: not inner(name)
        if self.takes("("):
            inner = self.any_of()
            if not self.takes(")"):
                raise self.problem()
            return inner
        word = self.token
        if word is None or (not self.quoted and word.casefold() in {")", "and", "or"}):
            raise self.problem()
        self.next()
        folded = word.casefold()
        return lambda name: folded in name.casefold()
