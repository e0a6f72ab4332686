"""Twenty policies after the shapes of Azure's published ones, for all benchmarks: 8 look at children, 3 count.

They ask for 41 paths, as the reference's twenty do, in 4.6 conditions each; Azure's own for Kubernetes have 5.4 on
average, and half of them at most 4. As they are they look at every cluster of their types, and one pair in five of a
synthetic fleet is a finding. ``chosen`` ones look at the clusters of one owner and ring each: one in fifty is.
Copies are more of the same kind with other values.
Source: performance reference, "20 policies"; Azure's built-in definitions for the numbers of their conditions.
"""

from __future__ import annotations

from typing import Any, Final

AKS: Final = "Microsoft.ContainerService/managedClusters"
ARC: Final = "Microsoft.Kubernetes/connectedClusters"
EXTENSIONS: Final = "Microsoft.KubernetesConfiguration/extensions"
FLUX: Final = "Microsoft.KubernetesConfiguration/fluxConfigurations"

_EXTENSIONS: Final = (
    *("microsoft.flux", "microsoft.policyinsights", "microsoft.azuremonitor.containers"),
    *("microsoft.azuredefender.kubernetes", "microsoft.dapr", "microsoft.openservicemesh"),
    *("microsoft.azurekeyvaultsecretsprovider", "microsoft.azureml.kubernetes"),
)
_LOCATIONS: Final = (
    *("westeurope", "northeurope", "norwayeast", "swedencentral", "uksouth", "ukwest", "francecentral"),
    *("germanywestcentral", "switzerlandnorth", "italynorth", "polandcentral", "spaincentral", "eastus", "eastus2"),
    *("centralus", "southcentralus", "westus3", "canadacentral", "brazilsouth", "southeastasia", "eastasia"),
    *("japaneast", "koreacentral", "australiaeast", "centralindia", "uaenorth"),
)
"""As the synthetic fleet has them; spelt again, for the other engines' environment cannot import that."""

ANY: Final = {"field": "type", "in": [AKS, ARC]}
_AKS: Final = {"field": "type", "equals": AKS}
_ARC: Final = {"field": "type", "equals": ARC}


def all_of(*conditions: Any) -> dict[str, Any]:
    return {"allOf": list(conditions)}


def any_of(*conditions: Any) -> dict[str, Any]:
    return {"anyOf": list(conditions)}


def field(name: str, operator: str, value: Any) -> dict[str, Any]:
    return {"field": name, operator: value}


def exists(type: str, *conditions: Any) -> dict[str, Any]:
    return {"effect": "auditIfNotExists", "details": {"type": type, "existenceCondition": all_of(*conditions)}}


def _pools(operator: str, value: Any, *where: Any) -> dict[str, Any]:
    return {"count": {"field": f"{AKS}/agentPoolProfiles[*]", "where": all_of(*where)}, operator: value}


_AUDIT: Final = {"effect": "audit"}
_TYPE: Final = f"{EXTENSIONS}/extensionType"
_STATE: Final = f"{EXTENSIONS}/provisioningState"
_TRAIN: Final = f"{EXTENSIONS}/releaseTrain"
_UPGRADE: Final = f"{EXTENSIONS}/autoUpgradeMinorVersion"
_POOL: Final = f"{AKS}/agentPoolProfiles[*]"
_GIT: Final = f"{FLUX}/gitRepository"

