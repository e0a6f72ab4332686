"""The tokens of a query, one after another: what is next, and taking it when it is what is wanted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

from policyengine.emulator.resource_graph.errors import QueryError, parser_failure
from policyengine.emulator.resource_graph.lexer import Kind, Token, tokens

_DEEPEST: Final = 64
T = TypeVar("T")


class TokenStream:
    """Raises QueryError, with the place in the query, for what does not belong there."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._tokens = list(tokens(text))
        self._at = 0
        self._depth = 0

    @property
    def next(self) -> Token:
        return self._tokens[self._at]

    @property
    def ahead(self) -> Token:
        """The one behind the next; at the end the last."""
        return self._tokens[min(self._at + 1, len(self._tokens) - 1)]

    def nested(self, read: Callable[[], T]) -> T:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise parser_failure("The query is nested too deeply", self.next.line, self.next.column)
        found = read()
        self._depth -= 1
        return found

    def take(self) -> str:
        """Go on behind the next token, whatever it is; its text."""
        self._at += 1
        return self._tokens[self._at - 1].text

    def is_symbol(self, text: str) -> bool:
        return self.next.kind is Kind.SYMBOL and self.next.text == text

    def is_word(self, word: str) -> bool:
        return self.next.kind is Kind.NAME and self.next.text.casefold() == word

    def accept(self, symbol: str) -> bool:
        found = self.is_symbol(symbol)
        self._at += found
        return found

    def accept_word(self, word: str) -> bool:
        found = self.is_word(word)
        self._at += found
        return found

    def symbol(self, text: str) -> None:
        if not self.accept(text):
            raise self.unexpected(f"'{text}'")

    def word(self, word: str) -> None:
        if not self.accept_word(word):
            raise self.unexpected(f"'{word}'")

    def name(self, what: str) -> str:
        if self.next.kind is not Kind.NAME:
            raise self.unexpected(what)
        return self.take()

    def unexpected(self, wanted: str = "") -> QueryError:
        token = self.next
        expected = f": {wanted} is expected" if wanted else ""
        return parser_failure(f"Query is invalid at {token}{expected}", token.line, token.column)
