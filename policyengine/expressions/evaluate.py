"""A syntax tree in a context → a value.

In a rule, a member that is not there gives NO_RESULT, and a call with such an argument has no result either; in a
template it is an error. Source: policy language §3.1 and §5.4, "property access".
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial

from policyengine.errors import ExpressionError
from policyengine.expressions.context import ExpressionContext, Where
from policyengine.expressions.functions import Calling, Function
from policyengine.expressions.functions.base import kind_of
from policyengine.expressions.functions.objects import member
from policyengine.expressions.limits import MAX_INTEGER, check_length, check_size
from policyengine.expressions.resolve import function_of
from policyengine.expressions.syntax import Access, Call, Expression, Literal
from policyengine.model.values import JSON, NO_RESULT, Nothing


def evaluate(tree: Expression, context: ExpressionContext) -> JSON | Nothing:
    """The value of a tree that `resolve.check` has accepted. Raises ExpressionError with the offset of the cause."""
    match tree:
        case Literal(value):
            return value
        case Access():
            return _access(tree, context)
        case Call():
            return _call(tree, context)


def _access(tree: Access, context: ExpressionContext) -> JSON | Nothing:
    target = evaluate(tree.target, context)
    key = evaluate(tree.key, context)
    if isinstance(target, Nothing) or isinstance(key, Nothing):
        return NO_RESULT
    found = member(target, key)
    if not isinstance(found, Nothing):
        return found
    if context.where is Where.RULE:
        return NO_RESULT
    raise ExpressionError(
        f"{kind_of(target)} has no member `{key}`",
        offset=tree.offset,
        help=f"guard it with `contains()`, or use `tryGet(…, '{key}')`",
    )


def _call(tree: Call, context: ExpressionContext) -> JSON | Nothing:
    context.effort.spend(1)
    function = function_of(tree, context.where)
    implementation = _implementation(function, tree, context)
    if function.calling is Calling.LAZY:
        thunks = [partial(evaluate, argument, context) for argument in tree.arguments]
        return _guarded(tree, partial(implementation, *thunks))
    values = [evaluate(argument, context) for argument in tree.arguments]
    if any(isinstance(value, Nothing) for value in values):
        return NO_RESULT
    _check_kinds(function, tree, values)
    if function.calling is Calling.SUPPLIED:
        return _guarded(tree, partial(implementation, *values))
    return _guarded(tree, partial(_computed, implementation, values, context))


def _computed(implementation: Callable[..., JSON | Nothing], values: list[JSON], context: ExpressionContext) -> JSON:
    """The result of a function of our own, within the limits; what places supply is as large as it is."""
    for value in values:
        context.effort.look_at(value)
    result = implementation(*values)
    if isinstance(result, Mapping | list):
        check_size(result)
    elif isinstance(result, int) and abs(result) > MAX_INTEGER:
        raise ExpressionError(f"the result is beyond ±{MAX_INTEGER}")
    return result


def _implementation(function: Function, tree: Call, context: ExpressionContext) -> Callable[..., JSON | Nothing]:
    if function.calling is Calling.SUPPLIED:
        supplied = context.functions.get(tree.name.casefold()) or context.functions.get(function.name.casefold())
        if supplied is None:
            raise ExpressionError(f"`{tree.name}()` has no answer here", offset=tree.offset)
        return supplied
    call = function.implementation(context.where)
    assert call is not None
    return partial(call, context) if function.calling is Calling.AWARE else call


def _check_kinds(function: Function, tree: Call, values: list[JSON]) -> None:
    for position, (argument, value) in enumerate(zip(tree.arguments, values, strict=True)):
        wanted, got = function.kind(position), kind_of(value)
        if got not in wanted:
            raise ExpressionError(
                f"argument {position + 1} of `{function.name}()` must be {' or '.join(wanted)}, got {got}",
                offset=argument.offset,
            )


def _guarded(tree: Call, call: Callable[[], JSON | Nothing]) -> JSON | Nothing:
    """The result, with the function's name and place added to an error, and the size of texts limited."""
    try:
        result = call()
        if isinstance(result, str):
            check_length(len(result))
    except ExpressionError as error:
        if error.offset is not None:
            raise
        raise ExpressionError(f"`{tree.name}()`: {error.message}", offset=tree.offset, help=error.help) from error
    except UnicodeError as error:
        raise ExpressionError(f"`{tree.name}()`: half of a surrogate pair stands alone", offset=tree.offset) from error
    except (ValueError, OverflowError, RecursionError) as error:  # a number has too many digits to be written
        raise ExpressionError(f"`{tree.name}()`: the result is too large", offset=tree.offset) from error
    if isinstance(result, float) and not math.isfinite(result):
        raise ExpressionError(f"`{tree.name}()`: the result is too large", offset=tree.offset)
    return result
