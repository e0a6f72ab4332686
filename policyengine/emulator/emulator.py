"""The emulator itself: everything it holds, put together once, and its Python face.

Speaks no HTTP. Whoever asks first lets everything happen that was due by now, then gets the answer.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from policyengine.clock import Clock, SystemClock
from policyengine.emulator.access import Principals
from policyengine.emulator.agent import Agents
from policyengine.emulator.clock import SimulatedClock
from policyengine.emulator.faults import Fault, Faults
from policyengine.emulator.fleet import FleetLoader
from policyengine.emulator.freezing import Unthawable, freeze, thaw
from policyengine.emulator.hands import delete_by_hand, put_by_hand
from policyengine.emulator.identifiers import Identifiers
from policyengine.emulator.journal import Journal
from policyengine.emulator.news import News, Published, Rescripted
from policyengine.emulator.operations import Operations
from policyengine.emulator.private_link import PRIVATE_LINK_SCOPES, join_scope, leave_scope
from policyengine.emulator.provisioning import Provisioning
from policyengine.emulator.resource_graph import GraphIndex
from policyengine.emulator.restrictions import Denial
from policyengine.emulator.settings import Settings
from policyengine.emulator.snapshots import Snapshot, Snapshots, difference
from policyengine.emulator.source_controller import SourceController
from policyengine.emulator.source_script import ScriptedObject, ScriptedSource, SourceScripts
from policyengine.emulator.state import EmulatedCluster, State
from policyengine.emulator.throttle import Throttle
from policyengine.emulator.timeline import Timeline
from policyengine.emulator.versions import EVERYWHERE, VersionCatalogue
from policyengine.errors import ConfigError, UsageError
from policyengine.model.fleet import Fleet, FleetFile
from policyengine.model.ids import ResourceId
from policyengine.model.scope import ScopeTree
from policyengine.model.synthetic import SyntheticFleet
from policyengine.model.values import JSON

_AT_ONCE: Final = timedelta(0)
_REMEMBERED: Final = (
    *("origin", "settings", "clock", "timeline", "identifiers", "operations", "catalogue", "provisioning", "scripts"),
    *("agents", "throttle", "faults", "principals", "graph", "denials", "state"),
)
"""All but the journal, which is of one run."""


@dataclass(frozen=True)
class Origin:
    """What the emulator began with, and begins with again."""

    fleet: FleetFile | SyntheticFleet
    clock: str
    seed: int
    settings: Settings


class Emulator:
    """A Resource Manager with clusters that act by simulated time.

    ``clock`` is `real`, `xN` or `frozen`. Methods may be called from any thread: ``lock`` guards them and every
    request. Raises ConfigError for a bad clock, InventoryError for a fleet that cannot be used.
    """

    settings: Settings
    clock: SimulatedClock
    state: State

    def __init__(
        self,
        fleet_file: FleetFile | SyntheticFleet | None = None,
        *,
        clock: str = "x60",
        seed: int = 0,
        settings: Settings | None = None,
        wall: Clock | None = None,
    ) -> None:
        self.lock = threading.RLock()
        self.snapshots = Snapshots()
        self.writes = 0
        """How many requests asked for a change."""
        self._wall = wall or SystemClock()
        file = fleet_file or FleetFile(Fleet(ScopeTree(), ()), {}, ())
        self._begin(Origin(file, clock, seed, settings or Settings()))

    def _begin(self, origin: Origin) -> None:
        self.origin, self.settings = origin, origin.settings
        self.clock = SimulatedClock.parse(origin.clock, self._wall)
        self.timeline = Timeline()
        self.identifiers = Identifiers(origin.seed)
        self.operations = Operations(self.settings.operation_lifetime)
        self.catalogue = VersionCatalogue()
        self.provisioning = Provisioning(self.timeline, self.operations, self.identifiers)
        self.scripts = SourceScripts()
        sources = SourceController(self.scripts, self.settings)
        fleet = origin.fleet
        self.faults = Faults(() if isinstance(fleet, SyntheticFleet) else fleet.faults, origin.seed)
        sabotage = self.faults.install_failure
        self.agents = Agents(self.timeline, self.provisioning, self.catalogue, sources, self.settings, sabotage)
        self.journal = Journal(self.settings.journal_size)
        self.throttle = Throttle(enforced=self.settings.throttling, resource_requests=self.settings.resource_requests)
        self.principals = Principals()
        self.graph = GraphIndex(self.settings.graph_lag)
        self.denials: list[Denial] = []
        loader, now = FleetLoader(self.agents, self.provisioning, self.settings, origin.seed), self.clock.now()
        if isinstance(fleet, SyntheticFleet):
            self.state = loader.generate(replace(fleet, at=now), self.timeline)
        else:
            self.state = loader.load(fleet, now)
            for script in fleet.sources:
                self.scripts.script(script, now)

    def reset(self) -> None:
        """Begin anew, with the fleet, the settings and the clock of the beginning; snapshots stay."""
        with self.lock:
            self._begin(self.origin)
            self.writes += 1

    @property
    def changes(self) -> tuple[object, ...]:
        """Another value whenever something may have changed."""
        return self.writes, self.timeline.ran, self.clock.mode

    def freeze(self) -> bytes:
        """All that is remembered, pending events included; only the journal is left out. Holds secrets."""
        with self.lock:
            self.settle()
            return freeze({name: getattr(self, name) for name in _REMEMBERED}, self._anchors)

    def thaw(self, content: bytes) -> None:
        """Be again as when ``content`` was frozen: the clock goes on from there. Raises ConfigError."""
        with self.lock:
            for name, value in self._thawed(content).items():
                setattr(self, name, value)
            self.clock.resume()
            self.writes += 1

    def save_snapshot(self, name: str) -> Snapshot:
        """Raises UsageError without a name."""
        if not name:
            raise UsageError("a snapshot needs a name")
        with self.lock:
            snapshot = Snapshot(name, self.settle(), self.freeze())
            self.snapshots.put(snapshot)
            return snapshot

    def load_snapshot(self, name: str) -> Snapshot:
        """Raises UsageError."""
        with self.lock:
            snapshot = self.snapshots.get(name)
            self.thaw(snapshot.content)
            return snapshot

    def compare(self, before: str, after: str | None = None) -> list[dict[str, JSON]]:
        """What changed from one snapshot to another, or to now. Raises UsageError."""
        with self.lock:
            self.settle()
            old = self._thawed(self.snapshots.get(before).content)["state"]
            new = self.state if after is None else self._thawed(self.snapshots.get(after).content)["state"]
            assert isinstance(old, State)
            assert isinstance(new, State)
            return difference(old, new)

    @property
    def _anchors(self) -> Mapping[str, object]:
        return {"emulator": self, "wall": self._wall}

    def _thawed(self, content: bytes) -> dict[str, object]:
        try:
            found = thaw(content, self._anchors)
        except Unthawable as error:
            raise ConfigError(
                f"what was remembered cannot be used: {error}", help="begin with an empty state"
            ) from error
        assert isinstance(found, dict)
        return found

    def settle(self) -> datetime:
        """Let everything happen that is due; the simulated instant up to which it did."""
        with self.lock:
            now = self.clock.now()
            self.timeline.run_until(now)
            return now

    def advance(self, by: timedelta) -> datetime:
        """Move the simulated clock forward; what falls due on the way happens, each thing at its own instant."""
        with self.lock:
            self.clock.advance(by)
            return self.settle()

    def connect(self, cluster: str) -> None:
        with self.lock:
            self.agents.connect(self.cluster(cluster), self.settle())

    def disconnect(self, cluster: str) -> None:
        with self.lock:
            now = self.settle()
            self.agents.disconnect(self.cluster(cluster), now)

    def publish_version(
        self, extension_type: str, train: str, version: str, arrivals: Mapping[str, timedelta] | None = None
    ) -> None:
        """A new version appears in a release train; agents take notice at their next poll (G5, G6).

        ``arrivals`` says how long it takes to reach each region, `*` for all others.
        """
        with self.lock:
            now = self.settle()
            dates = {location: now + delay for location, delay in (arrivals or {EVERYWHERE: _AT_ONCE}).items()}
            self.catalogue.publish(extension_type, train, version, dates)
            for at in sorted(set(dates.values())):
                self._announce(Published(at, extension_type.casefold()))

    def _announce(self, news: News) -> None:
        """Clusters that are kept hear it when it is due; the others when somebody looks at them."""
        self.state.clusters.announce(news)
        self.timeline.at(news.at, partial(self._tell, news))

    def _tell(self, news: News, at: datetime) -> None:  # noqa: ARG002 (events are told the instant; news know theirs)
        for cluster in self.state.clusters.kept():
            self.agents.hear(cluster, news)

    def script_source(self, script: Mapping[str, JSON]) -> ScriptedSource:
        """Say what a repository holds, where its heads point, whether it answers; clusters see it at their next sync.

        Raises ConfigError. The shape of ``script`` is that of `source_script`.
        """
        with self.lock:
            now = self.settle()
            source = self.scripts.script(script, now)
            self._announce(Rescripted(now, source.url))
            self.settle()
            return source

    def forget_source(self, url: str) -> None:
        """The repository is again one nobody scripted: it answers, and holds nothing."""
        with self.lock:
            now = self.settle()
            self.scripts.forget(url, now)
            self._announce(Rescripted(now, url))
            self.settle()

    def put_object(self, cluster: str, said: Mapping[str, JSON]) -> None:
        """Create or change an object by hand; what a Kustomization keeps is put right at its next sync (G26)."""
        with self.lock:
            now, found = self.settle(), self.cluster(cluster)
            put_by_hand(found.objects, ScriptedObject.read(said), now)
            self.agents.controllers.disturb(found, now)

    def delete_object(self, cluster: str, kind: str, namespace: str, name: str) -> bool:
        """Delete an object by hand; False when there is none."""
        with self.lock:
            now, found = self.settle(), self.cluster(cluster)
            was_there = delete_by_hand(found.objects, kind, namespace, name)
            self.agents.controllers.disturb(found, now)
            return was_there

    def simulate(self, cluster: str, changes: Mapping[str, JSON]) -> None:
        """Change how a cluster behaves, as its `simulation` in a fleet file would have. Raises InventoryError."""
        with self.lock:
            now, found = self.settle(), self.cluster(cluster)
            found.simulation = found.simulation.changed(changes, self.settings)
            self.agents.controllers.disturb(found, now)

    def use_private_link(self, cluster: str, scope: str | None) -> None:
        """Put an Arc cluster behind a private link scope that is there, or out of it.

        Raises UsageError for a scope that is not there, ConfigError for one that the cluster cannot join.
        """
        with self.lock:
            now, found = self.settle(), self.cluster(cluster)
            if scope is None:
                leave_scope(found)
            else:
                join_scope(found, self._private_link_scope(scope))
            self.agents.controllers.disturb(found, now)

    def _private_link_scope(self, id: str) -> Mapping[str, JSON]:
        stored = self.state.resources.get(ResourceId(id)) if id.startswith("/") else None
        if stored is None or str(stored["type"]).casefold() != PRIVATE_LINK_SCOPES.casefold():
            raise UsageError(f"`{id}` is no private link scope: PUT one first, and give its resource id")
        return stored

    def rebuild(self, cluster: str) -> None:
        """All that was on the cluster is gone; its agent installs and applies anew what Azure still knows (G42)."""
        with self.lock:
            self.agents.rebuild(self.cluster(cluster), self.settle())

    def add_fault(self, fault: Mapping[str, JSON]) -> Fault:
        with self.lock:
            return self.faults.add(fault)

    def cluster(self, name_or_id: str) -> EmulatedCluster:
        """By resource id, or by a name that only one has; kept, for who asks may change it. Raises UsageError."""
        found = self.look_at(name_or_id)
        self.state.clusters.keep(found)
        return found

    def look_at(self, name_or_id: str) -> EmulatedCluster:
        """The same, for who only reads. Raises UsageError."""
        wanted = name_or_id.strip("/").casefold()
        by_id = self.state.clusters.get(f"/{wanted}") if "/" in wanted else None
        found = [by_id] if by_id is not None else self.state.clusters.named(wanted)
        if len(found) != 1:
            if found:
                raise UsageError(f"`{name_or_id}` names several clusters", help=f"use an id, such as `{found[0].id}`")
            help = "`policyengine emulator clusters` lists those there are"
            raise UsageError(f"`{name_or_id}` is not a cluster of this emulator", help=help)
        return found[0]
