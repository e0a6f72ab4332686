"""The details of an effect with their expressions resolved on one resource, for whoever carries it out themselves.

Judging and remediation do not read this: they have the typed forms of `language/syntax.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from policyengine.errors import ExpressionError
from policyengine.evaluation import Subject
from policyengine.expressions.compiled import compile_value
from policyengine.language.documents import PolicyDefinition
from policyengine.language.syntax import ExistenceDetails
from policyengine.model.values import JSON, Nothing, is_array

_TEMPLATE: Final = ("properties", "template")
_CONDITION: Final = ("", "existencecondition")


def resolved_details(definition: PolicyDefinition, subject: Subject) -> JSON:
    """In the shape the author wrote, or the short form stands for; None where there are none.

    Existence conditions are left out. Templates, and expressions that cannot be evaluated, stay as written.
    """
    details, raw = definition.then.details, definition.then.raw
    return _resolved(raw if details is None or raw is not None else _spelt_out(details), subject, "")


def _spelt_out(details: ExistenceDetails) -> JSON:
    written: dict[str, JSON] = {"type": details.type.source}
    for key, value in (("name", details.name), ("resourceGroupName", details.resource_group_name)):
        if value is not None:
            written[key] = value.source
    if details.role_definition_ids:
        written["roleDefinitionIds"] = list(details.role_definition_ids)
    if details.deployment is not None:
        inner = {name: value.source for name, value in details.deployment.parameters.items()}
        properties = {"mode": "incremental", "template": details.deployment.template, "parameters": inner}
        written["deployment"] = {"properties": properties}
    return written


def _resolved(value: JSON, subject: Subject, inside: str) -> JSON:
    """``inside`` is the folded key that ``value``, or the list it is in, stands under."""
    if isinstance(value, Mapping):
        members = {(inside, str(key).casefold()): (key, item) for key, item in value.items()}
        return {
            key: item if place == _TEMPLATE else _resolved(item, subject, place[1])
            for place, (key, item) in members.items()
            if place != _CONDITION
        }
    if is_array(value):
        return [_resolved(item, subject, inside) for item in value]
    try:
        result = compile_value(value).evaluate(subject.expression_context)
    except ExpressionError:
        return value
    return None if isinstance(result, Nothing) else result
