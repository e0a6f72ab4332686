"""The emulator itself: everything it holds, put together once, and its Python face.

Speaks no HTTP. Whoever asks first lets everything happen that was due by now, then gets the answer.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from datetime import datetime, timedelta

from policyengine.clock import Clock
from policyengine.emulator.access import Principals
from policyengine.emulator.agent import Agents
from policyengine.emulator.clock import SimulatedClock
from policyengine.emulator.faults import Fault, Faults
from policyengine.emulator.fleet import FleetLoader
from policyengine.emulator.hands import delete_by_hand, put_by_hand
from policyengine.emulator.identifiers import Identifiers
from policyengine.emulator.journal import Journal
from policyengine.emulator.operations import Operations
from policyengine.emulator.provisioning import Provisioning
from policyengine.emulator.resource_graph import GraphIndex
from policyengine.emulator.restrictions import Denial
from policyengine.emulator.settings import Settings
from policyengine.emulator.source_controller import SourceController
from policyengine.emulator.source_script import ScriptedObject, ScriptedSource, SourceScripts
from policyengine.emulator.state import EmulatedCluster
from policyengine.emulator.throttle import Throttle
from policyengine.emulator.timeline import Timeline
from policyengine.emulator.versions import VersionCatalogue
from policyengine.errors import UsageError
from policyengine.model.fleet import Fleet, FleetFile
from policyengine.model.scope import ScopeTree
from policyengine.model.values import JSON


class Emulator:
    """A Resource Manager with clusters that act by simulated time.

    ``clock`` is `real`, `xN` or `frozen`. Methods may be called from any thread: ``lock`` guards them and every
    request. Raises ConfigError for a bad clock, InventoryError for a fleet that cannot be used.
    """

    def __init__(
        self,
        fleet_file: FleetFile | None = None,
        *,
        clock: str = "x60",
        seed: int = 0,
        settings: Settings | None = None,
        wall: Clock | None = None,
    ) -> None:
        file = fleet_file or FleetFile(Fleet(ScopeTree(), ()), {}, ())
        self.settings = settings or Settings()
        self.lock = threading.RLock()
        self.clock = SimulatedClock.parse(clock, wall)
        self.timeline = Timeline()
        self.identifiers = Identifiers(seed)
        self.operations = Operations()
        self.catalogue = VersionCatalogue()
        self.provisioning = Provisioning(self.timeline, self.operations, self.identifiers)
        self.scripts = SourceScripts()
        sources = SourceController(self.scripts, self.settings)
        self.agents = Agents(self.timeline, self.provisioning, self.catalogue, sources, self.settings)
        self.journal = Journal(self.settings.journal_size)
        self.throttle = Throttle(enforced=self.settings.throttling, resource_requests=self.settings.resource_requests)
        self.faults = Faults(file.faults)
        self.principals = Principals()
        self.graph = GraphIndex(self.settings.graph_lag)
        self.denials: list[Denial] = []
        loader = FleetLoader(self.agents, self.provisioning, self.settings, seed)
        self.state = loader.load(file, self.clock.now())

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
            dates = {location: now + delay for location, delay in (arrivals or {}).items()}
            self.catalogue.publish(extension_type, train, version, dates)
            for at in sorted({now, *dates.values()}):
                self.timeline.at(at, self._wake_all)

    def _wake_all(self, at: datetime) -> None:
        for cluster in self.state.clusters.values():
            self.agents.wake(cluster, at)

    def script_source(self, script: Mapping[str, JSON]) -> ScriptedSource:
        """Say what a repository holds, where its heads point, whether it answers; clusters see it at their next sync.

        Raises ConfigError. The shape of ``script`` is that of `source_script`.
        """
        with self.lock:
            now = self.settle()
            source = self.scripts.script(script)
            self._disturb(source.url, now)
            return source

    def forget_source(self, url: str) -> None:
        """The repository is again one nobody scripted: it answers, and holds nothing."""
        with self.lock:
            now = self.settle()
            self.scripts.forget(url)
            self._disturb(url, now)

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

    def rebuild(self, cluster: str) -> None:
        """All that was on the cluster is gone; its agent installs and applies anew what Azure still knows (G42)."""
        with self.lock:
            self.agents.rebuild(self.cluster(cluster), self.settle())

    def _disturb(self, url: str, at: datetime) -> None:
        for cluster in self.state.clusters.values():
            self.agents.controllers.disturb(cluster, at, url)

    def add_fault(self, fault: Mapping[str, JSON]) -> Fault:
        with self.lock:
            return self.faults.add(fault)

    def cluster(self, name_or_id: str) -> EmulatedCluster:
        """By resource id, or by a name that only one cluster has. Raises UsageError."""
        wanted = name_or_id.strip("/").casefold()
        found = [c for c in self.state.clusters.values() if wanted in {c.id.key.strip("/"), c.id.name.casefold()}]
        if len(found) != 1:
            what = "names several clusters: use the resource id" if found else "is not a cluster of this emulator"
            raise UsageError(f"`{name_or_id}` {what}")
        return found[0]
