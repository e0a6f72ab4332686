"""Declared parameters, and whether a value fits one. Source: policy language §1.3."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from policyengine.language.documents import Parameter
from policyengine.language.fields import Fields, first_line, one_of
from policyengine.language.parameter_schema import schema_problem, violation
from policyengine.language.problems import Problems
from policyengine.model.diagnostic import did_you_mean
from policyengine.model.values import JSON, UNDEFINED, canonical_json, is_array
from policyengine.text.nodes import Entry, MappingNode, Node, SequenceNode, to_value

TYPES: Final[Mapping[str, tuple[str, Callable[[JSON], bool]]]] = {
    "String": ("text", lambda value: isinstance(value, str)),
    "Array": ("a list", is_array),
    "Object": ("a mapping", lambda value: isinstance(value, Mapping)),
    "Boolean": ("true or false", lambda value: isinstance(value, bool)),
    "Integer": ("a whole number", lambda value: isinstance(value, int) and not isinstance(value, bool)),
    "Float": ("a number", lambda value: isinstance(value, int | float) and not isinstance(value, bool)),
    "DateTime": ("a date as text", lambda value: isinstance(value, str)),
}
"""Canonical name → what a person calls it, and the test."""


def parse_parameters(node: MappingNode | None, problems: Problems, *, verbatim: bool = False) -> dict[str, Parameter]:
    """Keyed by the folded name. In Azure's ``verbatim`` documents a default that does not fit is only a warning:
    some published initiatives have one, and every assignment gives a value of its own.
    """
    parameters: dict[str, Parameter] = {}
    for entry in node or ():
        parameter = _parse_parameter(entry, problems, verbatim)
        if parameter.name.casefold() in parameters:
            other = parameters[parameter.name.casefold()].name
            message = f"parameters `{other}` and `{parameter.name}` have the same name"
            problems.error("duplicate-key", message, entry.key.span, "names are compared without case")
        parameters[parameter.name.casefold()] = parameter
    return parameters


def _parse_parameter(entry: Entry, problems: Problems, verbatim: bool) -> Parameter:
    if not isinstance(entry.value, MappingNode):
        help = "write `{type: String}`"
        problems.error("wrong-type", f"parameter `{entry.name}` must be a mapping", entry.key.span, help)
        return Parameter(entry.name, "String", span=entry.key.span)
    fields = Fields(entry.value, f"parameter `{entry.name}`", problems)
    metadata = fields.mapping("metadata")
    schema = fields.take("schema")
    default = fields.entry("defaultValue")
    allowed = fields.take("allowedValues")
    if allowed is not None and not isinstance(allowed, SequenceNode):
        fields.wrong_type(allowed, "`allowedValues`", "a list")
    parameter = Parameter(
        name=entry.name,
        type=_parse_type(fields),
        default=UNDEFINED if default is None else to_value(default.value),
        allowed_values=tuple(to_value(allowed)) if isinstance(allowed, SequenceNode) else None,
        metadata=to_value(metadata) if metadata else {},
        schema=to_value(schema) if schema is not None else None,
        span=entry.key.span,
    )
    fields.close()
    if schema is not None and not _is_usable(parameter, schema, problems, verbatim):
        parameter = replace(parameter, schema=None)
    if default is not None and (wrong := mismatch(parameter, parameter.default)):
        code, text = wrong
        report = problems.warning if verbatim else problems.error
        message = f"the default of parameter `{entry.name}` {text}"
        report(code, message, first_line(default.value), suggestion(parameter, parameter.default))
    return parameter


def _is_usable(parameter: Parameter, node: Node, problems: Problems, verbatim: bool) -> bool:
    """Whether values can be checked against the parameter's schema; what keeps it from being so is reported."""
    if parameter.type != "Object":
        if not verbatim:
            message = f"the schema of parameter `{parameter.name}` is not checked: its type is {parameter.type}"
            problems.warning("invalid-schema", message, first_line(node), "only parameters of type Object have one")
    elif (wrong := schema_problem(parameter.schema)) is not None:
        message = f"the schema of parameter `{parameter.name}` {wrong}"
        problems.error("invalid-schema", message, first_line(node), "write it in JSON Schema 2019-09")
    else:
        return True
    return False


def _parse_type(fields: Fields) -> str:
    entry = fields.entry("type")
    if entry is None:
        fields.missing("type", one_of(TYPES))
        return "String"
    return fields.choice("type", {name: name for name in TYPES}, "String")


def mismatch(parameter: Parameter, value: JSON) -> tuple[str, str] | None:
    """Why ``value`` does not fit: a code, and the end of a sentence about the value. None when it fits.

    Null fits every type; an empty list of allowed values allows everything. Allowed values are compared with case,
    for a list element by element. Objects also have to fit their schema.
    """
    noun, fits = TYPES[parameter.type]
    if value is None:
        return None
    if not fits(value):
        return "wrong-type", f"must be {noun}, got `{_shorten(value)}`"
    for element in _not_allowed(parameter, value):
        return "not-allowed", f"must be {_listed(parameter.allowed_values or ())}, got `{_shorten(element)}`"
    if parameter.type == "Object" and parameter.schema is not None:
        misfit = violation(parameter.schema, value)
        return ("schema-mismatch", misfit) if misfit is not None else None
    return None


def suggestion(parameter: Parameter, value: JSON) -> str | None:
    """Help naming the allowed value nearest to one that is not allowed."""
    words = [item for item in parameter.allowed_values or () if isinstance(item, str)]
    wrong = [element for element in _not_allowed(parameter, value) if isinstance(element, str)]
    return did_you_mean(wrong[0], words) if wrong else None


def _not_allowed(parameter: Parameter, value: JSON) -> list[JSON]:
    if not parameter.allowed_values:
        return []
    # canonical_json keeps 1, true and 1.0 apart, which Python's `in` does not.
    allowed = {canonical_json(item) for item in parameter.allowed_values}
    if canonical_json(value) in allowed:
        return []
    return [element for element in (value if is_array(value) else [value]) if canonical_json(element) not in allowed]


def _listed(values: tuple[JSON, ...]) -> str:
    words = [f"`{_shorten(value)}`" for value in values[:8]] + (["…"] if len(values) > 8 else [])
    return " or ".join(filter(None, [", ".join(words[:-1]), words[-1]])) if words else "nothing"


def _shorten(value: JSON) -> str:
    text = value if isinstance(value, str) else canonical_json(value)
    return text if len(text) <= 60 else text[:59] + "…"
