from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from policyengine.expressions.compiled import CompiledValue, ExpressionContext
from policyengine.language.documents import PolicyDefinition
from policyengine.language.parser import ParsedFile
from policyengine.language.syntax import AllOf, AnyOf, Condition, Deployment, Desired, ExistenceDetails, JMESPath
from policyengine.language.walk import conditions_in, field_names
from policyengine.model.diagnostic import render
from policyengine.model.resource import AKS, ARC, EXTENSIONS, FLUX_CONFIGURATIONS

Spec = Callable[[str], PolicyDefinition]
Found = Callable[[str], list[tuple[str, int]]]

EXTENSION = """
appliesTo: [arc, aks]
require:
  extension:
    extensionType: microsoft.flux
    releaseTrain: Stable
    configurationSettings:
      helm-controller.enabled: true
"""
CONFIGURATION = """
parameters:
  effect: {type: String, defaultValue: Disabled}
  branch: {type: String, defaultValue: main}
appliesTo: aks
when: {field: tags.gitops, notEquals: off}
require:
  fluxConfiguration:
    name: cluster-config
    Namespace: flux-system
    gitRepository:
      url: https://git.example/fleet
      repositoryRef: {branch: "[parameters('branch')]", tag: null}
    configurationProtectedSettings:
      httpsKey: {secretRef: {env: TOKEN}}
    kustomizations:
      infra: {path: ./infra, dependsOn: []}
      retired: null
"""


def details_of(definition: PolicyDefinition) -> ExistenceDetails:
    assert definition.then.details is not None
    return definition.then.details


def deployment_of(definition: PolicyDefinition) -> Deployment:
    deployment = details_of(definition).deployment
    assert deployment is not None
    return deployment


def desired_of(definition: PolicyDefinition) -> Desired:
    desired = details_of(definition).desired
    assert desired is not None
    return desired


def shown(condition: Condition) -> tuple[str, str, Any, int]:
    """Field, operator, right-hand side as written, and the line counted from the first line of the spec."""
    (name,) = field_names(condition)
    assert condition.span is not None
    return name.rpartition("/")[2], condition.operator, condition.expected.source, condition.span.line - 4


def evaluate(value: CompiledValue) -> Any:
    functions = {"field": lambda name: f"<{name}>", "parameters": lambda name: f"<{name}>"}
    return value.evaluate(ExpressionContext(functions, datetime(2026, 1, 1, tzinfo=UTC)))


def test_applies_to_and_when_become_the_condition(spec: Spec) -> None:
    condition = spec(CONFIGURATION).condition

    assert isinstance(condition, AllOf)
    assert [shown(c)[:3] for c in conditions_in(condition)] == [
        ("type", "in", [AKS]),
        ("tags.gitops", "notEquals", "off"),
    ]


def test_an_extension_is_compared_leaf_by_leaf_where_it_was_declared(spec: Spec) -> None:
    details = details_of(spec(EXTENSION))

    assert details.type.constant == EXTENSIONS
    assert details.name is None
    assert [shown(c) for c in conditions_in(details.existence_condition)] == [
        ("extensionType", "equals", "microsoft.flux", 4),
        ("provisioningState", "equals", "Succeeded", 4),
        ("releaseTrain", "equals", "Stable", 5),
        ("properties.configurationSettings['helm-controller.enabled']", "equals", True, 7),
    ]


def test_a_configuration_is_that_very_name_and_compares_the_keys_declared(spec: Spec) -> None:
    details = details_of(spec(CONFIGURATION))

    assert details.type.constant == FLUX_CONFIGURATIONS
    assert details.name is not None
    assert details.name.constant == "cluster-config"
    assert [shown(c) for c in conditions_in(details.existence_condition)] == [
        ("provisioningState", "notIn", ["Failed", "Canceled"], 8),
        ("namespace", "equals", "flux-system", 9),
        ("gitRepository.url", "equals", "https://git.example/fleet", 11),
        ("gitRepository.repositoryRef.branch", "equals", "[parameters('branch')]", 12),
        ("gitRepository.repositoryRef.tag", "exists", False, 12),
        ("properties.kustomizations.infra.path", "equals", "./infra", 16),
        ("properties.kustomizations.infra.dependsOn", "equals", [], 16),
        ("properties.kustomizations.retired", "exists", False, 17),
    ]


