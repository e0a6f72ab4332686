"""Assignments become bound policies, or a complete list of what is wrong. Policy language §1.3–§1.6."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from policyengine.compliance.bind import BoundPolicy
from policyengine.effects.elsewhere import HandledElsewhere
from policyengine.model.diagnostic import Diagnostic

Bound = Callable[..., tuple[BoundPolicy, ...]]
Problems = Callable[..., tuple[Diagnostic, ...]]

DEFINITION = """
name: rule
properties:
  displayName: A rule
  parameters:
    effect: {type: String, allowedValues: [Audit, Disabled, Deny], defaultValue: Audit}
    Branch: {type: String}
    count: {type: Integer, defaultValue: 3}
    ratio: {type: Float, defaultValue: 0.5}
    regions: {type: Array, allowedValues: [norwayeast, swedencentral], defaultValue: []}
    on: {type: Boolean, defaultValue: true}
    map: {type: Object, defaultValue: {}}
    maybe: {type: String, defaultValue: x}
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


def test_values_come_from_the_assignment_then_from_the_definition(bound: Bound) -> None:
    (policy,) = bound(DEFINITION, assignment("BRANCH: main, ratio: 2, maybe: null"))

    assert policy.key == "edge"
    assert policy.parameters == {
        "effect": "Audit",
        "branch": "main",
        "count": 3,
        "ratio": 2,
        "regions": [],
        "on": True,
        "map": {},
        "maybe": None,
    }
    assert policy.effect_name == "audit"
    assert policy.effect is not None
    assert (policy.display_name, policy.severity) == ("A rule", "medium")


def test_a_disabled_policy_is_bound_and_has_no_effect(bound: Bound) -> None:
    (policy,) = bound(DEFINITION, assignment("branch: main, effect: Disabled"))

    assert (policy.effect, policy.effect_name) == (None, "disabled")


@pytest.mark.parametrize(
    ("parameters", "code", "words", "help"),
    [
        ("", "missing-key", "`edge` gives no value for parameter `Branch` of policy `rule`", "add `Branch`"),
        ("branch: 7", "wrong-type", "`Branch` of policy `rule` must be text", ""),
        ("branch: m, count: '3'", "wrong-type", "`count`", ""),
        ("branch: m, count: true", "wrong-type", "`count`", ""),
        ("branch: m, count: 3.5", "wrong-type", "`count`", ""),
        ("branch: m, on: 'true'", "wrong-type", "`on`", ""),
        ("branch: m, regions: norwayeast", "wrong-type", "`regions`", ""),
        ("branch: m, regions: [norwayeast, NorwayEast]", "not-allowed", "`regions`", "did you mean `norwayeast`?"),
        ("branch: m, effect: audit", "not-allowed", "must be `Audit`, `Disabled` or `Deny`", "did you mean `Audit`?"),
        ("branch: m, cuont: 3", "unknown-parameter", "sets `cuont`", "did you mean `count`?"),
    ],
)
def test_it_refuses(problems: Problems, parameters: str, code: str, words: str, help: str) -> None:
    (problem,) = problems(DEFINITION, assignment(parameters))

    assert problem.code == code
    assert words in problem.message
    assert help in (problem.help or "")
    assert problem.span is not None


def test_a_bad_value_is_pointed_at(problems: Problems) -> None:
    (problem,) = problems(DEFINITION, assignment("\n    branch: main,\n    count: three\n  "))

    assert problem.span is not None
    assert problem.span.source.lines[problem.span.line - 1].strip() == "count: three"


def test_problems_of_all_assignments_are_told_together(problems: Problems) -> None:
    found = problems(DEFINITION, assignment("count: x", "one"), assignment("branch: 1, nope: 2", "two"))

    assert [p.code for p in found] == ["missing-key", "wrong-type", "wrong-type", "unknown-parameter"]


@pytest.mark.parametrize(
    ("mode", "handler"),
    [
        ("Microsoft.Kubernetes.Data", "handled in the cluster"),
        ("Microsoft.ContainerService.Data", "handled in the cluster"),
        ("microsoft.keyvault.data", "handled by its provider"),
        ("Microsoft.MachineLearningServices.v2.Data", "handled by its provider"),
    ],
)
def test_modes_of_providers_are_handled_by_them(bound: Bound, mode: str, handler: str) -> None:
    (policy,) = bound(
        DEFINITION.replace("properties:\n", f"properties:\n  mode: {mode}\n", 1), assignment("branch: main")
    )

    assert isinstance(policy.effect, HandledElsewhere)
    assert policy.effect.name == "audit"
    assert policy.effect.by.startswith(handler)


def test_a_mode_that_does_not_exist_is_refused(problems: Problems) -> None:
    text = DEFINITION.replace("properties:\n", "properties:\n  mode: Indxed\n", 1)

    (problem,) = problems(text, assignment("branch: main"))

    assert problem.code == "unknown-value"
    assert "Indxed" in problem.message


def test_a_disabled_policy_of_a_provider_is_handled_by_nobody(bound: Bound) -> None:
    text = DEFINITION.replace("properties:\n", "properties:\n  mode: Microsoft.Kubernetes.Data\n", 1)

    (policy,) = bound(text, assignment("branch: main, effect: Disabled"))

    assert policy.effect is None


@pytest.mark.parametrize("mode", ["All", "indexed"])
def test_resource_modes_are_evaluated(bound: Bound, mode: str) -> None:
    assert bound(DEFINITION.replace("properties:\n", f"properties:\n  mode: {mode}\n", 1), assignment("branch: main"))


