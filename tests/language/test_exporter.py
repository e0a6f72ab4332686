"""Our documents in Azure's language: what they become, and what has no words there."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policyengine.language.aliases import AliasCatalogue
from policyengine.language.assignment_exporter import Surroundings, export_document
from policyengine.language.exporter import Losses, Manner
from policyengine.language.library import PolicyLibrary
from policyengine.language.parser import Document, parse_documents
from policyengine.language.problems import Problems
from policyengine.language.rule import parse_logic
from policyengine.language.rule_writer import write_logic
from policyengine.model.ids import ResourceId
from policyengine.text.nodes import MappingNode
from policyengine.text.reader import read

HEAD = "apiVersion: policyengine/v1\nkind: "
MG = "/providers/Microsoft.Management/managementGroups/mg-edge"
SUBSCRIPTION = "/subscriptions/5b0c1e6a-2d94-47f3-a8e1-c37b90d25f04"
BUILT_IN = "/providers/Microsoft.Authorization/policyDefinitions/0adc5395-9169-4b9b-8687-af838d69410a"

DEFINITION = (
    HEAD
    + """PolicyDefinition
metadata: {name: tagged, version: 1.2.0, displayName: Tagged, severity: high, owner: ops, controls: [C-1]}
spec:
  parameters:
    tag: {type: String, defaultValue: owner}
  appliesTo: [aks]
  when: {field: location, notEquals: westus}
  policyRule:
    if: {field: "[concat('tags[', parameters('tag'), ']')]", exists: false}
    then: {effect: audit}
  nonComplianceMessage: no tag
"""
)
INITIATIVE = (
    HEAD
    + """Initiative
metadata: {name: base, version: 1.0.0, category: Tags}
spec:
  parameters: {tag: {type: String}}
  groups: [{name: g, displayName: Group, controls: [C-1]}]
  dependsOn: [other]
  policies:
    - {ref: tagged@1.*, id: one, groups: [g], parameters: {tag: "[parameters('tag')]"}}
    - {ref: BUILT_IN@1.*, id: two, dependsOn: [one]}
""".replace("BUILT_IN", BUILT_IN)
)
ASSIGNMENT = (
    HEAD
    + f"""Assignment
metadata: {{name: edge, owner: ops, displayName: Edge}}
spec:
  initiative: base
  scope: {MG}
  notScopes: [{SUBSCRIPTION}/resourceGroups/lab]
  enforcementMode: DoNotEnforce
  parameters: {{tag: owner}}
  nonComplianceMessages: [{{message: ask, policyDefinitionReferenceId: one}}]
  resourceSelectors: [{{name: n, selectors: [{{kind: resourceLocation, in: [westeurope]}}]}}]
  overrides: [{{kind: policyEffect, value: Disabled}}]
  schedule: {{interval: 1h}}
  identity: {{type: SystemAssigned}}
  location: westeurope
"""
)
EXEMPTION = (
    HEAD
    + f"""Exemption
metadata: {{name: freeze, ticket: CHG-1, displayName: Freeze}}
spec:
  assignment: edge
  policyDefinitionReferenceIds: [one]
  scopes: [{SUBSCRIPTION}/resourceGroups/a, {SUBSCRIPTION}/resourceGroups/b]
  category: Waiver
  reason: Year-end
  expiresOn: 2027-01-05
  approvedBy: [board]
