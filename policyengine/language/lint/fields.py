"""Rules about field names: aliases, tags, locations, what `field()` asks for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from policyengine.language.aliases import (
    BUILT_IN_FIELDS,
    AliasCatalogue,
    FieldKind,
    begins_in_envelope,
    classify_field,
)
from policyengine.language.documents import PolicyDefinition
from policyengine.language.lint.base import Finding, constant_of, plain_field, texts_in, texts_of
from policyengine.language.modifications import APPEND
from policyengine.language.operators import normalise_location
from policyengine.language.walk import conditions_in, conditions_of, field_names
from policyengine.model.diagnostic import did_you_mean
from policyengine.model.resource import FLUX_CONFIGURATIONS
from policyengine.model.values import is_array

_MANY_PER_CLUSTER: Final = frozenset(
    {FLUX_CONFIGURATIONS.casefold(), "microsoft.kubernetesconfiguration/sourcecontrolconfigurations"}
)
_FIELD_CALL: Final = re.compile(r"(?<![\w.])field\(\s*'((?:[^']|'')*)'\s*\)", re.IGNORECASE)
_FORBIDDEN_IN_TAGS: Final = re.compile(r"[<>%&\\?/]|^\s|\s$")
_RESERVED_TAGS: Final = ("azure", "microsoft", "windows")
_WHOLE: Final = frozenset(
    {"equals", "notEquals", "like", "notLike", "match", "notMatch", "matchInsensitively", "notMatchInsensitively"}
    | {"in", "notIn", "less", "lessOrEquals", "greater", "greaterOrEquals"}
)


def unknown_alias(definition: PolicyDefinition, aliases: AliasCatalogue) -> Iterator[Finding]:
    """The resource type is in the catalogue, the alias is not: it reads as absent. Source: policy language §4.3."""
    read = [(name, condition.span) for condition in conditions_of(definition) for name in field_names(condition)]
    modification = definition.then.modification
    for operation in modification.operations if modification is not None else ():
        if operation.field.is_constant:
            read.append((str(operation.field.constant), operation.span))
    for name, span in read:
        if _is_unknown_alias(name, aliases):
            help = did_you_mean(name, aliases.names(aliases.type_of(name) or ""))
            yield Finding(f"`{name}` is not an alias of its resource type", span, help)


def not_modifiable(definition: PolicyDefinition, aliases: AliasCatalogue) -> Iterator[Finding]:
    """An operation on an alias that the catalogue says cannot be modified. Source: policy language §6.2, "field"."""
    modification = definition.then.modification
    for operation in modification.operations if modification is not None else ():
        name = str(operation.field.constant) if operation.field.is_constant and operation.kind != APPEND else ""
        alias = aliases.alias(aliases.type_of(name) or "", name)
        if alias is not None and alias.modifiable is False and not any(alias.modifiable_in.values()):
            help = "the `conflictEffect` decides instead; ask for it with `deny` or `audit`"
            yield Finding(f"`{name}` cannot be modified", operation.span, help)


def unknown_field(definition: PolicyDefinition, _aliases: AliasCatalogue) -> Iterator[Finding]:
    """Neither a built-in field nor a tag, an alias or a path from the document's root: it reads as absent."""
    for condition in conditions_of(definition):
        for name in field_names(condition):
            if _is_unknown_path(name):
                yield Finding(f"`{name}` is not a field", condition.span, _help_for_path(name))


def unknown_field_function(definition: PolicyDefinition, aliases: AliasCatalogue) -> Iterator[Finding]:
    """`field('x')` of something no resource has: it gives null."""
    for text, span in texts_of(definition):
        for match in _FIELD_CALL.finditer(text) if text.startswith("[") else ():
            name = match[1].replace("''", "'")
            if _is_unknown_alias(name, aliases):
                help = did_you_mean(name, aliases.names(aliases.type_of(name) or ""))
                yield Finding(f"`field('{name}')` asks for no alias of its resource type", span, help)
            elif _is_unknown_path(name):
                yield Finding(f"`field('{name}')` asks for no field", span, _help_for_path(name))


def _is_unknown_alias(name: str, aliases: AliasCatalogue) -> bool:
    if classify_field(name).kind is not FieldKind.ALIAS:
        return False
    type = aliases.type_of(name)
    return type is not None and aliases.path_for(type, name) is None


def _is_unknown_path(name: str) -> bool:
    field = classify_field(name)
    return field.kind is FieldKind.PATH and not begins_in_envelope(field.steps)


def _help_for_path(name: str) -> str:
    return did_you_mean(name, BUILT_IN_FIELDS) or "write an alias, or a path that begins with `properties.`"


def loose_existence(definition: PolicyDefinition, _aliases: AliasCatalogue) -> Iterator[Finding]:
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
        yield Finding(message, details.span, "set `details.name`, or compare the name in the condition")


def whole_array_compared(definition: PolicyDefinition, aliases: AliasCatalogue) -> Iterator[Finding]:
    """The alias is an array, and an array as a whole never equals a single value. Source: §4.4."""
    for condition in conditions_of(definition):
        name = plain_field(condition)
        type = aliases.type_of(name) if name and classify_field(name).kind is FieldKind.ALIAS else None
        if name is None or type is None or condition.operator not in _WHOLE:
            continue
        array = aliases.alias(type, f"{name}[*]")
        if array is not None and condition.expected.is_constant and not is_array(constant_of(condition.expected)):
            message = f"`{array.name.removesuffix('[*]')}` is an array, compared with a single value"
            yield Finding(message, condition.span, f"compare `{array.name}`, or use `contains`")


def location_spelling(definition: PolicyDefinition, _aliases: AliasCatalogue) -> Iterator[Finding]:
    """Locations compare without case and blanks here; other tools read the policy, too. Source: §4.1."""
    for condition in conditions_of(definition):
        if plain_field(condition) == "location":
            for text in texts_in(constant_of(condition.expected)):
                if text != (plain := normalise_location(text)):
                    yield Finding(f"`{text}` is the location `{plain}`", condition.span, f"write `{plain}`")


def odd_tag_name(definition: PolicyDefinition, _aliases: AliasCatalogue) -> Iterator[Finding]:
    """A tag of that name cannot be set. Source: Azure Resource Manager, limits of tags."""
    for condition in conditions_of(definition):
        for name in field_names(condition):
            field = classify_field(name)
            if field.kind is not FieldKind.TAG:
                continue
            if _FORBIDDEN_IN_TAGS.search(field.name) or len(field.name) > 512:
                help = "a name has at most 512 characters, and none of `<>%&\\?/`"
                yield Finding(f"no tag can be called `{field.name}`", condition.span, help)
            elif field.name.casefold().startswith(_RESERVED_TAGS):
                help = "choose another beginning than `azure`, `microsoft` or `windows`"
                yield Finding(f"tags like `{field.name}` are reserved", condition.span, help)
