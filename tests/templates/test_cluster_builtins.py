"""Azure's own cluster templates, unchanged: what each writes, and which ones need more than this release has."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from policyengine.errors import TemplateError
from policyengine.expressions.compiled import ExpressionContext, compile_value
from policyengine.model.resource import AKS, ARC, ResourceWrite
from policyengine.model.values import JSON, get_folded, walk
from policyengine.templates import DeploymentScope, expand

CORPUS = Path(__file__).resolve().parents[3] / "shared/corpus/azure-policy/definitions"
AT = datetime(2026, 7, 2, 8, 0, tzinfo=UTC)

SUBSCRIPTION = {
    "id": "/subscriptions/11111111-2222-3333-4444-555555555555",
    "subscriptionId": "11111111-2222-3333-4444-555555555555",
    "displayName": "Edge",
    "tenantId": "99999999-2222-3333-4444-555555555555",
}
GROUP = {"id": f"{SUBSCRIPTION['id']}/resourceGroups/rg-edge", "name": "rg-edge", "location": "westeurope"}
STORAGE = f"{GROUP['id']}/providers/Microsoft.Storage/storageAccounts/st"

pytestmark = pytest.mark.skipif(
    not CORPUS.is_dir(), reason=f"THE BUILT-IN DEFINITIONS ARE NOT THERE: {CORPUS}; their templates stay untested"
)

REFERENCE = "is not supported by this release"
KEY_VAULT = "of Key Vault"

NEEDS_MORE = {
    "AKS_AAD_AdminGroup_DINE": REFERENCE,
    "AKS_Autoupgrade_NodeOS_DINE": REFERENCE,
    "AKS_AzurePolicyAddOn_DINE": REFERENCE,
    "AKS_DisableRunCommand_DINE": REFERENCE,
    "AKS_ImageCleaner_DINE": REFERENCE,
    "AKS_ImageIntegrity_DINE": REFERENCE,
    "ASC_Azure_Defender_AKS_SecurityProfile_DINE": REFERENCE,
    "ASC_Azure_Defender_Arc_Extension_DINE": REFERENCE,
    "Deploy-GitOps-Flux2-to-Kubernetes-cluster-HTTPS-secrets_DINE": KEY_VAULT,
    "Deploy-GitOps-Flux2-to-Kubernetes-cluster-SSH_DINE": KEY_VAULT,
    "Deploy-GitOps-to-Kubernetes-cluster-HTTPS-secrets_DINE": KEY_VAULT,
    "Deploy-GitOps-to-Kubernetes-cluster-SSH-secrets_DINE": KEY_VAULT,
    "GitOps-Flux2-to-Kubernetes-cluster-Bucket-KVSecret_DINE": KEY_VAULT,
    "Kubernetes_InstallAzureBackupExtensionWithTag_DINE": REFERENCE,
    "Kubernetes_InstallAzureBackupExtensionWithoutTag_DINE": REFERENCE,
}
"""Templates that read live resources or a vault while they are expanded, and what the refusal says."""

EXPANDS = {
    "AKS_Autojoin_Fleet_Manager_DINE": "fleets/members",
    "AKS_Maintenance_DINE": "managedClusters/maintenanceConfigurations",
    "ArcOpenServiceMeshExtension": "extensions",
    "ArcPolicyExtension_DINE": "extensions",
    "ArcStrimziKafkaExtension": "extensions",
    "DataConnectorsAzureKubernetes_DINE": "diagnosticSettings",
    "Deploy-GitOps-Flux2-Extension-to-Kubernetes-cluster_DINE": "extensions",
    "Deploy-GitOps-Flux2-to-Kubernetes-cluster-HTTPs-CA-Cert_DINE": "fluxConfigurations",
    "Deploy-GitOps-Flux2-to-Kubernetes-cluster-LocalAuthRef_DINE": "fluxConfigurations",
    "Deploy-GitOps-Flux2-to-Kubernetes-cluster-no-secrets_DINE": "fluxConfigurations",
    "Deploy-GitOps-to-Kubernetes-cluster-no-secrets_DINE": "sourceControlConfigurations",
    "GitOps-Flux2-to-Kubernetes-cluster-Bucket-K8sSecret_DINE": "fluxConfigurations",
}
"""Templates that expand to one write, and the type written."""


def definition(name: str, cloud: str = "public") -> Mapping[str, JSON]:
    found: Mapping[str, JSON] = json.loads((CORPUS / cloud / "resource-manager" / f"{name}.json").read_text("utf-8"))
    return found


def writes_of(name: str, type: str, *, cloud: str = "public", **assigned: JSON) -> tuple[ResourceWrite, ...]:
    """The writes for one cluster of ``type``: the definition's parameters evaluated as a policy would."""
    properties = definition(name, cloud)["properties"]
    details = properties["policyRule"]["then"]["details"]
    deployment = walk(details, "deployment", "properties")
    context = ExpressionContext(
        {
            "parameters": lambda parameter: _assigned(properties["parameters"], parameter, assigned),
            "field": lambda field: _field(field, type),
            "subscription": lambda: SUBSCRIPTION,
            "resourcegroup": lambda: GROUP,
        },
        at=AT,
    )
    to_subscription = str(get_folded(details, "deploymentScope")).casefold() == "subscription"
    scope = DeploymentScope(SUBSCRIPTION, None if to_subscription else GROUP, "mend", AT)
    given = compile_value(get_folded(deployment, "parameters")).evaluate(context)
    assert isinstance(given, dict)
    return expand(get_folded(deployment, "template"), given, scope)