"""
)


def exported(*texts: str, scope: str | None = None, manner: Manner = Manner.REFUSE) -> tuple[list[Any], list[str]]:
    """What the last text becomes among the others, and every code with its line."""
    aliases = AliasCatalogue.packaged()
    nodes: dict[Document, MappingNode] = {}
    for number, text in enumerate(texts):
        parsed = parse_documents(text, f"{number}.yaml", aliases)
        assert [d.message for d in parsed.diagnostics if d.is_error] == []
        nodes.update(zip(parsed.documents, parsed.nodes, strict=True))
    library, _ = PolicyLibrary.build(nodes)
    problems = Problems()
    around = Surroundings(library, nodes, ResourceId(scope) if scope is not None else None)
    found = export_document(list(nodes)[-1], around, Losses(problems, manner))
    return found, [f"{d.code}:{d.span.line if d.span else 0}" for d in problems.found]


def only(*texts: str, scope: str | None = None) -> Any:
    (document,), codes = exported(*texts, scope=scope)
    assert codes == []
    return document


def test_a_definition_gets_its_envelope_and_its_whole_condition() -> None:
    document = only(DEFINITION)
    properties = document["properties"]

    assert (document["name"], document["type"]) == ("tagged", "Microsoft.Authorization/policyDefinitions")
    assert properties["displayName"] == "Tagged"
    assert properties["mode"] == "Indexed"
    assert properties["parameters"] == {"tag": {"type": "String", "defaultValue": "owner"}}
    assert properties["policyRule"] == {
        "if": {
            "allOf": [
                {"field": "type", "in": ["Microsoft.ContainerService/managedClusters"]},
                {"field": "location", "notEquals": "westus"},
                {"field": "[concat('tags[', parameters('tag'), ']')]", "exists": False},
            ]
        },
        "then": {"effect": "audit"},
    }


def test_what_only_describes_goes_into_the_metadata() -> None:
    assert only(DEFINITION)["properties"]["metadata"] == {
        "version": "1.2.0",
        "severity": "high",
        "owner": "ops",
        "controls": ["C-1"],
        "nonComplianceMessage": "no tag",
    }


@pytest.mark.parametrize(
    "condition",
    [
        '{jmespath: "length(related.extensions)", greater: 0}',
        "{field: properties.agentVersion, equals: '1'}",
        """{value: "[field('properties.agentVersion')]", equals: '1'}""",
        """{field: location, equals: "[field('properties.agentVersion')]"}""",
        "{count: {field: 'properties.items[*]'}, greater: 0}",
        """{not: {anyOf: [{field: location, in: ["[toLower(field('properties.a')[0].b)]"]}]}}""",
    ],
)
@pytest.mark.parametrize("manner", [Manner.REFUSE, Manner.LEAVE_OUT])
def test_paths_and_jmespath_are_refused_where_they_stand(condition: str, manner: Manner) -> None:
    text = DEFINITION.replace("{field: location, notEquals: westus}", condition)

    assert exported(text, manner=manner)[1] == ["not-exportable:8"]


def test_tags_in_odd_spellings_are_no_paths() -> None:
    text = DEFINITION.replace("{field: location, notEquals: westus}", "{field: \"tags['a.b']\", equals: '1'}")

    assert exported(text)[1] == []


def test_operations_on_paths_are_refused() -> None:
    details = "{roleDefinitionIds: [x], operations: [{operation: add, field: properties.a, value: 1}]}"
    text = DEFINITION.replace("{effect: audit}", f"{{effect: modify, details: {details}}}")

    assert exported(text)[1] == ["not-exportable:11"]


def test_a_policy_that_writes_must_name_roles() -> None:
    details = "{operations: [{operation: add, field: tags.a, value: '1'}]}"
    text = DEFINITION.replace("{effect: audit}", f"{{effect: modify, details: {details}}}")

    assert exported(text)[1] == ["not-exportable:11"]
    assert exported(text.replace("{operations", "{roleDefinitionIds: [x], operations"))[1] == []


def test_an_absence_is_exported_as_one() -> None:
    text = (
        HEAD
        + """PolicyDefinition
metadata: {name: pinned}
spec:
  appliesTo: [arc]
  require:
    extension: {extensionType: microsoft.flux, releaseTrain: null}
    where: {field: name, like: "f*"}
