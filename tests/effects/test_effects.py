"""The table of effects, and what each binds to."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from policyengine.effects import EFFECTS
from policyengine.errors import PolicyError
from policyengine.language.details import EFFECTS as LANGUAGE_EFFECTS
from policyengine.language.documents import PolicyDefinition
from policyengine.model.states import ComplianceState

Define = Callable[[str], PolicyDefinition]

RULE = """
parameters: {effect: {type: String}}
policyRule:
  if: {field: type, equals: Microsoft.Kubernetes/connectedClusters}
  then:
    effect: "[parameters('effect')]"
    details:
      type: Microsoft.KubernetesConfiguration/extensions
      deployment: {properties: {mode: incremental, template: {resources: []}}}
"""
BARE = (
    "policyRule: {if: {field: name, equals: x}, then: {effect: \"[parameters('e')]\"}}\nparameters: {e: {type: String}}"
)


def test_every_effect_of_the_language_is_acted_on() -> None:
    assert set(EFFECTS) == set(LANGUAGE_EFFECTS)


@pytest.mark.parametrize(
    ("name", "otherwise"),
    [
        ("audit", ComplianceState.COMPLIANT),
        ("deny", ComplianceState.COMPLIANT),
        ("manual", ComplianceState.COMPLIANT),
        ("mutate", ComplianceState.NOT_APPLICABLE),
        ("auditIfNotExists", ComplianceState.NOT_APPLICABLE),
        ("deployIfNotExists", ComplianceState.NOT_APPLICABLE),
    ],
)
def test_an_effect_knows_its_name_and_what_holds_otherwise(
    definition: Define, name: str, otherwise: ComplianceState
) -> None:
    effect = EFFECTS[name](definition(RULE))

    assert effect is not None
    assert (effect.name, effect.otherwise) == (name, otherwise)
    assert (effect.details is None) is (not name.endswith("IfNotExists"))


def test_disabled_binds_to_nothing(definition: Define) -> None:
    assert EFFECTS["disabled"](definition(RULE)) is None


@pytest.mark.parametrize("name", ["auditIfNotExists", "deployIfNotExists"])
def test_details_are_demanded_by_the_effect_that_needs_them(definition: Define, name: str) -> None:
    with pytest.raises(PolicyError) as caught:
        EFFECTS[name](definition(BARE))
    assert caught.value.diagnostics[0].code == "missing-key"
    assert "details.type" in caught.value.diagnostics[0].message


def test_a_deployment_is_demanded_where_one_is_made(definition: Define) -> None:
    text = RULE.replace("      deployment: {properties: {mode: incremental, template: {resources: []}}}\n", "")

    assert EFFECTS["auditIfNotExists"](definition(text)) is not None
    with pytest.raises(PolicyError) as caught:
        EFFECTS["deployIfNotExists"](definition(text))
    assert "details.deployment" in caught.value.diagnostics[0].message
