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