"""
    )
    details = only(text)["properties"]["policyRule"]["then"]["details"]

    alias = "Microsoft.KubernetesConfiguration/extensions/releaseTrain"
    assert {"field": alias, "exists": False} in details["existenceCondition"]["allOf"]
    assert details["existenceCondition"]["allOf"][-1] == {"field": "name", "like": "f*"}
    assert details["deployment"]["properties"]["parameters"]["properties"] == {
        "value": {"extensionType": "microsoft.flux"}
    }
    assert only(text)["properties"]["policyRule"]["then"]["effect"] == "deployIfNotExists"


def test_limits_of_azure_are_warned_about() -> None:
    text = DEFINITION.replace("name: tagged", "name: " + "a" * 65)

    assert exported(text)[1] == ["over-limit:3"]


def test_an_initiative_names_its_members_by_their_ids() -> None:
    properties = only(DEFINITION, INITIATIVE, scope=MG)["properties"]

    assert properties["policyDefinitions"] == [
        {
            "policyDefinitionId": f"{MG}/providers/Microsoft.Authorization/policyDefinitions/tagged",
            "policyDefinitionReferenceId": "one",
            "parameters": {"tag": {"value": "[parameters('tag')]"}},
            "groupNames": ["g"],
        },
        {"policyDefinitionId": BUILT_IN, "definitionVersion": "1.*.*", "policyDefinitionReferenceId": "two"},
    ]
    assert properties["policyDefinitionGroups"] == [{"name": "g", "displayName": "Group"}]
    assert properties["metadata"] == {
        "version": "1.0.0",
        "category": "Tags",
        "dependsOn": ["other"],
        "memberOrder": {"two": ["one"]},
        "groupControls": {"g": ["C-1"]},
    }


def test_a_member_of_our_own_needs_to_be_told_where_it_stands() -> None:
    assert exported(DEFINITION, INITIATIVE)[1] == ["not-exportable:9"]


def test_a_pinned_patch_is_refused_and_loosened_when_asked_for() -> None:
    text = INITIATIVE.replace(f"{BUILT_IN}@1.*", f"{BUILT_IN}@1.2.3")
    (document,), codes = exported(DEFINITION, text, scope=MG, manner=Manner.LEAVE_OUT)

    assert exported(DEFINITION, text, scope=MG)[1] == codes == ["not-exportable:10"]
    assert document["properties"]["policyDefinitions"][1]["definitionVersion"] == "1.2.*"


def test_an_assignment_keeps_everything_that_azure_knows() -> None:
    document = only(DEFINITION, INITIATIVE, ASSIGNMENT)

    assert document == {
        "id": f"{MG}/providers/Microsoft.Authorization/policyAssignments/edge",
        "name": "edge",
        "type": "Microsoft.Authorization/policyAssignments",
        "location": "westeurope",
        "identity": {"type": "SystemAssigned"},
        "properties": {
            "displayName": "Edge",
            "metadata": {"owner": "ops", "assignedBy": "ops", "schedule": {"interval": "1h"}},
            "scope": MG,
            "policyDefinitionId": f"{MG}/providers/Microsoft.Authorization/policySetDefinitions/base",
            "notScopes": [f"{SUBSCRIPTION}/resourceGroups/lab"],
            "enforcementMode": "DoNotEnforce",
            "parameters": {"tag": {"value": "owner"}},
            "nonComplianceMessages": [{"message": "ask", "policyDefinitionReferenceId": "one"}],
            "resourceSelectors": [{"name": "n", "selectors": [{"kind": "resourceLocation", "in": ["westeurope"]}]}],
            "overrides": [{"kind": "policyEffect", "value": "Disabled"}],
        },
    }


def test_wildcards_in_scopes_are_refused() -> None:
    assignment = ASSIGNMENT.replace("/lab]", "/lab-*]")
    exemption = EXEMPTION.replace("/b]", "/b-*]")

    assert exported(DEFINITION, INITIATIVE, assignment)[1] == ["not-exportable:7"]
    assert exported(DEFINITION, INITIATIVE, ASSIGNMENT, exemption)[1] == ["not-exportable:7"]


def test_an_exemption_becomes_one_for_each_scope() -> None:
    documents, codes = exported(DEFINITION, INITIATIVE, ASSIGNMENT, EXEMPTION)

    assert codes == []
    assert [document["id"] for document in documents] == [
        f"{SUBSCRIPTION}/resourceGroups/{name}/providers/Microsoft.Authorization/policyExemptions/freeze"
        for name in "ab"
    ]
    assert documents[0]["properties"] == {
        "displayName": "Freeze",
        "description": "Year-end",
        "metadata": {"ticket": "CHG-1", "approvedBy": ["board"]},
        "exemptionCategory": "Waiver",
        "expiresOn": "2027-01-05T00:00:00Z",
        "policyAssignmentId": f"{MG}/providers/Microsoft.Authorization/policyAssignments/edge",
        "policyDefinitionReferenceIds": ["one"],
    }


def test_what_is_exported_is_read_back_without_a_complaint() -> None:
    aliases = AliasCatalogue.packaged()
    for texts in ([DEFINITION], [DEFINITION, INITIATIVE], [DEFINITION, INITIATIVE, ASSIGNMENT, EXEMPTION]):
        documents, _ = exported(*texts, scope=MG)
        parsed = parse_documents(json.dumps(documents), "azure.json", aliases)

        assert parsed.diagnostics == ()
        assert len(parsed.documents) == len(documents)


def test_attestations_are_refused() -> None:
    text = (
        HEAD
        + f"""Attestation
