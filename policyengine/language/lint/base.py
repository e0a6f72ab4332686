"""What a rule is given and what it gives back, and the ways through a definition that several rules take."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeAlias

from policyengine.expressions.compiled import CompiledValue
from policyengine.language.aliases import AliasCatalogue
from policyengine.language.documents import Parameter, PolicyDefinition
from policyengine.language.library import PolicyLibrary
from policyengine.language.syntax import AllOf, AnyOf, Condition, Count, Field, JMESPath, Logic, Not, Operand, Value
from policyengine.language.walk import conditions_of
from policyengine.model.diagnostic import Span
from policyengine.model.values import JSON, canonical_json, get_folded, is_array


@dataclass(frozen=True, slots=True)
class Finding:
    """One place where a rule does not like what it sees."""

    message: str
    span: Span | None
    help: str | None = None


@dataclass(frozen=True, slots=True)
class Project:
    """Everything a rule may look at. Rules about time say nothing without ``at``."""

    library: PolicyLibrary
    aliases: AliasCatalogue
    at: datetime | None = None


Rule: TypeAlias = Callable[[Project], Iterator[Finding]]
DefinitionRule: TypeAlias = Callable[[PolicyDefinition, AliasCatalogue], Iterator[Finding]]

_EFFECT_PARAMETER: Final = re.compile(r"\[\s*parameters\(\s*'([^']+)'\s*\)\s*\]", re.IGNORECASE)


def each_definition(rule: DefinitionRule) -> Rule:
    """A rule about one definition at a time, as a rule about the project. Static ones are never evaluated: §1.1."""

    def run(project: Project) -> Iterator[Finding]:
        for definition in project.library.definitions:
            if definition.policy_type.casefold() != "static":
                yield from rule(definition, project.aliases)

    return run


def is_ours(definition: PolicyDefinition) -> bool:
    """True for a `kind: PolicyDefinition`, whose metadata has its name; Azure's has other members."""
    return definition.azure_id is None and "name" in definition.metadata


def constant_of(value: CompiledValue) -> JSON:
    """The value of what is written as such; None for an expression."""
    return value.constant if value.is_constant else None


def plain_field(condition: Condition) -> str | None:
    """The folded name of a field that gives one value: written as such, without ``[*]``."""
    operand = condition.operand
    if not isinstance(operand, Field) or not operand.name.is_constant:
        return None
    name = str(operand.name.constant)
    return None if "[*]" in name else name.casefold()


def groups_in(logic: Logic | None) -> Iterator[AllOf | AnyOf | Not]:
    """Every group, those inside a `count` included, outermost first."""
    if isinstance(logic, AllOf | AnyOf):
        yield logic
        for inner in logic.conditions:
            yield from groups_in(inner)
    elif isinstance(logic, Not):
        yield logic
        yield from groups_in(logic.condition)
    elif isinstance(logic, Condition) and isinstance(logic.operand, Count):
        yield from groups_in(logic.operand.where)


def groups_of(definition: PolicyDefinition) -> Iterator[AllOf | AnyOf | Not]:
    yield from groups_in(definition.condition)
    if definition.then.details is not None:
        yield from groups_in(definition.then.details.existence_condition)


def meaning(logic: Logic) -> str:
    """A text that is the same for conditions that mean the same as written, whatever the case of their keywords."""
    if isinstance(logic, AllOf | AnyOf):
        word = "all" if isinstance(logic, AllOf) else "any"
        return f"{word}({','.join(meaning(inner) for inner in logic.conditions)})"
    if isinstance(logic, Not):
        return f"not({meaning(logic.condition)})"
    return f"{subject_of(logic.operand)} {logic.operator} {canonical_json(logic.expected.source)}"


def subject_of(operand: Operand) -> str:
    if isinstance(operand, Field):
        return f"field {str(operand.name.source).casefold()}"
    if isinstance(operand, JMESPath):
        return f"jmespath {operand.expression.text}"
    if isinstance(operand, Value):
        return f"value {canonical_json(operand.value.source)}"
    where = meaning(operand.where) if operand.where is not None else ""
    return f"count {operand.name} {subject_of(operand.over)} {where}"


def texts_of(definition: PolicyDefinition) -> Iterator[tuple[str, Span | None]]:
    """Every text of the rule with its place: both sides of conditions, the effect, its details. No templates."""
    for condition in conditions_of(definition):
        for value in (*_operand_values(condition.operand), condition.expected):
            for text in texts_in(value.source):
                yield text, condition.span
    then = definition.then
    place = then.span or definition.span
    for text in texts_in(then.effect.source):
        yield text, place
    for value in _details_values(definition):
        for text in texts_in(value.source):
            yield text, then.details.span if then.details is not None and then.details.span else place
    if then.details is None:
        for text in texts_in(then.raw):
            yield text, place


def texts_in(value: JSON) -> Iterator[str]:
    """Every text in a JSON value, keys left out."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from texts_in(inner)
    elif is_array(value):
        for inner in value:
            yield from texts_in(inner)


def _operand_values(operand: Operand) -> tuple[CompiledValue, ...]:
    if isinstance(operand, Field):
        return (operand.name,)
    if isinstance(operand, Value):
        return (operand.value,)
    return _operand_values(operand.over) if isinstance(operand, Count) else ()


def _details_values(definition: PolicyDefinition) -> Iterator[CompiledValue]:
    details = definition.then.details
    if details is None:
        return
    for value in (details.type, details.name, details.resource_group_name):
        if value is not None:
            yield value
    if details.deployment is not None:
        yield from details.deployment.parameters.values()
        if details.deployment.location is not None:
            yield details.deployment.location
    if details.desired is not None:
        yield details.desired.name
        yield details.desired.properties


def effect_parameter(definition: PolicyDefinition) -> Parameter | None:
    """The parameter that gives the effect, when exactly a parameter gives it."""
    source = definition.then.effect.source
    match = _EFFECT_PARAMETER.fullmatch(source) if isinstance(source, str) else None
    return definition.parameters.get(match[1].casefold()) if match else None


def effect_given(definition: PolicyDefinition, values: Mapping[str, JSON]) -> str | None:
    """The folded effect under parameter ``values``, by name; None when that cannot be told from the text."""
    if definition.then.effect.is_constant:
        return str(definition.then.effect.constant).casefold()
    parameter = effect_parameter(definition)
    if parameter is None:
        return None
    value = get_folded(values, parameter.name, parameter.default)
    return value.casefold() if isinstance(value, str) and not value.startswith("[") else None
