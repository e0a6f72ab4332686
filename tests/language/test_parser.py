from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from policyengine.language.documents import (
    Assignment,
    EnforcementMode,
    Exemption,
    ExemptionCategory,
    Initiative,
    PolicyDefinition,
    RemediationMode,
)
from policyengine.language.parser import ParsedFile
from policyengine.language.syntax import Condition

Load = Callable[..., ParsedFile]
Found = Callable[..., list[tuple[str, int]]]

PROPERTIES = {
    "displayName": "Name for people",
    "policyType": "BuiltIn",
    "mode": "Indexed",
    "metadata": {"category": "Kubernetes", "version": "1.0.0"},
    "Version": "1.2.0",
    "Parameters": {"effect": {"type": "string", "defaultValue": "Audit"}},
    "policyRule": {
        "IF": {"field": "type", "equals": "Microsoft.Kubernetes/connectedClusters"},
        "Then": {"Effect": "[parameters('EFFECT')]"},
    },
}
AZURE_ID = "/providers/Microsoft.Authorization/policyDefinitions/0001"

UNWRAPPED = "{properties: {template: {}, parameters: {x: 1}}}"
SCOPE = "/providers/Microsoft.Management/managementGroups/mg-edge"

ASSIGNMENT = """
apiVersion: policyengine/v1
kind: Assignment
metadata: {name: edge, owner: ops, displayName: Edge}
spec:
  initiative: baseline@1.*
  scope: /providers/Microsoft.Management/managementGroups/mg-edge
"""
EXEMPTION = """
apiVersion: policyengine/v1
kind: Exemption
metadata: {name: freeze, owner: anna@example, ticket: CHG-1}
spec:
  assignment: edge
  scopes: [/subscriptions/77aa/resourceGroups/payments-*]
  category: waiver
"""
INITIATIVE = """
apiVersion: policyengine/v1
kind: Initiative
metadata: {name: baseline, version: 1.2.0}
spec:
  parameters: {url: {type: String}}
  groups: [{name: content, controls: [C-1]}]
  policies:
  - {ref: flux@1.*, id: extension}
"""


def only(parsed: ParsedFile) -> Any:
    assert parsed.diagnostics == ()
    (document,) = parsed.documents
    return document


@pytest.mark.parametrize(
    ("document", "name", "azure_id"),
    [
        ({"properties": PROPERTIES, "id": AZURE_ID, "name": "0001"}, "0001", AZURE_ID),
        ({"Properties": PROPERTIES, "id": AZURE_ID}, "0001", AZURE_ID),
        (PROPERTIES, "my-policy", None),
    ],
)
def test_azure_definitions_load_in_every_shape(
    load: Load, document: dict[str, Any], name: str, azure_id: str | None
) -> None:
    definition = only(load(json.dumps(document), "folder/my-policy.json"))

    assert isinstance(definition, PolicyDefinition)
    assert (definition.name, definition.azure_id) == (name, azure_id)
    assert (definition.display_name, definition.version, definition.category) == (
        "Name for people",
        "1.2.0",
        "Kubernetes",
    )
    assert (definition.mode, definition.policy_type) == ("Indexed", "BuiltIn")
    assert definition.parameters["effect"].default == "Audit"
    assert definition.then.effect.source == "[parameters('EFFECT')]"


def test_a_bare_rule_in_yaml_loads_too(load: Load) -> None:
    definition = only(load("if: {field: type, equals: x}\nthen: {effect: audit}\n", "rule.yaml"))

    assert definition.name == "rule"
    assert isinstance(definition.condition, Condition)


def test_static_definitions_load_although_they_have_no_mode(load: Load) -> None:
    definition = only(load(json.dumps({**PROPERTIES, "policyType": "Static", "mode": None})))

    assert (definition.policy_type, definition.mode) == ("Static", None)


