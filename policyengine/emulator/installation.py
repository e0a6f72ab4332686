"""How an extension gets onto a cluster: installed, upgraded, failed, removed. Part of the simulated agent."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Final

from policyengine.emulator.clock import stamp
from policyengine.emulator.extension_rules import release_namespace
from policyengine.emulator.flux_objects import UNKNOWN
from policyengine.emulator.obstacles import lacks_private_link, obstacle
from policyengine.emulator.operations import SUCCEEDED
from policyengine.emulator.provisioning import Provisioning, nested_error
from policyengine.emulator.settings import Settings
from policyengine.emulator.state import FLUX_EXTENSION, EmulatedCluster, Record
from policyengine.emulator.timeline import Timeline
from policyengine.emulator.versions import VersionCatalogue, Viewpoint
from policyengine.model.ids import ResourceId
from policyengine.model.resource import FLUX_CONFIGURATIONS
from policyengine.model.values import JSON

Sabotage = Callable[[ResourceId, str], str | None]
"""Cluster and folded extension type → what the agent will report, or None."""
FAILURE_CODES: Final = ("ExtensionOperationFailed", "ExtensionCreationFailed", "InstallationFailed")
"""An installation failure arrives wrapped in these, outermost first. Source: configuration API, "Errors"."""


class Installation:
    """``wake`` is called when something that waited for an extension may go on.

    ``sabotage`` says what goes wrong with an installation, beyond what the cluster's simulation does.
    """

    def __init__(
        self,
        timeline: Timeline,
        provisioning: Provisioning,
        catalogue: VersionCatalogue,
        settings: Settings,
        wake: Callable[[EmulatedCluster, datetime], None],
        sabotage: Sabotage,
    ) -> None:
        self._timeline = timeline
        self._provisioning = provisioning
        self._catalogue = catalogue
        self._settings = settings
        self._wake = wake
        self._sabotage = sabotage

    def begin(self, cluster: EmulatedCluster, record: Record, at: datetime) -> None:
        """The agent has fetched the write: secrets are delivered, the Helm release is on its way."""
        record.delivered = record.generation
        record.secrets.erase(at)
        finish = partial(self._finish, cluster, record, record.generation)
        self._timeline.after(at, cluster.simulation.install_duration, finish)

    def remove(self, cluster: EmulatedCluster, record: Record) -> None:
        """The Helm release goes. Configurations stay behind in Azure and turn Unknown (G10)."""
        if record.extension_type != FLUX_EXTENSION:
            return
        cluster.objects.remove_flux()
        for configuration in cluster.of_type(FLUX_CONFIGURATIONS):
            configuration.status.update(complianceState=UNKNOWN, statuses=[])

    def keep_current(self, cluster: EmulatedCluster, record: Record, at: datetime) -> None:
        """Follow newly published versions (G6), and warn of one too old (G5)."""
        current = record.status.get("currentVersion")
        if record.provisioning_state != SUCCEEDED or current is None:
            return
        version = self.version_for(cluster, record, at)
        statuses = self._statuses(cluster, record, version, at)
        if version != current or (statuses and _said(statuses) != _said(record.status["statuses"])):
            self.show_version(cluster, record, version, at)

    def place(self, cluster: EmulatedCluster, record: Record) -> None:
        """What a finished installation leaves on the cluster."""
        namespace = release_namespace(record.spec)
        cluster.objects.namespaces.add(namespace)
        if record.extension_type == FLUX_EXTENSION:
            cluster.objects.install_flux(record.spec.get("configurationSettings") or {}, namespace)

    def show_version(self, cluster: EmulatedCluster, record: Record, version: str, at: datetime) -> None:
        record.status.update(currentVersion=version, statuses=self._statuses(cluster, record, version, at))
        self.resolve(cluster, record, at, version)

    def resolve(self, cluster: EmulatedCluster, record: Record, at: datetime, version: str | None = None) -> None:
        """While auto-upgrading, `version` echoes what was resolved; otherwise it is the pin, or null."""
        if record.spec["autoUpgradeMinorVersion"]:
            record.status["version"] = version or self.version_for(cluster, record, at)
        else:
            record.status.pop("version", None)

    def version_for(self, cluster: EmulatedCluster, record: Record, at: datetime) -> str:
        """What runs, or will: the pin, else the newest that auto-upgrade reaches, else what is there."""
        type, train, seen = record.extension_type, str(record.spec["releaseTrain"]), _viewpoint(cluster, at)
        current = record.status.get("currentVersion")
        if not record.spec["autoUpgradeMinorVersion"]:
            return str(record.spec["version"] or current or self._catalogue.newest(type, train, seen))
        if current is None:
            return self._catalogue.newest(type, train, seen)
        return self._catalogue.upgrade_for(type, train, str(current), str(record.spec["autoUpgradeMode"]), seen)

    def _finish(self, cluster: EmulatedCluster, record: Record, generation: int, at: datetime) -> None:
        if record.generation != generation or record.deleting or not cluster.holds(record):
            return
        cause = (
            self._sabotage(cluster.id, record.extension_type)
            or cluster.simulation.install_failure(record.extension_type)
            or obstacle(cluster, record, self._settings)
        )
        if cause is None:
            self.place(cluster, record)
        cluster.tell(partial(self._report, cluster, record, generation, cause), at)
        self._wake(cluster, at)

    def _report(
        self, cluster: EmulatedCluster, record: Record, generation: int, cause: str | None, at: datetime
    ) -> None:
        if record.generation != generation or not record.awaits_outcome:
            return
        if cause is None:
            self.show_version(cluster, record, self.version_for(cluster, record, at), at)
            self._provisioning.succeed(record, at)
        else:
            error = nested_error(*FAILURE_CODES, cause=cause)
            message = (
                f"Error: {{{cause}}} occurred while doing the operation : {{Installing the extension}} on the config"
            )
            self._provisioning.fail(record, error, message, at)

    def _statuses(self, cluster: EmulatedCluster, record: Record, version: str, at: datetime) -> list[dict[str, JSON]]:
        """Warnings about what runs all the same."""
        type, train, seen = record.extension_type, str(record.spec["releaseTrain"]), _viewpoint(cluster, at)
        warnings = []
        if not self._catalogue.is_supported(type, train, version, seen):
            newest = self._catalogue.newest(type, train, seen)
            message = f"Version {version} is no longer supported: the newest is {newest}."
            warnings.append(_warning("UnsupportedVersion", "Unsupported version", message, at))
        if lacks_private_link(cluster, record):
            message = f"The extension type {record.spec['extensionType']} does not support private link end to end."
            warnings.append(_warning("PrivateLinkNotSupported", "Private link not supported", message, at))
        return warnings


def _viewpoint(cluster: EmulatedCluster, at: datetime) -> Viewpoint:
    return Viewpoint(cluster.location, at)


def _warning(code: str, display: str, message: str, at: datetime) -> dict[str, JSON]:
    return {"code": code, "displayStatus": display, "level": "Warning", "message": message, "time": stamp(at)}


def _said(statuses: list[dict[str, JSON]]) -> list[JSON]:
    return [status.get("message") for status in statuses]