POLICIES: Final[tuple[tuple[str, dict[str, Any], dict[str, Any]], ...]] = (
    # what must exist on the cluster
    (
        "flux",
        all_of(ANY),
        exists(
            EXTENSIONS,
            field(_TYPE, "equals", "microsoft.flux"),
            field(_STATE, "equals", "Succeeded"),
            field(_TRAIN, "equals", "Stable"),
            any_of(
                all_of(field(_UPGRADE, "equals", "false"), field(f"{EXTENSIONS}/version", "equals", "1.19.5")),
                field(_UPGRADE, "equals", "true"),
            ),
        ),
    ),
    (
        "policy-extension",
        all_of(_ARC, field(f"{ARC}/distribution", "notEquals", "aks")),
        exists(EXTENSIONS, field(_TYPE, "equals", "microsoft.policyinsights"), field(_STATE, "equals", "Succeeded")),
    ),
    (
        "defender",
        all_of(
            _ARC,
            field(f"{ARC}/distribution", "notIn", ["aks", "aks_edge_k3s"]),
            field(f"{ARC}/connectivityStatus", "equals", "Connected"),
        ),
        exists(
            EXTENSIONS,
            field(_TYPE, "equals", "microsoft.azuredefender.kubernetes"),
            field(_STATE, "equals", "Succeeded"),
        ),
    ),
    (
        "monitoring",
        all_of(ANY, field("location", "notIn", ["qatarcentral", "West US 2", "israelcentral"])),
        exists(
            EXTENSIONS,
            field(_TYPE, "like", "microsoft.azure*"),
            field(_TRAIN, "equals", "Stable"),
            field(_STATE, "notEquals", "Failed"),
        ),
    ),
    (
        "extensions-upgrade-themselves",
        all_of(_AKS, field(f"{AKS}/powerState.code", "notEquals", "Stopped")),
        exists(
            EXTENSIONS,
            field(_TYPE, "in", ["microsoft.flux", "microsoft.dapr"]),
            field(_UPGRADE, "equals", "true"),
            field(f"{EXTENSIONS}/scope.cluster.releaseNamespace", "exists", True),
        ),
    ),
    (
        "configuration-of-the-fleet",
        all_of(ANY),
        exists(
            FLUX,
            field(f"{FLUX}/scope", "equals", "cluster"),
            field(f"{FLUX}/namespace", "equals", "fleet-config"),
            field(f"{_GIT}.url", "equals", "https://github.com/contoso/fleet"),
            field(f"{_GIT}.timeoutInSeconds", "equals", 600),
            field(f"{_GIT}.syncIntervalInSeconds", "equals", 600),
            any_of(
                field(f"{_GIT}.repositoryRef.branch", "equals", "main"),
                field(f"{_GIT}.repositoryRef.tag", "like", "v*"),
            ),
            field(f"{FLUX}/provisioningState", "notEquals", "Failed"),
        ),
    ),
    (
        "configuration-is-compliant",
        all_of(ANY, field("tags.env", "notEquals", "dev")),
        exists(
            FLUX,
            field("name", "like", "fl*"),
            field(f"{FLUX}/complianceState", "notEquals", "Non-Compliant"),
            field(f"{FLUX}/suspend", "notEquals", True),
        ),
    ),
    (
        "secrets-provider",
        all_of(_AKS, field(f"{AKS}/kubernetesVersion", "notLike", "1.30.*")),
        exists(
            EXTENSIONS,
            field(_TYPE, "equals", "microsoft.azurekeyvaultsecretsprovider"),
            field(_TRAIN, "equals", "Stable"),
        ),
    ),
    # counts
    (
        "one-system-pool",
        all_of(
            _AKS,
            _pools(
                "less",
                1,
                field(f"{_POOL}.mode", "equals", "System"),
                field(f"{_POOL}.provisioningState", "equals", "Succeeded"),
            ),
        ),
        _AUDIT,
    ),
    (
        "pools-scale",
        all_of(
            _AKS,
            _pools(
                "greater",
                1,
                any_of(
                    field(f"{_POOL}.enableAutoScaling", "exists", False),
                    field(f"{_POOL}.enableAutoScaling", "equals", "false"),
                ),
                field(f"{_POOL}.count", "lessOrEquals", 3),
            ),
        ),
        _AUDIT,
    ),
    (
        "pools-follow-the-cluster",
        all_of(
            _AKS,
            _pools(
                "greater",
                0,
                {
                    "value": f"[current('{_POOL}.orchestratorVersion')]",
                    "notEquals": f"[field('{AKS}/kubernetesVersion')]",
                },
            ),
        ),
        _AUDIT,
    ),
    # the cluster itself
    (
        "locations",
        all_of(ANY, field("location", "notIn", ["West US 2", *_LOCATIONS])),
        _AUDIT,
    ),
    (
        "agents",
        all_of(
            _ARC,
            any_of(
                field(f"{ARC}/connectivityStatus", "notEquals", "Connected"),
                field(f"{ARC}/agentVersion", "in", ["1.24.3", "1.25.3", "1.26.3"]),
            ),
        ),
        _AUDIT,
    ),
    (
        "identities",
        all_of(
            _AKS,
            field(f"{AKS}/disableLocalAccounts", "notEquals", True),
            any_of(
                field(f"{AKS}/securityProfile.workloadIdentity.enabled", "exists", False),
                field(f"{AKS}/securityProfile.workloadIdentity.enabled", "equals", "false"),
            ),
        ),
        _AUDIT,
    ),
    (
        "private-api",
        all_of(_AKS, field(f"{AKS}/apiServerAccessProfile.enablePrivateCluster", "notEquals", True)),
        _AUDIT,
    ),
    (
        "policy-add-on",
        all_of(
            _AKS,
            any_of(
                field(f"{AKS}/addonProfiles.azurePolicy.enabled", "exists", False),
                field(f"{AKS}/addonProfiles.azurePolicy.enabled", "equals", "false"),
            ),
        ),
        _AUDIT,
    ),
    (
        "old-kubernetes",
        all_of(
            _ARC,
            any_of(
                *(field("properties.kubernetesVersion", "like", f"1.{minor}.*") for minor in (26, 27, 28, 29)),
                *(field("properties.kubernetesVersion", "like", f"1.30.{patch}+*") for patch in (1, 3, 5)),
                *(field("properties.kubernetesVersion", "like", f"1.31.{patch}+*") for patch in (1, 3)),
            ),
        ),
        _AUDIT,
    ),
    ("names", all_of(ANY, field("name", "notLike", "a*"), field("name", "notMatch", "arc-#######")), _AUDIT),
    (
        "tags",
        all_of(
            ANY,
            any_of(
                field("tags.owner", "exists", False),
                field("tags.owner", "equals", ""),
                field("tags.env", "notIn", ["prod", "test", "dev", "stage"]),
                field("tags.ring", "exists", False),
            ),
        ),
        _AUDIT,
    ),
    (
        "platform",
        all_of(
            _AKS,
            any_of(
                field(f"{AKS}/networkProfile.loadBalancerSku", "notEquals", "standard"),
                field(f"{AKS}/storageProfile.diskCSIDriver.enabled", "equals", False),
                all_of(
                    field("sku.tier", "equals", "Free"),
                    field(f"{AKS}/autoUpgradeProfile.upgradeChannel", "equals", "none"),
                ),
            ),
        ),
        _AUDIT,
    ),
)

