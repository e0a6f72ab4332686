"""Expressions compiled against the columns of a table: names are found once, before any row is looked at.

Column names are compared without case, and so are members of dynamic values: properties do not have the case of the
REST API here. Source: configuration API, "Resource Graph".
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from policyengine.emulator.resource_graph.errors import QueryError
from policyengine.emulator.resource_graph.scalars import SCALARS
from policyengine.emulator.resource_graph.syntax import Among, Binary, Call, Column, Expression, Literal, Member, Row
from policyengine.emulator.resource_graph.values import as_text, equals, has_term, less
from policyengine.model.values import JSON, get_folded

Compiled = Callable[[Row], JSON]
_COUNTABLE: Final = (int, float, datetime, timedelta)


@dataclass(frozen=True, slots=True)
class Scope:
    """What an expression sees: the columns of its table, and the instant."""

    columns: tuple[str, ...]
    at: datetime

    def column(self, name: str) -> str:
        """The column as the table spells it. Raises QueryError."""
        if name in self.columns:
            return name
        for known in self.columns:
            if known.casefold() == name.casefold():
                return known
        raise QueryError(f"Failed to resolve column or scalar expression named '{name}'.")

    def with_columns(self, columns: Sequence[str]) -> Scope:
        return Scope(tuple(columns), self.at)


def compiled(expression: Expression, scope: Scope) -> Compiled:
    """Raises QueryError for names nobody knows."""
    match expression:
        case Literal(value):
            return lambda _: value
        case Column(name):
            column = scope.column(name)
            return lambda row: row.get(column)
        case Member(of, key):
            return _member(compiled(of, scope), compiled(key, scope))
        case Call(name, arguments):
            return _call(name, [compiled(argument, scope) for argument in arguments], scope)
        case Binary(word, left, right):
            return _binary(word, compiled(left, scope), compiled(right, scope))
        case Among(word, value, choices):
            texts = _texts(choices)
            if texts is not None and word != "has_any":
                return _among_texts(word, compiled(value, scope), texts)
            return _among(word, compiled(value, scope), [compiled(choice, scope) for choice in choices])


def name_of(expression: Expression) -> str | None:
    """The column name an expression gives itself; None when it has none to give."""
    match expression:
        case Column(name):
            return name
        case Member(of, Literal(key)):
            before = name_of(of)
            return f"{before}_{key}" if before is not None else None
        case Call(_, (argument,)):
            return name_of(argument)
    return None


def _member(of: Compiled, key: Compiled) -> Compiled:
    def value(row: Row) -> JSON:
        holder, wanted = of(row), key(row)
        if isinstance(holder, Mapping):
            return get_folded(holder, as_text(wanted))
        if isinstance(holder, list) and isinstance(wanted, int) and not isinstance(wanted, bool):
            return holder[wanted] if -len(holder) <= wanted < len(holder) else None
        return None

    return value


def _call(name: str, arguments: list[Compiled], scope: Scope) -> Compiled:
    if name == "now" and not arguments:
        return lambda _: scope.at
    if name == "ago" and len(arguments) == 1:
        return lambda row: _minus(scope.at, arguments[0](row))
    scalar = SCALARS.get(name)
    if scalar is None:
        raise QueryError(
            f"The function '{name}' is not one this emulator answers: it knows {', '.join(sorted(SCALARS))}."
        )
    scalar.check(name, len(arguments))
    call = scalar.call

    def value(row: Row) -> JSON:
        try:
            return call(*(argument(row) for argument in arguments))
        except (TypeError, ValueError, OverflowError):
            return None

    return value


def _binary(word: str, left: Compiled, right: Compiled) -> Compiled:
    if word == "and":
        return lambda row: left(row) is True and right(row) is True
    if word == "or":
        return lambda row: left(row) is True or right(row) is True
    apply = _BINARY.get(word) or _text_operator(word)
    return lambda row: apply(left(row), right(row))


def _texts(choices: Sequence[Expression]) -> frozenset[str] | None:
    """The choices when all are texts, which the query itself says."""
    texts = {choice.value for choice in choices if isinstance(choice, Literal) and isinstance(choice.value, str)}
    return frozenset(texts) if len(texts) == len(choices) else None


def _among_texts(word: str, value: Compiled, texts: frozenset[str]) -> Compiled:
    """As `_among`, with one look for each row: this is what tables of all clusters are asked."""
    fold, negated = word.endswith("~"), word.startswith("!")
    wanted = {text.casefold() for text in texts} if fold else texts

    def holds(row: Row) -> bool:
        own = value(row)
        text = as_text(own)
        return (own is not None and (text.casefold() if fold else text) in wanted) is not negated

    return holds


def _among(word: str, value: Compiled, choices: list[Compiled]) -> Compiled:
    if word == "has_any":
        return lambda row: any(
            has_term(as_text(value(row)), as_text(choice), fold=True) for choice in _each(choices, row)
        )
    fold, negated = word.endswith("~"), word.startswith("!")

    def holds(row: Row) -> bool:
        own = value(row)
        return any(equals(own, choice, fold=fold) is True for choice in _each(choices, row)) is not negated

    return holds


def _each(choices: list[Compiled], row: Row) -> list[JSON]:
    """The choices; one that is an array stands for its elements."""
    found: list[JSON] = []
    for choice in choices:
        value = choice(row)
        found.extend(value if isinstance(value, list) else (value,))
    return found


def _text_operator(word: str) -> Callable[[JSON, JSON], JSON]:
    negated, bare = word.startswith("!"), word.lstrip("!")
    fold = not bare.endswith("_cs")
    test = _TEXT[bare.removesuffix("_cs")]

    def apply(left: JSON, right: JSON) -> bool:
        text, part = as_text(left), as_text(right)
        if fold:
            text, part = text.casefold(), part.casefold()
        return test(text, part) is not negated

    return apply


def _unequal(left: JSON, right: JSON, *, fold: bool = False) -> bool | None:
    same = equals(left, right, fold=fold)
    return None if same is None else not same


def _arithmetic(apply: Callable[[JSON, JSON], JSON]) -> Callable[[JSON, JSON], JSON]:
    def calculated(left: JSON, right: JSON) -> JSON:
        if not isinstance(left, _COUNTABLE) or not isinstance(right, _COUNTABLE):
            return None
        try:
            return apply(left, right)
        except (TypeError, ZeroDivisionError, OverflowError):
            return None

    return calculated


def _divided(left: JSON, right: JSON) -> JSON:
    whole = isinstance(left, int) and isinstance(right, int)
    return left // right if whole else left / right


def _minus(at: datetime, span: JSON) -> JSON:
    return at - span if isinstance(span, timedelta) else None


def _not_less(left: JSON, right: JSON) -> bool | None:
    found = less(left, right)
    return None if found is None else not found


_BINARY: Final[Mapping[str, Callable[[JSON, JSON], JSON]]] = {
    "==": equals,
    "!=": _unequal,
    "=~": lambda left, right: equals(left, right, fold=True),
    "!~": lambda left, right: _unequal(left, right, fold=True),
    "<": less,
    ">": lambda left, right: less(right, left),
    "<=": lambda left, right: _not_less(right, left),
    ">=": _not_less,
    "+": _arithmetic(operator.add),
    "-": _arithmetic(operator.sub),
    "*": _arithmetic(operator.mul),
    "/": _arithmetic(_divided),
    "%": _arithmetic(operator.mod),
}
_TEXT: Final[Mapping[str, Callable[[str, str], bool]]] = {
    "has": lambda text, part: has_term(text, part, fold=False),
    "contains": lambda text, part: part in text,
    "startswith": str.startswith,
    "endswith": str.endswith,
}
