"""A digest changes with the meaning and with nothing else; and who watches the clock."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from policyengine.compliance.bind import BoundPolicy

Bound = Callable[..., tuple[BoundPolicy, ...]]

RULE = """
name: rule
properties:
  displayName: A rule
  parameters:
    effect: {type: String, defaultValue: Audit}
    branch: {type: String}
    count: {type: Integer, defaultValue: 3}
  policyRule:
    if: {field: tags.branch, notEquals: "[parameters('branch')]"}
    then: {effect: "[parameters('effect')]"}
"""


def assignment(parameters: str, name: str = "edge", target: str = "policy: rule") -> str:
    return f"""
apiVersion: policyengine/v1
kind: Assignment
metadata: {{name: {name}}}
spec:
  {target}
  scope: /providers/Microsoft.Management/managementGroups/root
  parameters: {{{parameters}}}
"""


@pytest.fixture
def digest(bound: Bound) -> Callable[..., str]:
    def digest(definition: str = RULE, parameters: str = "branch: main", **more: Any) -> str:
        return bound(definition, assignment(parameters, **more))[0].digest

    return digest


@pytest.mark.parametrize(
    "definition",
    [
        RULE.replace("A rule", "A better name"),
        "# a comment\n" + RULE,
        RULE.replace("tags.branch, notEquals", "tags.branch,   notEquals"),
    ],
)
def test_it_stays_when_the_meaning_does(digest: Callable[..., str], definition: str) -> None:
    assert digest(definition) == digest()
    assert digest(name="other") == digest()


@pytest.mark.parametrize(
    ("definition", "parameters"),
    [
        (RULE.replace("notEquals", "equals"), "branch: main"),
        (RULE.replace("tags.branch", "tags.ref"), "branch: main"),
        (RULE, "branch: dev"),
        (RULE, "branch: main, count: 4"),
        (RULE, "branch: main, effect: Disabled"),
        (RULE.replace("displayName: A rule", "policyType: Static"), "branch: main"),
    ],
)
def test_it_changes_with_the_meaning(digest: Callable[..., str], definition: str, parameters: str) -> None:
    assert digest(definition, parameters) != digest()


EXISTS = """
name: rule
properties:
  policyRule:
    if: {field: type, equals: Microsoft.Kubernetes/connectedClusters}
    then:
      effect: auditIfNotExists
      details:
        type: Microsoft.Insights/diagnosticSettings
        name: logs
        kind: one
        resourceGroupName: monitoring
        existenceScope: resourceGroup
        existenceCondition: {field: name, equals: logs}
"""
MODIFY = """
name: rule
properties:
  policyRule:
    if: {field: tags.env, exists: false}
    then:
      effect: modify
      details:
        roleDefinitionIds: [/providers/Microsoft.Authorization/roleDefinitions/b24988ac-6180-42a0-ab88-20f7382dd24c]
        conflictEffect: deny
        operations: [{operation: add, field: tags.env, value: prod}]
"""
DESIRED = """
apiVersion: policyengine/v1
kind: PolicyDefinition
metadata: {name: rule}
spec:
  appliesTo: [arc]
  require: {extension: {extensionType: microsoft.flux, releaseTrain: Stable}}
"""


@pytest.mark.parametrize(
    ("definition", "old", "new"),
    [
        (EXISTS, "diagnosticSettings", "dataCollectionRuleAssociations"),
        (EXISTS, "name: logs\n", "name: metrics\n"),
        (EXISTS, "kind: one", "kind: other"),
        (EXISTS, "resourceGroupName: monitoring", "resourceGroupName: logging"),
        (EXISTS, "existenceScope: resourceGroup", "existenceScope: subscription"),
        (EXISTS, "equals: logs", "like: logs"),
        (EXISTS, "auditIfNotExists", "disabled"),
        (MODIFY, "operation: add,", "operation: addOrReplace,"),
        (MODIFY, "value: prod", "value: test"),
        (MODIFY, "conflictEffect: deny", "conflictEffect: audit"),
        (DESIRED, "releaseTrain: Stable", "releaseTrain: Preview"),
        (DESIRED, "appliesTo: [arc]", "appliesTo: [arc, aks]"),
    ],
)
def test_it_changes_with_whatever_the_effect_looks_at(bound: Bound, definition: str, old: str, new: str) -> None:
    """A digest that stayed would leave the states of before."""
    assert old in definition
    before, after = (bound(text, assignment(""))[0].digest for text in (definition, definition.replace(old, new)))

    assert before != after


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("managementGroups/root", "managementGroups/other"),
        ("parameters: {", "notScopes: [/subscriptions/a/resourceGroups/b*]\n  parameters: {"),
        ("parameters: {", "resourceSelectors: [{selectors: [{kind: resourceLocation, in: [a]}]}]\n  parameters: {"),
        (
            "parameters: {",
            "overrides: [{kind: policyEffect, value: Disabled, selectors: [{kind: resourceLocation, in: [a]}]}]\n"
            "  parameters: {",
        ),
    ],
)
def test_it_changes_with_the_clusters_an_assignment_speaks_of(bound: Bound, old: str, new: str) -> None:
    assigned = assignment("branch: main")
    before, after = (bound(RULE, text)[0].digest for text in (assigned, assigned.replace(old, new)))

    assert before != after


@pytest.mark.parametrize("member", ["type", "name", "resourceGroupName"])
def test_what_must_exist_may_be_named_by_the_time(bound: Bound, member: str) -> None:
    lines = [
        f'        {member}: "[utcNow()]"' if f" {member}: " in line and "field" not in line else line
        for line in EXISTS.splitlines()
    ]

    assert bound("\n".join(lines), assignment(""))[0].volatile
    assert not bound(EXISTS, assignment(""))[0].volatile


def test_what_must_be_so_of_it_may_ask_for_the_time(bound: Bound) -> None:
    asking = EXISTS.replace("equals: logs", "less: '[utcNow()]'")

    assert bound(asking, assignment(""))[0].volatile


@pytest.mark.parametrize(
    ("condition", "volatile"),
    [
        ("{field: name, equals: x}", False),
        ("{field: tags.until, less: '[utcNow()]'}", True),
        ('{value: "[addDays(utcNow(), 3)]", greater: x}', True),
        ("{not: {allOf: [{jmespath: age_days(properties.created), greater: 3}]}}", True),
        ('{jmespath: "properties.end < now", equals: true}', True),
        ("{jmespath: properties.knowledge, equals: x}", False),
        ("{count: {field: 'properties.a[*]', where: {value: '[utcNow()]', equals: x}}, equals: 1}", True),
    ],
)
def test_it_knows_who_watches_the_clock(assigned: Callable[..., BoundPolicy], condition: str, volatile: bool) -> None:
    assert assigned(f"policyRule: {{if: {condition}, then: {{effect: audit}}}}").volatile is volatile