def rule_with(effect: str, details: str = "null") -> str:
    then = f"{{effect: {effect}, details: {details}}}"
    return f"name: rule\nproperties: {{policyRule: {{if: {{field: name, exists: true}}, then: {then}}}}}"


@pytest.mark.parametrize(
    ("effect", "details", "name"),
    [
        ("Deny", "null", "deny"),
        ("append", "[{field: tags.a, value: b}]", "append"),
        ("Modify", "{roleDefinitionIds: [x], operations: [{operation: add, field: tags.a, value: b}]}", "modify"),
        ("manual", "{defaultState: Unknown}", "manual"),
        ("denyAction", "{actionNames: [delete]}", "denyAction"),
        ("mutate", "{mutationInfo: {}}", "mutate"),
        ("addToNetworkGroup", "{networkGroupId: x}", "addToNetworkGroup"),
        ("enforceRegoPolicy", "{policy: x}", "enforceRegoPolicy"),
        ("enforceSetting", "{setting: {}}", "enforceSetting"),
        ("auditAction", "null", "auditAction"),
    ],
)
def test_every_effect_of_the_language_is_bound(bound: Bound, effect: str, details: str, name: str) -> None:
    (policy,) = bound(rule_with(effect, details), assignment(""))

    assert policy.effect is not None
    assert (policy.effect_name, policy.effect.name) == (name, name)


@pytest.mark.parametrize(
    ("details", "effect", "code", "words"),
    [
        ("{anything: 1}", "\"[concat('mod', 'ify')]\"", "missing-key", "no operations for it"),
        ("[{field: tags.a, value: b}]", "modify", "missing-key", "no operations for it"),
        ("{operations: [{operation: add, field: tags.a, value: b}]}", "append", "missing-key", "no operations for it"),
        ("{actionNames: [read]}", "denyAction", "unknown-value", "`read` among its `actionNames`"),
        ("{}", "denyAction", "missing-key", "no list of `actionNames`"),
        ("{defaultState: Compilant}", "manual", "unknown-value", "`Compilant`"),
    ],
)
def test_details_an_effect_cannot_work_with_are_refused(
    problems: Problems, details: str, effect: str, code: str, words: str
) -> None:
    (problem,) = problems(rule_with(effect, details), assignment(""))

    assert problem.code == code
    assert words in problem.message
    assert problem.span is not None


@pytest.mark.parametrize("value", ["[concat('a', utcNow())]", "[field('name')]", "[parameters('map').none]"])
def test_an_effect_depends_on_nothing_but_parameters(problems: Problems, value: str) -> None:
    text = DEFINITION.replace("\"[parameters('effect')]\"", f'"{value}"')

    (problem,) = problems(text, assignment("branch: main"))

    assert problem.code == "invalid-expression"


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


def test_an_initiative_gives_one_bound_policy_per_member(bound: Bound) -> None:
    one, other, two = bound(TWO, INITIATIVE, assignment("prefix: x", target="initiative: both"))

    assert [p.key for p in (one, other, two)] == ["edge/one", "edge/other", "edge/two"]
    assert (one.parameters, other.parameters) == ({"a": "x-a"}, {"a": "fixed"})
    assert two.parameters == {"n": 1}  # a member that passes nothing leaves the definition's own default
    assert one.initiative is not None
    assert one.identity["setDefinitionId"] == "both"


@pytest.mark.parametrize(
    ("parameters", "code"),
    [("", "missing-key"), ("prefix: x, nope: 1", "unknown-parameter"), ("prefix: [x]", "wrong-type")],
)
def test_an_initiative_s_own_parameters_are_checked(problems: Problems, parameters: str, code: str) -> None:
    (problem,) = problems(TWO, INITIATIVE, assignment(parameters, target="initiative: both"))

    assert problem.code == code
    assert "initiative `both`" in problem.message


def test_a_member_s_value_is_checked_against_the_definition(problems: Problems) -> None:
    text = INITIATIVE.replace("id: two", "id: two, parameters: {n: \"[parameters('prefix')]\"}")

    (problem,) = problems(TWO, text, assignment("prefix: x", target="initiative: both"))

    assert problem.code == "wrong-type"
    assert "member `two` of initiative `both`" in problem.message


def test_a_member_expression_that_fails_is_told(problems: Problems) -> None:
    text = INITIATIVE.replace("[concat(parameters('prefix'), '-a')]", "[substring(parameters('prefix'), 9, 1)]")

    (problem,) = problems(TWO, text, assignment("prefix: x", target="initiative: both"))

    assert problem.code == "invalid-expression"
    assert "member `one`" in problem.message


MESSAGES = """
apiVersion: policyengine/v1
kind: Assignment
metadata: {name: edge}
spec:
  initiative: both
  scope: /providers/Microsoft.Management/managementGroups/root
  parameters: {prefix: x}
  nonComplianceMessages:
    - {message: for all}
    - {message: for two, policyDefinitionReferenceId: TWO}
"""


def test_a_message_for_the_member_beats_the_one_for_all(bound: Bound) -> None:
    assert [p.message for p in bound(TWO, INITIATIVE, MESSAGES)] == ["for all", "for all", "for two"]


def test_a_value_is_checked_against_the_schema_where_it_is_given(problems: Problems) -> None:
    text = DEFINITION.replace("map: {type: Object, ", "map: {type: Object, schema: {required: [a]}, ").replace(
        "defaultValue: {}}", "defaultValue: {a: 1}}"
    )

    (problem,) = problems(text, assignment("branch: m, map: {b: 1}"))

    assert problem.code == "schema-mismatch"
    assert "`map` of policy `rule` does not fit its schema: 'a' is a required property" in problem.message
    assert problem.span is not None
