"""All 40 deployment templates that Azure publishes for clusters, unchanged: planned, carried out, judged again.

Each definition is assigned to a resource group of its own with one cluster of each kind that it is about, so that none
stands in another's way. What it expects to find, such as a vault with secrets, is beside them.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from policyengine.emulator import Settings as EmulatorSettings
from policyengine.model.fleet import FleetFile, parse_fleet
from policyengine.model.ids import ResourceId
from policyengine.model.states import ComplianceState
from policyengine.remediation.deployments import is_deployment
from policyengine.remediation.steps import Plan, StepState
from tests.e2e.conftest import Project
from tests.e2e.test_builtins import Walk

SUBSCRIPTION = "aaaaaaaa-0000-4000-8000-00000000000a"
LOCATIONS = {"public": "westeurope", "government": "usgovvirginia"}
SHARED = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/shared/providers"
VAULT = f"{SHARED}/Microsoft.KeyVault/vaults/kv"
STORAGE = f"{SHARED}/Microsoft.Storage/storageAccounts/st"
WORKSPACE = f"{SHARED}/Microsoft.OperationalInsights/workspaces/logs"
FLEET = f"{SHARED}/Microsoft.ContainerService/fleets/fleet"
BESIDE: Mapping[str, Any] = {
    VAULT: {"location": "westeurope"},
    **{f"{VAULT}/secrets/{name}": {"properties": {"value": "c2VjcmV0"}} for name in ("user", "key")},
    STORAGE: {"location": "westeurope"},
    WORKSPACE: {"location": "westeurope"},
    FLEET: {"location": "westeurope"},
}
ARC, AKS = frozenset({"arc"}), frozenset({"aks"})
WINDOW = {"schedule": {"weekly": {"intervalWeeks": 1, "dayOfWeek": "Sunday"}}, "durationHours": 4, "startTime": "02:00"}
GIT = {
    "configurationName": "fleet",
    "repositoryUrl": "https://git.contoso.example/fleet",
    "repositoryRefBranch": "main",
}
SSH = {**GIT, "repositoryUrl": "git@git.contoso.example:fleet"}
BUCKET = {"configurationName": "fleet", "bucketUrl": "https://minio.contoso.example", "bucketName": "fleet"}
V1 = {
    "configurationResourceName": "fleet",
    "operatorInstanceName": "flux",
    "operatorNamespace": "flux",
    "repositoryUrl": GIT["repositoryUrl"],
}
HTTPS_SECRETS = {
    "keyVaultResourceId": VAULT,
    "httpsUserKeyVaultSecretName": "user",
    "httpsKeyKeyVaultSecretName": "key",
}


BACKUP = {"location": "westeurope", "storageAccountId": STORAGE}
SIGNED = {"Authorization": "Bearer x"}


@dataclass(frozen=True)
class Assigned:
    """A definition with the parameters of its assignment. ``kinds``: the clusters it is about. ``aks``: what such a
    cluster needs for the rule to speak about it. ``whole``: it goes as one deployment, as the plan says. ``never``: why
    no remediation satisfies it.
    """

    name: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    kinds: frozenset[str] = ARC | AKS
    aks: Mapping[str, Any] = field(default_factory=dict)
    whole: bool = False
    never: str = ""


CA_CERT = "Deploy-GitOps-Flux2-to-Kubernetes-cluster-HTTPs-CA-Cert_DINE"
BOTH_CLOUDS = (
    Assigned("AKS_AzurePolicyAddOn_DINE", kinds=AKS),
    Assigned("ASC_Azure_Defender_AKS_SecurityProfile_DINE", kinds=AKS),
    Assigned("ASC_Azure_Defender_Arc_Extension_DINE", kinds=ARC, whole=True),
    Assigned("ArcOpenServiceMeshExtension", {"ExtensionVersion": "1.0.0"}, ARC),
    Assigned("ArcPolicyExtension_DINE", kinds=ARC),
    Assigned("Deploy-GitOps-Flux2-Extension-to-Kubernetes-cluster_DINE"),
    Assigned(
        "Deploy-GitOps-Flux2-to-Kubernetes-cluster-HTTPS-secrets_DINE",
        {**GIT, "repositoryHttpsUser": "reader", "keyVaultName": VAULT, "httpsKeyKeyVaultSecretName": "key"},
        whole=True,
    ),
    Assigned(CA_CERT, {**GIT, "repositoryHttpsCACert": ""}),
    Assigned(
        CA_CERT,
        {**GIT, "repositoryHttpsCACert": "Y2E="},
        never="the template writes `httpsCACert`, the condition looks for `httpsCAFile`, which no configuration has",
    ),
    Assigned(
        "Deploy-GitOps-Flux2-to-Kubernetes-cluster-LocalAuthRef_DINE", {**GIT, "repositoryLocalAuthRef": "git-auth"}
    ),
    Assigned(
        "Deploy-GitOps-Flux2-to-Kubernetes-cluster-SSH_DINE",
        {**SSH, "keyVaultName": VAULT, "keyVaultSecretName": "key"},
        whole=True,
    ),
    Assigned("Deploy-GitOps-Flux2-to-Kubernetes-cluster-no-secrets_DINE", GIT),
    Assigned("GitOps-Flux2-to-Kubernetes-cluster-Bucket-K8sSecret_DINE", {**BUCKET, "bucketLocalAuthRef": "minio"}),
    Assigned(
        "GitOps-Flux2-to-Kubernetes-cluster-Bucket-KVSecret_DINE",
        {**BUCKET, "bucketAccessKey": "reader", "keyVaultName": VAULT, "keyVaultSecretName": "key"},
        whole=True,
    ),
)
PUBLIC_ONLY = (
    Assigned(
        "AKS_AAD_AdminGroup_DINE",
        {"adminGroupObjectIDs": ["ops", "sre"]},
        AKS,
        {"properties": {"aadProfile": {"managed": True}}},
    ),
    Assigned("AKS_Autoupgrade_NodeOS_DINE", kinds=AKS),
    Assigned("AKS_DisableRunCommand_DINE", kinds=AKS),
    Assigned("AKS_ImageCleaner_DINE", kinds=AKS),
    Assigned("AKS_ImageIntegrity_DINE", kinds=AKS),
    Assigned("ArcStrimziKafkaExtension", {"ExtensionVersion": "1.0.0"}, ARC),
    Assigned(
        "Kubernetes_InstallAzureBackupExtensionWithTag_DINE",
        {**BACKUP, "inclusionTagName": "backup", "inclusionTagValues": ["yes"]},
        AKS,
        {"tags": {"backup": "yes"}},
        whole=True,
    ),
    Assigned(
        "Kubernetes_InstallAzureBackupExtensionWithoutTag_DINE",
        {**BACKUP, "exclusionTagName": "backup", "exclusionTagValues": ["no"]},
        AKS,
        whole=True,
    ),
)
ELSEWHERE = (
    Assigned(
        "AKS_Autojoin_Fleet_Manager_DINE",
        {"fleet-subscription-id": SUBSCRIPTION, "fleet-resource-group": "shared", "fleet-name": "fleet"},
        AKS,
        {"identity": {"type": "SystemAssigned"}},
    ),
    Assigned(
        "AKS_Maintenance_DINE",
        {
            "configurationType": "aksManagedNodeOSUpgradeSchedule",
            "maintenanceWindow": {"properties": {"maintenanceWindow": WINDOW}},
        },
        AKS,
    ),
    Assigned("DataConnectorsAzureKubernetes_DINE", {"logAnalytics": WORKSPACE}, AKS),
)
"""Their existence conditions are about resources that the inventory reads because they are assigned."""
FIRST_GENERATION = (
    Assigned("Deploy-GitOps-to-Kubernetes-cluster-HTTPS-secrets_DINE", {**V1, **HTTPS_SECRETS}, whole=True),
    Assigned(
        "Deploy-GitOps-to-Kubernetes-cluster-SSH-secrets_DINE",
        {
            **V1,
            "repositoryUrl": SSH["repositoryUrl"],
            "keyVaultResourceId": VAULT,
            "sshPrivateKeyKeyVaultSecretName": "key",
        },
        whole=True,
    ),
    Assigned("Deploy-GitOps-to-Kubernetes-cluster-no-secrets_DINE", V1),
)
"""Flux v1, the same: and new configurations are taken only by a loose emulator."""
TOLERANT = EmulatorSettings(throttling=False)
LOOSE = replace(EmulatorSettings.loose(), throttling=False)
RUNS: Mapping[str, tuple[str, Sequence[Assigned], EmulatorSettings]] = {
    "public": ("public", (*BOTH_CLOUDS, *PUBLIC_ONLY), TOLERANT),
    "government": ("government", BOTH_CLOUDS, TOLERANT),
    "elsewhere": ("public", ELSEWHERE, TOLERANT),
    "first-generation": ("public", FIRST_GENERATION, LOOSE),
}


@dataclass(frozen=True)
class Scene:
    """A project with one group for each assignment."""

    project: Project
    assigned: Sequence[Assigned]

    @property
    def clusters(self) -> list[tuple[Assigned, str]]:
        """Each assignment with the names of the clusters in its group."""
        return [(one, f"{kind}{n}") for n, one in enumerate(self.assigned) for kind in sorted(one.kinds)]

    def own(self, states: Mapping[ResourceId, Mapping[str, ComplianceState]]) -> dict[tuple[str, str], ComplianceState]:
        """(definition, cluster) to state, of each cluster under the assignment of its own group."""
        named = {id.name: found for id, found in states.items()}
        return {(one.name, name): named[name][f"g{name[3:]}"] for one, name in self.clusters}

    def wanted(self) -> dict[tuple[str, str], ComplianceState]:
        """What all of them are in the end."""
        return {
            (one.name, name): ComplianceState.NON_COMPLIANT if one.never else ComplianceState.COMPLIANT
            for one, name in self.clusters
        }

    def announced(self, plan: Plan) -> set[str]:
        """Clusters for which the plan says that a whole deployment goes to Resource Manager."""
        return {step.cluster.name for step in plan.steps if is_deployment(step.write.id.type)}

    def whole(self) -> set[str]:
        return {name for one, name in self.clusters if one.whole}


def fleet_of(assigned: Sequence[Assigned], location: str) -> FleetFile:
    """A group for each, `g0`, `g1` …, with one cluster of each kind that it is about."""
    place = {"subscription": "edge"}
    names = ["shared", *(f"g{n}" for n in range(len(assigned)))]
    clusters = [
        {"name": f"{kind}{n}", "kind": kind, **place, "resourceGroup": f"g{n}", **(one.aks if kind == "aks" else {})}
        for n, one in enumerate(assigned)
        for kind in sorted(one.kinds)
    ]
    return parse_fleet(
        {
            "apiVersion": "policyengine/v1",
            "kind": "Fleet",
            "tenantId": "0d4f2b8c-0000-4000-8000-000000000000",
            "subscriptions": [{"subscriptionId": SUBSCRIPTION, "displayName": "edge"}],
            "resourceGroups": [{**place, "name": name, "location": location} for name in names],
            "clusters": clusters,
        }
    )


@pytest.fixture
def scene(corpus: Path, make_project: Callable[..., Project]) -> Callable[..., Scene]:
    def make(cloud: str, assigned: Sequence[Assigned], settings: EmulatorSettings = TOLERANT) -> Scene:
        project = make_project(fleet_of(assigned, LOCATIONS[cloud]), settings)
        definitions = corpus / "azure-policy/definitions" / cloud / "resource-manager"
        for number, one in enumerate(assigned):
            assign(project.folder / "policies", definitions / f"{one.name}.json", number, one)
        for id, body in BESIDE.items():
            url = f"{project.url}{id}?api-version=2023-07-01"
            assert httpx.put(url, json=body, headers=SIGNED, verify=False).status_code == 201
        return Scene(project, assigned)

    return make


def assign(policies: Path, definition: Path, number: int, one: Assigned) -> None:
    shutil.copy(definition, policies)
    document = {
        "apiVersion": "policyengine/v1",
        "kind": "Assignment",
        "metadata": {"name": f"g{number}"},
        "spec": {
            "policy": json.loads(definition.read_text("utf-8-sig"))["name"],
            "scope": f"/subscriptions/{SUBSCRIPTION}/resourceGroups/g{number}",
            "parameters": one.parameters,
        },
    }
    (policies / f"g{number}.json").write_text(json.dumps(document), "utf-8")


@pytest.mark.parametrize("run", RUNS)
def test_templates_run_to_compliant_as_the_plan_announced(scene: Callable[..., Scene], run: str) -> None:
    cloud, assigned, settings = RUNS[run]
    found = scene(cloud, assigned, settings)
    walk = Walk(found.project.settings)
    walk.scan()
    assert set(found.own(walk.states()).values()) == {ComplianceState.NON_COMPLIANT}

    planned = walk.plan()
    assert found.announced(planned.plan) == found.whole()
    assert {step.cluster.name for step in planned.plan.steps} == {name for _, name in found.clusters}
    done = walk.remediate(planned)
    walk.scan()

    assert [outcome for outcome in done.outcomes if outcome.state is not StepState.SUCCEEDED] == []
    assert found.own(walk.states()) == found.wanted()
    assert deployments(found.project) <= {"Succeeded"}
    again = walk.plan().plan
    assert again.steps == ()
    assert {(unmended.policy, unmended.reason) for unmended in again.unmended} == {
        (f"g{number}", "what it deploys is already in place and does not satisfy its own existence condition")
        for number, one in enumerate(assigned)
        if one.never
    }


def deployments(project: Project) -> set[str]:
    """How the deployments ended that the emulator has carried out, nested ones included."""
    return {deployment.state for deployment in project.emulator.state.deployments.values()}


def test_all_forty_templates_are_run(corpus: Path) -> None:
    definitions = corpus / "azure-policy/definitions"
    run = [f"{cloud}/{one.name}" for cloud, assigned, _ in RUNS.values() for one in assigned]
    published = [
        f"{path.parents[1].name}/{path.stem}"
        for path in definitions.glob("*/resource-manager/*.json")
        if '"deployment":' in path.read_text("utf-8-sig")
    ]
    assert sorted(set(run)) == sorted(published)
    assert len(published) == 40
