"""What is allowed but probably not meant: one rule per row of RULES, each giving warnings."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

from policyengine.language.aliases import BUILT_IN_FIELDS, ENVELOPE, AliasCatalogue, FieldKind, classify_field
from policyengine.language.documents import PolicyDefinition
from policyengine.language.library import PolicyLibrary
from policyengine.language.problems import Problems
from policyengine.language.syntax import JMESPath
from policyengine.language.walk import conditions_in, conditions_of, field_names
from policyengine.model.diagnostic import Diagnostic, Span, did_you_mean
from policyengine.model.resource import FLUX_CONFIGURATIONS

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
    for condition in conditions_of(definition):
        for name in field_names(condition):
            if classify_field(name).kind is not FieldKind.ALIAS:
                continue
            type = aliases.type_of(name)
            if type is not None and aliases.path_for(type, name) is None:
                help = did_you_mean(name, aliases.names(type))
                yield _Warning(f"`{name}` is not an alias of its resource type", condition.span, help)


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


RULES: Final[dict[str, Check]] = {
    "bare-literal": bare_literal,
    "loose-existence": loose_existence,
    "unknown-alias": unknown_alias,
    "unknown-field": unknown_field,
}
"""Code → rule."""
