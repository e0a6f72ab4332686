"""Templates that read the live fleet while planning, over HTTP; `test_deployments` has the writes."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from policyengine.model.fleet import FleetFile, parse_fleet
from policyengine.model.resource import AKS
from policyengine.text.reader import read, to_value
from tests.e2e.conftest import Project
from tests.e2e.test_builtins import Walk

FLEET = """
apiVersion: policyengine/v1
kind: Fleet
tenantId: 0d4f2b8c-0000-4000-8000-000000000000
subscriptions:
  - {subscriptionId: aaaaaaaa-0000-4000-8000-00000000000a, displayName: edge}
resourceGroups:
  - {subscription: edge, name: shops, location: norwayeast}
clusters:
  - {name: edge-01, kind: arc, subscription: edge, resourceGroup: shops}
  - {name: edge-02, kind: arc, subscription: edge, resourceGroup: shops}
  - {name: web-01, kind: aks, subscription: edge, resourceGroup: shops}
"""
SCOPE = "/subscriptions/aaaaaaaa-0000-4000-8000-00000000000a"
VAULT = f"{SCOPE}/resourceGroups/shops/providers/Microsoft.KeyVault/vaults/kv-edge"
BUCKET_PARAMETERS = {
    "configurationName": "fleet",
    "bucketUrl": "https://minio.contoso.example",
    "bucketName": "fleet",
    "bucketAccessKey": "reader",
    "keyVaultName": VAULT,
    "keyVaultSecretName": "minio-key",
}
ASSIGNED: dict[str, dict[str, Any]] = {
    "AKS_DisableRunCommand_DINE": {},
    "AKS_ImageCleaner_DINE": {},
    "GitOps-Flux2-to-Kubernetes-cluster-Bucket-KVSecret_DINE": BUCKET_PARAMETERS,
}


@pytest.fixture
def assigned(corpus: Path, make_project: Callable[[FleetFile], Project]) -> Project:
    project = make_project(parse_fleet(to_value(read(FLEET, "fleet.yaml")[0])))
    for name, parameters in ASSIGNED.items():
        source = corpus / "azure-policy/definitions/public/resource-manager" / f"{name}.json"
        shutil.copy(source, project.folder / "policies")
        policy = json.loads(source.read_text("utf-8-sig"))["name"]
        spec = {"policy": policy, "scope": SCOPE, "parameters": parameters}
        document = {
            "apiVersion": "policyengine/v1",
            "kind": "Assignment",
            "metadata": {"name": name.split("_")[1].lower() if name.startswith("AKS") else "bucket"},
            "spec": spec,
        }
        (project.folder / "policies" / f"assignment-{name}.json").write_text(json.dumps(document), "utf-8")
    return project


def test_a_plan_reads_what_its_templates_ask_for(assigned: Project) -> None:
    walk = Walk(assigned.settings)
    walk.scan()
    planned = walk.plan()

    (cluster,) = (step for step in planned.plan.steps if step.write.id.type == AKS)
    assert set(cluster.policies) == {"disableruncommand", "imagecleaner"}
    assert cluster.write.method == "PUT"
    assert {change.path for change in cluster.changes} == {
        "properties.apiServerAccessProfile.disableRunCommand",
        "properties.securityProfile.imageCleaner.enabled",
        "properties.securityProfile.imageCleaner.intervalHours",
    }

    deployments = [step for step in planned.plan.steps if step.action.startswith("run deployment")]
    assert {step.cluster.name for step in deployments} == {"edge-01", "edge-02", "web-01"}
    assert {step.reason for step in deployments} == {
        "as one deployment: parameter `bucketSecretKey` is secret `minio-key` of Key Vault `kv-edge`"
    }
    reads = {e.path for e in assigned.emulator.journal.entries() if "api-version=2023" in f"{e.path}{e.query}"}
    assert len(reads) == 1


def test_a_plan_says_on_the_terminal_what_goes_as_one_deployment(assigned: Project) -> None:
    Walk(assigned.settings).scan()
    shown = " ".join(assigned.run("plan", "--assignment", "bucket", "--full").stdout.split())

    assert "run deployment policyengine-edge-01-" in shown
    assert "as one deployment: parameter `bucketSecretKey` is secret `minio-key` of Key Vault `kv-edge`" in shown
    assert "+ parameters.bucketSecretKey" in shown