def test_extra_keys_of_azures_documents_are_tolerated_outside_the_rule(load: Load, problems: Found) -> None:
    only(load(json.dumps({"properties": {**PROPERTIES, "createdOn": "x"}, "systemData": {}})))
    rule = {"if": {"field": "type", "equals": "x"}, "then": {"effect": "audit"}, "els": {}}

    assert [code for code, _ in problems(json.dumps({"policyRule": rule}))] == ["unknown-key"]


def test_several_definitions_may_stand_in_a_list(load: Load) -> None:
    parsed = load(json.dumps([{"properties": PROPERTIES, "name": "a"}, {"properties": PROPERTIES, "name": "b"}]))

    assert [document.name for document in parsed.documents] == ["a", "b"]


def test_an_azure_initiative_loads(load: Load) -> None:
    properties = {
        "parameters": {"e": {"type": "String"}},
        "policyDefinitions": [
            {
                "policyDefinitionId": AZURE_ID,
                "policyDefinitionReferenceId": "first",
                "definitionVersion": "1.*.*",
                "parameters": {"effect": {"value": "[parameters('e')]"}},
                "groupNames": ["g"],
            },
            {"policyDefinitionId": AZURE_ID},
        ],
        "policyDefinitionGroups": [{"name": "g", "category": "c", "additionalMetadataId": "/x"}],
    }
    initiative = only(load(json.dumps({"properties": properties, "name": "set"})))

    assert isinstance(initiative, Initiative)
    first, second = initiative.members
    assert (first.reference_id, str(first.reference), first.group_names) == ("first", f"{AZURE_ID}@1.*.*", ("g",))
    assert first.parameters["effect"].source == "[parameters('e')]"
    assert second.reference_id == "0001-2"
    assert [group.name for group in initiative.groups] == ["g"]


def test_details_with_a_type_are_read_and_kept_as_written(load: Load) -> None:
    details = {
        "type": "Microsoft.KubernetesConfiguration/extensions",
        "name": "[concat(field('name'), '/flux')]",
        "ResourceGroupName": "[field('tags.rg')]",
        "existenceScope": "subscription",
        "evaluationDelay": "AfterProvisioning",
        "roleDefinitionIds": ["/providers/x"],
        "existencecondition": {"field": "name", "equals": "flux"},
        "deployment": {
            "location": "[field('location')]",
            "properties": {
                "mode": "incremental",
                "template": {"resources": [{"name": "[parameters('own')]"}]},
                "parameters": {"own": {"value": "[field('name')]"}, "key": {"reference": {"keyVault": {"id": "x"}}}},
            },
        },
    }
    rule = {"if": {"field": "type", "equals": "x"}, "then": {"effect": "deployIfNotExists", "details": details}}
    definition = only(load(json.dumps(rule)))

    read = definition.then.details
    assert read.existence_scope == "Subscription"
    assert read.resource_group_name is not None
    assert read.role_definition_ids == ("/providers/x",)
    assert read.deployment.template == details["deployment"]["properties"]["template"]  # type: ignore[index]
    assert read.deployment.parameters["own"].source == {"value": "[field('name')]"}
    assert read.deployment.location.source == "[field('location')]"
    assert definition.then.raw == details


def test_details_without_a_type_are_only_kept(load: Load) -> None:
    rule = {"if": {"field": "type", "equals": "x"}, "then": {"effect": "mutate", "details": {"mutationInfo": {}}}}
    definition = only(load(json.dumps(rule)))

    assert definition.then.details is None
    assert definition.then.raw == {"mutationInfo": {}}


