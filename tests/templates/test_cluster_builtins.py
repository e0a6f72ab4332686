"""Azure's own cluster templates, unchanged: what each reads and writes, or why it goes whole to Resource Manager."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from policyengine.expressions.compiled import ExpressionContext, compile_value
from policyengine.model.ids import ResourceId
from policyengine.model.resource import AKS, ARC, ResourceWrite
from policyengine.model.values import JSON, get_folded, walk
from policyengine.templates import Answer, Answers, DeploymentScope, Expansion, LiveRead, expand

CORPUS = Path(__file__).resolve().parents[3] / "shared/corpus/azure-policy/definitions"
GOLDEN = Path(__file__).resolve().parents[1] / "golden/templates"
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

LOCATED = {"location": "westeurope", "tags": {"env": "edge"}}
AKS_DOCUMENT: Mapping[str, JSON] = {
    **LOCATED,
    "id": f"{GROUP['id']}/providers/{AKS}/edge-1",
    "name": "edge-1",
    "type": AKS,
    "sku": {"name": "Base", "tier": "Free"},
    "identity": {"type": "SystemAssigned"},
    "properties": {
        "provisioningState": "Succeeded",
        "kubernetesVersion": "1.31.2",
        "nodeResourceGroup": "MC_rg-edge",
        "enableRBAC": True,
        "aadProfile": {"managed": True, "adminGroupObjectIDs": ["old"], "tenantID": SUBSCRIPTION["tenantId"]},
        "addonProfiles": {"azurepolicy": {"enabled": False}},
        "agentPoolProfiles": [{"name": "system", "count": 3, "vmSize": "Standard_D4s_v5", "mode": "System"}],
        "networkProfile": {"networkPlugin": "azure", "outboundType": "loadBalancer"},
    },
}
WORKSPACE = f"{GROUP['id']}/providers/Microsoft.OperationalInsights/workspaces/logs"
LIVE: Mapping[str, Mapping[str, JSON]] = {
    ResourceId(str(AKS_DOCUMENT["id"])).key: AKS_DOCUMENT,
    ResourceId(STORAGE).key: {"properties": {"primaryEndpoints": {"blob": "https://st.blob.core.windows.net/"}}},
    ResourceId(WORKSPACE).key: {"properties": {"customerId": "c-1"}},
}
"""What is there to be read; everything else is absent."""

LOCATIONS = {"public": "westeurope", "government": "usgovvirginia"}
KINDS = {"arc": ARC, "aks": AKS}
VAULT = "/subscriptions/s/…/vaults/kv-edge"
SECRET = {"secretRef": {"env": "GIT_SECRET"}}
SECRETS = ("httpsUserKeyVaultSecretName", "httpsKeyKeyVaultSecretName", "sshPrivateKeyKeyVaultSecretName")
ASSIGNED: Mapping[str, JSON] = {
    "storageAccountId": STORAGE,
    "keyVaultName": VAULT,
    "keyVaultResourceId": VAULT,
    **dict.fromkeys(SECRETS, "git-secret"),
}


def definition(name: str, cloud: str = "public") -> Mapping[str, JSON]:
    file = CORPUS / cloud / "resource-manager" / f"{name}.json"
    found: Mapping[str, JSON] = json.loads(file.read_text("utf-8-sig"))
    return found


def writes_of(name: str, type: str, *, cloud: str = "public", **assigned: JSON) -> tuple[ResourceWrite, ...]:
    expansion = expansion_of(name, type, cloud=cloud, **assigned)
    assert (expansion.reads, expansion.only_whole) == ((), "")
    return expansion.writes


def expansion_of(
    name: str,
    type: str,
    *,
    cloud: str = "public",
    answers: Answers | None = None,
    vault: bool = True,
    **assigned: JSON,
) -> Expansion:
    """What deploying for one cluster of ``type`` does: the definition's parameters evaluated as a policy would.

    Without ``vault``, secrets are given by name of a variable, where the definition names a Key Vault.
    """
    properties = definition(name, cloud)["properties"]
    details = properties["policyRule"]["then"]["details"]
    deployment = walk(details, "deployment", "properties")
    context = ExpressionContext(
        {
            "parameters": lambda parameter: _assigned(properties["parameters"], parameter, assigned),
            "field": lambda field: _field(field, type, LOCATIONS[cloud]),
            "subscription": lambda: SUBSCRIPTION,
            "resourcegroup": lambda: GROUP,
        },
        at=AT,
    )
    to_subscription = str(get_folded(details, "deploymentScope")).casefold() == "subscription"
    location = get_folded(get_folded(details, "deployment"), "location")
    scope = DeploymentScope(SUBSCRIPTION, None if to_subscription else GROUP, "mend", AT, location)
    given = compile_value(get_folded(deployment, "parameters")).evaluate(context)
    assert isinstance(given, dict)
    if not vault:
        given = {name: holder if "value" in holder else {"value": SECRET} for name, holder in given.items()}
    return expand(get_folded(deployment, "template"), given, scope, answers or {})


def _assigned(declared: JSON, name: str, assigned: Mapping[str, JSON]) -> JSON:
    given = get_folded(assigned, name)
    if given is not None:
        return given
    declaration = get_folded(declared, name)
    if "defaultValue" in declaration:
        return declaration["defaultValue"]
    samples = {"string": f"a-{name}", "object": {"properties": {"a": 1}}, "array": ["a"], "integer": 1, "boolean": True}
    return samples[declaration["type"].casefold()]


def _field(name: str, type: str, location: str) -> JSON:
    id = f"{GROUP['id']}/providers/{type}/edge-1"
    return {"name": "edge-1", "type": type, "location": location, "id": id}.get(name.casefold())


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
        "location": LOCATIONS[cloud],
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


def deploying() -> list[tuple[str, str, str]]:
    """(cloud, definition, kind of cluster) of every template, for each kind its rule speaks of."""
    found = []
    for path in sorted(CORPUS.glob("*/resource-manager/*.json")):
        rule = definition(path.stem, path.parts[-3])["properties"]["policyRule"]
        if walk(rule, "then", "details", "deployment"):
            text = json.dumps(rule["if"]).casefold()
            found += [(path.parts[-3], path.stem, kind) for kind, type in KINDS.items() if type.casefold() in text]
    return found


TEMPLATES = deploying()


@pytest.mark.parametrize(("cloud", "name", "kind"), TEMPLATES, ids=["-".join(case) for case in TEMPLATES])
def test_template_expands_to_what_it_describes(cloud: str, name: str, kind: str, update_golden: bool) -> None:
    """First without an answer, then with those it asked for, until it asks no more; the same in every cloud.

    One that goes whole to Resource Manager for its Key Vault secret is also shown as it is with a secret of ours.
    """
    rounds = []
    answers: dict[LiveRead, Answer] = {}
    while True:
        expansion = expansion_of(name, KINDS[kind], cloud=cloud, answers=answers, **ASSIGNED)
        rounds.append(shown(expansion))
        if not expansion.reads:
            break
        answers |= {read: Answer(LIVE.get(read.id.key)) for read in expansion.reads}
    if "Key Vault" in expansion.only_whole:
        rounds.append(shown(expansion_of(name, KINDS[kind], cloud=cloud, vault=False, **ASSIGNED)))

    golden = GOLDEN / golden_name(cloud, name, kind)
    if update_golden:
        golden.write_text(json.dumps(rounds, indent=2) + "\n", encoding="utf-8")
    assert rounds == json.loads(golden.read_text("utf-8"))


def golden_name(cloud: str, name: str, kind: str) -> str:
    return f"{name}.{kind}{'' if cloud == 'public' else '.' + cloud}.json"


def test_all_forty_cluster_templates_are_covered() -> None:
    """On each kind of cluster their rules name, in each cloud that publishes them; and no golden file is left over."""
    assert len({(cloud, name) for cloud, name, _ in TEMPLATES}) == 40
    assert {path.name for path in GOLDEN.iterdir()} == {golden_name(*case) for case in TEMPLATES}


def test_templates_without_a_live_read_or_a_secret_expand_at_once() -> None:
    outcomes = {
        name: shown(expansion_of(name, KINDS[kind], **ASSIGNED)) for cloud, name, kind in TEMPLATES if cloud == "public"
    }

    assert sum("writes" in outcome for outcome in outcomes.values()) == 12
    assert sum("reads" in outcome for outcome in outcomes.values()) == 8
    assert sum("only whole" in outcome for outcome in outcomes.values()) == 7


def shown(expansion: Expansion) -> dict[str, JSON]:
    """The part that is not empty, ids without what is the same in all."""
    if expansion.only_whole:
        return {"only whole": expansion.only_whole}
    if expansion.reads:
        return {"reads": [f"{r.id} {r.api_version}{' Full' * r.full}" for r in expansion.reads]}
    return {
        "writes": [
            {
                "method": write.method,
                "id": write.id.text,
                "apiVersion": write.api_version,
                "body": write.body,
                "after": [id.text for id in write.depends_on],
            }
            for write in expansion.writes
        ]
    }
