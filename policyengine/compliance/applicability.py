"""Whether a policy that does not look at related resources speaks about a resource at all.

Its `if` is evaluated with the conditions on `type`, `name` and `kind` alone; every other condition is taken as met
(as unmet under a negation), so that it never excludes. Source: policy language §7.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Final

from policyengine.evaluation import Subject, evaluate
from policyengine.language.aliases import AliasCatalogue
from policyengine.language.syntax import AllOf, AnyOf, Condition, Field, Logic, Not
from policyengine.language.walk import conditions_in, field_names, leaves

_SELECTING: Final = frozenset({"type", "name", "kind"})


def is_applicable(logic: Logic, subject: Subject) -> bool:
    return evaluate(selecting_part(logic), subject)


@lru_cache(maxsize=4096)
def selecting_part(logic: Logic) -> Logic:
    """The condition that `is_applicable` asks: all but those conditions taken as met, or as unmet."""
    return _part(logic, counted_fields(logic), negated=False)


def _part(logic: Logic, counted: frozenset[str], *, negated: bool) -> Logic:
    if isinstance(logic, AllOf | AnyOf):
        return replace(logic, conditions=tuple(_part(child, counted, negated=negated) for child in logic.conditions))
    if isinstance(logic, Not):
        return replace(logic, condition=_part(logic.condition, counted, negated=not negated))
    if _selects(logic) in counted:
        return logic
    return AnyOf(()) if negated else AllOf(())


def counted_fields(logic: Logic) -> frozenset[str]:
    """Which of `type`, `name` and `kind` take part, after the special cases of the language."""
    names = [_selects(condition) for condition in leaves(logic)]
    used = frozenset(name for name in names if name is not None)
    if None in names:
        return used
    if used in ({"name"}, {"kind"}):
        return frozenset()
    return used & {"type"} or used


def unknown_aliases(logic: Logic, aliases: AliasCatalogue) -> dict[str, str]:
    """Folded resource type → an alias of it in ``logic`` that the catalogue lacks: the policy cannot speak about it.

    Source: policy language §4.3, "Unknown alias".
    """
    found: dict[str, str] = {}
    for name in (name for condition in conditions_in(logic) for name in field_names(condition)):
        type = aliases.type_of(name)
        if type is not None and aliases.path_for(type, name) is None:
            found.setdefault(type.casefold(), name)
    return found


def _selects(condition: Condition) -> str | None:
    """`type`, `name` or `kind` when the condition is on that field, else None."""
    operand = condition.operand
    if not isinstance(operand, Field) or not operand.name.is_constant:
        return None
    name = str(operand.name.constant).casefold()
    return name if name in _SELECTING else None
