"""What the emulator remembers: scopes, clusters, and the resources on each. Holds data; decides nothing."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from policyengine.emulator.clock import stamp
from policyengine.emulator.cluster_objects import ClusterObjects
from policyengine.emulator.cluster_store import ClusterStore
from policyengine.emulator.deployments.record import Deployment
from policyengine.emulator.operations import CANCELED, FAILED, SUCCEEDED, Operation
from policyengine.emulator.resource_store import ResourceStore
from policyengine.emulator.simulation import Simulation
from policyengine.model.ids import ResourceId
from policyengine.model.resource import ARC, EXTENSIONS
from policyengine.model.scope import ResourceGroup, ScopeTree
from policyengine.model.values import JSON

FLUX_EXTENSION: Final = "microsoft.flux"
TERMINAL_STATES: Final = frozenset({SUCCEEDED, FAILED, CANCELED})


@dataclass(slots=True)
class SecretBox:
    """Secrets of one resource between the request and the cluster: in memory only, erased on delivery (G42).

    ``keys`` are their names, kept after the values are gone. ``lost`` says that a later write did without them, and
    that this counts (G43).
    """

    values: Mapping[str, JSON] | None = field(default=None, repr=False)
    keys: tuple[str, ...] = ()
    erased_at: datetime | None = None
    lost: bool = False

    def put(self, values: Mapping[str, JSON]) -> None:
        """Take new secrets; without any, what was there stays."""
        if values:
            self.values, self.erased_at, self.lost = values, None, False
            self.keys = tuple(dict.fromkeys((*self.keys, *_names(values))))

    def forget(self, names: Collection[str]) -> None:
        """The resource does without those from now on."""
        folded = {name.casefold() for name in names}
        self.keys = tuple(key for key in self.keys if key.casefold() not in folded)

    def erase(self, at: datetime) -> None:
        if self.values is not None:
            self.values, self.erased_at = None, at

    def document(self) -> dict[str, JSON]:
        """Whether there is something, never what."""
        state = "present" if self.values is not None else "erased" if self.erased_at else "none"
        return {"state": state, "keys": list(self.keys), "erasedAt": stamp(self.erased_at) if self.erased_at else None}


def _names(values: Mapping[str, JSON]) -> Iterable[str]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from value
        else:
            yield name.rpartition(".")[2]


@dataclass(eq=False)
class Record:
    """An extension or a Flux configuration on a cluster, and what only the service knows about it.

    ``spec`` is what clients may write, complete with defaults; ``status`` what they may only read, and it wins where
    both name a property. ``generation`` counts accepted writes; ``delivered`` is the last one the cluster took;
    ``abandoned`` the last one that nobody will deliver any more.
    """

    id: ResourceId
    type: str
    spec: dict[str, JSON]
    status: dict[str, JSON]
    envelope: dict[str, JSON]
    system_data: dict[str, JSON]
    generation: int = 1
    delivered: int = 0
    abandoned: int = 0
    operations: list[Operation] = field(default_factory=list)
    secrets: SecretBox = field(default_factory=SecretBox)
    public_key: str = ""

    @property
    def name(self) -> str:
        return self.id.name

    @property
    def is_extension(self) -> bool:
        return self.type == EXTENSIONS

    @property
    def extension_type(self) -> str:
        """Folded; empty for a Flux configuration."""
        return str(self.spec.get("extensionType", "")).casefold()

    @property
    def provisioning_state(self) -> str:
        return str(self.status["provisioningState"])

    @provisioning_state.setter
    def provisioning_state(self, state: str) -> None:
        self.status["provisioningState"] = state

    @property
    def settled(self) -> bool:
        return self.provisioning_state in TERMINAL_STATES

    @property
    def deleting(self) -> bool:
        return self.provisioning_state == "Deleting"

    @property
    def awaits_delivery(self) -> bool:
        return not self.deleting and self.generation > max(self.delivered, self.abandoned)

    @property
    def awaits_outcome(self) -> bool:
        """True while the cluster works on the newest write, or has yet to tell how that went."""
        return not self.deleting and self.delivered == self.generation > self.abandoned and not self.settled

    def document(self) -> dict[str, JSON]:
        return {
            "id": self.id.text,
            "name": self.name,
            "type": self.type,
            **self.envelope,
            "systemData": self.system_data,
            "properties": {**self.spec, **self.status, "configurationProtectedSettings": {}},
        }


@dataclass(eq=False, kw_only=True)
class ClusterHead:
    """What the cluster's own document is told from.

    ``last_seen`` is the last heartbeat before the agent went away; None while it is connected. ``given_status`` is a
    connectivity that no clock explains (`Expired`, `AgentNotInstalled`).
    """

    id: ResourceId
    document: dict[str, JSON]
    first_poll: datetime
    last_seen: datetime | None = None
    given_status: str | None = None

    @property
    def type(self) -> str:
        return self.id.type

    @property
    def is_arc(self) -> bool:
        return self.type.casefold() == ARC.casefold()

    @property
    def location(self) -> str:
        return str(self.document.get("location") or "")

    @property
    def connected(self) -> bool:
        return self.last_seen is None


@dataclass(eq=False, kw_only=True)
class EmulatedCluster(ClusterHead):
    """A cluster twice over: what Azure stores about it, and what is really on it (``objects``).

    ``departing`` are deleted records whose objects are still on the cluster; ``outbox`` is what the agent has still to
    tell Azure.
    """

    simulation: Simulation
    poll_due: datetime | None = None
    last_poll: datetime | None = None
    records: dict[str, Record] = field(default_factory=dict)
    objects: ClusterObjects = field(default_factory=ClusterObjects)
    departing: list[Record] = field(default_factory=list)
    outbox: list[Callable[[datetime], None]] = field(default_factory=list)

    def tell(self, news: Callable[[datetime], None], at: datetime) -> None:
        """Report to Azure now, or at the first poll after the agent is back (G23)."""
        if self.connected:
            news(at)
        else:
            self.outbox.append(news)

    def add(self, record: Record) -> None:
        self.records[record.id.key] = record

    def remove(self, record: Record) -> None:
        """Forget this very record; a newer one of the same name stays."""
        if self.holds(record):
            del self.records[record.id.key]

    def holds(self, record: Record) -> bool:
        return self.records.get(record.id.key) is record

    def find(self, type: str, name: str) -> Record | None:
        return self.records.get(self.id.extension(type, name).key)

    def of_type(self, type: str) -> list[Record]:
        return sorted((r for r in self.records.values() if r.type == type), key=lambda r: r.id.key)

    def flux_extension(self) -> Record | None:
        """The instance of microsoft.flux, under whatever name (G2), unless it is being deleted."""
        return next(
            (r for r in self.of_type(EXTENSIONS) if r.extension_type == FLUX_EXTENSION and not r.deleting), None
        )


@dataclass(eq=False)
class State:
    tree: ScopeTree = field(default_factory=ScopeTree)
    clusters: ClusterStore = field(default_factory=ClusterStore)
    unregistered: set[tuple[str, str]] = field(default_factory=set)
    """Folded (subscription, namespace) pairs; every other namespace is registered."""
    registered_at: dict[tuple[str, str], datetime] = field(default_factory=dict)
    """When a registration that was asked for is, or was, done."""

    resources: ResourceStore = field(default_factory=ResourceStore)
    """Whatever is neither a cluster nor on one by rules of its own."""

    deployments: dict[str, Deployment] = field(default_factory=dict)
    """By folded id."""

    def find_cluster(self, id: ResourceId) -> EmulatedCluster | None:
        return self.clusters.get(id.key)

    def groups_below(self, subscription: str) -> list[ResourceGroup]:
        wanted = ResourceId.for_subscription(subscription)
        return sorted((g for g in self.tree.resource_groups if wanted.contains(g.id)), key=lambda g: g.id)
