"""Which function a name means, and whether a call of it can be right: found out once, when text is compiled."""

from __future__ import annotations

from policyengine.errors import ExpressionError
from policyengine.expressions.context import Where
from policyengine.expressions.functions import FUNCTIONS, Function
from policyengine.expressions.syntax import Access, Call, Expression
from policyengine.model.diagnostic import did_you_mean

_LIST = FUNCTIONS["list*"]

LAMBDAS = frozenset(
    {"filter", "groupby", "lambda", "lambdavariables", "map", "mapvalues", "reduce", "sort", "toobject"}
)
"""Template functions that take functions; not in this release."""


def function_of(call: Call, where: Where) -> Function:
    """The function a call means, looked up without case; ``list…`` names are one function, `list*`.

    Raises ExpressionError for one that is unknown or may not be used there.
    """
    folded = call.name.casefold()
    function = FUNCTIONS.get(folded) or (_LIST if folded.startswith("list") else None)
    if function is None:
        raise _unknown(call, where)
    if where not in function.where:
        (only,) = function.where
        raise ExpressionError(
            f"`{function.name}()` may not be used in {where.value}",
            offset=call.offset,
            help=f"it exists only in {only.value}",
        )
    return function


def check(tree: Expression, where: Where) -> frozenset[str]:
    """The folded names of all functions called.

    Raises ExpressionError for a function that is unknown, may not be used there, or is given a wrong number of
    arguments.
    """
    if isinstance(tree, Access):
        return check(tree.target, where) | check(tree.key, where)
    if isinstance(tree, Call):
        _check_arity(function_of(tree, where), tree)
        return frozenset({tree.name.casefold()}).union(*(check(argument, where) for argument in tree.arguments))
    return frozenset()


def _check_arity(function: Function, call: Call) -> None:
    if not function.accepts(len(call.arguments)):
        raise ExpressionError(
            f"`{function.name}()` takes {function.arity}, got {len(call.arguments)}", offset=call.offset
        )


def _unknown(call: Call, where: Where) -> ExpressionError:
    if call.name.casefold() in LAMBDAS:
        reason = f"may not be used in {Where.RULE.value}" if where is Where.RULE else "is not in this release"
        return ExpressionError(f"`{call.name}()` {reason}", offset=call.offset)
    usable = [function.name for function in FUNCTIONS.values() if where in function.where]
    return ExpressionError(f"`{call.name}` is not a function", offset=call.offset, help=did_you_mean(call.name, usable))