def _assigned(declared: JSON, name: str, assigned: Mapping[str, JSON]) -> JSON:
    given = get_folded(assigned, name)
    if given is not None:
        return given
    declaration = get_folded(declared, name)
    if "defaultValue" in declaration:
        return declaration["defaultValue"]
    samples = {"string": f"a-{name}", "object": {"properties": {"a": 1}}, "array": ["a"], "integer": 1, "boolean": True}
    return samples[declaration["type"].casefold()]


def _field(name: str, type: str) -> JSON:
    id = f"{GROUP['id']}/providers/{type}/edge-1"
    return {"name": "edge-1", "type": type, "location": "westeurope", "id": id}.get(name.casefold())


@pytest.mark.parametrize(("type", "identity"), [(ARC, {"identity": {"type": "SystemAssigned"}}), (AKS, {})])
@pytest.mark.parametrize("cloud", ["public", "government"])
def test_flux_extension_template(cloud: str, type: str, identity: dict[str, JSON]) -> None:
    (write,) = writes_of("Deploy-GitOps-Flux2-Extension-to-Kubernetes-cluster_DINE", type, cloud=cloud)

    assert write.id.text == (
        f"{GROUP['id']}/providers/{type}/edge-1/providers/Microsoft.KubernetesConfiguration/extensions/flux"
    )
    assert (write.method, write.api_version, write.depends_on) == ("PUT", "2022-03-01", ())
    assert write.body == {
        **identity,
        "properties": {
            "extensionType": "microsoft.flux",
            "releaseTrain": "Stable",
            "autoUpgradeMinorVersion": True,
            "version": None,
            "configurationSettings": {
                "helm-controller.enabled": True,
                "notification-controller.enabled": True,
                "image-automation-controller.enabled": False,
                "image-reflector-controller.enabled": False,
            },
        },
    }


def test_pinned_version_is_written_when_upgrades_are_off() -> None:
    (write,) = writes_of(
        "Deploy-GitOps-Flux2-Extension-to-Kubernetes-cluster_DINE", AKS, autoUpgradeMinorVersion=False, version="1.2.3"
    )

    assert write.body["properties"]["version"] == "1.2.3"


@pytest.mark.parametrize("type", [ARC, AKS])
@pytest.mark.parametrize("cloud", ["public", "government"])
def test_flux_configuration_template(cloud: str, type: str) -> None:
    (write,) = writes_of(
        "Deploy-GitOps-Flux2-to-Kubernetes-cluster-no-secrets_DINE",
        type,
        cloud=cloud,
        configurationName="fleet-baseline",
        repositoryUrl="https://git.example/fleet",
        repositoryRefBranch="main",
        kustomizationName="infra",
    )

    assert write.id.text == (
        f"{GROUP['id']}/providers/{type}/edge-1"
        "/providers/Microsoft.KubernetesConfiguration/fluxConfigurations/fleet-baseline"
    )
    assert (write.api_version, write.depends_on) == ("2022-03-01", ())
    assert write.body == {
        "properties": {
            "scope": "cluster",
            "namespace": "default",
            "sourceKind": "GitRepository",
            "gitRepository": {
                "url": "https://git.example/fleet",
                "timeoutInSeconds": 600,
                "syncIntervalInSeconds": 600,
                "repositoryRef": {"branch": "main", "tag": None, "semver": None, "commit": None},
            },
            "kustomizations": {
                "infra": {
                    "path": "./",
                    "timeoutInSeconds": 600,
                    "syncIntervalInSeconds": 600,
                    "retryIntervalInSeconds": 600,
                    "prune": False,
                    "force": False,
                }
            },
            "suspend": False,
        }
    }


@pytest.mark.parametrize("cloud", ["public", "government"])
def test_policy_extension_template(cloud: str) -> None:
    (write,) = writes_of("ArcPolicyExtension_DINE", ARC, cloud=cloud)

    assert write.id.text == (
        f"{GROUP['id']}/providers/{ARC}/edge-1/providers/Microsoft.KubernetesConfiguration/extensions/azurepolicy"
    )
    assert write.body == {
        "location": "westeurope",
        "identity": {"type": "SystemAssigned"},
        "properties": {
            "extensionType": "microsoft.policyinsights",
            "configurationSettings": {},
            "configurationProtectedSettings": {},
            "autoUpgradeMinorVersion": True,
            "releaseTrain": "Stable",
            "scope": {"Cluster": {"releaseNamespace": "kube-system"}},
        },
    }


@pytest.mark.parametrize(("name", "type"), EXPANDS.items())
def test_template_expands_to_one_write(name: str, type: str) -> None:
    cluster = ARC if name.startswith("Arc") else AKS
    (write,) = writes_of(name, cluster)

    assert write.id.type.casefold().endswith(f"/{type}".casefold())
    assert write.body["properties"]


@pytest.mark.parametrize(("name", "message"), NEEDS_MORE.items())
def test_template_that_needs_more_says_so(name: str, message: str) -> None:
    cluster = ARC if "_Arc_" in name else AKS
    assigned: dict[str, Any] = {"storageAccountId": STORAGE, "logAnalyticsWorkspaceResourceId": ""}
    with pytest.raises(TemplateError, match=message):
        writes_of(name, cluster, **assigned)


def test_every_cluster_template_is_listed() -> None:
    deploying = {
        path.stem
        for path in (CORPUS / "public/resource-manager").glob("*.json")
        if walk(definition(path.stem), "properties", "policyRule", "then", "details", "deployment")
    }

    assert deploying == set(EXPANDS) | set(NEEDS_MORE)
