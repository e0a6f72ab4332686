"""Which policies write first: by member, by definition, by initiative."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from policyengine.compliance.bind import BoundPolicy

Bound = Callable[..., tuple[BoundPolicy, ...]]

TWO = """
name: first
properties:
  parameters: {a: {type: String}}
  policyRule: {if: {field: tags.a, equals: "[parameters('a')]"}, then: {effect: audit}}
---
apiVersion: policyengine/v1
kind: PolicyDefinition
metadata: {name: second}
spec:
  dependsOn: [first]
  parameters: {n: {type: Integer, defaultValue: 1}}
  policyRule: {if: {field: tags.n, equals: "[parameters('n')]"}, then: {effect: audit}}
"""
INITIATIVE = """
apiVersion: policyengine/v1
kind: Initiative
metadata: {name: both, version: 1.0.0}
spec:
  parameters: {prefix: {type: String}, n: {type: Integer, defaultValue: 7}}
  policies:
    - {ref: first, id: one, parameters: {A: "[concat(parameters('prefix'), '-a')]"}}
    - {ref: first, id: other, dependsOn: [one], parameters: {a: fixed}}
    - {ref: second, id: two}
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


def test_members_go_after_those_they_name_and_definitions_after_theirs(bound: Bound) -> None:
    one, other, two = bound(TWO, INITIATIVE, assignment("prefix: x", target="initiative: both"))

    assert one.depends_on == ()
    assert other.depends_on == ("edge/one",)
    assert two.depends_on == ("edge/one", "edge/other")


SCOPES = {
    "/providers/Microsoft.Management/managementGroups/root": ("early/e",),
    "/subscriptions/5b0c": ("early/e",),
    "/subscriptions/5b0c/resourceGroups/g": ("early/e",),
    "/subscriptions/other": (),
}


@pytest.mark.parametrize(("scope", "expected"), SCOPES.items())
def test_an_initiative_goes_after_the_initiatives_it_names_where_they_meet(
    bound: Bound, scope: str, expected: tuple[str, ...]
) -> None:
    def initiative(name: str, member: str, more: str = "") -> str:
        return f"""
apiVersion: policyengine/v1
kind: Initiative
metadata: {{name: {name}}}
spec:
  {more}
  policies: [{{ref: second, id: {member}}}]
"""

    def assigned(name: str, scope: str) -> str:
        text = assignment("", name, f"initiative: {name}-set")
        return text.replace("/providers/Microsoft.Management/managementGroups/root", scope)

    policies = bound(
        TWO,
        initiative("early-set", "e"),
        initiative("late-set", "l", "dependsOn: [early-set]"),
        assigned("early", "/subscriptions/5b0c/resourceGroups/g"),
        assigned("late", scope),
    )

    assert policies[-1].key == "late/l"
    assert policies[-1].depends_on == expected