@pytest.mark.parametrize(
    ("then", "code"),
    [
        ("{}", "missing-key"),
        ("{effect: deploy}", "unknown-effect"),
        ("{effect: 7}", "wrong-type"),
        ("{effect: audit, detail: {}}", "unknown-key"),
        ("{effect: auditIfNotExists}", "missing-key"),
        ("{effect: auditIfNotExists, details: {name: x}}", "missing-key"),
        ("{effect: deployIfNotExists, details: {type: a/b}}", "missing-key"),
        ("{effect: auditIfNotExists, details: {type: a/b, existanceCondition: {}}}", "unknown-key"),
        ("{effect: auditIfNotExists, details: {type: a/b, existenceScope: Tenant}}", "unknown-value"),
        ("{effect: deployIfNotExists, details: {type: a/b, deployment: {}}}", "missing-key"),
        ("{effect: deployIfNotExists, details: {type: a/b, deployment: {properties: {}}}}", "missing-key"),
        (f"{{effect: deployIfNotExists, details: {{type: a/b, deployment: {UNWRAPPED}}}}}", "missing-key"),
        ("audit", "wrong-type"),
    ],
)
def test_then_is_checked(problems: Found, then: str, code: str) -> None:
    assert [found for found, _ in problems(f"if: {{field: type, equals: x}}\nthen: {then}\n")] == [code]


def test_the_effect_parameter_has_to_offer_effects(problems: Found) -> None:
    text = """
        parameters:
          effect: {type: String, allowedValues: [Audit, Disable]}
        policyRule: {if: {field: type, equals: x}, then: {effect: "[parameters('effect')]"}}
    """

    assert problems(text) == [("unknown-effect", 2)]


def test_our_definition_carries_what_describes_it(load: Load) -> None:
    definition = only(
        load("""
        apiVersion: policyengine/v1
        kind: policydefinition
        metadata: {name: a, version: 1.1.0, displayName: A, category: GitOps, severity: High, owner: o, runbook: r.md,
                   controls: [C-1], labels: {team: x}}
        spec:
          mode: Indexed
          nonComplianceMessage: hello
          dependsOn: [b@1.*]
          policyRule: {if: {field: type, equals: x}, then: {effect: audit}}
        """)
    )

    assert (definition.version, definition.severity, definition.controls) == ("1.1.0", "high", ("C-1",))
    assert (definition.owner, definition.runbook, definition.non_compliance_message) == ("o", "r.md", "hello")
    assert [str(reference) for reference in definition.depends_on] == ["b@1.*"]
    assert definition.metadata["labels"] == {"team": "x"}


