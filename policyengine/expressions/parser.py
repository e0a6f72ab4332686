"""Tokens → syntax tree. Knows the grammar, not which functions exist.

    expression = primary { "." name | "[" expression "]" }
    primary    = string | [ "-" ] number | "true" | "false" | "null" | name "(" [ expression { "," expression } ] ")"

Source: policy language §5.5.
"""

from __future__ import annotations

import math

from policyengine.errors import ExpressionError
from policyengine.expressions.lexer import END, Token, tokenize
from policyengine.expressions.syntax import Access, Call, Expression, Literal
from policyengine.model.values import JSON

MAX_NESTING = 64
MAX_ARGUMENTS = 128
MAX_DIGITS = 100

_WORDS: dict[str, JSON] = {"true": True, "false": False, "null": None}

_ESCAPE = "a text between `[` and `]` is an expression; begin it with `[[` to mean the text itself"


def is_expression(text: str) -> bool:
    """True for a text that starts with `[`, not with `[[`, and ends with `]`."""
    return text.startswith("[") and not text.startswith("[[") and text.endswith("]")


def parse(text: str) -> Expression:
    """The tree of ``text``, brackets included. Raises ExpressionError with the offset of the trouble."""
    if not is_expression(text):
        raise ExpressionError(f"`{text}` is not an expression", offset=0, help="write it as `[…]`")
    return _Parser(tokenize(text)).whole()


class _Parser:
    def __init__(self, tokens: tuple[Token, ...]) -> None:
        self._tokens = tokens
        self._at = 0
        self._depth = 0

    def whole(self) -> Expression:
        if self._next.kind == END:
            raise ExpressionError("the expression is empty", offset=self._next.offset, help=_ESCAPE)
        tree = self._expression()
        if self._next.kind != END:
            raise self._unexpected("the end of the expression")
        return tree

    @property
    def _next(self) -> Token:
        return self._tokens[self._at]

    def _take(self) -> Token:
        token = self._next
        self._at += 1
        return token

    def _accept(self, kind: str) -> bool:
        if self._next.kind == kind:
            self._at += 1
            return True
        return False

    def _expect(self, kind: str, what: str) -> Token:
        if self._next.kind != kind:
            raise self._unexpected(what)
        return self._take()

    def _unexpected(self, wanted: str) -> ExpressionError:
        return ExpressionError(f"expected {wanted}, found {self._next}", offset=self._next.offset, help=_ESCAPE)

    def _expression(self) -> Expression:
        entered = self._depth
        self._enter()
        tree = self._primary()
        while self._next.kind in {".", "["}:
            self._enter()
            tree = self._access(tree)
        self._depth = entered
        return tree

    def _enter(self) -> None:
        self._depth += 1
        if self._depth > MAX_NESTING:
            raise ExpressionError(f"the expression nests deeper than {MAX_NESTING} levels", offset=self._next.offset)

    def _access(self, target: Expression) -> Access:
        mark = self._take()
        if mark.kind == ".":
            name = self._expect("name", "a property name after `.`")
            return Access(target, Literal(name.text, name.offset), mark.offset)
        key = self._expression()
        self._expect("]", "`]` after the index")
        return Access(target, key, mark.offset)

    def _primary(self) -> Expression:
        token = self._next
        if token.kind == "string":
            self._take()
            return Literal(token.text[1:-1].replace("''", "'"), token.offset)
        if token.kind in {"number", "-"}:
            return self._number()
        if token.kind == "name":
            return self._call_or_word()
        raise self._unexpected("a value")

    def _number(self) -> Literal:
        offset = self._next.offset
        sign = -1 if self._accept("-") else 1
        digits = self._expect("number", "a number after `-`").text
        number = int(digits) if digits.isdigit() and len(digits) <= MAX_DIGITS else float(digits)
        if not math.isfinite(number) or len(digits) > MAX_DIGITS:
            raise ExpressionError(f"the number `{digits[:MAX_DIGITS]}` is too large", offset=offset)
        return Literal(sign * number, offset)

    def _call_or_word(self) -> Expression:
        name = self._take()
        if self._next.kind == "(":
            return Call(name.text, self._arguments(), name.offset)
        word = name.text.lower()
        if word in _WORDS:
            return Literal(_WORDS[word], name.offset)
        raise ExpressionError(
            f"`{name.text}` is neither a text nor a function call",
            offset=name.offset,
            help=f"write `'{name.text}'` for the text or `{name.text}()` for the function; {_ESCAPE}",
        )

    def _arguments(self) -> tuple[Expression, ...]:
        opening = self._take()
        if self._accept(")"):
            return ()
        arguments = [self._expression()]
        while self._accept(","):
            arguments.append(self._expression())
        self._expect(")", "`,` or `)`")
        if len(arguments) > MAX_ARGUMENTS:
            raise ExpressionError(
                f"a function takes at most {MAX_ARGUMENTS} arguments, got {len(arguments)}", offset=opening.offset
            )
        return tuple(arguments)
