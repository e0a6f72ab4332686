"""Small wrong changes to a policy, one at a time: a test suite that is worth something notices each of them.

Operators are turned round, clauses dropped, `allOf` and `anyOf` swapped, `not` taken away, constants changed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from policyengine.effects.words import value
from policyengine.expressions.compiled import constant
from policyengine.language.documents import PolicyDefinition
from policyengine.language.operators import OPERATORS
from policyengine.language.syntax import AllOf, AnyOf, Condition, Count, Logic, Not
from policyengine.model.diagnostic import Span
from policyengine.model.values import JSON, is_array
from policyengine.testing.coverage import describe

TURNED: Final[Mapping[str, tuple[str, ...]]] = {
    "less": ("lessOrEquals", "greaterOrEquals"),
    "lessOrEquals": ("less", "greater"),
    "greater": ("greaterOrEquals", "lessOrEquals"),
    "greaterOrEquals": ("greater", "less"),
}
"""What an ordering is changed to: its boundary moved, and its opposite. Other operators become their twin."""

MAX_ITEMS: Final = 8
"""Of a longer list only so many elements are dropped, one at a time."""


@dataclass(frozen=True, slots=True, eq=False)
class Mutant:
    """``definition`` with one ``change``, made at ``place``."""

    definition: PolicyDefinition
    change: str
    place: Span | None


@dataclass(frozen=True, slots=True, eq=False)
class _Variant:
    logic: Logic
    change: str
    place: Span | None


def mutants(definition: PolicyDefinition) -> Iterator[Mutant]:
    """Every mutant of the `if`, then of the existence condition; the same in every run."""
    for variant in _variants(definition.condition):
        yield Mutant(replace(definition, condition=variant.logic), variant.change, variant.place)
    details = definition.then.details
    if details is None or details.existence_condition is None:
        return
    for variant in _variants(details.existence_condition):
        then = replace(definition.then, details=replace(details, existence_condition=variant.logic))
        yield Mutant(replace(definition, then=then), variant.change, variant.place)


def _variants(logic: Logic) -> Iterator[_Variant]:
    if isinstance(logic, AllOf | AnyOf):
        yield from _of_group(logic)
    elif isinstance(logic, Not):
        yield _Variant(logic.condition, "`not` dropped", logic.span)
        for inner in _variants(logic.condition):
            yield replace(inner, logic=Not(inner.logic, logic.span))
    else:
        yield from _of_condition(logic)


def _of_group(group: AllOf | AnyOf) -> Iterator[_Variant]:
    conditions = group.conditions
    if len(conditions) > 1:
        if isinstance(group, AllOf):
            yield _Variant(AnyOf(conditions, group.span), "`allOf` made `anyOf`", group.span)
        else:
            yield _Variant(AllOf(conditions, group.span), "`anyOf` made `allOf`", group.span)
    for at, condition in enumerate(conditions):
        before, after = conditions[:at], conditions[at + 1 :]
        if before or after:
            yield _Variant(replace(group, conditions=(*before, *after)), f"{_name(condition)} dropped", condition.span)
        for inner in _variants(condition):
            yield replace(inner, logic=replace(group, conditions=(*before, inner.logic, *after)))


def _name(logic: Logic) -> str:
    if isinstance(logic, Condition):
        return f"`{describe(logic)}`"
    return "`not`" if isinstance(logic, Not) else "`allOf`" if isinstance(logic, AllOf) else "`anyOf`"


def _of_condition(condition: Condition) -> Iterator[_Variant]:
    text = describe(condition)
    for operator in _turned(condition):
        yield _Variant(replace(condition, operator=operator), f"`{text}`: made `{operator}`", condition.span)
    if condition.expected.is_constant:
        for other, words in _changed(condition.expected.constant):
            yield _Variant(replace(condition, expected=constant(other)), f"`{text}`: {words}", condition.span)
    operand = condition.operand
    if isinstance(operand, Count) and operand.where is not None:
        for inner in _variants(operand.where):
            yield replace(inner, logic=replace(condition, operand=replace(operand, where=inner.logic)))


def _turned(condition: Condition) -> tuple[str, ...]:
    twin = OPERATORS[condition.operator.casefold()].twin
    return (twin,) if twin else TURNED.get(condition.operator, ())


def _changed(old: JSON) -> Iterator[tuple[JSON, str]]:
    """Other constants of the same kind."""
    if is_array(old):
        for at, item in enumerate(old[:MAX_ITEMS]):
            yield [*old[:at], *old[at + 1 :]], f"without {value(item)}"
        return
    if isinstance(old, bool):
        new: JSON = not old
    elif isinstance(old, int | float):
        new = old + 1
    elif isinstance(old, str):
        new = f"{old}-mutant" if old else "mutant"
    else:
        return
    yield new, f"compared with {value(new)}"