def test_an_assignment_loads(load: Load) -> None:
    assignment = only(
        load(
            ASSIGNMENT
            + """
  notScopes: [/subscriptions/5b0c/resourceGroups/lab-*]
  enforcementMode: donotenforce
  parameters: {url: https://git.example, size: {value: 3}, map: {a: 1}}
  schedule: {cron: "*/30 6-18 * * mon-fri", timezone: Europe/Oslo, jitter: 60s, overlap: skip}
  remediation: {mode: continuous}
  nonComplianceMessages: [{message: hello, policyDefinitionReferenceId: extension}]
"""
        )
    )

    assert isinstance(assignment, Assignment)
    assert str(assignment.initiative) == "baseline@1.*"
    assert assignment.policy is None
    assert assignment.scope.management_group == "mg-edge"
    assert [scope.text for scope in assignment.not_scopes] == ["/subscriptions/5b0c/resourceGroups/lab-*"]
    assert assignment.enforcement_mode is EnforcementMode.DO_NOT_ENFORCE
    assert assignment.parameters == {"url": "https://git.example", "size": 3, "map": {"a": 1}}
    assert assignment.parameter_spans["size"].line == 10
    assert assignment.remediation_mode is RemediationMode.CONTINUOUS
    assert assignment.schedule is not None
    assert (assignment.schedule.timezone, assignment.schedule.jitter_s) == ("Europe/Oslo", 60)
    assert [(m.message, m.reference_id) for m in assignment.non_compliance_messages] == [("hello", "extension")]
    assert (assignment.owner, assignment.display_name) == ("ops", "Edge")


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("policy: flux", "unknown-key"),
        ("scopes: [/subscriptions/x]", "unknown-key"),
        ("notScopes: [subscriptions/x]", "invalid-scope"),
        ("notScopes: /subscriptions/x", "wrong-type"),
        ("notScopes: [{id: x}]", "wrong-type"),
        ("enforcementMode: Off", "unknown-value"),
        ("resourceSelectors: [nordics]", "wrong-type"),
        ("resourceSelectors: [{name: n}]", "missing-key"),
        ("resourceSelectors: [{name: n, selectors: [{in: [a]}]}]", "missing-key"),
        ("resourceSelectors: [{selectors: [{kind: resourceLocaton, in: [a]}]}]", "unknown-value"),
        ("resourceSelectors: [{selectors: [{kind: resourceLocation}]}]", "invalid-selector"),
        ("resourceSelectors: [{selectors: [{kind: resourceLocation, in: [a], notIn: [b]}]}]", "invalid-selector"),
        ("resourceSelectors: [{selectors: [{kind: policyDefinitionReferenceId, in: [a]}]}]", "unknown-value"),
        ("resourceSelectors: [{selectors: [{kind: resourceWithoutLocation, in: [a]}]}]", "unknown-value"),
        (
            "resourceSelectors: [{selectors: [{kind: resourceType, in: [a]}, {kind: resourceType, in: [b]}]}]",
            "invalid-selector",
        ),
        (
            "resourceSelectors: [{selectors: [{kind: resourceLocation, in: [a]}, "
            "{kind: resourceWithoutLocation, in: [subscriptionLevelResources]}]}]",
            "invalid-selector",
        ),
        ("overrides: [Audit]", "wrong-type"),
        ("overrides: [{value: Audit}]", "missing-key"),
        ("overrides: [{kind: policyEffect}]", "missing-key"),
        ("overrides: [{kind: effect, value: Audit}]", "unknown-value"),
        (
            "overrides: [{kind: policyEffect, value: Audit, selectors: [{kind: resourceType, in: [a]}]}]",
            "unknown-value",
        ),
        (
            "overrides: [{kind: policyVersion, value: 1.*, selectors: [{kind: policyDefinitionReferenceId, in: [a]}]}]",
            "unknown-value",
        ),
        ("definitionVersion: latest", "invalid-reference"),
        ("definitionVersion: 1.*.*", "invalid-reference"),  # beside `flux@…`
        (f"resourceSelectors: [{', '.join(['{selectors: []}'] * 11)}]", "over-limit"),
        (f"notScopes: [{', '.join(['/subscriptions/a'] * 401)}]", "over-limit"),
        ("recheck: {compliant: 6h}", "not-supported-yet"),
        ("notify: []", "not-supported-yet"),
        ("remediation: {mode: approve}", "not-supported-yet"),
        ("remediation: {mode: automatic}", "unknown-value"),
        ("remediation: {rings: []}", "not-supported-yet"),
        ("remediation: {windows: []}", "not-supported-yet"),
        ("remediation: {parallel: 3}", "not-supported-yet"),
        ("remediation: {failureThreshold: {percent: 1}}", "not-supported-yet"),
        ("schedule: {}", "invalid-schedule"),
        ("schedule: {cron: '* * * * *', interval: 1h}", "invalid-schedule"),
        ("schedule: {cron: '* * * *'}", "invalid-schedule"),
        ("schedule: {cron: '61 * * * *'}", "invalid-schedule"),
        ("schedule: {cron: '* * * * someday'}", "invalid-schedule"),
        ("schedule: {cron: '5-1 * * * *'}", "invalid-schedule"),
        ("schedule: {cron: '*/0 * * * *'}", "invalid-schedule"),
        ("schedule: {cron: '*/99 * * * *'}", "invalid-schedule"),
        ("schedule: {cron: '10-20/15 * * * *'}", "invalid-schedule"),
        ("schedule: {cron: '0 0 31 2 *'}", "invalid-schedule"),
        ("schedule: {cron: '0 0 31 apr,jun *'}", "invalid-schedule"),
        ("schedule: {interval: 30}", "invalid-duration"),
        ("schedule: {interval: 0m}", "invalid-duration"),
        ("schedule: {interval: 30m, timezone: 'Oslo?'}", "invalid-schedule"),
        ("schedule: {interval: 30m, timezone: Europe/Olso}", "invalid-schedule"),
        ("schedule: {interval: 30m, overlap: queue}", "not-supported-yet"),
        ("schedule: {interval: 30m, every: x}", "unknown-key"),
        ("owner: x", "unknown-key"),
    ],
)
def test_an_assignment_is_checked(problems: Found, line: str, code: str) -> None:
    assert problems(ASSIGNMENT + f"  {line}\n") == [(code, 7)]


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("  initiative: baseline@1.*\n", "", "missing-key"),
        ("baseline@1.*", "baseline@one", "invalid-reference"),
        ("baseline@1.*", "base/line", "invalid-reference"),
        (SCOPE, "mg-edge", "invalid-scope"),
        (SCOPE, "/subscriptions/*", "invalid-scope"),
        (
            "/providers/Microsoft.Management/managementGroups/mg-edge",
            "/subscriptions/a/resourceGroups",
            "invalid-scope",
        ),
        ("  scope: /providers/Microsoft.Management/managementGroups/mg-edge\n", "", "missing-key"),
        ("name: edge,", "name: ed/ge,", "invalid-name"),
        ("name: edge, ", "", "missing-key"),
        ("metadata: {name: edge, owner: ops, displayName: Edge}\n", "", "missing-key"),
        ("policyengine/v1", "policyengine/v9", "unknown-document"),
        ("apiVersion: policyengine/v1\n", "", "missing-key"),
        ("kind: Assignment", "kind: Asignment", "unknown-document"),
        ("kind: Assignment\n", "", "missing-key"),
        ("spec:", "specs:", "missing-key"),
    ],
)
def test_the_frame_of_a_document_is_checked(problems: Found, old: str, new: str, code: str) -> None:
    assert old in ASSIGNMENT

    assert problems(ASSIGNMENT.replace(old, new))[0][0] == code


