"""The short form of what is written in Azure's language: it says the same, or there is none."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from policyengine.compliance.bind import bind
from policyengine.compliance.judge import judge
from policyengine.effects.base import World
from policyengine.language.aliases import AliasCatalogue
from policyengine.language.documents import Assignment, PolicyDefinition, Reference
from policyengine.language.exporter import Losses, Manner, export_definition
from policyengine.language.library import PolicyLibrary
from policyengine.language.parser import parse_documents
from policyengine.language.problems import Problems
from policyengine.language.shortener import shorten
from policyengine.model.ids import ResourceId
from policyengine.model.resource import Cluster
from policyengine.model.scope import ScopeTree
from policyengine.model.states import ComplianceState
from policyengine.workflows.data import data_root
from tests.corpus import matching_resource, other_resource, sample_values

ALIASES = AliasCatalogue.packaged()
AKS = "Microsoft.ContainerService/managedClusters"
OPEN = {"field": f"{AKS}/disableLocalAccounts", "notEquals": True}
SHORT = """
apiVersion: policyengine/v1
kind: PolicyDefinition
metadata: {name: sample, version: 1.0.0, severity: high, controls: [C-1], labels: {team: a}}
spec:
  parameters: {effect: {type: String, defaultValue: DeployIfNotExists}, url: {type: String}}
  appliesTo: [aks, arc]
  dependsOn: [other@1.*]
  BODY
  nonComplianceMessage: mend it
