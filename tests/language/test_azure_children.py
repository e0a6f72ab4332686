"""Azure's own assignments, exemptions and enrollments load verbatim. Policy language §1.5, §1.6, §1.8."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from policyengine.language.documents import Assignment, EnforcementMode, Enrollment, Exemption, ExemptionCategory
from policyengine.language.parser import ParsedFile
from policyengine.language.selectors import OverrideKind, SelectorKind

Load = Callable[..., ParsedFile]

GROUP = "/subscriptions/a/resourceGroups/rg"
SET = "/providers/Microsoft.Authorization/policySetDefinitions/base"
POLICY = "/providers/Microsoft.Authorization/policyDefinitions/0001"
ASSIGNMENT_ID = f"{GROUP}/providers/Microsoft.Authorization/policyAssignments/edge"

ASSIGNMENT = {
    "id": ASSIGNMENT_ID,
    "name": "edge",
    "type": "Microsoft.Authorization/policyAssignments",
    "location": "westeurope",
    "identity": {"type": "SystemAssigned", "principalId": "1", "tenantId": "2"},
    "properties": {
        "displayName": "Edge",
        "scope": GROUP,
        "policyDefinitionId": SET,
        "definitionVersion": "1.*.*",
        "effectiveDefinitionVersion": "1.2.0",
        "notScopes": [f"{GROUP}/providers/Microsoft.Kubernetes/connectedClusters/x"],
        "parameters": {"branch": {"value": "main"}},
        "enforcementMode": "DoNotEnforce",
        "nonComplianceMessages": [{"message": "m", "policyDefinitionReferenceId": "config"}],
        "metadata": {"assignedBy": "ops", "createdOn": "2026-01-01T00:00:00Z"},
        "resourceSelectors": [{"name": "r", "selectors": [{"kind": "resourceLocation", "in": ["East US"]}]}],
        "overrides": [
            {
                "kind": "policyEffect",
                "value": "Disabled",
                "selectors": [{"kind": "policyDefinitionReferenceId", "in": ["config"]}],
            },
            {"kind": "policyVersion", "value": "2.*.*"},
        ],
    },
}
EXEMPTION = {
    "id": f"{GROUP}/providers/Microsoft.Authorization/policyExemptions/freeze",
    "systemData": {"createdBy": "anna"},
    "properties": {
        "policyAssignmentId": ASSIGNMENT_ID,
        "policyDefinitionReferenceIds": ["config"],
        "exemptionCategory": "Mitigated",
        "expiresOn": "2027-01-05T00:00:00Z",
        "description": "Year-end freeze",
        "assignmentScopeValidation": "DoNotValidate",
    },
}
ENROLLMENT = {
    "id": f"{GROUP}/providers/Microsoft.Authorization/policyEnrollments/pilot",
    "name": "pilot",
    "properties": {"policyAssignmentId": ASSIGNMENT_ID, "policyDefinitionReferenceIds": ["config"]},
}


def only(load: Load, document: Any) -> Any:
    parsed = load(json.dumps(document), "file.json")
    assert [d.message for d in parsed.diagnostics] == []
    return parsed.documents[0]


def test_an_assignment(load: Load) -> None:
    assignment = only(load, ASSIGNMENT)

    assert isinstance(assignment, Assignment)
    assert (assignment.name, assignment.scope.text, assignment.id) == ("edge", GROUP, ASSIGNMENT_ID)
    assert assignment.policy is None
    assert str(assignment.initiative) == f"{SET}@1.*.*"
    assert assignment.parameters == {"branch": "main"}
    assert assignment.enforcement_mode is EnforcementMode.DO_NOT_ENFORCE
    assert [(m.message, m.reference_id) for m in assignment.non_compliance_messages] == [("m", "config")]
    assert (assignment.display_name, assignment.owner) == ("Edge", "ops")
    assert [s.kind for g in assignment.resource_selectors for s in g.selectors] == [SelectorKind.LOCATION]
    assert [(o.kind, o.value) for o in assignment.overrides] == [
        (OverrideKind.EFFECT, "Disabled"),
        (OverrideKind.VERSION, "2.*.*"),
    ]


def test_an_assignment_of_one_policy_as_bare_properties(load: Load) -> None:
    assignment = only(load, {"scope": GROUP, "policyDefinitionId": POLICY})

    assert (assignment.name, str(assignment.policy), assignment.scope.text) == ("file", POLICY, GROUP)


def test_an_exemption_is_known_by_its_id(load: Load) -> None:
    exemption = only(load, EXEMPTION)

    assert isinstance(exemption, Exemption)
    assert (exemption.name, exemption.assignment) == ("freeze", ASSIGNMENT_ID)
    assert [scope.text for scope in exemption.scopes] == [GROUP]
    assert exemption.category is ExemptionCategory.MITIGATED
    assert exemption.reference_ids == ("config",)
    assert exemption.expires_on == datetime(2027, 1, 5, tzinfo=UTC)
    assert exemption.reason == "Year-end freeze"
    assert exemption.any_scope


def test_an_enrollment(load: Load) -> None:
    enrollment = only(load, ENROLLMENT)

    assert isinstance(enrollment, Enrollment)
    assert (enrollment.name, enrollment.assignment, enrollment.reference_ids) == ("pilot", ASSIGNMENT_ID, ("config",))
    assert not enrollment.any_scope


def test_a_list_of_them_as_a_tool_exports_it(load: Load) -> None:
    parsed = load(json.dumps([ASSIGNMENT, EXEMPTION, ENROLLMENT]), "file.json")

    assert [type(document) for document in parsed.documents] == [Assignment, Exemption, Enrollment]


@pytest.mark.parametrize(
    ("document", "code"),
    [
        ({"properties": {"exemptionCategory": "Waiver", "policyAssignmentId": "x"}}, "missing-key"),
        ({"id": EXEMPTION["id"], "properties": {"policyAssignmentId": "x"}}, "missing-key"),
        ({"id": EXEMPTION["id"], "properties": {"exemptionCategory": "Waiver"}}, "missing-key"),
        ({"id": ASSIGNMENT_ID, "properties": {}}, "missing-key"),
        ({"properties": {"policyDefinitionId": POLICY}}, "missing-key"),
        ({"type": "Microsoft.Authorization/roleAssignments", "properties": {}}, "unknown-document"),
    ],
)
def test_what_is_missing_is_told(load: Load, document: Any, code: str) -> None:
    assert [d.code for d in load(json.dumps(document), "file.json").diagnostics] == [code]


def test_an_initiative_with_more_members_than_azure_takes_is_warned_about(load: Load) -> None:
    members = [{"policyDefinitionId": POLICY, "policyDefinitionReferenceId": f"m{n}"} for n in range(1001)]
    parsed = load(json.dumps({"policyDefinitions": members}), "file.json")

    assert [(d.code, d.message) for d in parsed.diagnostics] == [
        ("over-limit", "there are 1001 members, and Azure takes 1000")
    ]