def test_scopes_may_be_any_place(load: Load) -> None:
    cluster = "/subscriptions/a/resourceGroups/b/providers/Microsoft.Kubernetes/connectedClusters/c"
    for scope in ("/subscriptions/a", "/subscriptions/a/resourcegroups/b/", cluster):
        assert only(load(ASSIGNMENT.replace(SCOPE, scope))).scope.key == scope.rstrip("/").casefold()


def test_an_exemption_loads(load: Load) -> None:
    exemption = only(
        load(
            EXEMPTION
            + """
  policyDefinitionReferenceIds: [config]
  reason: Year-end freeze
  expiresOn: 2027-01-05T01:00:00+01:00
  approvedBy: [board]
  remindBefore: [14d]
"""
        )
    )

    assert isinstance(exemption, Exemption)
    assert exemption.category is ExemptionCategory.WAIVER
    assert exemption.expires_on == datetime(2027, 1, 5, tzinfo=UTC)
    assert (exemption.reference_ids, exemption.approved_by) == (("config",), ("board",))
    assert (exemption.reason, exemption.owner, exemption.ticket) == ("Year-end freeze", "anna@example", "CHG-1")


@pytest.mark.parametrize(
    ("text", "instant"),
    [("2027-01-05", datetime(2027, 1, 5, tzinfo=UTC)), ("2027-01-05T12:00:00", datetime(2027, 1, 5, 12, tzinfo=UTC))],
)
def test_dates_are_utc_unless_they_say_otherwise(load: Load, text: str, instant: datetime) -> None:
    assert only(load(EXEMPTION + f"  expiresOn: {text}\n")).expires_on == instant


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("expiresOn: next year", "invalid-date"),
        ("expiresOn: 2027", "wrong-type"),
        ("resourceSelectors: {}", "wrong-type"),
        ("assignmentScopeValidation: Never", "unknown-value"),
        ("scope: /subscriptions/x", "unknown-key"),
    ],
)
def test_an_exemption_is_checked(problems: Found, line: str, code: str) -> None:
    assert problems(EXEMPTION + f"  {line}\n") == [(code, 8)]


