"""What is allowed but probably not meant: one rule per row of RULES, each giving warnings."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from policyengine.errors import ExpressionError
from policyengine.expressions.compiled import Where, compile_value
from policyengine.language.aliases import BUILT_IN_FIELDS, ENVELOPE, AliasCatalogue, FieldKind, classify_field
from policyengine.language.documents import PolicyDefinition
from policyengine.language.library import PolicyLibrary
from policyengine.language.problems import Problems
from policyengine.language.providers import PROVIDER_EFFECTS, handler_of, is_provider_mode
from policyengine.language.syntax import Count, Field, JMESPath, Value
from policyengine.language.walk import conditions_in, conditions_of, field_names
from policyengine.model.diagnostic import Diagnostic, Span, did_you_mean
from policyengine.model.resource import FLUX_CONFIGURATIONS
from policyengine.model.values import JSON, get_folded, is_array

_ROOTS: Final = ENVELOPE | {"properties"}


@dataclass(frozen=True, slots=True)
class _Warning:
    message: str
    span: Span | None
    help: str | None = None


Check: TypeAlias = Callable[[PolicyDefinition, AliasCatalogue], Iterator[_Warning]]


def check(library: PolicyLibrary, aliases: AliasCatalogue) -> tuple[Diagnostic, ...]:
    """Warnings of every rule about every definition, sorted by place."""
    problems = Problems()
    for definition in library.definitions:
        for code, rule in RULES.items():
            for warning in rule(definition, aliases):
                problems.warning(code, warning.message, warning.span, warning.help)
    return tuple(sorted(problems.found, key=lambda d: d.sort_key))


def unknown_alias(definition: PolicyDefinition, aliases: AliasCatalogue) -> Iterator[_Warning]:
    """The resource type is in the catalogue, the alias is not: it reads as absent. Source: policy language §4.3."""
    read = [(name, condition.span) for condition in conditions_of(definition) for name in field_names(condition)]
    modification = definition.then.modification
    for operation in modification.operations if modification is not None else ():
        if operation.field.is_constant:
            read.append((str(operation.field.constant), operation.span))
    for name, span in read:
        type = aliases.type_of(name) if classify_field(name).kind is FieldKind.ALIAS else None
        if type is not None and aliases.path_for(type, name) is None:
            help = did_you_mean(name, aliases.names(type))
            yield _Warning(f"`{name}` is not an alias of its resource type", span, help)


def unknown_field(definition: PolicyDefinition, _aliases: AliasCatalogue) -> Iterator[_Warning]:
    """Neither a built-in field nor a tag, an alias or a path from the document's root: it reads as absent."""
    for condition in conditions_of(definition):
        for name in field_names(condition):
            field = classify_field(name)
            first = str(field.steps[0]).casefold() if field.steps else ""
            if field.kind is FieldKind.PATH and first not in _ROOTS:
                help = did_you_mean(name, BUILT_IN_FIELDS) or "write an alias, or a path that begins with `properties.`"
                yield _Warning(f"`{name}` is not a field", condition.span, help)


_MANY_PER_CLUSTER: Final = frozenset(
    {FLUX_CONFIGURATIONS.casefold(), "microsoft.kubernetesconfiguration/sourcecontrolconfigurations"}
)


def loose_existence(definition: PolicyDefinition, _aliases: AliasCatalogue) -> Iterator[_Warning]:
    """Any of several objects on the cluster could satisfy the existence condition, not just the one meant."""
    details = definition.then.details
    if details is None or details.name is not None or not details.type.is_constant:
        return
    if str(details.type.constant).casefold() not in _MANY_PER_CLUSTER:
        return
    compared = {name for c in conditions_in(details.existence_condition) for name in field_names(c)}
    if not {"name", "fullname", "id"} & {name.casefold() for name in compared}:
        noun = str(details.type.constant).rpartition("/")[2].removesuffix("s")
        message = f"the existence condition can be satisfied by any sibling {noun}"
        yield _Warning(message, details.span, "set `details.name`, or compare the name in the condition")


_QUOTED: Final = re.compile(r"'(?:[^'\\]|\\.)*'|`(?:[^`\\]|\\.)*`|\"(?:[^\"\\]|\\.)*\"")
_BARE: Final = re.compile(r"(?<![.\w@])(null|true|false)\b(?!\s*[(:])")


def bare_literal(definition: PolicyDefinition, _aliases: AliasCatalogue) -> Iterator[_Warning]:
    """A bare `null` in JMESPath is the name of a field, which is absent. Source: experience, "JMESPath context"."""
    for condition in conditions_of(definition):
        if isinstance(condition.operand, JMESPath):
            text = _QUOTED.sub(lambda match: " " * len(match[0]), condition.operand.expression.text)
            for match in _BARE.finditer(text):
                message = f"`{match[1]}` in JMESPath is the name of a field, not the value"
                yield _Warning(message, condition.span, "put it between backticks")