metadata: {{name: checked}}
spec: {{assignment: edge, scopes: [{SUBSCRIPTION}], complianceState: Compliant}}
"""
    )

    assert exported(DEFINITION, INITIATIVE, ASSIGNMENT, text)[1] == ["not-exportable:3"]


def test_documents_of_azures_come_out_as_they_went_in() -> None:
    value = {
        "id": BUILT_IN,
        "name": "x",
        "properties": {
            "policyType": "BuiltIn",
            "metadata": {"version": "1.0.0", "preview": True},
            "policyRule": {"if": {"Field": "type", "Equals": "a/b"}, "then": {"effect": "Audit"}},
        },
    }

    assert only(json.dumps(value)) == value


@pytest.mark.parametrize(
    ("bare", "properties"),
    [
        ({"if": {"field": "type", "equals": "a/b"}, "then": {"effect": "audit"}}, "policyRule"),
        ({"policyRule": {"if": {"field": "type", "equals": "a/b"}, "then": {"effect": "audit"}}, "mode": "All"}, None),
    ],
)
def test_bare_definitions_get_an_envelope(bare: dict[str, Any], properties: str | None) -> None:
    document = only(json.dumps(bare))

    assert document["name"] == "0"
    assert document["properties"] == ({properties: bare} if properties else bare)


# Written and read

SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-5, 5), st.sampled_from(["", "x", "[[x]", "[parameters('p')]", "*.io"])
)
FIELDS = st.sampled_from(["type", "location", "tags['a.b']", "Microsoft.Kubernetes/connectedClusters/distribution"])


def leaves(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    operator = st.sampled_from(["equals", "notEquals", "contains", "greater", "less"])
    left = st.one_of(
        st.builds(lambda name: {"field": name}, FIELDS),
        st.builds(lambda value: {"value": value}, SCALARS),
        st.builds(lambda value, where: {"count": {"value": [value], "name": "n", "where": where}}, SCALARS, inner),
        st.builds(lambda where: {"count": {"field": "Contoso.A/b/c[*]", "where": where}}, inner),
    )
    return st.builds(lambda side, name, value: {**side, name: value}, left, operator, SCALARS)


PLAIN = st.builds(lambda name, value: {"field": name, "equals": value}, FIELDS, SCALARS)
CONDITIONS: st.SearchStrategy[Any] = st.recursive(
    PLAIN,
    lambda inner: st.one_of(
        st.builds(lambda items: {"allOf": items}, st.lists(inner, min_size=1, max_size=3)),
        st.builds(lambda items: {"anyOf": items}, st.lists(inner, min_size=1, max_size=3)),
        st.builds(lambda item: {"not": item}, inner),
        leaves(inner),
    ),
    max_leaves=8,
)


@given(CONDITIONS)
def test_a_condition_that_is_read_is_written_as_it_was(condition: Any) -> None:
    problems = Problems()
    (node,) = read(json.dumps(condition), "x.json")

    assert write_logic(parse_logic(node, problems)) == condition
    assert problems.found == []


def test_a_type_that_looks_like_an_expression_is_written_as_text(load: Callable[..., Any]) -> None:
    parsed = load(DEFINITION.replace("appliesTo: [aks]", "appliesTo: ['[a/b]']"))

    assert write_logic(parsed.documents[0].condition)["allOf"][0] == {"field": "type", "in": ["[[a/b]"]}
