"""A fleet: the scope tree with every cluster in it, and the file in which people write one down.

`parse_fleet` reads ``kind: Fleet`` (its value, not its text); `assemble` puts loose ARM documents together. Neither
reads files. A person writes what is particular about a cluster; `arm_defaults` supplies what the service would.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from policyengine.errors import InventoryError
from policyengine.model.arm_defaults import (
    cluster_properties,
    extension_properties,
    flux_configuration_properties,
    overlay,
    system_identity,
)
from policyengine.model.diagnostic import did_you_mean
from policyengine.model.ids import ResourceId
from policyengine.model.parts import Part
from policyengine.model.resource import ARC, CLUSTER_TYPES, EXTENSIONS, FLUX_CONFIGURATIONS, Cluster, Resource
from policyengine.model.scope import ManagementGroup, ResourceGroup, ScopeTree, Subscription
from policyengine.model.values import JSON

API_VERSION = "policyengine/v1"

FLEET_KEYS = (
    *("apiVersion", "kind", "metadata", "tenantId", "managementGroups", "subscriptions", "resourceGroups"),
    *("templates", "clusters", "faults", "sources"),
)
CLUSTER_KEYS = (
    *("use", "name", "kind", "subscription", "resourceGroup", "location", "tags", "identity", "properties"),
    *("extensions", "fluxConfigurations", "simulation"),
)
FAULT_CONSEQUENCES = ("status", "drop", "delay", "install", "lag")
FAULT_KEYS = (
    *("method", "path", "code", "message", "times", "retryAfter", "probability", "after"),
    *FAULT_CONSEQUENCES,
)
_DURATIONS = ("offlineFor", "pollInterval", "installDuration", "reconcileDuration")
SIMULATION_KEYS = (*_DURATIONS, "installFailures", "reconcileFailures", "allowedHosts", "servicePrincipal")
_DURATION = re.compile(r"(\d+(\.\d+)?(ms|s|m|h|d))+")


@dataclass(frozen=True, slots=True)
class ScopeFailure:
    """A scope that could not be read whole, and why. Nothing may be concluded from what is absent in it."""

    scope: ResourceId
    reason: str


@dataclass(frozen=True)
class Fleet:
    """What a source knows: clusters in id order, the tree above them, and where it could not look.

    ``groups_known`` is False when it was not told of management groups, which is not the same as having none.
    ``lags``: it was read from a copy that follows the clusters by seconds or minutes. ``notes`` say how it was read,
    where that is not as usual.
    """

    tree: ScopeTree
    clusters: tuple[Cluster, ...]
    failures: tuple[ScopeFailure, ...] = ()
    groups_known: bool = True
    lags: bool = False
    notes: tuple[str, ...] = ()

    @property
    def complete(self) -> bool:
        return not self.failures


@dataclass(frozen=True)
class FleetFile:
    """A fleet as written down, with what an emulator should make of it.

    ``simulations`` says how a cluster's agent behaves, ``faults`` which requests go wrong, ``sources`` what
    repositories hold; all as written.
    """

    fleet: Fleet
    simulations: Mapping[ResourceId, Mapping[str, JSON]] = field(default_factory=dict)
    faults: tuple[Mapping[str, JSON], ...] = ()
    sources: tuple[Mapping[str, JSON], ...] = ()


def parse_fleet(value: JSON) -> FleetFile:
    """The fleet that ``value`` (a YAML or JSON document of ``kind: Fleet``) describes.

    An object under ``clusters``, ``extensions`` or ``fluxConfigurations`` may say ``use: NAME``: it is then laid
    over that entry of ``templates``, objects member by member.
    Raises InventoryError naming the place by its path (``clusters[3].resourceGroup``) and how to mend it.
    """
    root = Part(value)
    if root.value.get("apiVersion") != API_VERSION or root.value.get("kind") != "Fleet":
        raise root.error("is not a fleet", help=f"begin it with `apiVersion: {API_VERSION}` and `kind: Fleet`")
    root.only("fleet", FLEET_KEYS)
    reader = _ClusterReader(_read_tree(root), root.part("templates"))
    clusters: dict[ResourceId, Cluster] = {}
    simulations: dict[ResourceId, Mapping[str, JSON]] = {}
    for part in root.items("clusters"):
        cluster, simulation = reader.read(part)
        if cluster.id in clusters:
            raise part.error(f"repeats cluster `{cluster.name}`", help="remove one of the two")
        clusters[cluster.id] = cluster
        if simulation:
            simulations[cluster.id] = simulation
    faults = tuple(_read_fault(part) for part in root.items("faults"))
    sources = tuple(_read_source(part) for part in root.items("sources"))
    return FleetFile(Fleet(reader.tree, tuple(clusters[key] for key in sorted(clusters))), simulations, faults, sources)


def assemble(documents: Iterable[Mapping[str, JSON]]) -> tuple[tuple[Cluster, ...], tuple[Resource, ...]]:
    """Clusters in id order with the documents below them attached, and the orphans: whose cluster is not there.

    Types and ids are compared without case. Of two documents with one id the later wins: unsorted pages repeat.
    Raises InventoryError for a document without a usable id.
    """
    resources: dict[ResourceId, Resource] = {}
    for at, document in enumerate(documents, start=1):
        try:
            resource = Resource.from_document(document)
        except ValueError as error:
            raise InventoryError(f"document {at}: {error}", help="give it its full Azure resource id") from error
        resources[resource.id] = resource
    below: dict[ResourceId, list[Resource]] = {r.id: [] for r in resources.values() if _is_cluster(r)}
    orphans: list[Resource] = []
    for resource in resources.values():
        if resource.id not in below:
            below.get(_cluster_above(resource.id, below), orphans).append(resource)
    clusters = (_cluster(resources[key], below[key]) for key in sorted(below))
    return tuple(clusters), tuple(sorted(orphans, key=lambda r: r.id))


def _is_cluster(resource: Resource) -> bool:
    return resource.type.casefold() in {cluster_type.casefold() for cluster_type in CLUSTER_TYPES.values()}


def _cluster_above(below: ResourceId, clusters: Mapping[ResourceId, object]) -> ResourceId:
    """The nearest cluster over ``below``; ``below`` itself when there is none."""
    above = below.parent
    while above is not None and above not in clusters:
        above = above.parent
    return above or below


def _cluster(head: Resource, below: Sequence[Resource]) -> Cluster:
    by_type: dict[str, list[Resource]] = {}
    for resource in sorted(below, key=lambda r: r.id):
        by_type.setdefault(resource.type.casefold(), []).append(resource)
    extensions = by_type.pop(EXTENSIONS.casefold(), [])
    flux_configurations = by_type.pop(FLUX_CONFIGURATIONS.casefold(), [])
    others = [resource for group in by_type.values() for resource in group]
    return Cluster(head, tuple(extensions), tuple(flux_configurations), tuple(others))


def _read_tree(root: Part) -> ScopeTree:
    groups: dict[str, ManagementGroup] = {}
    for part in root.items("managementGroups"):
        part.only("management group", ("name", "displayName", "parent"))
        name, parent = part.text("name"), part.optional_text("parent")
        _refuse_repeat(part, name, groups)
        if parent is not None and parent.casefold() not in groups:
            raise part.error(
                f"has the unknown parent `{parent}`", help="write parents before their children", key="parent"
            )
        groups[name.casefold()] = ManagementGroup(name, part.text("displayName", name), parent)
    subscriptions: dict[str, Subscription] = {}
    for part in root.items("subscriptions"):
        subscription = _read_subscription(part, root.text("tenantId"), groups)
        _refuse_repeat(part, subscription.subscription_id, subscriptions)
        subscriptions[subscription.subscription_id.casefold()] = subscription
    tree = ScopeTree(tuple(groups.values()), tuple(subscriptions.values()))
    resource_groups: dict[str, ResourceGroup] = {}
    for part in root.items("resourceGroups"):
        part.only("resource group", ("subscription", "name", "location", "tags"))
        group_id = ResourceId(f"{_find_subscription(part, tree).id}/resourceGroups/{part.text('name')}")
        _refuse_repeat(part, group_id.text, resource_groups)
        resource_groups[group_id.key] = ResourceGroup(group_id, part.text("location"), part.part("tags").value)
    return ScopeTree(tree.management_groups, tree.subscriptions, tuple(resource_groups.values()))


def _refuse_repeat(part: Part, name: str, known: Mapping[str, object]) -> None:
    if name.casefold() in known:
        raise part.error(f"repeats `{name}`", help="remove one of the two")


def _read_subscription(part: Part, tenant_id: str, groups: Mapping[str, ManagementGroup]) -> Subscription:
    part.only("subscription", ("subscriptionId", "displayName", "managementGroup", "tags"))
    subscription_id, above = part.text("subscriptionId"), part.optional_text("managementGroup")
    if above is not None and above.casefold() not in groups:
        near = did_you_mean(above, [group.name for group in groups.values()])
        raise part.error(f"names the unknown management group `{above}`", help=near, key="managementGroup")
    name = part.text("displayName", subscription_id)
    return Subscription(subscription_id, name, above, tenant_id, part.part("tags").value)


def _find_subscription(part: Part, tree: ScopeTree) -> Subscription:
    wanted = part.text("subscription")
    for subscription in tree.subscriptions:
        if wanted.casefold() in {subscription.subscription_id.casefold(), subscription.display_name.casefold()}:
            return subscription
    near = did_you_mean(wanted, [s.display_name for s in tree.subscriptions]) or "add it to `subscriptions`"
    raise part.error(f"names the unknown subscription `{wanted}`", help=near, key="subscription")


def _find_resource_group(part: Part, tree: ScopeTree) -> ResourceGroup:
    subscription, wanted = _find_subscription(part, tree), part.text("resourceGroup")
    group = tree.resource_group(ResourceId(f"{subscription.id}/resourceGroups/{wanted}"))
    if group is None:
        where = f"subscription `{subscription.display_name}`"
        message = f"names resource group `{wanted}`, unknown in {where}"
        raise part.error(message, help="add it to `resourceGroups`", key="resourceGroup")
    return group


@dataclass(frozen=True)
class _ClusterReader:
    """Turns entries of ``clusters`` into clusters of ``tree``, with the help of ``templates``."""

    tree: ScopeTree
    templates: Part

    def read(self, written: Part) -> tuple[Cluster, Mapping[str, JSON]]:
        """The cluster and its simulation."""
        part = self._filled(written)
        part.only("cluster", CLUSTER_KEYS)
        head = self._head(part)
        extensions = [_read_extension(self._filled(e), head) for e in part.items("extensions")]
        configurations = [_read_flux_configuration(self._filled(c), head) for c in part.items("fluxConfigurations")]
        children = [*extensions, *configurations]
        if len({child.id for child in children}) < len(children):
            raise part.error("has two children of one type and name", help="give each a `name` of its own")
        return _cluster(head, children), _read_simulation(part.part("simulation"))

    def _filled(self, part: Part) -> Part:
        """``part`` laid over the template that its ``use`` names."""
        name = part.optional_text("use")
        if name is None:
            return part
        if name not in self.templates.value:
            near = did_you_mean(name, self.templates.value)
            raise part.error(f"uses the unknown template `{name}`", help=near or "add it to `templates`", key="use")
        own = {key: value for key, value in part.value.items() if key != "use"}
        return Part(overlay(self.templates.part(name).value, own), part.steps)

    def _head(self, part: Part) -> Resource:
        kind = part.text("kind")
        if kind not in CLUSTER_TYPES:
            raise part.error(f"has the unknown kind `{kind}`", help="write `aks` or `arc`", key="kind")
        group = _find_resource_group(part, self.tree)
        head_id = group.id.extension(CLUSTER_TYPES[kind], part.text("name"))
        location = part.text("location", group.location)
        subscription = self.tree.subscription(head_id.subscription)
        tenant_id = (subscription.tenant_id if subscription else None) or ""
        document = {
            **_envelope(head_id),
            "location": location,
            "tags": dict(part.part("tags").value),
            "identity": overlay(system_identity(head_id, tenant_id), part.part("identity").value),
            "properties": cluster_properties(head_id, location, part.part("properties").value),
        }
        return Resource(head_id, document)


def _envelope(resource_id: ResourceId) -> dict[str, JSON]:
    return {"id": resource_id.text, "name": resource_id.name, "type": resource_id.type}


def _read_extension(part: Part, cluster: Resource) -> Resource:
    part.only("extension", ("name", "identity", "properties", "systemData"))
    properties = part.part("properties")
    properties.text("extensionType")
    extension_id = cluster.id.extension(EXTENSIONS, part.text("name"))
    document = {**_envelope(extension_id), "properties": extension_properties(properties.value)}
    if cluster.type == ARC or "identity" in part.value:
        identity = system_identity(extension_id, cluster.document["identity"]["tenantId"])
        document["identity"] = overlay(identity, part.part("identity").value)
    return Resource(extension_id, {**document, **_system_data(part)})


def _read_flux_configuration(part: Part, cluster: Resource) -> Resource:
    part.only("flux configuration", ("name", "properties", "systemData"))
    properties = flux_configuration_properties(part.part("properties").value)
    if "sourceKind" not in properties:
        raise part.error("has no source", help="write one of `gitRepository`, `bucket`, `azureBlob`, `ociRepository`")
    configuration_id = cluster.id.extension(FLUX_CONFIGURATIONS, part.text("name"))
    document = {**_envelope(configuration_id), "properties": properties}
    return Resource(configuration_id, {**document, **_system_data(part)})


def _system_data(part: Part) -> dict[str, JSON]:
    written = part.part("systemData").value
    return {"systemData": dict(written)} if written else {}


def _read_simulation(part: Part) -> Mapping[str, JSON]:
    part.only("simulation", SIMULATION_KEYS)
    _refuse_bad_durations(part, _DURATIONS)
    part.part("installFailures")
    failures = part.part("reconcileFailures")
    for name in failures.value:
        failure = failures.part(name)
        failure.only("reconcile failure", ("reason", "message", "since"))
        _refuse_bad_durations(failure, ("since",))
    return part.value


def _refuse_bad_durations(part: Part, keys: Iterable[str]) -> None:
    for key in keys:
        value = part.value.get(key)
        if value is not None and not _DURATION.fullmatch(str(value)):
            raise part.error(
                f"has `{key}: {value}`, no duration", help="write a number and its unit: `30s`, `3d`", key=key
            )


def _read_fault(part: Part) -> Mapping[str, JSON]:
    part.only("fault", FAULT_KEYS)
    if not any(part.value.get(key) for key in FAULT_CONSEQUENCES):
        raise part.error("needs `status`, the HTTP status to answer with", help="for example `status: 409`")
    return part.value


def _read_source(part: Part) -> Mapping[str, JSON]:
    part.only("source", ("url", "heads", "revisions", "failure", "private"))
    part.text("url")
    return part.value
