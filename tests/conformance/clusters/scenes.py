"""What the tables of this folder are written with: clusters as Resource Manager shows them, and what is beside them.

A property given here replaces the one of the plain cluster; None takes it away.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from policyengine.model.ids import ResourceId
from policyengine.model.resource import AKS, ARC, EXTENSIONS, FLUX_CONFIGURATIONS, Cluster, Resource

SUBSCRIPTION: Final = "/subscriptions/5b0c0000-0000-0000-0000-000000000001"
GROUP: Final = f"{SUBSCRIPTION}/resourceGroups/stores"
BOTH_KINDS: Final = frozenset({AKS, ARC})
SCC: Final = "Microsoft.KubernetesConfiguration/sourceControlConfigurations"
DIAGNOSTICS: Final = "Microsoft.Insights/diagnosticSettings"

AKS_DOCUMENT: Final[Mapping[str, Any]] = {
    "location": "westeurope",
    "sku": {"name": "Base", "tier": "Standard"},
    "identity": {"type": "SystemAssigned"},
    "properties": {
        "provisioningState": "Succeeded",
        "powerState": {"code": "Running"},
        "kubernetesVersion": "1.31.2",
        "enableRBAC": True,
        "servicePrincipalProfile": {"clientId": "msi"},
        "networkProfile": {"networkPlugin": "azure"},
        "agentPoolProfiles": [{"name": "system", "mode": "System", "count": 3, "vmSize": "Standard_D4s_v5"}],
    },
}
ARC_DOCUMENT: Final[Mapping[str, Any]] = {
    "location": "westeurope",
    "identity": {"type": "SystemAssigned"},
    "properties": {
        "provisioningState": "Succeeded",
        "connectivityStatus": "Connected",
        "distribution": "k3s",
        "infrastructure": "generic",
        "kubernetesVersion": "1.31.2+k3s1",
        "agentVersion": "1.21.10",
    },
}
OTHER_SERVICE: Final = "Microsoft.HybridContainerService/provisionedClusters"


@dataclass(frozen=True)
class Scene:
    """A cluster with what is on it, and the resources a policy may find elsewhere."""

    cluster: Cluster
    elsewhere: tuple[Resource, ...] = ()

    def find(self, type: str, scope: ResourceId) -> Sequence[Resource]:
        return [r for r in self.elsewhere if r.type.casefold() == type.casefold() and scope.contains(r.id)]

    @property
    def type(self) -> str:
        return self.cluster.resource.type


@dataclass(frozen=True)
class Case:
    """One definition: scenes in which it is satisfied, in which it is broken, and which it does not speak about.

    ``kinds`` are the types of the clusters it speaks about. ``all_of_a_kind`` says why no cluster of these types is
    outside, so that only a cluster of another type can be; it is empty where a condition of the rule leaves some out.
    """

    satisfied: tuple[Scene, ...]
    broken: tuple[Scene, ...]
    outside: tuple[Scene, ...]
    parameters: Mapping[str, Any] = field(default_factory=dict)
    kinds: frozenset[str] = frozenset({AKS})
    all_of_a_kind: str = ""


def aks(*on: Resource, **given: Any) -> Scene:
    """An AKS cluster; see `scene`."""
    return scene(AKS, AKS_DOCUMENT, "web-01", on, given)


def arc(*on: Resource, **given: Any) -> Scene:
    """An Arc-enabled cluster; see `scene`."""
    return scene(ARC, ARC_DOCUMENT, "edge-01", on, given)


def other_service() -> Scene:
    """A cluster of a service whose clusters no definition speaks about."""
    return scene(OTHER_SERVICE, {"location": "westeurope", "properties": {}}, "hci-01", (), {})


_PLACES: Final = frozenset({"name", "group", "location", "tags", "identity"})


def scene(type: str, document: Mapping[str, Any], name: str, on: Sequence[Resource], given: Mapping[str, Any]) -> Scene:
    """``on``: resources, on the cluster or elsewhere. ``given``: properties; the members of `_PLACES` stand beside."""
    beside = {key: value for key, value in given.items() if key in _PLACES}
    name, group = beside.pop("name", name), beside.pop("group", GROUP)
    properties = {**document["properties"], **{key: value for key, value in given.items() if key not in _PLACES}}
    id = ResourceId(f"{group}/providers/{type}/{name}")
    whole = {**document, **beside, "id": id.text, "name": name, "type": type, "properties": properties}
    placed = [_placed(resource, id) for resource in on]
    below = [resource for resource in placed if id.contains(resource.id)]
    of = {kind: tuple(r for r in below if r.type == kind) for kind in (EXTENSIONS, FLUX_CONFIGURATIONS)}
    others = tuple(r for r in below if r.type not in of)
    cluster = Cluster(Resource(id, whole), of[EXTENSIONS], of[FLUX_CONFIGURATIONS], others)
    return Scene(cluster, tuple(resource for resource in placed if resource not in below))


def extension(type: str, state: str = "Succeeded", **properties: Any) -> Resource:
    return on_cluster(EXTENSIONS, "an-extension", extensionType=type, provisioningState=state, **properties)


def flux(**properties: Any) -> Resource:
    return on_cluster(FLUX_CONFIGURATIONS, "cluster-config", **{"provisioningState": "Succeeded", **properties})


def on_cluster(type: str, name: str, **properties: Any) -> Resource:
    """A resource whose scope is the cluster it is given to."""
    return _resource(f"~/providers/{type}/{name}", properties)


def child(type: str, name: str, **properties: Any) -> Resource:
    """A child resource of the cluster it is given to; ``type`` is the last part of its type."""
    return _resource(f"~/{type}/{name}", properties)


def in_group(type: str, name: str, group: str = GROUP, **properties: Any) -> Resource:
    """A resource elsewhere, in a resource group."""
    return _resource(f"{group}/providers/{type}/{name}", properties)


def _resource(id: str, properties: Mapping[str, Any]) -> Resource:
    place = ResourceId(id.replace("~", f"{GROUP}/providers/{AKS}/none", 1))
    return Resource(place, {"id": id, "name": place.name, "type": place.type, "properties": dict(properties)})


def _placed(resource: Resource, cluster: ResourceId) -> Resource:
    id = ResourceId(str(resource.document["id"]).replace("~", cluster.text, 1))
    return Resource(id, {**resource.document, "id": id.text, "name": id.name, "type": id.type})
