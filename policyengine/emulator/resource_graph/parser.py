"""Tokens → a query. What the language has and this part of it has not is named, never skipped.

Source: configuration API, "Resource Graph"; Kusto Query Language reference.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from policyengine.emulator.resource_graph.errors import QueryError
from policyengine.emulator.resource_graph.expression_parser import expression
from policyengine.emulator.resource_graph.lexer import Kind
from policyengine.emulator.resource_graph.syntax import (
    Capture,
    Count,
    Distinct,
    Extend,
    Join,
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
from policyengine.emulator.resource_graph.token_stream import TokenStream

JOIN_KINDS: Final = ("innerunique", "inner", "leftouter")


def parse(text: str) -> Query:
    """Raises QueryError."""
    tokens = TokenStream(text)
    found = _pipeline(tokens)
    tokens.accept(";")
    if tokens.next.kind is not Kind.END:
        raise tokens.unexpected()
    return found


def _pipeline(tokens: TokenStream) -> Query:
    table = tokens.name("a table")
    operators: list[Operator] = []
    while tokens.accept("|"):
        operators.append(_operator(tokens))
    return Query(table, tuple(operators))


def _operator(tokens: TokenStream) -> Operator:
    token = tokens.next
    word = tokens.name("an operator").casefold()
    read = _OPERATORS.get(word)
    if read is None:
        known = ", ".join(sorted(_OPERATORS))
        raise QueryError(f"The operator '{token.text}' is not one this emulator answers: it knows {known}.")
    return read(tokens)


def _where(tokens: TokenStream) -> Where:
    return Where(expression(tokens))


def _project(tokens: TokenStream) -> Project:
    return Project(_columns(tokens))


def _project_away(tokens: TokenStream) -> ProjectAway:
    names = [_pattern(tokens)]
    while tokens.accept(","):
        names.append(_pattern(tokens))
    return ProjectAway(tuple(names))


def _extend(tokens: TokenStream) -> Extend:
    return Extend(_columns(tokens))


def _order_by(tokens: TokenStream) -> OrderBy:
    tokens.word("by")
    keys = [_key(tokens)]
    while tokens.accept(","):
        keys.append(_key(tokens))
    return OrderBy(tuple(keys))


def _take(tokens: TokenStream) -> Take:
    return Take(_number(tokens))


def _top(tokens: TokenStream) -> Top:
    count = _number(tokens)
    tokens.word("by")
    return Top(count, _key(tokens))


def _distinct(tokens: TokenStream) -> Distinct:
    return Distinct(_columns(tokens))


def _summarize(tokens: TokenStream) -> Summarize:
    aggregates = () if tokens.is_word("by") else _columns(tokens)
    by = _columns(tokens) if tokens.accept_word("by") else ()
    return Summarize(aggregates, by)


def _join(tokens: TokenStream) -> Join:
    kind = "innerunique"
    if tokens.accept_word("kind"):
        tokens.symbol("=")
        kind = tokens.name("a kind of join").casefold()
        if kind not in JOIN_KINDS:
            raise QueryError(
                f"The join kind '{kind}' is not one this emulator answers: it knows {', '.join(JOIN_KINDS)}."
            )
    tokens.symbol("(")
    right = tokens.nested(lambda: _pipeline(tokens))
    tokens.symbol(")")
    tokens.word("on")
    on = [_join_key(tokens)]
    while tokens.accept(","):
        on.append(_join_key(tokens))
    return Join(kind, right, tuple(on))


def _mv_expand(tokens: TokenStream) -> MvExpand:
    columns = _columns(tokens)
    if tokens.accept_word("to"):
        raise QueryError("mv-expand with 'to typeof(…)' is not answered by this emulator: convert in an extend.")
    limit = _number(tokens) if tokens.accept_word("limit") else None
    return MvExpand(columns, limit)


def _parse(tokens: TokenStream) -> Parse:
    if tokens.accept_word("kind"):
        tokens.symbol("=")
        if tokens.name("a kind of parse").casefold() != "simple":
            raise QueryError("Only parse kind=simple is answered by this emulator.")
    value = expression(tokens)
    tokens.word("with")
    pattern: list[str | Capture] = []
    while not (
        tokens.next.kind is Kind.END or (tokens.next.text in {"|", ")", ";"} and tokens.next.kind is Kind.SYMBOL)
    ):
        pattern.append(_piece(tokens))
    if not pattern:
        raise tokens.unexpected()
    return Parse(value, tuple(pattern))


def _columns(tokens: TokenStream) -> tuple[Named, ...]:
    found = [_named(tokens)]
    while tokens.accept(","):
        found.append(_named(tokens))
    return tuple(found)


def _named(tokens: TokenStream) -> Named:
    ahead = tokens.ahead
    if tokens.next.kind is Kind.NAME and ahead.kind is Kind.SYMBOL and ahead.text == "=":
        name = tokens.name("a column")
        tokens.symbol("=")
        return Named(name, expression(tokens))
    return Named(None, expression(tokens))


def _key(tokens: TokenStream) -> Order:
    by = expression(tokens)
    descending = not tokens.accept_word("asc")
    if descending:
        tokens.accept_word("desc")
    nulls: bool | None = None
    if tokens.accept_word("nulls"):
        nulls = tokens.name("'first' or 'last'").casefold() == "first"
    return Order(by, descending, nulls)


def _join_key(tokens: TokenStream) -> tuple[str, str]:
    left = tokens.name("a column")
    if left.casefold() != "$left":
        return left, left
    tokens.symbol(".")
    name = tokens.name("a column")
    tokens.symbol("==")
    if tokens.name("'$right'").casefold() != "$right":
        raise tokens.unexpected()
    tokens.symbol(".")
    return name, tokens.name("a column")


def _piece(tokens: TokenStream) -> str | Capture:
    token = tokens.next
    if token.kind is Kind.TEXT:
        tokens.take()
        return token.text
    if tokens.accept("*"):
        return Capture(None)
    name = tokens.name("a text, a column or '*'")
    return Capture(name, tokens.name("a type").casefold()) if tokens.accept(":") else Capture(name)


def _pattern(tokens: TokenStream) -> str:
    found = ""
    while tokens.next.kind is Kind.NAME or (tokens.next.kind is Kind.SYMBOL and tokens.next.text == "*"):
        found += tokens.next.text
        tokens.take()
    if not found:
        raise tokens.unexpected()
    return found


def _number(tokens: TokenStream) -> int:
    token = tokens.next
    if token.kind is not Kind.NUMBER or not token.text.isdigit():
        raise tokens.unexpected()
    tokens.take()
    return int(token.text)


_OPERATORS: Final[Mapping[str, Callable[[TokenStream], Operator]]] = {
    "where": _where,
    "filter": _where,
    "project": _project,
    "project-away": _project_away,
    "extend": _extend,
    "order": _order_by,
    "sort": _order_by,
    "take": _take,
    "limit": _take,
    "top": _top,
    "count": lambda _: Count(),
    "distinct": _distinct,
    "summarize": _summarize,
    "join": _join,
    "mv-expand": _mv_expand,
    "mvexpand": _mv_expand,
    "parse": _parse,
}