def test_what_is_declared_is_what_is_written_without_what_must_be_absent(spec: Spec) -> None:
    definition = spec(CONFIGURATION)
    arguments = {name: evaluate(value) for name, value in deployment_of(definition).parameters.items()}

    assert arguments == {
        "clusterName": {"value": "<name>"},
        "clusterResourceType": {"value": "<type>"},
        "name": {"value": "cluster-config"},
        "properties": {
            "value": {
                "namespace": "flux-system",
                "gitRepository": {"url": "https://git.example/fleet", "repositoryRef": {"branch": "<branch>"}},
                "configurationProtectedSettings": {"httpsKey": {"secretRef": {"env": "TOKEN"}}},
                "kustomizations": {"infra": {"path": "./infra", "dependsOn": []}},
                "sourceKind": "GitRepository",
            }
        },
    }


def test_the_desired_object_keeps_what_must_be_absent(spec: Spec) -> None:
    desired = desired_of(spec(CONFIGURATION))
    properties = evaluate(desired.properties)

    assert (desired.type, desired.identity) == (FLUX_CONFIGURATIONS, "name")
    assert desired.create_only == {"scope", "namespace"}
    assert properties["kustomizations"]["retired"] is None
    assert properties["gitRepository"]["repositoryRef"] == {"branch": "<branch>", "tag": None}


def test_the_template_has_one_resource_per_kind_of_cluster(spec: Spec) -> None:
    arc, aks = deployment_of(spec(EXTENSION)).template["resources"]

    assert arc["condition"] == "[contains(toLower(parameters('clusterResourceType')), 'connectedclusters')]"
    assert arc["scope"] == f"[concat('{ARC}/', parameters('clusterName'))]"
    assert arc["identity"] == {"type": "SystemAssigned"}
    assert aks["scope"] == f"[concat('{AKS}/', parameters('clusterName'))]"
    assert "identity" not in aks
    assert {r["type"] for r in (arc, aks)} == {EXTENSIONS}
    assert {r["properties"] for r in (arc, aks)} == {"[parameters('properties')]"}


def test_a_configuration_has_no_identity(spec: Spec) -> None:
    resources = deployment_of(spec(CONFIGURATION)).template["resources"]

    assert [r.get("identity") for r in resources] == [None, None]


@pytest.mark.parametrize(
    ("declared", "name"),
    [
        ("extensionType: Microsoft.Flux", "flux"),
        ("extensionType: microsoft.azuredefender.kubernetes", "kubernetes"),
        ("{extensionType: microsoft.flux, name: my-flux}", "my-flux"),
        ("{extensionType: \"[field('tags.x')]\", name: x}", "x"),
    ],
)
def test_an_extension_gets_its_name_only_for_creation(spec: Spec, declared: str, name: str) -> None:
    definition = spec(f"appliesTo: [aks]\nrequire:\n  extension:\n    {declared}\n")

    assert desired_of(definition).name.constant == name
    assert details_of(definition).name is None


def test_the_effect_comes_from_the_parameter_of_that_name(spec: Spec) -> None:
    assert spec(CONFIGURATION).then.effect.source == "[parameters('effect')]"
    assert spec(EXTENSION).then.effect.constant == "deployIfNotExists"


def test_where_adds_conditions_on_the_related_object(spec: Spec) -> None:
    definition = spec(EXTENSION + "  where: {field: name, like: 'flux*'}\n")

    assert shown(list(conditions_in(details_of(definition).existence_condition))[-1])[:3] == ("name", "like", "flux*")


def test_reconciled_demands_the_state_in_the_cluster_or_a_young_object(spec: Spec) -> None:
    condition = details_of(spec(CONFIGURATION + "reconciled: {within: 36h}\n")).existence_condition
    assert isinstance(condition, AllOf)
    added = condition.conditions[-1]

    assert isinstance(added, AnyOf)
    state, age = added.conditions
    assert isinstance(state, Condition)
    assert shown(state)[:3] == ("complianceState", "equals", "Compliant")
    assert isinstance(age, Condition)
    assert isinstance(age.operand, JMESPath)
    assert (age.operand.expression.text, age.operator) == ("age_days(systemData.lastModifiedAt)", "less")
    assert age.expected.constant == 1.5


