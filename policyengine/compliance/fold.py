"""Parameters folded in: what depends on them alone is evaluated once, when a policy is bound, not once per cluster.

An expression that fails, or has no result, stays as it is: it says so where it is evaluated, if it ever is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from policyengine.errors import ExpressionError
from policyengine.evaluation.subject import parameter
from policyengine.expressions.compiled import CompiledValue, ExpressionContext
from policyengine.expressions.functions import FUNCTIONS, Calling
from policyengine.language.documents import PolicyDefinition
from policyengine.language.syntax import (
    AllOf,
    AnyOf,
    Condition,
    Count,
    Deployment,
    Desired,
    ExistenceDetails,
    Field,
    Logic,
    Not,
    Operand,
    Value,
)
from policyengine.model.values import JSON, Nothing

_NO_INSTANT: Final = datetime(1970, 1, 1, tzinfo=UTC)  # nothing that is folded may ask for the time
_SETTLED: Final = frozenset(
    name for name, function in FUNCTIONS.items() if function.calling in {Calling.EAGER, Calling.LAZY}
) | {"parameters"}
"""The functions whose answer is the same for every cluster and at every time."""


def folded(definition: PolicyDefinition, parameters: Mapping[str, JSON]) -> PolicyDefinition:
    """The definition with `if`, what must exist, and what is written when it does not folded."""
    context = ExpressionContext({"parameters": lambda name: parameter(parameters, name)}, _NO_INSTANT)
    details = definition.then.details
    then = definition.then if details is None else replace(definition.then, details=_details(details, context))
    condition = _logic(definition.condition, context)
    rule = None if definition.rule is None else _logic(definition.rule, context)
    return replace(definition, condition=condition, rule=rule, then=then)


def _details(details: ExistenceDetails, context: ExpressionContext) -> ExistenceDetails:
    condition = details.existence_condition
    return replace(
        details,
        type=_value(details.type, context),
        name=None if details.name is None else _value(details.name, context),
        existence_condition=None if condition is None else _logic(condition, context),
        deployment=None if details.deployment is None else _deployment(details.deployment, context),
        desired=None if details.desired is None else _desired(details.desired, context),
    )


def _deployment(deployment: Deployment, context: ExpressionContext) -> Deployment:
    parameters = {name: _value(value, context) for name, value in deployment.parameters.items()}
    return replace(deployment, parameters=parameters)


def _desired(desired: Desired, context: ExpressionContext) -> Desired:
    return replace(desired, name=_value(desired.name, context), properties=_value(desired.properties, context))


def _logic(logic: Logic, context: ExpressionContext) -> Logic:
    if isinstance(logic, AllOf | AnyOf):
        return replace(logic, conditions=tuple(_logic(child, context) for child in logic.conditions))
    if isinstance(logic, Not):
        return replace(logic, condition=_logic(logic.condition, context))
    return _condition(logic, context)


def _condition(condition: Condition, context: ExpressionContext) -> Condition:
    operand = _operand(condition.operand, context)
    return replace(condition, operand=operand, expected=_value(condition.expected, context))


def _operand(operand: Operand, context: ExpressionContext) -> Operand:
    if isinstance(operand, Field):
        return replace(operand, name=_value(operand.name, context))
    if isinstance(operand, Value):
        return replace(operand, value=_value(operand.value, context))
    if isinstance(operand, Count):
        where = None if operand.where is None else _logic(operand.where, context)
        over = _operand(operand.over, context)
        assert isinstance(over, Field | Value)
        return replace(operand, over=over, where=where)
    return operand


def _value(value: CompiledValue, context: ExpressionContext) -> CompiledValue:
    if value.is_constant or not value.functions <= _SETTLED:
        return value
    try:
        result = value.evaluate(context)
    except ExpressionError:
        return value
    return value if isinstance(result, Nothing) else CompiledValue(value.source, value.functions, result)
