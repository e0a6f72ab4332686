"""Twenty policies after the shapes of Azure's published ones, for all benchmarks: 8 look at children, 3 count.

On a synthetic fleet one pair in seventy is a finding; of the broad ones, which choose no clusters by their tags, two in
nine. Copies are more of the same kind with other values.
Source: performance reference, "20 policies".
"""

from __future__ import annotations

from typing import Any, Final

AKS: Final = "Microsoft.ContainerService/managedClusters"
ARC: Final = "Microsoft.Kubernetes/connectedClusters"
EXTENSIONS: Final = "Microsoft.KubernetesConfiguration/extensions"
FLUX: Final = "Microsoft.KubernetesConfiguration/fluxConfigurations"

ANY: Final = {"field": "type", "in": [AKS, ARC]}
_AKS: Final = {"field": "type", "equals": AKS}
_ARC: Final = {"field": "type", "equals": ARC}


def all_of(*conditions: Any) -> dict[str, Any]:
    return {"allOf": list(conditions)}


def any_of(*conditions: Any) -> dict[str, Any]:
    return {"anyOf": list(conditions)}


def field(name: str, operator: str, value: Any) -> dict[str, Any]:
    return {"field": name, operator: value}


def exists(type: str, *conditions: Any, effect: str = "auditIfNotExists") -> dict[str, Any]:
    return {"effect": effect, "details": {"type": type, "existenceCondition": all_of(*conditions)}}


def _pools(operator: str, value: Any, *where: Any) -> dict[str, Any]:
    count: dict[str, Any] = {"field": f"{AKS}/agentPoolProfiles[*]"}
    if where:
        count["where"] = all_of(*where)
    return {"count": count, operator: value}


_AUDIT: Final = {"effect": "audit"}
_TYPE: Final = f"{EXTENSIONS}/extensionType"
_STATE: Final = f"{EXTENSIONS}/provisioningState"
_TRAIN: Final = f"{EXTENSIONS}/releaseTrain"
_UPGRADE: Final = f"{EXTENSIONS}/autoUpgradeMinorVersion"
_HAS: Final = {"field": "tags.ring", "equals": "0"}