"""
BODIES = [
    "require: {extension: {extensionType: microsoft.flux, releaseTrain: Stable}}",
    "require: {extension: {name: f, extensionType: microsoft.flux, version: null, releaseTrain: Stable}}",
    """when: {anyOf: [{field: tags.a, exists: false}, {field: location, like: "w*"}]}
  require:
    extension: {extensionType: a.b, scope: {cluster: {releaseNamespace: x}}}
    where: {field: name, notEquals: old}""",
    """require:
    fluxConfiguration:
      name: "[concat('team-', field('tags.team'))]"
      namespace: flux-system
      gitRepository: {url: "[parameters('url')]", repositoryRef: {branch: main, tag: null}}""",
    "policyRule: {if: {field: location, equals: x}, then: {effect: audit}}",
    "policyRule: {if: {allOf: [{field: location, equals: x}, {field: name, like: 'a*'}]}, then: {effect: deny}}",
]


def definition(text: str) -> tuple[PolicyDefinition, Any]:
    parsed = parse_documents(text, "sample.yaml", ALIASES)
    assert [d.message for d in parsed.diagnostics if d.is_error] == []
    (document,), (node,) = parsed.documents, parsed.nodes
    assert isinstance(document, PolicyDefinition)
    return document, node


def in_azure(text: str) -> str:
    problems = Problems()
    exported = export_definition(*definition(text), Losses(problems, Manner.REFUSE))
    assert [d for d in problems.found if d.is_error] == []
    return json.dumps(exported)


def shortened(text: str) -> tuple[Any, list[str]]:
    problems = Problems()
    return shorten(*definition(text), ALIASES, problems), [d.message for d in problems.found]


def azure(condition: Any, then: Any = None, **more: Any) -> str:
    rule = {"if": condition, "then": then or {"effect": "audit"}}
    return json.dumps({"name": "sample", "properties": {"policyRule": rule, **more}})


@pytest.mark.parametrize("body", BODIES)
def test_what_was_exported_comes_back_as_a_policy_that_is_exported_alike(body: str) -> None:
    first = in_azure(SHORT.replace("BODY", body))
    short, problems = shortened(first)

    assert problems == []
    assert {"appliesTo", body.partition(":")[0]} <= short["spec"].keys()
    assert short["spec"]["dependsOn"] == ["other@1.*"]
    assert rule_of(in_azure(json.dumps(short))) == rule_of(first)
    assert (short["metadata"], "require" in short["spec"]) == (METADATA, "require" in body)


METADATA = {"name": "sample", "version": "1.0.0", "severity": "high", "controls": ["C-1"], "labels": {"team": "a"}}


def rule_of(text: str) -> str:
    """The rule, in which the order of what an object must be has no meaning."""
    rule = json.loads(text)["properties"]["policyRule"]
    existence = rule["then"].get("details", {}).get("existenceCondition")
    if existence is not None:
        existence["allOf"].sort(key=json.dumps)
    if "allOf" in rule["if"] and "allOf" in rule["if"]["allOf"][-1]:
        rule["if"]["allOf"][-1:] = rule["if"]["allOf"][-1]["allOf"]
    return json.dumps(rule, sort_keys=True)


def test_the_library_comes_back_word_for_word() -> None:
    folder = data_root() / "policies" / "definitions"
    for name in ("flux-extension-required", "azure-policy-extension-arc", "aks-local-accounts-disabled"):
        first = in_azure((folder / f"{name}.yaml").read_text(encoding="utf-8"))
        short, problems = shortened(first)

        assert problems == []
        assert in_azure(json.dumps(short)) == first


@pytest.mark.parametrize(
    "type",
    [
        {"field": "type", "equals": AKS.upper()},
        {"Field": "Type", "In": [AKS]},
        {"anyOf": [{"field": "type", "equals": AKS}]},
    ],
)
def test_the_resource_type_is_seen_in_every_spelling(type: Any) -> None:
    short, _ = shortened(azure({"allOf": [OPEN, type]}))

    assert short["spec"] == {"appliesTo": ["aks"], "policyRule": {"if": OPEN, "then": {"effect": "audit"}}}


@pytest.mark.parametrize(
    ("condition", "why"),
    [
        (OPEN, "does not say once"),
        ({"allOf": [OPEN, {"not": {"field": "type", "equals": AKS}}]}, "does not say once"),
        ({"anyOf": [OPEN, {"field": "type", "equals": AKS}]}, "does not say once"),
        ({"allOf": [OPEN, {"field": "type", "equals": AKS}, {"field": "type", "equals": AKS}]}, "does not say once"),
        ({"allOf": [OPEN, {"field": "type", "equals": "[parameters('t')]"}]}, "does not say once"),
        ({"field": "type", "equals": AKS}, "nothing but the resource type"),
    ],
)
def test_what_has_no_short_form_is_refused_with_the_reason(condition: Any, why: str) -> None:
    short, problems = shortened(azure(condition, parameters={"t": {"type": "String", "defaultValue": AKS}}))

    assert short is None
    assert why in problems[0]


def test_another_template_than_ours_stays_in_azures_language_with_a_warning() -> None:
    document = json.loads(in_azure(SHORT.replace("BODY", BODIES[2])))
    details = document["properties"]["policyRule"]["then"]["details"]
    details["deployment"]["properties"]["template"]["resources"].pop()
    short, problems = shortened(json.dumps(document))

    assert "require" not in short["spec"]
    assert short["spec"]["policyRule"]["then"]["details"] == details
    assert len(problems) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"evaluationDelay": "AfterProvisioning", "kind": "x"},
        {"roleDefinitionIds": ["/other"]},
        {"existenceScope": "Subscription"},
        {"name": "flux"},
    ],
)
def test_details_that_ask_for_more_are_no_require(change: Any) -> None:
    document = json.loads(in_azure(SHORT.replace("BODY", BODIES[0])))
    document["properties"]["policyRule"]["then"]["details"].update(change)
    document["properties"]["policyRule"]["if"] = {"allOf": [document["properties"]["policyRule"]["if"], OPEN]}
    short, problems = shortened(json.dumps(document))

    assert "require" not in short["spec"]
    assert len(problems) == 1


def test_metadata_without_a_place_of_its_own_becomes_labels() -> None:
    more = {"metadata": {"category": "K", "preview": True, "version": "1.0.0-preview", "severity": "odd"}}
    short, _ = shortened(azure({"allOf": [OPEN, {"field": "type", "equals": AKS}]}, **more))

    assert short["metadata"] == {
        "name": "sample",
        "version": "1.0.0-preview",
        "category": "K",
        "labels": {"preview": True, "severity": "odd"},
    }


def test_what_is_short_already_stays_as_it_is(load: Callable[..., Any]) -> None:
    text = SHORT.replace("BODY", BODIES[1])
    short, problems = shortened(text)

    assert problems == []
    assert short["spec"]["require"]["extension"]["version"] is None


def test_a_name_that_our_documents_cannot_have_is_refused() -> None:
    text = azure({"allOf": [OPEN, {"field": "type", "equals": AKS}]}).replace('"sample"', '"two words"')

    assert "two words" in shortened(text)[1][0]


def test_the_short_form_of_a_built_in_judges_as_the_built_in(corpus: Path) -> None:
    """On a cluster made for its rule and on another resource."""
    files = sorted(corpus.glob("azure-policy/definitions/public/resource-manager/*.json"))[::4]
    pairs = []
    for file in files:
        short, _ = shortened(text := file.read_text(encoding="utf-8"))
        if short is not None:
            pairs.append((definition(text)[0], definition(json.dumps(short))[0]))

    assert len(pairs) > 8
    assert sum(states(before) == states(after) for before, after in pairs) == len(pairs)


def states(policy: PolicyDefinition) -> list[ComplianceState]:
    assignment = Assignment(
        "a", ResourceId("/"), policy=Reference(policy.name), parameters=sample_values(policy.parameters)
    )
    (bound,) = bind(PolicyLibrary((policy,), assignments=(assignment,)), ALIASES)
    world = World(ScopeTree(), datetime(2026, 11, 23, tzinfo=UTC), ALIASES)
    resources = [matching_resource(policy.condition, ALIASES), other_resource()]
    return [judge(bound, Cluster(resource), world).state for resource in resources]
