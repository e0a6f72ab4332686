"""Which functions a value calls, and with what: for those who must know what it depends on before it is evaluated."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache

from policyengine.expressions.context import ExpressionContext
from policyengine.expressions.evaluate import evaluate
from policyengine.expressions.parser import is_expression, parse
from policyengine.expressions.syntax import Access, Call, Expression
from policyengine.model.values import JSON, Nothing, is_array


def calls(source: JSON) -> Iterator[Call]:
    """Every call in the expressions of ``source``, a value as it was written, at any depth."""
    if isinstance(source, str):
        if is_expression(source):
            yield from _calls(_parsed(source))
    elif isinstance(source, Mapping):
        for value in source.values():
            yield from calls(value)
    elif is_array(source):
        for item in source:
            yield from calls(item)


def names_of(tree: Expression) -> frozenset[str]:
    """The folded names of the functions in a tree."""
    return frozenset(call.name.casefold() for call in _calls(tree))


def argument(call: Call, position: int, context: ExpressionContext) -> JSON | Nothing:
    """One argument on its own. Raises ExpressionError."""
    return evaluate(call.arguments[position], context)


@lru_cache(maxsize=4096)
def _parsed(text: str) -> Expression:
    return parse(text)


def _calls(tree: Expression) -> Iterator[Call]:
    if isinstance(tree, Access):
        yield from _calls(tree.target)
        yield from _calls(tree.key)
    elif isinstance(tree, Call):
        yield tree
        for part in tree.arguments:
            yield from _calls(part)
