"""Seeds the state from a fleet file: scopes, clusters, and on each what its documents say is there already.

A document that is read becomes a settled resource: what its author left out is filled in as the service would have
done. One that says it is still `Creating` or `Updating` goes on from there.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from policyengine.emulator import extension_rules, flux_rules
from policyengine.emulator.adoption import adopt
from policyengine.emulator.agent import Agents
from policyengine.emulator.answers import Refusal
from policyengine.emulator.clock import parse_stamp, stamp
from policyengine.emulator.generated_clusters import GeneratedClusters
from policyengine.emulator.identifiers import fraction_of
from policyengine.emulator.news import News
from policyengine.emulator.operations import SUCCEEDED
from policyengine.emulator.provisioning import Provisioning
from policyengine.emulator.settings import Settings
from policyengine.emulator.shapes import Shape, complete, read, split_secrets
from policyengine.emulator.simulation import Simulation
from policyengine.emulator.state import ClusterHead, EmulatedCluster, Record, State
from policyengine.emulator.timeline import Timeline
from policyengine.errors import InventoryError
from policyengine.model.fleet import FleetFile
from policyengine.model.ids import ResourceId
from policyengine.model.resource import AKS, EXTENSIONS, FLUX_CONFIGURATIONS, Cluster, Resource
from policyengine.model.scope import ResourceGroup, ScopeTree, Subscription
from policyengine.model.synthetic import SyntheticFleet
from policyengine.model.values import JSON, get_folded, walk

_ENVELOPE: Final = ("identity", "plan", "managedBy")
_AKS_SKU: Final = {"name": "Base", "tier": "Free"}
"""Of a cluster that was made without one."""
_GIVEN: Final = frozenset({"expired", "agentnotinstalled", "connecting"})
"""Connectivity that is a fact of its own, not the silence of an agent."""


class FleetLoader:
    """``seed`` decides where in its interval each agent polls."""

    def __init__(self, agents: Agents, provisioning: Provisioning, settings: Settings, seed: int) -> None:
        self._agents = agents
        self._provisioning = provisioning
        self._settings = settings
        self._seed = str(seed)

    def load(self, file: FleetFile, at: datetime) -> State:
        """Raises InventoryError for a document or a simulation that cannot be used."""
        state = State(tree=complete_tree(file.fleet.tree, file.fleet.clusters))
        for cluster in sorted(file.fleet.clusters, key=lambda c: c.id):
            simulation = Simulation.read(file.simulations.get(cluster.id, {}), self._settings)
            state.clusters.add(self.whole(cluster, simulation, at))
        return state

    def generate(self, fleet: SyntheticFleet, timeline: Timeline) -> State:
        """A state whose clusters are made when somebody looks."""
        maker = _Maker(self, self._agents, Simulation.read({}, self._settings), fleet.at)
        return State(tree=fleet.tree, clusters=GeneratedClusters(fleet, maker, timeline))

    def whole(self, cluster: Cluster, simulation: Simulation, at: datetime) -> EmulatedCluster:
        """The cluster with what is on it, settled."""
        head = self.head(cluster.resource, simulation, at)
        emulated = EmulatedCluster(**{**vars(head), "document": copy.deepcopy(head.document)}, simulation=simulation)
        for resource in cluster.extensions:
            self._extension(emulated, resource, at)
        for resource in cluster.flux_configurations:
            self._configuration(emulated, resource, at)
        return emulated

    def head(self, resource: Resource, simulation: Simulation, at: datetime) -> ClusterHead:
        """The cluster without what is on it. Its document is not a copy: it is there to be read."""
        phase, status = fraction_of(self._seed, resource.id.key), str(resource.property("connectivityStatus") or "")
        head = ClusterHead(
            id=resource.id,
            document=_document(resource),
            first_poll=at + phase * simulation.poll_interval,
            last_seen=self._last_seen(resource, simulation, at),
        )
        if head.is_arc and status.casefold() in _GIVEN:
            head.given_status = status
        return head

    def _last_seen(self, resource: Resource, simulation: Simulation, at: datetime) -> datetime | None:
        if simulation.offline_for is not None:
            return at - simulation.offline_for
        if Cluster(resource).unreachable_reason is None:
            return None
        seen = parse_stamp(resource.property("lastConnectivityTime"))
        return min(seen or at, at - self._settings.heartbeat_timeout)

    def _extension(self, emulated: EmulatedCluster, resource: Resource, at: datetime) -> None:
        record = _record(resource, EXTENSIONS, extension_rules.PROPERTIES, at)
        try:
            record.spec = extension_rules.normalise({**record.spec, "version": _pinned(record.spec)}, "2020-01-01")
        except Refusal as refusal:
            raise InventoryError(f"`{resource.id}`: {refusal}") from refusal
        emulated.add(record)
        if self._goes_on(emulated, record, at):
            return
        installation = self._agents.installation
        if record.provisioning_state == SUCCEEDED:
            authored = record.status["statuses"]
            current = record.status["currentVersion"] or walk(resource.document, "properties", "version")
            version = str(current or installation.version_for(emulated, record, at))
            installation.show_version(emulated, record, version, at)
            record.status["statuses"] = authored or record.status["statuses"]
            installation.place(emulated, record)

    def _configuration(self, emulated: EmulatedCluster, resource: Resource, at: datetime) -> None:
        record = _record(resource, FLUX_CONFIGURATIONS, flux_rules.PROPERTIES, at)
        _, source = flux_rules.source_of(record.spec)
        if not source.get("url"):
            raise InventoryError(f"`{resource.id}`: the source of kind `{record.spec['sourceKind']}` has no url")
        record.spec["kustomizations"] = flux_rules.named(record.spec.get("kustomizations"))
        emulated.add(record)
        if not self._goes_on(emulated, record, at):
            adopt(emulated, record, at)

    def _goes_on(self, emulated: EmulatedCluster, record: Record, at: datetime) -> bool:
        """True for a record that was caught in the middle of a change."""
        if record.settled:
            record.delivered = record.generation
            return False
        deleting = record.deleting
        timeout = self._settings.delete_timeout if deleting else self._settings.write_timeout
        self._provisioning.begin(emulated, record, record.provisioning_state, at, timeout)
        if deleting:
            emulated.departing.append(record)
        self._agents.wake(emulated, at)
        return True


@dataclass(frozen=True, slots=True)
class _Maker:
    """Clusters of one fleet, all of which behave in the same way."""

    loader: FleetLoader
    agents: Agents
    simulation: Simulation
    at: datetime

    def head(self, resource: Resource) -> ClusterHead:
        return self.loader.head(resource, self.simulation, self.at)

    def whole(self, cluster: Cluster) -> EmulatedCluster:
        return self.loader.whole(cluster, self.simulation, self.at)

    def tell(self, cluster: EmulatedCluster, news: News) -> None:
        self.agents.hear(cluster, news)


def complete_tree(tree: ScopeTree, clusters: tuple[Cluster, ...]) -> ScopeTree:
    """The tree with every subscription and group that a cluster implies."""
    subscriptions = {s.id: s for s in tree.subscriptions}
    groups = {g.id: g for g in tree.resource_groups}
    for cluster in clusters:
        subscription, group = cluster.id.subscription, cluster.id.resource_group
        if subscription is None or group is None:
            raise InventoryError(f"`{cluster.id}` is not a cluster in a resource group")
        place = ResourceId.for_subscription(subscription)
        subscriptions.setdefault(place, Subscription(subscription, subscription))
        group_id = ResourceId(f"{place}/resourceGroups/{group}")
        groups.setdefault(group_id, ResourceGroup(group_id, cluster.resource.location))
    return ScopeTree(tree.management_groups, tuple(subscriptions.values()), tuple(groups.values()))


def _record(resource: Resource, type: str, shape: Shape, at: datetime) -> Record:
    properties = get_folded(resource.document, "properties") or {}
    try:
        spec, _ = split_secrets(shape, complete(shape, read(shape, properties, "properties")))
    except Refusal as refusal:
        raise InventoryError(f"`{resource.id}`: {refusal}") from refusal
    known = {name.casefold() for name in shape.fields}
    status = {name: copy.deepcopy(value) for name, value in properties.items() if name.casefold() not in known}
    envelope = {name: resource.document[name] for name in _ENVELOPE if resource.document.get(name) is not None}
    system_data = walk(resource.document, "systemData") or {"createdAt": stamp(at), "lastModifiedAt": stamp(at)}
    blank = extension_rules.BLANK_STATUS if type == EXTENSIONS else flux_rules.BLANK_STATUS
    return Record(
        id=resource.id,
        type=type,
        spec=spec,
        status={**copy.deepcopy(blank), "provisioningState": SUCCEEDED, **status},
        envelope=envelope,
        system_data=dict(system_data),
    )


def _pinned(spec: Mapping[str, JSON]) -> JSON:
    """A document read back carries the resolved version even while auto-upgrading: that is no pin."""
    return None if spec["autoUpgradeMinorVersion"] else spec["version"]


def _document(resource: Resource) -> dict[str, JSON]:
    document = {**resource.document, "id": resource.id.text, "name": resource.name, "type": resource.type}
    document.setdefault("properties", {})
    if resource.type.casefold() == AKS.casefold():
        document.setdefault("sku", dict(_AKS_SKU))
    return document
