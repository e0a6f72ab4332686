"""One compiled value of a template in one context."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from policyengine.errors import ExpressionError, TemplateError
from policyengine.expressions.compiled import CompiledValue, ExpressionContext
from policyengine.model.values import JSON, Nothing


def evaluated_piece(compiled: CompiledValue, context: ExpressionContext, place: str) -> JSON:
    """``place`` begins the message of the TemplateError it may raise."""
    try:
        result = compiled.evaluate(context)
    except (ExpressionError, TemplateError) as error:
        raise TemplateError(f"{place}: {error.message}", help=error.help) from error
    if isinstance(result, Nothing):
        raise TemplateError(f"{place}: the expression gives no result")
    return result


def with_function(context: ExpressionContext, name: str, call: Callable[..., JSON]) -> ExpressionContext:
    """``context`` with one more function."""
    return replace(context, functions={**context.functions, name: call})
