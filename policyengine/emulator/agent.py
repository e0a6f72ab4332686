"""The agent of each cluster: it polls Azure, delivers what changed, and tells how things stand.

An agent polls at fixed instants of simulated time. A poll that would find nothing is not simulated: only when
something waits is the next one planned, so an idle fleet of any size costs nothing.
G-numbers are the statements of the GitOps behaviour reference.
"""

from __future__ import annotations

from datetime import datetime
from functools import partial

from policyengine.emulator.answers import error_detail
from policyengine.emulator.cluster_objects import ClusterObjects
from policyengine.emulator.connectivity import connectivity, fall_silent, has_expired
from policyengine.emulator.controllers import FluxControllers
from policyengine.emulator.installation import Installation, Sabotage
from policyengine.emulator.news import News, Published, Rescripted
from policyengine.emulator.operations import SUCCEEDED
from policyengine.emulator.provisioning import Provisioning
from policyengine.emulator.settings import Settings
from policyengine.emulator.source_controller import SourceController
from policyengine.emulator.state import ClusterHead, EmulatedCluster, Record
from policyengine.emulator.timeline import Timeline
from policyengine.emulator.versions import VersionCatalogue
from policyengine.errors import ConfigError
from policyengine.model.resource import EXTENSIONS, FLUX_CONFIGURATIONS
from policyengine.model.values import JSON


class Agents:
    def __init__(
        self,
        timeline: Timeline,
        provisioning: Provisioning,
        catalogue: VersionCatalogue,
        sources: SourceController,
        settings: Settings,
        sabotage: Sabotage,
    ) -> None:
        self._timeline = timeline
        self._provisioning = provisioning
        self._settings = settings
        self.installation = Installation(timeline, provisioning, catalogue, settings, self._installed, sabotage)
        self.controllers = FluxControllers(timeline, provisioning, sources)

    def wake(self, cluster: EmulatedCluster, at: datetime) -> None:
        """Something waits for the agent: plan its next poll, unless it is planned or the agent is away (G15)."""
        if cluster.connected and cluster.poll_due is None:
            cluster.poll_due = next_poll(cluster, at)
            self._timeline.at(cluster.poll_due, partial(self._poll, cluster))

    def hear(self, cluster: EmulatedCluster, news: News) -> None:
        """Take notice, when it is time to, of what happened to all clusters (G6, G26)."""
        match news:
            case Published(at, extension_type):
                if any(record.extension_type == extension_type for record in cluster.of_type(EXTENSIONS)):
                    self.wake(cluster, at)
            case Rescripted(at, url):
                self.controllers.disturb(cluster, at, url)

    def disconnect(self, cluster: EmulatedCluster, at: datetime) -> None:
        if cluster.connected:
            fall_silent(cluster, at, self._settings)
            self._show_power(cluster, "Stopped")

    def connect(self, cluster: EmulatedCluster, at: datetime) -> None:
        """Raises ConfigError for a cluster whose identity has expired."""
        if has_expired(cluster, at, self._settings):
            raise ConfigError(
                f"the identity certificate of `{cluster.id.name}` has expired",
                help="a real cluster would have to be deleted and connected anew",
            )
        cluster.last_seen = cluster.given_status = None
        self._show_power(cluster, "Running")
        self.wake(cluster, at)

    def rebuild(self, cluster: EmulatedCluster, at: datetime) -> None:
        """A new cluster behind the same resource: extensions are delivered again, and after them configurations."""
        cluster.objects = ClusterObjects()
        for record in cluster.of_type(EXTENSIONS):
            if record.provisioning_state == SUCCEEDED:
                record.delivered = 0
        self.wake(cluster, at)

    def connectivity(self, cluster: ClusterHead, at: datetime) -> dict[str, JSON]:
        """What Azure says of an Arc agent (G39)."""
        return connectivity(cluster, at, self._settings)

    def _poll(self, cluster: EmulatedCluster, at: datetime) -> None:
        cluster.poll_due = None
        if not cluster.connected:
            return
        cluster.last_poll = at
        news, cluster.outbox = cluster.outbox, []
        for tell in news:
            tell(at)
        self._remove_departing(cluster, at)
        self._deliver_extensions(cluster, at)
        self._deliver_configurations(cluster, at)

    def _remove_departing(self, cluster: EmulatedCluster, at: datetime) -> None:
        departing, cluster.departing = cluster.departing, []
        for record in departing:
            if not record.deleting:  # its deletion timed out: nothing is removed until it is deleted again
                continue
            if record.is_extension:
                self.installation.remove(cluster, record)
            else:
                self.controllers.remove(cluster, record)
            cluster.remove(record)
            self._provisioning.removed(record, at)

    def _deliver_extensions(self, cluster: EmulatedCluster, at: datetime) -> None:
        for record in cluster.of_type(EXTENSIONS):
            if record.awaits_delivery:
                self.installation.begin(cluster, record, at)
            else:
                self.installation.keep_current(cluster, record, at)

    def _deliver_configurations(self, cluster: EmulatedCluster, at: datetime) -> None:
        """What is new, and what was lost with an extension that has come back (G10)."""
        for record in cluster.of_type(FLUX_CONFIGURATIONS):
            lost = record.provisioning_state == SUCCEEDED and cluster.objects.flux_config(record.name) is None
            extension = cluster.flux_extension()
            if cluster.objects.flux_installed and (lost or record.awaits_delivery):
                self.controllers.apply(cluster, record, at)
            elif record.awaits_delivery and (extension is None or extension.settled):
                self._refuse_configuration(record, extension, at)

    def _refuse_configuration(self, record: Record, extension: Record | None, at: datetime) -> None:
        """Without a running microsoft.flux nobody on the cluster can take a configuration (G1)."""
        why = f"extension '{extension.name}' is in state Failed" if extension else "extension is not installed"
        message = f"The configuration cannot be applied: the microsoft.flux {why} on the cluster."
        record.abandoned = record.generation
        record.secrets.erase(at)
        self._provisioning.fail(record, error_detail("ResourceOperationFailure", message), message, at)

    def _installed(self, cluster: EmulatedCluster, at: datetime) -> None:
        self.controllers.resume(cluster, at)
        self.wake(cluster, at)

    def _show_power(self, cluster: EmulatedCluster, code: str) -> None:
        # AKS has no connectivityStatus: being stopped is what Offline is for Arc.
        if not cluster.is_arc:
            cluster.document["properties"]["powerState"] = {"code": code}


def next_poll(cluster: EmulatedCluster, at: datetime) -> datetime:
    """The agent's first poll after ``at``."""
    interval = cluster.simulation.poll_interval
    done = (at - cluster.first_poll) // interval
    return cluster.first_poll + (done + 1) * interval
