"""A condition tree as plain JSON, the same for trees that say the same; and the expressions in one condition."""

from __future__ import annotations

from collections.abc import Iterator

from policyengine.expressions.compiled import CompiledValue
from policyengine.language.syntax import (
    AllOf,
    AnyOf,
    Count,
    Field,
    JMESPath,
    Logic,
    Not,
    Operand,
    Value,
)
from policyengine.model.values import JSON


def describe(logic: Logic) -> JSON:
    """What a condition says, as JSON: comments, order of keys and the way a file is cut do not count."""
    if isinstance(logic, AllOf):
        return {"allOf": [describe(child) for child in logic.conditions]}
    if isinstance(logic, AnyOf):
        return {"anyOf": [describe(child) for child in logic.conditions]}
    if isinstance(logic, Not):
        return {"not": describe(logic.condition)}
    return {**_operand(logic.operand), "operator": logic.operator, "expected": logic.expected.source}


def _operand(operand: Operand) -> dict[str, JSON]:
    if isinstance(operand, Field):
        return {"field": operand.name.source}
    if isinstance(operand, Value):
        return {"value": operand.value.source}
    if isinstance(operand, JMESPath):
        return {"jmespath": operand.expression.text}
    where = describe(operand.where) if operand.where is not None else None
    return {"count": _operand(operand.over), "name": operand.name, "where": where}


def values(logic: Logic) -> Iterator[CompiledValue]:
    """Every value in the tree that may be an expression, those inside a `count` included."""
    if isinstance(logic, AllOf | AnyOf):
        for child in logic.conditions:
            yield from values(child)
    elif isinstance(logic, Not):
        yield from values(logic.condition)
    else:
        yield logic.expected
        yield from _values_of(logic.operand)


def _values_of(operand: Operand) -> Iterator[CompiledValue]:
    if isinstance(operand, Field):
        yield operand.name
    elif isinstance(operand, Value):
        yield operand.value
    elif isinstance(operand, Count):
        yield from _values_of(operand.over)
        if operand.where is not None:
            yield from values(operand.where)