def test_applies_to_goes_with_a_rule_too(spec: Spec) -> None:
    definition = spec("""
        appliesTo: [arc]
        policyRule:
          if: {jmespath: "length(related.fluxConfigurations)", greater: 1}
          then: {effect: audit}
    """)

    assert isinstance(definition.condition, AllOf)
    assert len(definition.condition.conditions) == 2


def test_a_full_resource_type_may_stand_for_a_kind_of_cluster(spec: Spec) -> None:
    definition = spec(EXTENSION.replace("[arc, aks]", "[Microsoft.Kubernetes/connectedClusters]"))

    assert shown(next(conditions_in(definition.condition)))[:3] == ("type", "in", [ARC])


FLUX = "appliesTo: [aks]\nrequire:\n  fluxConfiguration:\n    name: {name}\n    {body}\n"
GIT = "gitRepository: {url: https://git.example/x}"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("gitRepository: {url: ftp://x}", "invalid-value"),
        ("gitRepository: {branch: main}", "unknown-key"),
        ("bucket: {url: https://s3.example}", "missing-key"),
        ("azureBlob: {url: https://x, containerName: c, sasToken: s3cr3t}", "literal-secret"),
        ("suspend: false", "invalid-source"),
        (f"{GIT}\n    bucket: {{url: https://s3.example, bucketName: b}}", "invalid-source"),
        (f"{GIT}\n    sourceKind: Bucket", "invalid-source"),
        (f"{GIT}\n    suspend: soon", "wrong-type"),
        (f"{GIT}\n    scope: node", "unknown-value"),
        (f"{GIT}\n    namespace: Flux_System", "invalid-name"),
        (f"{GIT}\n    configurationProtectedSettings: {{httpsKey: s3cr3t}}", "literal-secret"),
        (f"{GIT}\n    configurationProtectedSettings: {{httpsKey: \"[parameters('x')]\"}}", "literal-secret"),
        (f"{GIT}\n    configurationProtectedSettings: {{httpsKey: {{secretRef: {{vault: x}}}}}}", "literal-secret"),
        (f"{GIT}\n    configurationProtectedSettings: {{k: {{secretRef: {{env: A, file: b}}}}}}", "literal-secret"),
        (f"{GIT}\n    namespace: {{secretRef: {{env: X}}}}", "misplaced-secret"),
        (f"{GIT}\n    kustomizations: {{Infra: {{path: x}}}}", "invalid-name"),
        (f"{GIT}\n    kustomizations: {{a: {{paht: x}}}}", "unknown-key"),
        (f"{GIT}\n    kustomizations: {{a: {{dependsOn: [b]}}}}", "missing-reference"),
        (f"{GIT}\n    kustomizations: {{a: {{dependsOn: [b]}}, b: {{dependsOn: [a]}}}}", "cycle"),
        (f"{GIT}\n    kustomizations: {{a: {{timeoutInSeconds: 0}}}}", "wrong-type"),
        (f"{GIT}\n    kustomizations: {{\"[field('name')]\": {{path: x}}}}", "invalid-expression"),
        (f'{GIT}\n    kustomizations: {{a: {{path: "[concat(]"}}}}', "invalid-expression"),
        (f"{GIT}\n    gitrepository: {{url: https://git.example/y}}", "duplicate-key"),
    ],
)
def test_what_the_service_would_refuse_is_an_error(spec_problems: Found, body: str, code: str) -> None:
    found = spec_problems(FLUX.replace("{name}", "config").replace("{body}", body))

    assert code in {found_code for found_code, _ in found}


