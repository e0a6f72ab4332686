"""What a rule says that Azure's language has no words for.

Source: experience, "Policy file format", column "Exportable".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from policyengine.errors import ExpressionError
from policyengine.expressions.compiled import is_expression
from policyengine.expressions.parser import parse
from policyengine.expressions.syntax import Access, Call, Expression, Literal
from policyengine.language.aliases import FieldKind, classify_field
from policyengine.language.documents import PolicyDefinition
from policyengine.language.syntax import Condition, Count, Deployment, Field, JMESPath, Logic, Operation, Value
from policyengine.language.walk import conditions_in
from policyengine.model.diagnostic import Span
from policyengine.model.values import JSON, is_array


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why something cannot be said in Azure's language, as a sentence, and where it stands."""

    reason: str
    span: Span | None


def obstacles_in(logic: Logic | None) -> Iterator[Obstacle]:
    """Those of every condition, the ones inside a `count` included."""
    for condition in conditions_in(logic):
        for reason in _of_condition(condition):
            yield Obstacle(reason, condition.span)


def obstacles_of(definition: PolicyDefinition) -> Iterator[Obstacle]:
    """Those of a whole definition but for its existence condition."""
    yield from obstacles_in(definition.condition)
    modification = definition.then.modification
    for operation in modification.operations if modification is not None else ():
        for reason in _of_operation(operation):
            yield Obstacle(reason, operation.span)
    details = definition.then.details
    if details is not None:
        values = [value.source for value in (details.type, details.name, details.resource_group_name) if value]
        for reason in _of_texts([*values, *_arguments(details.deployment)]):
            yield Obstacle(reason, details.span)


def _arguments(deployment: Deployment | None) -> list[JSON]:
    return [] if deployment is None else [value.source for value in deployment.parameters.values()]


def _of_condition(condition: Condition) -> Iterator[str]:
    operand = condition.operand
    over = operand.over if isinstance(operand, Count) else operand
    if isinstance(over, JMESPath):
        yield "`jmespath` is an addition of ours, which Azure does not know"
    elif isinstance(over, Field):
        yield from _of_field(over.name.constant) if over.name.is_constant else _of_texts(over.name.source)
    elif isinstance(over, Value):
        yield from _of_texts(over.value.source)
    yield from _of_texts(condition.expected.source)


def _of_operation(operation: Operation) -> Iterator[str]:
    yield from _of_field(operation.field.constant) if operation.field.is_constant else ()
    for value in (operation.field, operation.value, operation.condition):
        yield from _of_texts(value.source) if value is not None else ()


def _of_field(name: JSON) -> Iterator[str]:
    if isinstance(name, str) and classify_field(name).kind is FieldKind.PATH:
        yield f"`{name}` is a path, and Azure reads properties by alias only"


def _of_texts(value: JSON) -> Iterator[str]:
    """Of every expression in the value: `field('…')` with a path."""
    if isinstance(value, str) and is_expression(value):
        try:
            tree = parse(value)
        except ExpressionError:
            return
        for name in _fields_read(tree):
            yield from _of_field(name)
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _of_texts(item)
    elif is_array(value):
        for item in value:
            yield from _of_texts(item)


def _fields_read(tree: Expression) -> Iterator[JSON]:
    if isinstance(tree, Access):
        yield from _fields_read(tree.target)
        yield from _fields_read(tree.key)
    elif isinstance(tree, Call):
        if tree.name.casefold() == "field" and tree.arguments and isinstance(tree.arguments[0], Literal):
            yield tree.arguments[0].value
        for argument in tree.arguments:
            yield from _fields_read(argument)
