"""Logic → the JSON it is written as in Azure's language; the inverse of `rule.py`.

Keys come out in their canonical spelling. `jmespath`, our own left-hand side, is written too: whoever exports refuses
it before.
"""

from __future__ import annotations

from collections.abc import Mapping

from policyengine.expressions.compiled import CompiledValue, is_expression
from policyengine.language.syntax import AllOf, AnyOf, Count, Field, JMESPath, Logic, Not, Operand
from policyengine.model.values import JSON, is_array


def write_logic(logic: Logic) -> dict[str, JSON]:
    """What `parse_logic` reads as the same logic."""
    if isinstance(logic, AllOf):
        return {"allOf": [write_logic(condition) for condition in logic.conditions]}
    if isinstance(logic, AnyOf):
        return {"anyOf": [write_logic(condition) for condition in logic.conditions]}
    if isinstance(logic, Not):
        return {"not": write_logic(logic.condition)}
    return {**_operand(logic.operand), logic.operator: write_value(logic.expected)}


def _operand(operand: Operand) -> dict[str, JSON]:
    if isinstance(operand, Field):
        return {"field": write_value(operand.name)}
    if isinstance(operand, JMESPath):
        return {"jmespath": operand.expression.text}
    if isinstance(operand, Count):
        counted = _operand(operand.over)
        if operand.name is not None:
            counted["name"] = operand.name
        if operand.where is not None:
            counted["where"] = write_logic(operand.where)
        return {"count": counted}
    return {"value": write_value(operand.value)}


def write_value(value: CompiledValue) -> JSON:
    """The value as written; one that is meant literally, so that it reads as no expression."""
    if value.is_constant and value.source == value.constant:
        return _literal(value.constant)
    return value.source


def _literal(value: JSON) -> JSON:
    if isinstance(value, str):
        return f"[{value}" if value.startswith("[[") or is_expression(value) else value
    if isinstance(value, Mapping):
        return {key: _literal(item) for key, item in value.items()}
    return [_literal(item) for item in value] if is_array(value) else value