@pytest.mark.parametrize("name", ["Config", "-x", "x" * 64, '"[conact()]"'])
def test_names_the_service_does_not_allow_are_errors(spec_problems: Found, name: str) -> None:
    assert spec_problems(FLUX.replace("{name}", name).replace("{body}", GIT))[0][1] == 4


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("appliesTo: [aks]\nrequire: {}", "missing-key"),
        ("appliesTo: [aks]\nrequire: {extention: {extensionType: x}}", "unknown-key"),
        ("appliesTo: [aks]\nrequire: {extension: {releaseTrain: x}}", "missing-key"),
        ("appliesTo: [aks]\nrequire: {extension: {extensionType: \"[field('x')]\"}}", "missing-key"),
        ("appliesTo: [aks]\nrequire: {extension: {extensionType: a.b, version: 1.10}}", "wrong-type"),
        ("appliesTo: [aks]\nrequire: {extension: {extensionType: a.b, version: 1.1.0}}", "invalid-value"),
        (
            "appliesTo: [aks]\nrequire: {extension: {extensionType: microsoft.flux, scope: {namespace: {}}}}",
            "invalid-value",
        ),
        (
            "appliesTo: [aks]\nrequire: {extension: {extensionType: a, scope: {namespace: {}, cluster: {}}}}",
            "invalid-value",
        ),
        ("require: {extension: {extensionType: microsoft.flux}}", "missing-key"),
        ("appliesTo: [eks]\nrequire: {extension: {extensionType: microsoft.flux}}", "unknown-value"),
        ("appliesTo: []\nrequire: {extension: {extensionType: microsoft.flux}}", "empty-logic"),
        ("appliesTo: [aks]", "missing-key"),
        ("appliesTo: [aks]\nrequire: {extension: {extensionType: a.b}}\npolicyRule: {}", "unknown-key"),
        ("appliesTo: [aks]\nrequire: {extension: {extensionType: a.b}}\nreconciled: {within: 1h}", "unknown-key"),
        ("policyRule: {if: {field: a, equals: b}, then: {effect: audit}}\nreconciled: {within: 1h}", "unknown-key"),
    ],
)
def test_a_short_form_that_cannot_be_meant_is_an_error(spec_problems: Found, text: str, code: str) -> None:
    assert code in {found for found, _ in spec_problems(text)}


@pytest.mark.parametrize(
    ("reconciled", "code"),
    [
        ("{within: soon}", "invalid-duration"),
        ("{}", "missing-key"),
        ("15m", "wrong-type"),
        ("{within: 1m, with: 1m}", "unknown-key"),
    ],
)
def test_reconciled_needs_a_duration(spec_problems: Found, reconciled: str, code: str) -> None:
    text = FLUX.replace("{name}", "config").replace("{body}", GIT) + f"reconciled: {reconciled}\n"

    assert spec_problems(text)[0][0] == code


def test_a_pinned_version_goes_without_automatic_upgrade(spec: Spec) -> None:
    spec("""
        appliesTo: [aks]
        require: {extension: {extensionType: a.b, version: 1.1.0, autoUpgradeMinorVersion: false}}
    """)


def test_a_secret_written_by_mistake_is_never_shown(load: Callable[..., ParsedFile]) -> None:
    parsed = load("""
        apiVersion: policyengine/v1
        kind: PolicyDefinition
        metadata: {name: x}
        spec:
          appliesTo: [aks]
          require:
            fluxConfiguration:
              name: config
              gitRepository: {url: https://git.example/x}
              configurationProtectedSettings: {httpsKey: hunter2, sshPrivateKey: hunter3}
    """)

    assert [diagnostic.code for diagnostic in parsed.diagnostics] == ["literal-secret"] * 2
    shown = [render(diagnostic) for diagnostic in parsed.diagnostics]
    assert not any("hunter" in text for text in shown)
    assert "configurationProtectedSettings: {httpsKey: ***" in shown[0]
    assert "sshPrivateKey: ***" in shown[1]


def test_a_misspelt_name_of_a_configuration_is_helped(load: Callable[..., ParsedFile]) -> None:
    parsed = load("""
        apiVersion: policyengine/v1
        kind: PolicyDefinition
        metadata: {name: p}
        spec:
          appliesTo: aks
          require: {fluxConfiguration: {nam: x, gitRepository: {url: https://git.example}}}
    """)

    assert ("unknown-key", "did you mean `name`?") in [(d.code, d.help) for d in parsed.diagnostics]
