"""What a bound policy means, as one hash; and whether its answer may change by the passing of time alone.

The hash is taken over the syntax tree, so that comments, order of keys and the way a file is cut do not count.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from policyengine.expressions.compiled import CompiledValue
from policyengine.language.description import describe, values
from policyengine.language.documents import Assignment, PolicyDefinition
from policyengine.language.selectors import Selector
from policyengine.language.syntax import (
    AllOf,
    AnyOf,
    Count,
    Deployment,
    Desired,
    ExistenceDetails,
    JMESPath,
    Logic,
    Not,
    Operand,
)
from policyengine.model.values import JSON, fingerprint

SEMANTICS_VERSION: Final = 1
"""Raise it when the engine would answer differently for the same policy and the same cluster."""

_CLOCK_IN_JMESPATH: Final = re.compile(r"\bnow\b|\bage_days\b")


def digest_of(assignment: Assignment, definition: PolicyDefinition, parameters: Mapping[str, JSON]) -> str:
    """Changes with what the policy says, its effective parameters, its scope and exclusions, and our semantics."""
    details = definition.then.details
    return fingerprint(
        {
            "semantics": SEMANTICS_VERSION,
            "mode": (definition.mode or "").casefold(),
            "if": describe(definition.condition),
            "effect": definition.then.effect.source,
            "details": _details(details) if details is not None else definition.then.raw,
            "parameters": dict(parameters),
            "scope": assignment.scope.key,
            "notScopes": sorted(scope.text.casefold() for scope in assignment.not_scopes),
            **_selected(assignment),
            **({"policyType": "static"} if definition.policy_type.casefold() == "static" else {}),
        }
    )


def digest_with(digest: str, effect_name: str) -> str:
    """Of the same policy under an override of its effect."""
    return fingerprint({"policy": digest, "effect": effect_name})


def digest_among(digest: str, variants: Sequence[tuple[Sequence[Selector], str]]) -> str:
    """Of a policy with variants, each with the digest of its own."""
    if not variants:
        return digest
    return fingerprint({"policy": digest, "variants": [[_selectors(s), variant] for s, variant in variants]})


def _selected(assignment: Assignment) -> dict[str, JSON]:
    """Nothing when everything is selected, as for most assignments."""
    groups = [_selectors(group.selectors) for group in assignment.resource_selectors]
    return {"resourceSelectors": groups} if groups else {}


def _selectors(selectors: Sequence[Selector]) -> JSON:
    return [[selector.kind.value, selector.is_negated, sorted(selector.values)] for selector in selectors]


def is_volatile(definition: PolicyDefinition) -> bool:
    """True when a condition, or the choice of related resources, asks for the time."""
    details = definition.then.details
    if _asks_for_time(definition.condition):
        return True
    if details is None:
        return False
    names = [details.type, details.name, details.resource_group_name]
    condition = details.existence_condition
    return any(v is not None and "utcnow" in v.functions for v in names) or (
        condition is not None and _asks_for_time(condition)
    )


def writes_the_time(definition: PolicyDefinition) -> bool:
    """True when what an operation writes, or whether it does, depends on the time: others may dispute it then only."""
    modification = definition.then.modification
    if modification is None:
        return False
    parts = [part for one in modification.operations for part in (one.field, one.value, one.condition)]
    return any(part is not None and "utcnow" in part.functions for part in (*parts, modification.conflict_effect))


def _details(details: ExistenceDetails) -> JSON:
    condition = details.existence_condition
    return {
        "type": details.type.source,
        "name": _source(details.name),
        "kind": details.kind,
        "resourceGroupName": _source(details.resource_group_name),
        "existenceScope": details.existence_scope,
        "existenceCondition": describe(condition) if condition is not None else None,
        "deployment": _deployment(details.deployment) if details.deployment is not None else None,
        "desired": _desired(details.desired) if details.desired is not None else None,
    }


def _deployment(deployment: Deployment) -> JSON:
    return {
        "template": deployment.template,
        "parameters": {name: value.source for name, value in deployment.parameters.items()},
        "location": _source(deployment.location),
        "scope": deployment.scope,
    }


def _desired(desired: Desired) -> JSON:
    return {
        "type": desired.type,
        "name": desired.name.source,
        "identity": desired.identity,
        "properties": desired.properties.source,
        "createOnly": sorted(desired.create_only),
    }


def _source(value: CompiledValue | None) -> JSON:
    return value.source if value is not None else None


def _asks_for_time(logic: Logic) -> bool:
    if isinstance(logic, AllOf | AnyOf):
        return any(_asks_for_time(child) for child in logic.conditions)
    if isinstance(logic, Not):
        return _asks_for_time(logic.condition)
    return any("utcnow" in value.functions for value in values(logic)) or _operand_asks_for_time(logic.operand)


def _operand_asks_for_time(operand: Operand) -> bool:
    if isinstance(operand, JMESPath):
        return _CLOCK_IN_JMESPATH.search(operand.expression.text) is not None
    return isinstance(operand, Count) and operand.where is not None and _asks_for_time(operand.where)
