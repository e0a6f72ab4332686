"""Visits the conditions of a rule."""

from __future__ import annotations

from collections.abc import Iterator

from policyengine.language.documents import PolicyDefinition
from policyengine.language.syntax import AllOf, AnyOf, Condition, Count, Field, Logic, Not


def leaves(logic: Logic | None) -> Iterator[Condition]:
    """Every condition in the order written, those inside a `count` left out."""
    if isinstance(logic, AllOf | AnyOf):
        for inner in logic.conditions:
            yield from leaves(inner)
    elif isinstance(logic, Not):
        yield from leaves(logic.condition)
    elif logic is not None:
        yield logic


def conditions_in(logic: Logic | None) -> Iterator[Condition]:
    """Every condition, those inside a `count` included, in the order written."""
    for condition in leaves(logic):
        yield condition
        if isinstance(condition.operand, Count):
            yield from conditions_in(condition.operand.where)


def conditions_of(definition: PolicyDefinition) -> Iterator[Condition]:
    """Those of the `if` and those of the existence condition."""
    yield from conditions_in(definition.condition)
    if definition.then.details is not None:
        yield from conditions_in(definition.then.details.existence_condition)


def field_names(condition: Condition) -> Iterator[str]:
    """The constant field names a condition reads on its left-hand side."""
    operand = condition.operand
    over = operand.over if isinstance(operand, Count) else operand
    if isinstance(over, Field) and over.name.is_constant:
        yield str(over.name.constant)