def exists_operand(definition: PolicyDefinition, _aliases: AliasCatalogue) -> Iterator[_Warning]:
    """`exists` takes whatever is not true for false. Source: policy language §3.2."""
    for condition in conditions_of(definition):
        if condition.operator == "exists" and condition.expected.is_constant:
            wanted = condition.expected.constant
            if str(wanted).casefold() not in {"true", "false"}:
                message = f"`exists` is neither true nor false here, and reads `{wanted}` as false"
                yield _Warning(message, condition.span, "write `exists: true` or `exists: false`")


def list_operand(definition: PolicyDefinition, _aliases: AliasCatalogue) -> Iterator[_Warning]:
    """`in` finds nothing in what is no list, so that it never holds and `notIn` always does."""
    for condition in conditions_of(definition):
        if condition.operator in {"in", "notIn"} and condition.expected.is_constant:
            wanted = condition.expected.constant
            if not is_array(wanted):
                outcome = "never" if condition.operator == "in" else "always"
                help = f"write `{condition.operator}: [{wanted}]`" if not isinstance(wanted, Mapping) else None
                yield _Warning(f"`{condition.operator}` without a list {outcome} holds", condition.span, help)


_UNCLOSED: Final = re.compile(r"\[\s*[A-Za-z]\w*\(.*[^\]\s]\s*", re.DOTALL)


def unclosed_expression(definition: PolicyDefinition, _aliases: AliasCatalogue) -> Iterator[_Warning]:
    """Text that begins like an expression and does not end like one is taken as it stands."""
    for condition in conditions_of(definition):
        operand = condition.operand
        over = operand.over if isinstance(operand, Count) else operand
        left = [over.name] if isinstance(over, Field) else [over.value] if isinstance(over, Value) else []
        for value in (*left, condition.expected):
            for text in filter(_UNCLOSED.fullmatch, _texts(value.source)):
                help = "end it with `]`; begin it with `[[` if it is meant as text"
                yield _Warning(f"`{text}` is plain text, for no `]` closes it", condition.span, help)


def _texts(value: JSON) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _texts(item)
    elif is_array(value):
        for item in value:
            yield from _texts(item)


def handled_elsewhere(definition: PolicyDefinition, _aliases: AliasCatalogue) -> Iterator[_Warning]:
    """A provider evaluates it inside itself: it has no state here. Source: policy language §1.2."""
    effect = definition.then.effect
    name = str(effect.constant) if effect.is_constant else ""
    if is_provider_mode(definition.mode) or name.casefold() in {known.casefold() for known in PROVIDER_EFFECTS}:
        message = f"policy `{definition.name}` is {handler_of(definition.mode, name)}"
        help = "it has no compliance state here; assign it in Azure"
        yield _Warning(message, definition.span, help)


_ONLY_RESOURCE_MANAGER: Final = {name.casefold(): name for name in ("environment", "newGuid", "pickZones", "providers")}


def template_expression(definition: PolicyDefinition, _aliases: AliasCatalogue) -> Iterator[_Warning]:
    """Text in the deployment template that can never be expanded. Source: policy language §6.4."""
    details, (functions, error) = definition.then.details, _template(definition)
    span = details.span if details is not None else None
    if error is not None:
        yield _Warning(f"the deployment template cannot be expanded: {error.message}", span, error.help)
    elif "managementgroup" in functions:
        message = "`managementGroup()` has no answer in a deployment to a subscription or a resource group"
        yield _Warning(message, span, "take the group's name as a parameter")


def template_function(definition: PolicyDefinition, _aliases: AliasCatalogue) -> Iterator[_Warning]:
    """A function that only Resource Manager answers: the template is sent whole, and no plan shows what it writes."""
    details, (functions, _) = definition.then.details, _template(definition)
    for name in sorted(functions & set(_ONLY_RESOURCE_MANAGER)):
        if details is not None:
            message = f"`{_ONLY_RESOURCE_MANAGER[name]}()` is answered by Resource Manager only"
            help = "its plan shows one deployment and not what that writes; take the value as a parameter"
            yield _Warning(message, details.span, help)


def _template(definition: PolicyDefinition) -> tuple[frozenset[str], ExpressionError | None]:
    """The functions that the deployment template calls (folded), or why it cannot be compiled."""
    details = definition.then.details
    template = details.deployment.template if details is not None and details.deployment is not None else {}
    if get_folded(template, "functions"):
        return frozenset(), None  # calls of its own functions are not ours to understand
    try:
        return compile_value(template, where=Where.TEMPLATE).functions, None
    except ExpressionError as error:
        return frozenset(), error


RULES: Final[dict[str, Check]] = {
    "bare-literal": bare_literal,
    "exists-operand": exists_operand,
    "handled-elsewhere": handled_elsewhere,
    "list-operand": list_operand,
    "loose-existence": loose_existence,
    "template-expression": template_expression,
    "template-function": template_function,
    "unclosed-expression": unclosed_expression,
    "unknown-alias": unknown_alias,
    "unknown-field": unknown_field,
}
"""Code → rule."""
