"""What a deployment would be given, and which live object `require` means. Policy language §6.4; experience §1.6."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from policyengine.effects import EFFECTS
from policyengine.effects.base import Remedy
from policyengine.errors import ExpressionError
from policyengine.evaluation import Context
from policyengine.language.documents import PolicyDefinition
from policyengine.model.resource import Cluster

Define = Callable[[str], PolicyDefinition]

AZURE = """
parameters: {branch: {type: String}, effect: {type: String}}
policyRule:
  if: {field: type, equals: Microsoft.Kubernetes/connectedClusters}
  then:
    effect: deployIfNotExists
    details:
      type: Microsoft.KubernetesConfiguration/fluxConfigurations
      roleDefinitionIds: [/providers/microsoft.authorization/roleDefinitions/b24988ac]
      deployment:
        properties:
          mode: incremental
          template:
            parameters: {branch: {type: string}}
            resources: [{name: "[parameters('branch')]"}]
          parameters:
            branch: {value: "[concat(parameters('BRANCH'), '-', field('name'))]"}
            group: {value: "[resourceGroup().name]"}
            missing: {value: "[field('tags.none')]"}
            key: {reference: {keyVault: {id: /vault}, secretName: git}}
"""

EXTENSION = """
apiVersion: policyengine/v1
kind: PolicyDefinition
metadata: {name: flux-extension-required}
spec:
  parameters: {train: {type: String}}
  appliesTo: [aks, arc]
  require: {extension: {name: flux, extensionType: microsoft.flux, releaseTrain: "[parameters('train')]"}}
"""

CONFIGURATION = """
apiVersion: policyengine/v1
kind: PolicyDefinition
metadata: {name: flux-cluster-config}
spec:
  appliesTo: [aks, arc]
  require:
    fluxConfiguration:
      name: cluster-config
      namespace: flux-system
      gitRepository: {url: "https://git.example/fleet", repositoryRef: {branch: main}}
      kustomizations: {infra: {path: "[concat('./', field('tags.site'))]"}}
      configurationProtectedSettings: {httpsKey: {secretRef: {env: TOKEN}}}
"""


@pytest.fixture
def remedy(definition: Define, context: Callable[..., Context]) -> Callable[..., Remedy]:
    def remedy(text: str, on: Cluster, **parameters: Any) -> Remedy:
        effect = EFFECTS["deployIfNotExists"](definition(text))
        assert effect is not None
        found = effect.remedy(on, context(on, **parameters))
        assert isinstance(found, Remedy)
        return found

    return remedy


def test_parameters_are_evaluated_where_the_policy_stands(
    remedy: Callable[..., Remedy], cluster: Callable[..., Cluster]
) -> None:
    found = remedy(AZURE, cluster(), branch="main")

    assert found.parameters == {
        "branch": {"value": "main-edge-1"},
        "group": {"value": "stores"},
        "missing": {"value": None},
        "key": {"reference": {"keyVault": {"id": "/vault"}, "secretName": "git"}},
    }
    assert found.role_definition_ids == ("/providers/microsoft.authorization/roleDefinitions/b24988ac",)


def test_the_template_is_left_as_it_is(remedy: Callable[..., Remedy], cluster: Callable[..., Cluster]) -> None:
    found = remedy(AZURE, cluster(), branch="main")

    assert found.deployment.template["resources"] == [{"name": "[parameters('branch')]"}]
    assert found.desired is None


def test_a_parameter_without_result_is_an_error(remedy: Callable[..., Remedy], cluster: Callable[..., Cluster]) -> None:
    text = AZURE.replace("[resourceGroup().name]", "[resourceGroup().nothing]")

    with pytest.raises(ExpressionError, match="`group` has no result"):
        remedy(text, cluster(), branch="main")


def test_an_extension_is_found_by_its_type(remedy: Callable[..., Remedy], cluster: Callable[..., Cluster]) -> None:
    on = cluster(extensions={"flux": {"extensionType": "other"}, "gitops": {"extensionType": "Microsoft.Flux"}})

    found = remedy(EXTENSION, on, train="Preview")

    assert found.live is on.extensions[1]
    assert found.desired_properties["releaseTrain"] == "Preview"


def test_a_configuration_is_found_by_its_name(remedy: Callable[..., Remedy], cluster: Callable[..., Cluster]) -> None:
    on = cluster(flux={"sibling": {"namespace": "flux-system"}, "Cluster-Config": {}}, tags={"site": "oslo"})

    found = remedy(CONFIGURATION, on)

    assert found.live is on.flux_configurations[1]
    assert found.desired_properties["kustomizations"]["infra"]["path"] == "./oslo"


def test_nothing_live_is_nothing(remedy: Callable[..., Remedy], cluster: Callable[..., Cluster]) -> None:
    assert remedy(CONFIGURATION, cluster(flux={"sibling": {}})).live is None


def test_a_secret_stays_a_reference(remedy: Callable[..., Remedy], cluster: Callable[..., Cluster]) -> None:
    found = remedy(CONFIGURATION, cluster())

    assert found.desired_properties["configurationProtectedSettings"] == {"httpsKey": {"secretRef": {"env": "TOKEN"}}}
