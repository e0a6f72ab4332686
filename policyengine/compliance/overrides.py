"""Overrides of an assignment: whether an effect may take the place of another, and policies that differ by place.

Source: policy language §1.5, "overrides"; §6, which effects are interchangeable.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from policyengine.compliance.bound import BoundPolicy
from policyengine.compliance.digest import digest_among
from policyengine.language.details import effect_parameter
from policyengine.language.documents import PolicyDefinition
from policyengine.language.selectors import Selector

FAMILIES: Final = (
    frozenset({"audit", "deny", "modify", "append"}),
    frozenset({"auditIfNotExists", "deployIfNotExists"}),
)
"""Effects that can share `details`; `disabled` can take the place of any, and any that of `disabled`."""

Case = tuple[Sequence[Selector], Sequence[BoundPolicy]]
"""Where it holds, and what is bound there."""


def allowed_effects(definition: PolicyDefinition, written: str) -> tuple[str, ...]:
    """What an override may choose: what the effect's parameter allows, else the family of the effect ``written``."""
    parameter = effect_parameter(definition.then, definition.parameters)
    if parameter is not None and parameter.allowed_values:
        return tuple(str(value) for value in parameter.allowed_values)
    family = frozenset().union(*(f for f in FAMILIES if written in f or written == "disabled")) or {written}
    return (*sorted(family), "disabled")


def by_place(cases: Sequence[Case], otherwise: Sequence[BoundPolicy]) -> list[BoundPolicy]:
    """One policy per key, whose variants are what the cases bind; where a case lacks a key nothing is evaluated."""
    if not cases:
        return list(otherwise)
    keys = dict.fromkeys(policy.key for _, policies in (*cases, ((), otherwise)) for policy in policies)
    return [_merged(key, cases, otherwise) for key in keys]


def _merged(key: str, cases: Sequence[Case], otherwise: Sequence[BoundPolicy]) -> BoundPolicy:
    found = [(selectors, _keyed(key, policies)) for selectors, policies in (*cases, ((), otherwise))]
    pattern = next(policy for _, policy in found if policy is not None)
    silent = replace(pattern, effect=None, effect_name="disabled", variants=())
    *special, (_, last) = found
    return with_variants(last or silent, [(selectors, policy or silent) for selectors, policy in special])


def with_variants(policy: BoundPolicy, variants: Sequence[tuple[Sequence[Selector], BoundPolicy]]) -> BoundPolicy:
    digest = digest_among(policy.digest, [(selectors, variant.digest) for selectors, variant in variants])
    volatile = policy.volatile or any(variant.volatile for _, variant in variants)
    return replace(policy, variants=tuple(variants), digest=digest, volatile=volatile)


def _keyed(key: str, policies: Sequence[BoundPolicy]) -> BoundPolicy | None:
    return next((policy for policy in policies if policy.key == key), None)
