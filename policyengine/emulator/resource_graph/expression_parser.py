"""Tokens → an expression, from the loosest to the tightest operator. Source: Kusto Query Language reference."""

from __future__ import annotations

from typing import Final

from policyengine.emulator.resource_graph.errors import parser_failure
from policyengine.emulator.resource_graph.lexer import Kind
from policyengine.emulator.resource_graph.syntax import Among, Binary, Call, Column, Expression, Literal, Member
from policyengine.emulator.resource_graph.timespans import timespan
from policyengine.emulator.resource_graph.token_stream import TokenStream
from policyengine.model.values import JSON

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
_CONSTANTS: Final = {"true": True, "false": False, "null": None}


def expression(tokens: TokenStream) -> Expression:
    return tokens.nested(lambda: _either(tokens))


def _either(tokens: TokenStream) -> Expression:
    left = _both(tokens)
    while tokens.accept_word("or"):
        left = Binary("or", left, _both(tokens))
    return left


def _both(tokens: TokenStream) -> Expression:
    left = _comparison(tokens)
    while tokens.accept_word("and"):
        left = Binary("and", left, _comparison(tokens))
    return left


def _comparison(tokens: TokenStream) -> Expression:
    left = _sum(tokens)
    word = tokens.next.text.casefold()
    if tokens.next.kind in {Kind.NAME, Kind.SYMBOL} and word in COMPARISONS:
        tokens.take()
        return Binary("!=" if word == "<>" else word, left, _sum(tokens))
    if tokens.next.kind is Kind.NAME and word in AMONG:
        tokens.take()
        return Among(word, left, _arguments(tokens))
    return left


def _sum(tokens: TokenStream) -> Expression:
    left = _product(tokens)
    while tokens.next.kind is Kind.SYMBOL and tokens.next.text in {"+", "-"}:
        left = Binary(tokens.take(), left, _product(tokens))
    return left


def _product(tokens: TokenStream) -> Expression:
    left = _unary(tokens)
    while tokens.next.kind is Kind.SYMBOL and tokens.next.text in {"*", "/", "%"}:
        left = Binary(tokens.take(), left, _unary(tokens))
    return left


def _unary(tokens: TokenStream) -> Expression:
    if tokens.accept("-"):
        return Binary("-", Literal(0), _unary(tokens))
    return _path(tokens, _primary(tokens))


def _path(tokens: TokenStream, found: Expression) -> Expression:
    while True:
        if tokens.accept("."):
            found = Member(found, Literal(tokens.name("a member")))
        elif tokens.accept("["):
            found = Member(found, expression(tokens))
            tokens.symbol("]")
        else:
            return found


def _primary(tokens: TokenStream) -> Expression:
    token = tokens.next
    if tokens.accept("("):
        found = expression(tokens)
        tokens.symbol(")")
        return found
    if token.kind is Kind.TEXT:
        tokens.take()
        return Literal(token.text)
    if token.kind is Kind.NUMBER:
        tokens.take()
        return Literal(int(token.text) if token.text.isdigit() else float(token.text))
    if token.kind is Kind.TIMESPAN:
        tokens.take()
        return Literal(timespan(token.text))
    return _word_or_call(tokens, tokens.name("an expression"))


def _word_or_call(tokens: TokenStream, name: str) -> Expression:
    folded = name.casefold()
    if tokens.is_symbol("("):
        if folded == "dynamic":
            return _dynamic(tokens)
        if folded == "datetime":
            return _datetime(tokens)
        return Call(folded, _arguments(tokens))
    if folded in _CONSTANTS:
        return Literal(_CONSTANTS[folded])
    return Column(name)


def _datetime(tokens: TokenStream) -> Expression:
    """`datetime(2026-11-23T08:00Z)`: what is in the brackets is no expression."""
    opening = tokens.next
    while not tokens.is_symbol(")"):
        if tokens.next.kind is Kind.END:
            raise tokens.unexpected("')'")
        tokens.take()
    inside = tokens.text[opening.start + 1 : tokens.next.start].strip().strip("'\"")
    tokens.symbol(")")
    return Call("todatetime", (Literal(inside),))


def _dynamic(tokens: TokenStream) -> Expression:
    tokens.symbol("(")
    value = tokens.nested(lambda: _json(tokens))
    tokens.symbol(")")
    return Literal(value)


def _json(tokens: TokenStream) -> JSON:
    """JSON, whose texts may stand in single quotes as well."""
    token = tokens.next
    if tokens.accept("["):
        return _list(tokens)
    if tokens.accept("{"):
        return _object(tokens)
    sign = -1 if tokens.accept("-") else 1
    last, text = tokens.next, tokens.take()
    if last.kind is Kind.NUMBER:
        return sign * (int(text) if text.isdigit() else float(text))
    if token.kind is Kind.TEXT:
        return token.text
    if token.kind is Kind.NAME and token.text in _CONSTANTS:
        return _CONSTANTS[token.text]
    raise parser_failure(f"{token} is not JSON", token.line, token.column)


def _list(tokens: TokenStream) -> list[JSON]:
    found: list[JSON] = []
    while not tokens.accept("]"):
        if found:
            tokens.symbol(",")
        found.append(tokens.nested(lambda: _json(tokens)))
    return found


def _object(tokens: TokenStream) -> dict[str, JSON]:
    found: dict[str, JSON] = {}
    while not tokens.accept("}"):
        if found:
            tokens.symbol(",")
        if tokens.next.kind is not Kind.TEXT:
            raise tokens.unexpected("a text")
        name = tokens.take()
        tokens.symbol(":")
        found[name] = tokens.nested(lambda: _json(tokens))
    return found


def _arguments(tokens: TokenStream) -> tuple[Expression, ...]:
    tokens.symbol("(")
    found: list[Expression] = []
    while not tokens.accept(")"):
        if found:
            tokens.symbol(",")
        found.append(expression(tokens))
    return tuple(found)
