"""Every cluster template of Azure's built-in definitions, unchanged, deployed whole: each runs to its end."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from policyengine.expressions.compiled import ExpressionContext, compile_value
from policyengine.model.ids import ResourceId
from policyengine.model.values import JSON, get_folded, walk

if TYPE_CHECKING:
    from tests.emulator.conftest import Api

CORPUS = Path(__file__).resolve().parents[3] / "shared/corpus/azure-policy/definitions"
AT = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
LOCATIONS = {"public": "westeurope", "government": "usgovvirginia"}
FILES = sorted(path for path in CORPUS.glob("*/resource-manager/*.json"))

pytestmark = pytest.mark.skipif(
    not CORPUS.is_dir(), reason=f"THE BUILT-IN DEFINITIONS ARE NOT THERE: {CORPUS}; their templates stay undeployed"
)


def deployment_of(path: Path) -> Mapping[str, JSON] | None:
    definition = json.loads(path.read_text("utf-8-sig"))
    found: Mapping[str, JSON] | None = walk(definition, "properties", "policyRule", "then", "details", "deployment")
    return found


TEMPLATES = [path for path in FILES if deployment_of(path)]


def ids(path: Path) -> str:
    return f"{path.parents[1].name}-{path.stem}"


@pytest.fixture
def ready(start: Callable[..., Api]) -> Api:
    """A fleet with what the templates expect to be there: a vault with secrets, a storage account, a workspace."""
    api = start(allow_flux_v1=True, throttling=False)
    for cluster in (api.arc, api.aks):
        group = cluster.rpartition("/providers/")[0]
        assert api.put(f"{group}/providers/Microsoft.KeyVault/vaults/kv", {"location": "x"}).status_code == 201
        for name in ("user", "key"):
            secret = f"{group}/providers/Microsoft.KeyVault/vaults/kv/secrets/{name}"
            assert api.put(secret, {"properties": {"value": "c2VjcmV0"}}).status_code == 201
        api.put(f"{group}/providers/Microsoft.Storage/storageAccounts/st", {"location": "x"})
        api.put(f"{group}/providers/Microsoft.OperationalInsights/workspaces/logs", {"location": "x"})
        assert (
            api.put(f"{group}/providers/Microsoft.ContainerService/fleets/fleet", {"location": "x"}).status_code == 201
        )
    return api


def given_to(group: str, text: str) -> dict[str, JSON]:
    """Parameters of the definitions, by name, where no sample of the type would do."""
    ssh = "SSH" in text
    return {
        "configurationName": "fleet",
        "configurationResourceName": "fleet",
        "repositoryUrl": "git@github.com:contoso/fleet" if ssh else "https://github.com/contoso/fleet",
        "repositoryRefBranch": "main",
        "bucketUrl": "https://minio.contoso.example",
        "bucketName": "fleet",
        "kustomizationName": "apps",
        "keyVaultResourceId": f"{group}/providers/Microsoft.KeyVault/vaults/kv",
        "keyVaultName": f"{group}/providers/Microsoft.KeyVault/vaults/kv",
        "httpsUserKeyVaultSecretName": "user",
        "httpsKeyKeyVaultSecretName": "key",
        "sshPrivateKeyKeyVaultSecretName": "key",
        "bucketSecretKeyKeyVaultSecretName": "key",
        "storageAccountId": f"{group}/providers/Microsoft.Storage/storageAccounts/st",
        "ExtensionVersion": "1.0.0",
        "operatorNamespace": "cluster-config",
        "fleet-subscription-id": group.split("/")[2],
        "fleet-resource-group": group.rpartition("/")[2],
        "fleet-name": "fleet",
    }


def assigned(declared: Mapping[str, JSON], name: str, given: Mapping[str, JSON]) -> JSON:
    found = get_folded(given, name)
    if found is not None:
        return found
    declaration = get_folded(declared, name)
    if "defaultValue" in declaration:
        return declaration["defaultValue"]
    samples = {"string": "key", "object": {"properties": {"a": 1}}, "array": ["a"], "integer": 1, "boolean": True}
    return samples[str(declaration["type"]).casefold()]


def request_of(api: Api, path: Path, cluster: str) -> tuple[str, dict[str, JSON]]:
    """The deployment that a remediation of the policy would send for ``cluster``."""
    properties = json.loads(path.read_text("utf-8-sig"))["properties"]
    details = properties["policyRule"]["then"]["details"]
    document = api.get(cluster).json()
    group = cluster.rpartition("/providers/")[0]
    given = given_to(group, path.stem)
    context = ExpressionContext(
        {
            "parameters": lambda name: assigned(properties["parameters"], name, given),
            "field": lambda name: document.get(name.casefold()),
            "subscription": lambda: api.get(group.rpartition("/resourceGroups/")[0]).json(),
            "resourcegroup": lambda: api.get(group).json(),
        },
        at=AT,
    )
    deployment = get_folded(details, "deployment")
    body: dict[str, JSON] = {
        "properties": {
            "mode": "incremental",
            "template": walk(deployment, "properties", "template"),
            "parameters": compile_value(walk(deployment, "properties", "parameters")).evaluate(context),
        }
    }
    scope = group
    if str(get_folded(details, "deploymentScope")).casefold() == "subscription":
        scope, body["location"] = group.rpartition("/resourceGroups/")[0], "westeurope"
    return f"{scope}/providers/Microsoft.Resources/deployments/mend", body


def clusters_for(api: Api, path: Path) -> list[str]:
    text = json.dumps(json.loads(path.read_text("utf-8-sig"))["properties"]["policyRule"]["if"]).casefold()
    arc, aks = "connectedclusters" in text, "managedclusters" in text
    return [cluster for cluster, wanted in ((api.arc, arc), (api.aks, aks)) if wanted]


def move(api: Api, cluster: str, location: str) -> None:
    """Templates have tables of the regions of their cloud."""
    found = api.emulator.state.find_cluster(ResourceId(cluster))
    assert found is not None
    found.document["location"] = location


@pytest.mark.parametrize("path", TEMPLATES, ids=ids)
def test_it_runs_to_its_end(ready: Api, path: Path) -> None:
    clusters = clusters_for(ready, path)
    assert clusters
    for cluster in clusters:
        move(ready, cluster, LOCATIONS[path.parents[1].name])
        url, body = request_of(ready, path, cluster)
        accepted = ready.put(url, body)
        assert accepted.status_code in {200, 201}, accepted.text
        ready.advance("10m")
        ended: dict[str, Any] = ready.operation(accepted)
        assert ended == {"status": "Succeeded"}, ended
        assert ready.get(url).json()["properties"]["outputResources"]


def test_all_templates_are_there() -> None:
    assert len(TEMPLATES) == 40