_OWNERS: Final = ("platform", "stores", "plants", "online", "data")
_WORDS: Final[tuple[tuple[str, ...], ...]] = (
    _OWNERS,
    ("prod", "test", "dev", "stage"),
    ("k3s", "rke2", "aks_edge_k3s", "openshift", "kubeadm"),
    ("main", "release", "develop"),
    ("patch", "stable", "none"),
    ("1.27.3", "1.28.3", "1.29.3", "1.30.3"),
    ("1.30.*", "1.31.*", "1.32.*", "1.33.*", "1.34.*"),
    tuple(f"1.{minor}.{patch}+*" for minor in (30, 31, 32, 33, 34) for patch in (1, 3, 5, 7, 9)),
    _EXTENSIONS,
    tuple(f"{name}-config" for name in ("fleet", "platform", "stores", "plants")),
    tuple(f"https://github.com/contoso/{name}" for name in ("fleet", "platform", "stores", "plants")),
    _LOCATIONS,
)
"""What copies exchange for another of its kind."""


def definitions(copies: int = 1, *, chosen: bool = False) -> list[dict[str, Any]]:
    """The twenty as Azure has them, so many times over: each copy compares with values of its own."""
    return [
        {
            "name": f"{name}-{copy}" if copy else name,
            "properties": {
                "mode": "All",
                "policyRule": {
                    "if": _varied(_choosing(rule, number) if chosen else rule, copy),
                    "then": _varied(then, copy),
                },
            },
        }
        for copy in range(copies)
        for number, (name, rule, then) in enumerate(POLICIES)
    ]


def _choosing(rule: dict[str, Any], number: int) -> dict[str, Any]:
    """The rule for the clusters of one owner in one ring: a tenth of the fleet."""
    applies, *rest = rule["allOf"]
    owner, ring = field("tags.owner", "equals", _OWNERS[number % 5]), field("tags.ring", "equals", str(number // 5 % 2))
    return all_of(applies, owner, ring, *rest)


def assignments(copies: int = 1) -> list[dict[str, Any]]:
    """Each at the root of the synthetic fleets."""
    return [
        {
            "apiVersion": "policyengine/v1",
            "kind": "Assignment",
            "metadata": {"name": f"{definition['name']}-assigned"},
            "spec": {
                "policy": definition["name"],
                "scope": "/providers/Microsoft.Management/managementGroups/mg-synthetic",
            },
        }
        for definition in definitions(copies)
    ]


def _varied(value: Any, copy: int) -> Any:
    """Other owners, other extensions, other versions: the same work, other answers."""
    if not copy:
        return value
    if isinstance(value, dict):
        return {key: _varied(item, copy) for key, item in value.items()}
    if isinstance(value, list):
        return [_varied(item, copy) for item in value]
    for words in _WORDS:
        if value in words:
            return words[(words.index(value) + copy) % len(words)]
    return value
