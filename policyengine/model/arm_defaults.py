"""What Resource Manager would have filled in: defaults that let a fleet file stay short.

Only `fleet.py` uses them, to turn what a person wrote into the document a GET would have returned. A value that
is written, null included, always wins. Source: configuration API, sections 2, 3 and 8.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping

from policyengine.model.ids import ResourceId
from policyengine.model.resource import AKS
from policyengine.model.values import JSON

_AKS: Mapping[str, JSON] = {
    "provisioningState": "Succeeded",
    "powerState": {"code": "Running"},
    "kubernetesVersion": "1.33.5",
    "enableRBAC": True,
    "disableLocalAccounts": False,
    "networkProfile": {"networkPlugin": "azure", "networkPolicy": "cilium"},
}
_ARC: Mapping[str, JSON] = {
    "provisioningState": "Succeeded",
    "connectivityStatus": "Connected",
    "kubernetesVersion": "1.33.5+k3s1",
    "agentVersion": "1.29.3",
    "agentPublicKeyCertificate": "",
    "distribution": "k3s",
    "infrastructure": "generic",
    "totalNodeCount": 3,
    "totalCoreCount": 12,
    "privateLinkState": "Disabled",
    "azureHybridBenefit": "NotApplicable",
}
_EXTENSION: Mapping[str, JSON] = {
    "provisioningState": "Succeeded",
    "autoUpgradeMinorVersion": True,
    "releaseTrain": "Stable",
    "configurationSettings": {},
    "isSystemExtension": False,
    "statuses": [],
}
_FLUX_CONFIGURATION: Mapping[str, JSON] = {
    "scope": "cluster",
    "namespace": "default",
    "suspend": False,
    "provisioningState": "Succeeded",
    "complianceState": "Compliant",
    "errorMessage": "",
    "repositoryPublicKey": "",
    "statuses": [],
}
_TIMES: Mapping[str, JSON] = {"timeoutInSeconds": 600, "syncIntervalInSeconds": 600}
_SOURCES: Mapping[str, tuple[str, Mapping[str, JSON]]] = {
    "gitRepository": ("GitRepository", _TIMES),
    "bucket": ("Bucket", {**_TIMES, "insecure": True}),
    "azureBlob": ("AzureBlob", _TIMES),
    "ociRepository": ("OCIRepository", {**_TIMES, "insecure": False, "useWorkloadIdentity": False}),
}
_KUSTOMIZATION: Mapping[str, JSON] = {"path": "", **_TIMES, "prune": False, "force": False, "wait": True}


def overlay(base: Mapping[str, JSON], over: Mapping[str, JSON]) -> dict[str, JSON]:
    """``base`` with ``over`` laid on it: objects merge member by member, anything else (null too) replaces."""
    merged = dict(base)
    for name, value in over.items():
        below = merged.get(name)
        merged[name] = overlay(below, value) if isinstance(below, Mapping) and isinstance(value, Mapping) else value
    return merged


def system_identity(id: ResourceId, tenant_id: str) -> dict[str, JSON]:
    """A system-assigned identity; its principal is made up from the id, so that it never changes."""
    principal = uuid.uuid5(uuid.NAMESPACE_URL, id.key)
    return {"type": "SystemAssigned", "principalId": str(principal), "tenantId": tenant_id}


def cluster_properties(id: ResourceId, location: str, written: Mapping[str, JSON]) -> dict[str, JSON]:
    """The ``properties`` of a cluster that says only ``written``."""
    if id.type != AKS:
        return overlay(_ARC, written)
    named: dict[str, JSON] = {
        "dnsPrefix": id.name,
        "fqdn": f"{id.name}.hcp.{location}.azmk8s.io",
        "nodeResourceGroup": f"MC_{id.resource_group}_{id.name}_{location}",
    }
    properties = overlay({**_AKS, **named}, written)
    properties.setdefault("currentKubernetesVersion", properties["kubernetesVersion"])
    return properties


def extension_properties(written: Mapping[str, JSON]) -> dict[str, JSON]:
    """The ``properties`` of an extension; a pinned ``version`` is also the running one unless another is written."""
    properties = overlay(_EXTENSION, written)
    if str(properties.get("extensionType")).casefold() == "microsoft.flux":
        properties.setdefault("scope", {"cluster": {"releaseNamespace": "flux-system"}})
    if properties.get("version") is not None:
        properties.setdefault("currentVersion", properties["version"])
    return properties


def flux_configuration_properties(written: Mapping[str, JSON]) -> dict[str, JSON]:
    """The ``properties`` of a fluxConfiguration; ``sourceKind`` follows from the source that is written."""
    properties = overlay(_FLUX_CONFIGURATION, written)
    for member, (kind, defaults) in _SOURCES.items():
        if isinstance(properties.get(member), Mapping):
            properties.setdefault("sourceKind", kind)
            properties[member] = overlay(defaults, properties[member])
    kustomizations = properties.get("kustomizations")
    if isinstance(kustomizations, Mapping):
        properties["kustomizations"] = {
            name: overlay({"name": name, **_KUSTOMIZATION}, one or {}) for name, one in kustomizations.items()
        }
    return properties
