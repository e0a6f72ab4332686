"""All 79 definitions that Azure publishes about clusters, unchanged, scanned over HTTP as a user would scan them.

Each is assigned to everything, with the parameters of its entry among the conformance cases. What a policy looks for
beside extensions and Flux configurations is read because the policy is assigned.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from policyengine.emulator import Settings as EmulatorSettings
from policyengine.model.fleet import parse_fleet
from policyengine.model.states import ComplianceState
from policyengine.store.store import Store
from tests.conformance.clusters.beside_kubernetes_service import CATEGORIES, WORKSPACE
from tests.conformance.clusters.test_cluster_definitions import CASES
from tests.e2e.conftest import Project
from tests.e2e.test_builtins import Walk

SUBSCRIPTION: Final = "aaaaaaaa-0000-4000-8000-00000000000a"
GROUP: Final = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/stores"
FULL: Final = f"{GROUP}/providers/Microsoft.ContainerService/managedClusters/full"
SETTING: Final = "providers/Microsoft.Insights/diagnosticSettings"
LOGS: Final = [{"category": category, "enabled": True} for category in CATEGORIES]
ASSESSMENTS: Final = ("41503391-efa5-47ee-9282-4eff6131462c", "c609cf0f-71ab-41e9-a3c6-9a1f7fe1b8d5")
FLUX_V1: Final = [name for name in CASES if "Deploy-GitOps-to-Kubernetes-cluster" in name]
BESIDE: Final[Mapping[str, Any]] = {
    f"{GROUP}/providers/Microsoft.ContainerService/fleets/fleet": {"location": "westeurope"},
    f"{GROUP}/providers/Microsoft.ContainerService/fleets/fleet/members/full": {
        "properties": {"clusterResourceId": FULL}
    },
    f"{GROUP}/providers/Microsoft.DataProtection/backupVaults/vault": {"location": "westeurope"},
    f"{GROUP}/providers/Microsoft.DataProtection/backupVaults/vault/backupInstances/full": {
        "properties": {"dataSourceInfo": {"resourceID": FULL}}
    },
    f"{FULL}/maintenanceConfigurations/aksManagedNodeOSUpgradeSchedule": {"properties": {"maintenanceWindow": {}}},
    f"{FULL}/{SETTING}/all": {
        "properties": {
            "workspaceId": WORKSPACE,
            "logs": LOGS,
            "metrics": [{"category": "AllMetrics", "enabled": True}],
        }
    },
    **{
        f"{FULL}/providers/Microsoft.Security/assessments/{name}": {"properties": {"status": {"code": "Healthy"}}}
        for name in ASSESSMENTS
    },
}
"""What hangs on one of the clusters, and where it comes from."""
LOOKED_FOR: Final = (
    "AKS_Autojoin_Fleet_Manager_DINE",
    "AKS_Detect_Non_Fleet_Manager_Member_Audit",
    "AKS_Maintenance_DINE",
    "ASC_KuberenetesRuningImagesVulnerabilityAssessment_Audit",
    "AuditDiagnosticLog_Audit",
    "DataConnectorsAzureKubernetes_DINE",
    "Kubernetes_EnableAzureBackup_Audit",
    "MDC_K8sRuningImagesVulnerabilityAssessmentBasedOnMDVM_Audit",
)
"""The definitions that are satisfied by it."""
OK, BAD, NA = ComplianceState.COMPLIANT, ComplianceState.NON_COMPLIANT, ComplianceState.NOT_APPLICABLE
SPOKEN_OF: Final = {"tags": {"backup": "yes"}, "properties": {"aadProfile": {"managed": True}}}
"""What some definitions ask of a cluster before they say anything of it."""
FLEET: Final = {
    "apiVersion": "policyengine/v1",
    "kind": "Fleet",
    "tenantId": "0d4f2b8c-0000-4000-8000-000000000000",
    "subscriptions": [{"subscriptionId": SUBSCRIPTION, "displayName": "edge"}],
    "resourceGroups": [{"subscription": "edge", "name": "stores", "location": "westeurope"}],
    "clusters": [
        {"name": name, "kind": kind, "subscription": "edge", "resourceGroup": "stores", **more}
        for name, kind, more in (("full", "aks", {}), ("bare", "aks", SPOKEN_OF), ("shop", "arc", {}))
    ],
}


@pytest.fixture
def project(corpus: Path, make_project: Callable[..., Project]) -> Project:
    project = make_project(parse_fleet(FLEET), replace(EmulatorSettings.loose(), throttling=False))
    for id, body in BESIDE.items():
        url = f"{project.url}{id}?api-version=2024-04-01"
        assert httpx.put(url, json=body, headers={"Authorization": "Bearer x"}, verify=False).status_code == 201
    for name, case in CASES.items():
        cloud, _, stem = name.partition("/")
        folder = project.folder / "policies" / cloud
        folder.mkdir(parents=True, exist_ok=True)
        definition = corpus / "azure-policy/definitions" / cloud / "resource-manager" / f"{stem}.json"
        shutil.copy(definition, folder)
        (folder / f"{stem}.assignment.json").write_text(json.dumps(assigned(name, definition, case.parameters)))
    return project


def assigned(name: str, definition: Path, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
    return {
        "apiVersion": "policyengine/v1",
        "kind": "Assignment",
        "metadata": {"name": key_of(name)},
        "spec": {
            "policy": json.loads(definition.read_text("utf-8-sig"))["name"],
            "scope": f"/subscriptions/{SUBSCRIPTION}",
            "parameters": dict(parameters),
        },
    }


def key_of(name: str) -> str:
    return name.replace("/", "-").replace("_", "-").casefold()


def test_every_published_definition_is_judged_on_what_was_read(project: Project) -> None:
    walk = Walk(project.settings)
    result = walk.scan()
    states = {id.name: found for id, found in walk.states().items()}

    assert result.complete, result.failures
    assert len(CASES) == 79
    assert [(c, key, s) for c, found in states.items() for key, s in found.items() if s not in {OK, BAD, NA}] == []
    spoken = {key for found in states.values() for key, state in found.items() if state is not NA}
    assert [name for name in CASES if key_of(name) not in spoken] == []
    for stem in LOOKED_FOR:
        key = key_of(f"public/{stem}")
        assert (stem, states["full"][key], states["bare"][key], states["shop"][key]) == (stem, OK, BAD, NA)
    assert {states[name][key_of(policy)] for name in states for policy in FLUX_V1} == {BAD}


def hashes(project: Project) -> Mapping[str, str]:
    """Of the clusters whose agents do not report by themselves."""
    with Store.open(project.settings.database) as store:
        return {key.rpartition("/")[2]: found for key, found in store.known().items() if "managedclusters" in key}


def test_what_appears_beside_a_cluster_is_noticed_and_nothing_else(project: Project) -> None:
    walk = Walk(project.settings)
    walk.scan()
    first = hashes(project)
    walk.scan()
    assert hashes(project) == first

    bare = FULL.replace("/full", "/bare")
    url = f"{project.url}{bare}/maintenanceConfigurations/aksManagedNodeOSUpgradeSchedule?api-version=2024-04-01"
    assert httpx.put(url, json={"properties": {}}, headers={"Authorization": "Bearer x"}, verify=False).is_success
    walk.scan()
    states = {id.name: found for id, found in walk.states().items()}

    assert {name for name, found in hashes(project).items() if found != first[name]} == {"bare"}
    assert states["bare"][key_of("public/AKS_Maintenance_DINE")] is OK
