"""Tokens → a query. What the language has and this part of it has not is named, never skipped.

Source: configuration API, "Resource Graph"; Kusto Query Language reference.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, TypeVar

from policyengine.emulator.resource_graph.errors import QueryError, parser_failure
from policyengine.emulator.resource_graph.lexer import Kind, Token, tokens
from policyengine.emulator.resource_graph.syntax import (
    Among,
    Binary,
    Call,
    Capture,
    Column,
    Count,
    Distinct,
    Expression,
    Extend,
    Join,
    Literal,
    Member,
    MvExpand,
    Named,
    Operator,
    Order,
    OrderBy,
    Parse,
    Project,
    ProjectAway,
    Query,
    Summarize,
    Take,
    Top,
    Where,
)
from policyengine.emulator.resource_graph.timespans import timespan
from policyengine.model.values import JSON

JOIN_KINDS: Final = ("innerunique", "inner", "leftouter")
COMPARISONS: Final = frozenset(
    {"==", "!=", "=~", "!~", "<", "<=", ">", ">=", "<>"}
    | {
        f"{no}{word}{cs}"
        for no in ("", "!")
        for word in ("has", "contains", "startswith", "endswith")
        for cs in ("", "_cs")
    }
)
AMONG: Final = frozenset({"in", "in~", "!in", "!in~", "has_any"})
_DEEPEST: Final = 64
T = TypeVar("T")


def parse(text: str) -> Query:
    """Raises QueryError."""
    return _Parser(text).query()


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = list(tokens(text))
        self._at = 0
        self._depth = 0

    def query(self) -> Query:
        found = self._pipeline()
        self._accept(";")
        if self._next.kind is not Kind.END:
            raise self._unexpected()
        return found

    def _pipeline(self) -> Query:
        table = self._name("a table")
        operators: list[Operator] = []
        while self._accept("|"):
            operators.append(self._operator())
        return Query(table, tuple(operators))

    def _operator(self) -> Operator:
        token = self._next
        word = self._name("an operator").casefold()
        read = _OPERATORS.get(word)
        if read is None:
            known = ", ".join(sorted(_OPERATORS))
            raise QueryError(f"The operator '{token.text}' is not one this emulator answers: it knows {known}.")
        return read(self)

    # operators

    def where(self) -> Where:
        return Where(self._expression())

    def project(self) -> Project:
        return Project(self._columns())

    def project_away(self) -> ProjectAway:
        names = [self._pattern()]
        while self._accept(","):
            names.append(self._pattern())
        return ProjectAway(tuple(names))

    def extend(self) -> Extend:
        return Extend(self._columns())

    def order_by(self) -> OrderBy:
        self._word("by")
        keys = [self._order()]
        while self._accept(","):
            keys.append(self._order())
        return OrderBy(tuple(keys))

    def take(self) -> Take:
        return Take(self._count())

    def top(self) -> Top:
        count = self._count()
        self._word("by")
        return Top(count, self._order())

    def count(self) -> Count:
        return Count()

    def distinct(self) -> Distinct:
        return Distinct(self._columns())

    def summarize(self) -> Summarize:
        aggregates = () if self._is_word("by") else self._columns()
        by = self._columns() if self._accept_word("by") else ()
        return Summarize(aggregates, by)

    def join(self) -> Join:
        kind = "innerunique"
        if self._accept_word("kind"):
            self._symbol("=")
            kind = self._name("a kind of join").casefold()
            if kind not in JOIN_KINDS:
                raise QueryError(
                    f"The join kind '{kind}' is not one this emulator answers: it knows {', '.join(JOIN_KINDS)}."
                )
        self._symbol("(")
        right = self._nested(self._pipeline)
        self._symbol(")")
        self._word("on")
        on = [self._join_key()]
        while self._accept(","):
            on.append(self._join_key())
        return Join(kind, right, tuple(on))

    def mv_expand(self) -> MvExpand:
        columns = self._columns()
        if self._accept_word("to"):
            raise QueryError("mv-expand with 'to typeof(…)' is not answered by this emulator: convert in an extend.")
        limit = self._count() if self._accept_word("limit") else None
        return MvExpand(columns, limit)

    def parse_(self) -> Parse:
        if self._accept_word("kind"):
            self._symbol("=")
            if self._name("a kind of parse").casefold() != "simple":
                raise QueryError("Only parse kind=simple is answered by this emulator.")
        value = self._expression()
        self._word("with")
        pattern: list[str | Capture] = []
        while not (
            self._next.kind is Kind.END or (self._next.text in {"|", ")", ";"} and self._next.kind is Kind.SYMBOL)
        ):
            pattern.append(self._piece())
        if not pattern:
            raise self._unexpected()
        return Parse(value, tuple(pattern))

    # pieces of operators

    def _columns(self) -> tuple[Named, ...]:
        found = [self._named()]
        while self._accept(","):
            found.append(self._named())
        return tuple(found)

    def _named(self) -> Named:
        ahead = self._tokens[self._at + 1] if self._at + 1 < len(self._tokens) else self._next
        if self._next.kind is Kind.NAME and ahead.kind is Kind.SYMBOL and ahead.text == "=":
            name = self._name("a column")
            self._symbol("=")
            return Named(name, self._expression())
        return Named(None, self._expression())

    def _order(self) -> Order:
        by = self._expression()
        descending = not self._accept_word("asc")
        if descending:
            self._accept_word("desc")
        nulls: bool | None = None
        if self._accept_word("nulls"):
            nulls = self._name("'first' or 'last'").casefold() == "first"
        return Order(by, descending, nulls)

    def _join_key(self) -> tuple[str, str]:
        left = self._name("a column")
        if left.casefold() != "$left":
            return left, left
        self._symbol(".")
        name = self._name("a column")
        self._symbol("==")
        if self._name("'$right'").casefold() != "$right":
            raise self._unexpected()
        self._symbol(".")
        return name, self._name("a column")

    def _piece(self) -> str | Capture:
        token = self._next
        if token.kind is Kind.TEXT:
            self._at += 1
            return token.text
        if self._accept("*"):
            return Capture(None)
        name = self._name("a text, a column or '*'")
        return Capture(name, self._name("a type").casefold()) if self._accept(":") else Capture(name)

    def _pattern(self) -> str:
        found = ""
        while self._next.kind is Kind.NAME or (self._next.kind is Kind.SYMBOL and self._next.text == "*"):
            found += self._next.text
            self._at += 1
        if not found:
            raise self._unexpected()
        return found

    def _count(self) -> int:
        token = self._next
        if token.kind is not Kind.NUMBER or not token.text.isdigit():
            raise self._unexpected()
        self._at += 1
        return int(token.text)

    # expressions, from the loosest to the tightest

    def _expression(self) -> Expression:
        return self._nested(self._or)

    def _or(self) -> Expression:
        left = self._and()
        while self._accept_word("or"):
            left = Binary("or", left, self._and())
        return left

    def _and(self) -> Expression:
        left = self._comparison()
        while self._accept_word("and"):
            left = Binary("and", left, self._comparison())
        return left

    def _comparison(self) -> Expression:
        left = self._sum()
        word = self._next.text.casefold()
        if self._next.kind in {Kind.NAME, Kind.SYMBOL} and word in COMPARISONS:
            self._at += 1
            return Binary("!=" if word == "<>" else word, left, self._sum())
        if self._next.kind is Kind.NAME and word in AMONG:
            self._at += 1
            return Among(word, left, self._arguments())
        return left

    def _sum(self) -> Expression:
        left = self._product()
        while self._next.kind is Kind.SYMBOL and self._next.text in {"+", "-"}:
            left = Binary(self._take_text(), left, self._product())
        return left

    def _product(self) -> Expression:
        left = self._unary()
        while self._next.kind is Kind.SYMBOL and self._next.text in {"*", "/", "%"}:
            left = Binary(self._take_text(), left, self._unary())
        return left

    def _unary(self) -> Expression:
        if self._accept("-"):
            return Binary("-", Literal(0), self._unary())
        return self._path(self._primary())

    def _path(self, found: Expression) -> Expression:
        while True:
            if self._accept("."):
                found = Member(found, Literal(self._name("a member")))
            elif self._accept("["):
                found = Member(found, self._expression())
                self._symbol("]")
            else:
                return found

    def _primary(self) -> Expression:
        token = self._next
        if self._accept("("):
            found = self._expression()
            self._symbol(")")
            return found
        if token.kind is Kind.TEXT:
            self._at += 1
            return Literal(token.text)
        if token.kind is Kind.NUMBER:
            self._at += 1
            return Literal(int(token.text) if token.text.isdigit() else float(token.text))
        if token.kind is Kind.TIMESPAN:
            self._at += 1
            return Literal(timespan(token.text))
        return self._word_or_call(self._name("an expression"))

    def _word_or_call(self, name: str) -> Expression:
        folded = name.casefold()
        if self._is_symbol("("):
            if folded == "dynamic":
                return self._dynamic()
            if folded == "datetime":
                return self._datetime()
            return Call(folded, self._arguments())
        if folded in _CONSTANTS:
            return Literal(_CONSTANTS[folded])
        return Column(name)

    def _datetime(self) -> Expression:
        """`datetime(2026-11-23T08:00Z)`: what is in the brackets is no expression."""
        opening = self._next
        while not self._is_symbol(")"):
            if self._next.kind is Kind.END:
                raise self._unexpected("')'")
            self._at += 1
        inside = self._text[opening.start + 1 : self._next.start].strip().strip("'\"")
        self._symbol(")")
        return Call("todatetime", (Literal(inside),))

    def _dynamic(self) -> Expression:
        self._symbol("(")
        value = self._nested(self._json)
        self._symbol(")")
        return Literal(value)

    def _json(self) -> JSON:
        """JSON, whose texts may stand in single quotes as well."""
        token = self._next
        if self._accept("["):
            return self._list()
        if self._accept("{"):
            return self._object()
        sign = -1 if self._accept("-") else 1
        self._at += 1
        if self._tokens[self._at - 1].kind is Kind.NUMBER:
            text = self._tokens[self._at - 1].text
            return sign * (int(text) if text.isdigit() else float(text))
        if token.kind is Kind.TEXT:
            return token.text
        if token.kind is Kind.NAME and token.text in _CONSTANTS:
            return _CONSTANTS[token.text]
        raise parser_failure(f"{token} is not JSON", token.line, token.column)

    def _list(self) -> list[JSON]:
        found: list[JSON] = []
        while not self._accept("]"):
            if found:
                self._symbol(",")
            found.append(self._nested(self._json))
        return found

    def _object(self) -> dict[str, JSON]:
        found: dict[str, JSON] = {}
        while not self._accept("}"):
            if found:
                self._symbol(",")
            if self._next.kind is not Kind.TEXT:
                raise self._unexpected("a text")
            name = self._take_text()
            self._symbol(":")
            found[name] = self._nested(self._json)
        return found

    def _arguments(self) -> tuple[Expression, ...]:
        self._symbol("(")
        found: list[Expression] = []
        while not self._accept(")"):
            if found:
                self._symbol(",")
            found.append(self._expression())
        return tuple(found)

    # tokens

    @property
    def _next(self) -> Token:
        return self._tokens[self._at]

    def _nested(self, read: Callable[[], T]) -> T:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise parser_failure("The query is nested too deeply", self._next.line, self._next.column)
        found = read()
        self._depth -= 1
        return found

    def _take_text(self) -> str:
        self._at += 1
        return self._tokens[self._at - 1].text

    def _is_symbol(self, text: str) -> bool:
        return self._next.kind is Kind.SYMBOL and self._next.text == text

    def _is_word(self, word: str) -> bool:
        return self._next.kind is Kind.NAME and self._next.text.casefold() == word

    def _accept(self, symbol: str) -> bool:
        found = self._is_symbol(symbol)
        self._at += found
        return found

    def _accept_word(self, word: str) -> bool:
        found = self._is_word(word)
        self._at += found
        return found

    def _symbol(self, text: str) -> None:
        if not self._accept(text):
            raise self._unexpected(f"'{text}'")

    def _word(self, word: str) -> None:
        if not self._accept_word(word):
            raise self._unexpected(f"'{word}'")

    def _name(self, what: str) -> str:
        if self._next.kind is not Kind.NAME:
            raise self._unexpected(what)
        return self._take_text()

    def _unexpected(self, wanted: str = "") -> QueryError:
        token = self._next
        expected = f": {wanted} is expected" if wanted else ""
        return parser_failure(f"Query is invalid at {token}{expected}", token.line, token.column)


_CONSTANTS: Final = {"true": True, "false": False, "null": None}
_OPERATORS: Final[Mapping[str, Callable[[_Parser], Operator]]] = {
    "where": _Parser.where,
    "filter": _Parser.where,
    "project": _Parser.project,
    "project-away": _Parser.project_away,
    "extend": _Parser.extend,
    "order": _Parser.order_by,
    "sort": _Parser.order_by,
    "take": _Parser.take,
    "limit": _Parser.take,
    "top": _Parser.top,
    "count": _Parser.count,
    "distinct": _Parser.distinct,
    "summarize": _Parser.summarize,
    "join": _Parser.join,
    "mv-expand": _Parser.mv_expand,
    "mvexpand": _Parser.mv_expand,
    "parse": _Parser.parse_,
}
OPERATORS: Final = tuple(_OPERATORS)