POLICIES: Final[tuple[tuple[str, dict[str, Any], dict[str, Any]], ...]] = (
    # what must exist on the cluster
    (
        "flux-on-production",
        all_of(ANY, field("tags.env", "equals", "prod"), field("tags.owner", "equals", "platform"), _HAS),
        exists(EXTENSIONS, field(_TYPE, "equals", "microsoft.flux"), field(_STATE, "equals", "Succeeded")),
    ),
    (
        "flux-upgrades-itself",
        all_of(ANY, field("tags.owner", "equals", "stores"), field("tags.env", "equals", "prod")),
        exists(EXTENSIONS, field(_TYPE, "equals", "microsoft.flux"), field(_UPGRADE, "equals", "true")),
    ),
    (
        "policy-extension-on-edge",
        all_of(_ARC, field(f"{ARC}/distribution", "equals", "k3s"), _HAS, field("tags.env", "equals", "stage")),
        exists(EXTENSIONS, field(_TYPE, "equals", "microsoft.policyinsights")),
    ),
    (
        "defender-on-edge",
        all_of(_ARC, field("tags.env", "in", ["prod", "stage"]), field("tags.owner", "equals", "plants"), _HAS),
        exists(
            EXTENSIONS,
            field(_TYPE, "equals", "microsoft.azuredefender.kubernetes"),
            field(_STATE, "equals", "Succeeded"),
        ),
    ),
    (
        "no-extension-stays-failed",
        all_of(ANY, field("tags.env", "equals", "prod"), field("tags.owner", "like", "pl*")),
        exists(EXTENSIONS, field(_STATE, "notEquals", "Failed")),
    ),
    (
        "configuration-of-the-fleet",
        all_of(ANY, field("tags.owner", "equals", "online"), field("tags.env", "equals", "prod"), _HAS),
        exists(
            FLUX,
            field("name", "equals", "fleet-config"),
            any_of(
                field(f"{FLUX}/gitRepository.repositoryRef.branch", "equals", "main"),
                field(f"{FLUX}/gitRepository.repositoryRef.tag", "like", "v*"),
            ),
            field(f"{FLUX}/gitRepository.url", "like", "https://github.com/contoso/*"),
        ),
    ),
    (
        "configuration-scope",
        all_of(ANY, field("tags.env", "equals", "stage"), field("tags.owner", "equals", "data")),
        exists(
            FLUX, field(f"{FLUX}/scope", "equals", "cluster"), field(f"{FLUX}/provisioningState", "notEquals", "Failed")
        ),
    ),
    (
        "monitoring-on-upgraded",
        all_of(_AKS, field(f"{AKS}/kubernetesVersion", "like", "1.34.*"), field("tags.ring", "equals", "1")),
        exists(EXTENSIONS, field(_TYPE, "like", "microsoft.azure*"), field(_TRAIN, "equals", "Stable")),
    ),
    # counts
    (
        "one-system-pool",
        all_of(_AKS, _pools("less", 1, field(f"{AKS}/agentPoolProfiles[*].mode", "equals", "System"))),
        _AUDIT,
    ),
    (
        "pools-scale",
        all_of(
            _AKS,
            field("tags.env", "equals", "prod"),
            _pools(
                "greater",
                1,
                field(f"{AKS}/agentPoolProfiles[*].enableAutoScaling", "notEquals", True),
                field(f"{AKS}/agentPoolProfiles[*].count", "lessOrEquals", 3),
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
                    "value": f"[current('{AKS}/agentPoolProfiles[*].orchestratorVersion')]",
                    "notEquals": f"[field('{AKS}/kubernetesVersion')]",
                },
            ),
        ),
        _AUDIT,
    ),
    # the cluster itself
    (
        "locations",
        all_of(
            ANY,
            field("location", "notIn", ["westeurope", "northeurope", "West US 2"]),
            field("tags.ring", "exists", False),
        ),
        _AUDIT,
    ),
    ("offline", all_of(_ARC, field(f"{ARC}/connectivityStatus", "notEquals", "Connected")), _AUDIT),
    (
        "local-accounts",
        all_of(
            _AKS, field(f"{AKS}/disableLocalAccounts", "notEquals", True), field("tags.env", "equals", "prod"), _HAS
        ),
        _AUDIT,
    ),
    (
        "private-api",
        all_of(
            _AKS,
            field(f"{AKS}/apiServerAccessProfile.enablePrivateCluster", "notEquals", True),
            field("tags.owner", "equals", "data"),
            _HAS,
        ),
        _AUDIT,
    ),
    (
        "policy-add-on",
        all_of(
            _AKS,
            field("tags.owner", "equals", "online"),
            any_of(
                field(f"{AKS}/addonProfiles.azurePolicy.enabled", "exists", False),
            ),
            _HAS,
        ),
        _AUDIT,
    ),
    (
        "old-kubernetes",
        all_of(
            _ARC,
            field(f"{ARC}/distribution", "equals", "openshift"),
            field("properties.kubernetesVersion", "like", "1.30.*"),
        ),
        _AUDIT,
    ),
    ("names", all_of(ANY, field("name", "notLike", "a*"), field("name", "notMatch", "arc-#######")), _AUDIT),
    ("owner", all_of(ANY, any_of(field("tags.owner", "exists", False), field("tags.owner", "equals", ""))), _AUDIT),
    (
        "free-tier",
        all_of(
            _AKS,
            field("sku.tier", "equals", "Free"),
            {"not": field("tags.env", "in", ["dev", "test"])},
            field("tags.owner", "equals", "stores"),
        ),
        _AUDIT,
    ),
)


def definitions(copies: int = 1, *, broad: bool = False) -> list[dict[str, Any]]:
    """The twenty as Azure has them, so many times over: each copy compares with values of its own."""
    return [
        {
            "name": f"{name}-{copy}" if copy else name,
            "properties": {
                "mode": "All",
                "policyRule": {
                    "if": _varied(_broadened(rule) if broad else rule, copy),
                    "then": _varied(then, copy),
                },
            },
        }
        for copy in range(copies)
        for name, rule, then in POLICIES
    ]


def _broadened(rule: dict[str, Any]) -> dict[str, Any]:
    """The rule for all clusters it may speak of, whatever their tags."""
    return all_of(*(one for one in rule["allOf"] if not str(one.get("field")).startswith("tags.")))


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
    """Other owners, other environments, other versions: the same work, other answers."""
    if not copy:
        return value
    if isinstance(value, dict):
        return {key: _varied(item, copy) for key, item in value.items()}
    if isinstance(value, list):
        return [_varied(item, copy) for item in value]
    for words in (
        ("platform", "stores", "plants", "online", "data"),
        ("prod", "test", "dev", "stage"),
        ("1.30.*", "1.31.*", "1.32.*", "1.33.*", "1.34.*"),
    ):
        if value in words:
            return words[(words.index(value) + copy) % len(words)]
    return value
