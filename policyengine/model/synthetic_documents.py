"""What a synthetic cluster consists of: documents as repetitive, and children as unevenly spread, as in real fleets.

Every choice is drawn from one number; nothing here is random, and nothing knows where in a fleet it stands.
Source: performance reference, "Fleet".
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from hashlib import blake2b
from itertools import accumulate
from typing import Final

from policyengine.model.arm_defaults import (
    cluster_properties,
    extension_properties,
    flux_configuration_properties,
    overlay,
    system_identity,
)
from policyengine.model.ids import ResourceId
from policyengine.model.resource import AKS, EXTENSIONS, FLUX_CONFIGURATIONS, Cluster, Resource
from policyengine.model.values import JSON

LOCATIONS: Final = (
    *("westeurope", "northeurope", "norwayeast", "swedencentral", "uksouth", "ukwest", "francecentral"),
    *("germanywestcentral", "switzerlandnorth", "italynorth", "polandcentral", "spaincentral", "eastus", "eastus2"),
    *("centralus", "southcentralus", "westus2", "westus3", "canadacentral", "brazilsouth", "southeastasia", "eastasia"),
    *("japaneast", "koreacentral", "australiaeast", "centralindia", "uaenorth", "southafricanorth", "israelcentral"),
    "qatarcentral",
)
VERSIONS: Final = tuple(f"1.{minor}.{patch}" for minor in range(30, 35) for patch in (1, 3, 5, 7, 9))
TAGS: Final[tuple[Mapping[str, JSON], ...]] = tuple(
    {"env": env, "ring": ring, "owner": owner}
    for env in ("prod", "test", "dev", "stage")
    for ring in ("0", "1")
    for owner in ("platform", "stores", "plants", "online", "data")
)
EXTENSION_TYPES: Final = (
    *("microsoft.flux", "microsoft.policyinsights", "microsoft.azuremonitor.containers"),
    *("microsoft.azuredefender.kubernetes", "microsoft.dapr", "microsoft.openservicemesh"),
    *("microsoft.azurekeyvaultsecretsprovider", "microsoft.azureml.kubernetes"),
)
_EXTENSIONS: Final = tuple(accumulate((145, 270, 280, 165, 80, 30, 15, 10, 5)))
"""Sums: out of a thousand clusters, how many have none, one, two and so on: 2.0 on average."""
_CONFIGURATIONS: Final = tuple(accumulate((450, 350, 130, 45, 18, 7)))
"""Likewise: 0.85 on average."""
_REPOSITORIES: Final = ("fleet", "platform", "stores", "plants", "observability", "security")
_OUTCOMES: Final = ("Compliant",) * 17 + ("Non-Compliant",) * 2 + ("Pending",)
_MASK: Final = (1 << 64) - 1
_CERTIFICATE: Final = "MIIBCgKCAQEA" * 44


def draw(seed: int, number: int, what: str = "") -> int:
    """64 bits that depend on the three alone."""
    return int.from_bytes(blake2b(f"{seed}/{number}/{what}".encode(), digest_size=8).digest())


def tags_of(drawn: int) -> Mapping[str, JSON]:
    return TAGS[drawn % len(TAGS)]


@dataclass(slots=True)
class Draws:
    """One choice after another out of a drawn number."""

    state: int

    def below(self, limit: int) -> int:
        # SplitMix64: as even as any policy will notice, and ten times as fast as a hash.
        self.state = (self.state + 0x9E3779B97F4A7C15) & _MASK
        mixed = ((self.state ^ (self.state >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & _MASK
        return (mixed ^ (mixed >> 31)) % limit

    def one_of(self, choices: Sequence[str]) -> str:
        return choices[self.below(len(choices))]

    def spread(self, shares: Sequence[int]) -> int:
        """A number of things, as often as the summed shares say."""
        return bisect_right(shares, self.below(shares[-1]))


def make_cluster(id: ResourceId, drawn: int, location: str, tenant_id: str, at: datetime) -> Cluster:
    """The cluster of that id with what is on it, as listed at an instant."""
    draws = Draws(drawn)
    types, names = _children(drawn)
    head = Resource(id, _head(id, draws, location, tenant_id, at))
    extensions = [_extension(head, type, draws, tenant_id, at) for type in types]
    found = [_configuration(head, name, draws, at) for name in names]
    return Cluster(
        head,
        tuple(sorted(extensions, key=lambda r: r.id)),
        tuple(sorted(found, key=lambda r: r.id)),
    )


def make_head(id: ResourceId, drawn: int, location: str, tenant_id: str, at: datetime) -> Resource:
    """Of what `make_cluster` makes the cluster itself, without what is on it."""
    return Resource(id, _head(id, Draws(drawn), location, tenant_id, at))


def children_of(drawn: int) -> tuple[tuple[str, str], ...]:
    """Type and name of what `make_cluster` puts on the cluster, in id order."""
    types, names = _children(drawn)
    return _in_order(tuple(types), tuple(names))


@cache
def _in_order(types: tuple[str, ...], names: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    extensions = sorted(map(_extension_name, types))
    return (*((EXTENSIONS, name) for name in extensions), *((FLUX_CONFIGURATIONS, name) for name in sorted(names)))


def _children(drawn: int) -> tuple[list[str], list[str]]:
    """Types of the extensions and names of the configurations, by draws of their own."""
    draws = Draws(~drawn & _MASK)
    configurations = draws.spread(_CONFIGURATIONS)
    return _types(draws, configurations), [f"{name}-config" for name in _REPOSITORIES[:configurations]]


def _head(id: ResourceId, draws: Draws, location: str, tenant_id: str, at: datetime) -> dict[str, JSON]:
    aks = id.type == AKS
    version, tags = draws.one_of(VERSIONS), tags_of(draws.below(len(TAGS)))
    properties = _aks(id, draws, version) if aks else _arc(draws, version, at)
    document: dict[str, JSON] = {
        **_envelope(id),
        "location": location,
        "tags": dict(tags),
        "identity": system_identity(id, tenant_id),
        "properties": cluster_properties(id, location, properties),
        "systemData": _system_data(draws, at),
    }
    if aks:
        document["sku"] = {"name": "Base", "tier": ("Free", "Standard")[draws.below(2)]}
    return document


def _aks(id: ResourceId, draws: Draws, version: str) -> dict[str, JSON]:
    pools: list[JSON] = [_pool(name, draws, version) for name in ("system", "apps")[: 1 + draws.below(2)]]
    return {
        "kubernetesVersion": version,
        "currentKubernetesVersion": version,
        "powerState": {"code": "Stopped" if draws.below(100) == 0 else "Running"},
        "disableLocalAccounts": draws.below(3) == 0,
        "azurePortalFQDN": f"{id.name}.portal.hcp.azmk8s.io",
        "supportPlan": "KubernetesOfficial",
        "agentPoolProfiles": pools,
        "addonProfiles": {
            "azurepolicy": {"enabled": draws.below(2) == 0, "config": None},
            "omsagent": {"enabled": draws.below(2) == 0, "config": {"useAADAuth": "true"}},
        },
        "networkProfile": {
            "loadBalancerSku": "standard",
            "outboundType": "loadBalancer",
            "podCidr": "10.244.0.0/16",
            "serviceCidr": "10.0.0.0/16",
            "dnsServiceIP": "10.0.0.10",
        },
        "apiServerAccessProfile": {"enablePrivateCluster": draws.below(4) == 0},
        "autoUpgradeProfile": {"upgradeChannel": draws.one_of(("none", "patch", "stable"))},
        "oidcIssuerProfile": {"enabled": True},
        "servicePrincipalProfile": {"clientId": "msi"},
        "storageProfile": {"diskCSIDriver": {"enabled": True}, "fileCSIDriver": {"enabled": True}},
        "securityProfile": {"workloadIdentity": {"enabled": draws.below(2) == 0}},
    }


def _pool(name: str, draws: Draws, version: str) -> dict[str, JSON]:
    return {
        "name": name,
        "count": 3 + draws.below(3),
        "vmSize": draws.one_of(("Standard_D4s_v5", "Standard_D8s_v5", "Standard_E4s_v5")),
        "mode": "System" if name == "system" else "User",
        "osType": "Linux",
        "osSKU": "AzureLinux",
        "orchestratorVersion": version,
        "provisioningState": "Succeeded",
        "enableAutoScaling": draws.below(2) == 0,
    }


def _arc(draws: Draws, version: str, at: datetime) -> dict[str, JSON]:
    distribution = draws.one_of(("k3s", "rke2", "aks_edge_k3s", "openshift", "kubeadm"))
    nodes, away = 1 + draws.below(5), draws.below(100) < 3
    seen = at - timedelta(minutes=draws.below(10), hours=24 * (1 + draws.below(20)) if away else 0)
    return {
        "connectivityStatus": "Offline" if away else "Connected",
        "lastConnectivityTime": _stamp(seen),
        "managedIdentityCertificateExpirationTime": _stamp(seen + timedelta(days=60)),
        "kubernetesVersion": f"{version}+{distribution}",
        "agentVersion": f"1.{27 + draws.below(4)}.3",
        "agentPublicKeyCertificate": _CERTIFICATE,
        "distribution": distribution,
        "distributionVersion": version,
        "infrastructure": draws.one_of(("generic", "azure_stack_hci", "vmware")),
        "totalNodeCount": nodes,
        "totalCoreCount": 4 * nodes,
        "arcAgentProfile": {"desiredAgentVersion": "", "agentAutoUpgrade": "Enabled", "agentState": "Succeeded"},
        "oidcIssuerProfile": {"enabled": False},
        "securityProfile": {"workloadIdentity": {"enabled": False}},
        "miscellaneousProperties": {"KubernetesDistro": distribution, "OnboardingTime": _stamp(seen)},
    }


def _types(draws: Draws, configurations: int) -> list[str]:
    """No type twice; where there are configurations, Flux mostly is too."""
    number, first = draws.spread(_EXTENSIONS), draws.below(len(EXTENSION_TYPES))
    flux_first = bool(configurations) and draws.below(50) != 0
    begin = 0 if flux_first else first
    return [EXTENSION_TYPES[(begin + n) % len(EXTENSION_TYPES)] for n in range(number)]


def _extension(head: Resource, type: str, draws: Draws, tenant_id: str, at: datetime) -> Resource:
    flux = type == "microsoft.flux"
    id = head.id.extension(EXTENSIONS, _extension_name(type))
    train, failed = ("Preview" if draws.below(20) == 0 else "Stable"), draws.below(50) == 0
    pinned = draws.below(5) == 0
    version = draws.one_of(("1.17.3", "1.18.4", "1.19.5", "1.19.5")) if flux else f"{1 + draws.below(3)}.4.1"
    written: dict[str, JSON] = {
        "extensionType": type,
        "autoUpgradeMinorVersion": not pinned,
        "releaseTrain": train,
        "version": version if pinned else None,
        "currentVersion": version,
        "provisioningState": "Failed" if failed else "Succeeded",
        "configurationSettings": _settings(type, draws),
        "scope": {"cluster": {"releaseNamespace": "flux-system" if flux else type.rpartition(".")[2]}},
        "aksAssignedIdentity": None,
        "errorInfo": {"code": "InstallationFailed", "message": "timed out waiting for the condition"}
        if failed
        else None,
    }
    document = {
        **_envelope(id),
        "identity": system_identity(id, tenant_id),
        "systemData": _system_data(draws, at),
        "properties": overlay(extension_properties(written), _TOLD_OF_EXTENSIONS),
    }
    return Resource(id, document)


def _extension_name(type: str) -> str:
    return type.partition(".")[2].replace(".", "-")


_TOLD_OF_EXTENSIONS: Final[Mapping[str, JSON]] = {
    "customLocationSettings": None,
    "packageUri": None,
    "additionalDetails": {"docs": "https://learn.microsoft.com/azure/azure-arc/kubernetes/extensions"},
}


def _settings(type: str, draws: Draws) -> dict[str, JSON]:
    if type == "microsoft.flux":
        return {
            "helm-controller.enabled": "true",
            "source-controller.enabled": "true",
            "kustomize-controller.enabled": "true",
            "notification-controller.enabled": "true",
            "image-automation-controller.enabled": str(draws.below(4) == 0).lower(),
            "image-reflector-controller.enabled": "false",
        }
    return {"collectionInterval": f"{1 + draws.below(5)}m", "logLevel": draws.one_of(("info", "warning", "error"))}


def _configuration(head: Resource, name: str, draws: Draws, at: datetime) -> Resource:
    id = head.id.extension(FLUX_CONFIGURATIONS, name)
    outcome, revision = draws.one_of(_OUTCOMES), f"main@sha1:{draw(draws.below(40), 0):016x}{draw(1, 1):016x}"
    branch = draws.one_of(("main", "main", "main", "release", "develop"))
    written: dict[str, JSON] = {
        "scope": "cluster" if draws.below(5) else "namespace",
        "namespace": name,
        "complianceState": outcome,
        "sourceSyncedCommitId": revision,
        "sourceUpdatedAt": _stamp(at - timedelta(hours=draws.below(200))),
        "statusUpdatedAt": _stamp(at - timedelta(minutes=draws.below(60))),
        "gitRepository": {
            "url": f"https://github.com/contoso/{name.removesuffix('-config')}",
            "repositoryRef": {"branch": branch, "tag": None, "semver": None, "commit": None},
            "localAuthRef": None,
        },
        "kustomizations": {
            "infra": {"path": "./infrastructure", "prune": True},
            "apps": {"path": "./apps", "prune": True, "dependsOn": ["infra"], "retryIntervalInSeconds": 300},
        },
    }
    document = {
        **_envelope(id),
        "systemData": _system_data(draws, at),
        "properties": flux_configuration_properties(written),
    }
    return Resource(id, document)


def _envelope(id: ResourceId) -> dict[str, JSON]:
    return {"id": id.text, "name": id.name, "type": id.type}


def _system_data(draws: Draws, at: datetime) -> dict[str, JSON]:
    created = at - timedelta(days=30 + draws.below(700), minutes=draws.below(1440))
    changed = created + (at - created) * draws.below(100) / 100
    by = {"By": draws.one_of(("pipeline@contoso.com", "policy@contoso.com", "admin@contoso.com")), "ByType": "User"}
    return {
        **{f"created{name}": value for name, value in {**by, "At": _stamp(created)}.items()},
        **{f"lastModified{name}": value for name, value in {**by, "At": _stamp(changed)}.items()},
    }


def _stamp(at: datetime) -> str:
    return at.replace(tzinfo=None).isoformat(timespec="seconds") + "Z"
