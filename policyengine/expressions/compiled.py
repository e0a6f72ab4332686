"""JSON with expressions inside, compiled once and evaluated many times.

The face of this room for rules and templates: everything they import from expressions comes from here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TypeAlias

from policyengine.errors import ExpressionError
from policyengine.expressions.context import ExpressionContext, Where
from policyengine.expressions.evaluate import evaluate
from policyengine.expressions.functions.base import kind_of
from policyengine.expressions.limits import check_size
from policyengine.expressions.parser import is_expression, parse
from policyengine.expressions.resolve import check
from policyengine.expressions.syntax import Expression, Literal
from policyengine.model.values import JSON, NO_RESULT, Nothing, is_array

__all__ = ["CompiledValue", "ExpressionContext", "Where", "compile_value", "constant", "is_expression"]

_Evaluate: TypeAlias = Callable[[ExpressionContext], JSON | Nothing]


@dataclass(frozen=True, slots=True, eq=False)
class CompiledValue:
    """A JSON value, or a recipe for one.

    ``source`` is the value as written. ``functions`` are the folded names of every function called in it.
    ``constant`` is the value itself when it needs no context; read it only when ``is_constant``.
    """

    source: JSON
    functions: frozenset[str] = frozenset()
    constant: JSON = None
    _evaluate: _Evaluate | None = field(default=None, repr=False)

    @property
    def is_constant(self) -> bool:
        return self._evaluate is None

    def evaluate(self, context: ExpressionContext) -> JSON | Nothing:
        """The value in ``context``; NO_RESULT when any expression in it has none. Raises ExpressionError."""
        return self.constant if self._evaluate is None else self._evaluate(context)


def constant(value: JSON) -> CompiledValue:
    """``value`` taken literally: no text in it is an expression."""
    return CompiledValue(source=value, constant=value)


def compile_value(value: JSON, *, where: Where = Where.RULE) -> CompiledValue:
    """``value`` with each text that is an expression compiled, at any depth; in templates, keys too.

    Raises ExpressionError; for a nested text the message names its path (``a.b[2]``).
    """
    compiled = _compile(value, where, "")
    whole = compiled._evaluate
    if whole is None or isinstance(value, str):
        return compiled

    def run(context: ExpressionContext) -> JSON | Nothing:
        result = whole(context)
        check_size(result)
        return result

    return replace(compiled, _evaluate=run)


def _compile(value: JSON, where: Where, path: str) -> CompiledValue:
    if not _may_hold_expression(value, where):
        return constant(value)
    if isinstance(value, str):
        return _compile_text(value, where, path)
    if isinstance(value, Mapping):
        return _compile_object(value, where, path)
    if is_array(value):
        return _compile_array(value, where, path)
    return constant(value)


def _may_hold_expression(value: JSON, where: Where) -> bool:
    """False when no text in it, at any depth, begins as expressions and escapes do: by far the most values."""
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, str):
            if item.startswith("["):
                return True
        elif isinstance(item, Mapping):
            waiting.extend(item.values())
            if where is Where.TEMPLATE:
                waiting.extend(item)
        elif is_array(item):
            waiting.extend(item)
    return False


def _compile_text(text: str, where: Where, path: str) -> CompiledValue:
    if text.startswith("[["):
        return CompiledValue(source=text, constant=text[1:])
    if not is_expression(text):
        return constant(text)
    try:
        tree, functions = _understood(text, where)
    except ExpressionError as error:
        raise _located(error, path) from error
    if isinstance(tree, Literal):
        return CompiledValue(source=text, constant=tree.value)

    def run(context: ExpressionContext) -> JSON | Nothing:
        try:
            return evaluate(tree, context)
        except ExpressionError as error:
            raise _located(error, path) from error

    return CompiledValue(source=text, functions=functions, _evaluate=run)


@lru_cache(maxsize=4096)
def _understood(text: str, where: Where) -> tuple[Expression, frozenset[str]]:
    """The tree and the functions it calls; kept, because a template is compiled again for every cluster."""
    tree = parse(text)
    return tree, check(tree, where)


def _compile_array(value: JSON, where: Where, path: str) -> CompiledValue:
    items = [_compile(item, where, f"{path}[{index}]") for index, item in enumerate(value)]
    if all(item.is_constant for item in items):
        return CompiledValue(source=value, constant=[item.constant for item in items])

    def run(context: ExpressionContext) -> JSON | Nothing:
        values = [item.evaluate(context) for item in items]
        return NO_RESULT if any(isinstance(item, Nothing) for item in values) else values

    return CompiledValue(source=value, functions=_functions(items), _evaluate=run)


def _compile_object(value: Mapping[str, JSON], where: Where, path: str) -> CompiledValue:
    keys = [_compile_key(key, where, path) for key in value]
    members = [_compile(item, where, f"{path}.{key}" if path else key) for key, item in value.items()]
    if all(part.is_constant for part in keys + members):
        pairs = zip(keys, members, strict=True)
        return CompiledValue(source=value, constant={key.constant: item.constant for key, item in pairs})

    def run(context: ExpressionContext) -> JSON | Nothing:
        result: dict[str, JSON] = {}
        for key, item in zip(keys, members, strict=True):
            name, content = key.evaluate(context), item.evaluate(context)
            if isinstance(name, Nothing) or isinstance(content, Nothing):
                return NO_RESULT
            if not isinstance(name, str):
                raise ExpressionError(f"the key `{key.source}` must give a text, got {kind_of(name)}")
            result[name] = content
        return result

    return CompiledValue(source=value, functions=_functions(keys + members), _evaluate=run)


def _compile_key(key: str, where: Where, path: str) -> CompiledValue:
    return _compile_text(key, where, path) if where is Where.TEMPLATE else constant(key)


def _functions(parts: list[CompiledValue]) -> frozenset[str]:
    return frozenset[str]().union(*(part.functions for part in parts))


def _located(error: ExpressionError, path: str) -> ExpressionError:
    if not path:
        return error
    return ExpressionError(f"`{path}`: {error.message}", offset=error.offset, help=error.help)