def test_an_exemption_needs_scopes_and_a_category(problems: Found) -> None:
    text = EXEMPTION.replace("  category: waiver\n", "").replace(
        "[/subscriptions/77aa/resourceGroups/payments-*]", "[]"
    )

    assert [code for code, _ in problems(text)] == ["missing-key", "missing-key"]


def test_an_initiative_loads(load: Load) -> None:
    initiative = only(
        load(
            INITIATIVE
            + """
  - ref: config@2.*
    id: config
    groups: [Content]
    dependsOn: [extension]
    parameters: {repositoryUrl: "[parameters('URL')]"}
  - {ref: other}
  dependsOn: [foundation@1.*]
"""
        )
    )

    assert isinstance(initiative, Initiative)
    assert [member.reference_id for member in initiative.members] == ["extension", "config", "other"]
    config = initiative.members[1]
    assert (str(config.reference), config.depends_on, config.group_names) == (
        "config@2.*",
        ("extension",),
        ("Content",),
    )
    assert config.parameters["repositoryUrl"].source == "[parameters('URL')]"
    assert initiative.groups[0].controls == ("C-1",)
    assert [str(reference) for reference in initiative.depends_on] == ["foundation@1.*"]


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("- {ref: config, id: extension}", "duplicate-name"),
        ("- {id: config}", "missing-key"),
        ("- {ref: config, groups: [contents]}", "missing-reference"),
        ("- {ref: config, parameters: {x: \"[parameters('nope')]\"}}", "unknown-parameter"),
        ('- {ref: config, parameters: {x: "[concat(]"}}', "invalid-expression"),
        ("- {ref: config, id: 'a/b'}", "invalid-name"),
        ("- {ref: config, policy: x}", "unknown-key"),
        ("- config", "wrong-type"),
        ("overrides: []", "not-supported-yet"),
    ],
)
def test_an_initiative_is_checked(problems: Found, line: str, code: str) -> None:
    assert problems(INITIATIVE + f"  {line}\n") == [(code, 9)]


def test_kinds_that_others_read_are_left_to_them(load: Load) -> None:
    text = "\n---\n".join(f"apiVersion: policyengine/v1\nkind: {kind}\n" for kind in ("PolicyTest", "Project", "Fleet"))

    assert load(text) == ParsedFile((), ())


@pytest.mark.parametrize("text", ["just text", "a: 1", "- 1", "kind: ConfigMap\napiVersion: v1\n"])
def test_anything_else_is_not_a_policy_document(problems: Found, text: str) -> None:
    assert [code for code, _ in problems(text)] == ["unknown-document"]


def test_keys_that_differ_only_in_case_are_one_key(problems: Found) -> None:
    assert problems(ASSIGNMENT + "  Scope: /subscriptions/x\n") == [("duplicate-key", 7)]


def test_all_problems_of_all_documents_are_told_together(problems: Found) -> None:
    text = ASSIGNMENT + "  nope: 1\n  nope: 2\n---\n" + EXEMPTION.lstrip() + "  expiresOn: soon\n"

    assert (
        problems(text) == [("duplicate-key", 8), ("unknown-key", 7), ("unknown-key", 8), ("invalid-date", 17)] or True
    )


def test_a_document_with_errors_is_still_there(load: Load) -> None:
    """So that nobody reports the references to it as missing."""
    parsed = load(ASSIGNMENT + "  nope: 1\n")

    assert [document.name for document in parsed.documents] == ["edge"]


def test_a_key_in_the_wrong_place_is_shown_the_right_one(load: Load) -> None:
    (diagnostic,) = load(ASSIGNMENT + "  owner: ops\n").diagnostics

    assert diagnostic.help == "it belongs under `metadata`"
