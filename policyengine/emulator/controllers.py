"""The Flux controllers of a cluster: they make objects from a FluxConfig, reconcile them, and say how that went.

Reconciliation goes on while Azure cannot be reached; only the telling waits (G23). An interval that would find
nothing new is not simulated: only when something changed is the next one planned (G26).
G-numbers are the statements of the GitOps behaviour reference.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from policyengine.emulator.answers import error_detail
from policyengine.emulator.cluster_objects import ClusterObjects
from policyengine.emulator.configuring import place, publish_status, withdraw
from policyengine.emulator.durations import parse_iso_duration
from policyengine.emulator.flux_objects import (
    COMPLIANT,
    NON_COMPLIANT,
    PENDING,
    SUSPENDED,
    FluxConfigObject,
    FluxObject,
)
from policyengine.emulator.flux_rules import source_of
from policyengine.emulator.kinds import kind_of
from policyengine.emulator.kustomize_controller import KustomizeController
from policyengine.emulator.provisioning import Provisioning
from policyengine.emulator.source_controller import SourceController
from policyengine.emulator.source_script import url_key
from policyengine.emulator.state import EmulatedCluster, Record
from policyengine.emulator.timeline import Timeline
from policyengine.model.resource import FLUX_CONFIGURATIONS

_RECONCILED: Final = frozenset({COMPLIANT, SUSPENDED})
"""States of a configuration that `waitForReconciliation` waits for."""


class FluxControllers:
    def __init__(self, timeline: Timeline, provisioning: Provisioning, sources: SourceController) -> None:
        self._timeline = timeline
        self._provisioning = provisioning
        self._sources = sources
        self._kustomize = KustomizeController(timeline, sources, self._changed)

    def apply(self, cluster: EmulatedCluster, record: Record, at: datetime) -> None:
        """The agent has fetched the write: the FluxConfig and what follows from it are there (G16, G17)."""
        record.delivered = record.generation
        config = place(cluster, record, at)
        record.secrets.erase(at)
        if not config.suspended:
            self._begin(cluster, config, at)
        self.push(cluster, config, at)

    def remove(self, cluster: EmulatedCluster, record: Record) -> None:
        """FluxConfig, source, Kustomizations and secret go; what was applied goes if it is to be pruned (G32)."""
        withdraw(cluster.objects, record.name)

    def watch_limit(self, record: Record, at: datetime) -> None:
        """With `waitForReconciliation` the operation fails when its own limit passes first (G33)."""
        duration = record.spec.get("reconciliationWaitDuration")
        if record.spec.get("waitForReconciliation") and duration:
            give_up = partial(self._give_up, record, record.generation, str(duration))
            self._timeline.after(at, parse_iso_duration(duration), give_up)

    def disturb(self, cluster: EmulatedCluster, at: datetime, url: str | None = None) -> None:
        """Something is another than it was, for every configuration or those of one source: look at the next interval.

        What is suspended looks when it is resumed.
        """
        for config in cluster.objects.sorted_configs():
            if url is None or url_key(str(source_of(config.spec)[1]["url"])) == url_key(url):
                for found in config.objects:
                    self._plan(cluster, config, found, at)

    def resume(self, cluster: EmulatedCluster, at: datetime) -> None:
        """Controllers have been installed anew: what waited for one goes on (G8)."""
        for config in cluster.objects.sorted_configs():
            if cluster.objects.compliance_state(config) == PENDING:
                self._begin(cluster, config, at)

    def push(self, cluster: EmulatedCluster, config: FluxConfigObject, at: datetime) -> None:
        """Tell Azure, as soon as it can be reached; of a configuration that has not been fetched there is no news."""
        record = cluster.find(FLUX_CONFIGURATIONS, config.name)
        if record is not None and record.delivered:
            cluster.tell(partial(self._publish, cluster, record, config), at)

    def _begin(self, cluster: EmulatedCluster, config: FluxConfigObject, at: datetime) -> None:
        self._restart(cluster.objects, config, config.objects, at)
        self._timeline.after(at, _half(cluster), partial(self._fetch, cluster, config, config.attempt))

    def _restart(
        self, objects: ClusterObjects, config: FluxConfigObject, again: Iterable[FluxObject], at: datetime
    ) -> None:
        """A new attempt: the objects ``again`` are in progress, as far as a controller looks after them."""
        config.attempt += 1
        for found in again:
            if objects.runs(kind_of(found.kind).controller):
                found.set_ready("Unknown", "Progressing", "reconciliation in progress", at)
            else:
                found.conditions = ()

    def _fetch(self, cluster: EmulatedCluster, config: FluxConfigObject, attempt: int, at: datetime) -> None:
        if _is_stale(cluster, config, attempt):
            return
        if cluster.objects.runs("source-controller"):
            self._sources.fetch(cluster, config, at)
        self._start_all(cluster, config, at)

    def _start_all(self, cluster: EmulatedCluster, config: FluxConfigObject, at: datetime) -> None:
        for kustomization in config.kustomizations.values():
            self._start(cluster, config, kustomization, _half(cluster), at)
        self.push(cluster, config, at)

    def _start(
        self,
        cluster: EmulatedCluster,
        config: FluxConfigObject,
        kustomization: FluxObject,
        delay: timedelta,
        at: datetime,
    ) -> None:
        """Apply after ``delay``, unless a dependency or the artifact is missing (G24, G25)."""
        if not config.synced_revision or not cluster.objects.runs("kustomize-controller"):
            return
        waiting_for = _missing_dependency(config, kustomization)
        if waiting_for is not None:
            message = f"dependency '{config.namespace}/{config.name}-{waiting_for}' is not ready"
            kustomization.set_ready("False", "DependencyNotReady", message, at)
        else:
            apply = partial(self._apply, cluster, config, kustomization, config.attempt)
            self._timeline.after(at, delay, apply)

    def _apply(
        self,
        cluster: EmulatedCluster,
        config: FluxConfigObject,
        kustomization: FluxObject,
        attempt: int,
        at: datetime,
    ) -> None:
        if not _is_stale(cluster, config, attempt):
            self._kustomize.apply(cluster, config, kustomization, at)

    def _changed(
        self, cluster: EmulatedCluster, config: FluxConfigObject, kustomization: FluxObject, at: datetime
    ) -> None:
        """What depends on it may go on; what failed by its objects' health tries again at its interval."""
        if kustomization.is_ready:
            for waiting in config.kustomizations.values():
                if kustomization.key in waiting.depends_on and not waiting.is_ready and waiting.deadline is None:
                    self._start(cluster, config, waiting, _half(cluster), at)
            self._try_again(cluster, at)
        elif kustomization.ready is not None and kustomization.ready.reason == "HealthCheckFailed":
            self._plan(cluster, config, kustomization, at)
        self.push(cluster, config, at)

    def _try_again(self, cluster: EmulatedCluster, at: datetime) -> None:
        """What was applied may be what others failed for want of: a secret, a variable, a service account."""
        for config in cluster.objects.sorted_configs():
            for found in config.objects:
                if found.last_attempt is not None and found.compliance_state == NON_COMPLIANT:
                    self._plan(cluster, config, found, at)

    def _plan(self, cluster: EmulatedCluster, config: FluxConfigObject, found: FluxObject, at: datetime) -> None:
        since = found.last_attempt or cluster.first_poll
        due = since + ((at - since) // found.interval + 1) * found.interval
        if found.sync_due is None or not at < found.sync_due <= due:
            found.sync_due = due
            self._timeline.at(due, partial(self._sync, cluster, config, found))

    def _sync(self, cluster: EmulatedCluster, config: FluxConfigObject, found: FluxObject, at: datetime) -> None:
        if found.sync_due != at:
            return
        found.sync_due = None
        if cluster.objects.flux_config(config.name) is not config or config.suspended:
            return
        if found is config.source:
            self._sync_source(cluster, config, at)
        elif config.kustomizations.get(found.key or "") is found:
            self._start(cluster, config, found, timedelta(0), at)
            self.push(cluster, config, at)

    def _sync_source(self, cluster: EmulatedCluster, config: FluxConfigObject, at: datetime) -> None:
        """Only a new revision makes the Kustomizations begin anew; otherwise they keep to their own intervals."""
        if not cluster.objects.runs("source-controller"):
            return
        if self._sources.fetch(cluster, config, at):
            self._restart(cluster.objects, config, config.kustomizations.values(), at)
            self._start_all(cluster, config, at)
        else:
            self.push(cluster, config, at)

    def _publish(self, cluster: EmulatedCluster, record: Record, config: FluxConfigObject, at: datetime) -> None:
        publish_status(cluster, record, config, at)
        done = not record.spec.get("waitForReconciliation") or record.status["complianceState"] in _RECONCILED
        if record.awaits_outcome and done:
            self._provisioning.succeed(record, at)

    def _give_up(self, record: Record, generation: int, duration: str, at: datetime) -> None:
        if record.generation == generation and not record.settled and not record.deleting:
            message = f"The configuration was not reconciled within {duration}."
            self._provisioning.fail(record, error_detail("ReconciliationTimedOut", message), message, at)


def _missing_dependency(config: FluxConfigObject, kustomization: FluxObject) -> str | None:
    for key in kustomization.depends_on:
        found = config.kustomizations.get(key)
        if found is None or not found.is_ready:
            return key
    return None


def _half(cluster: EmulatedCluster) -> timedelta:
    """Fetching the source and applying a kustomization take half of the reconciliation each."""
    return cluster.simulation.reconcile_duration / 2


def _is_stale(cluster: EmulatedCluster, config: FluxConfigObject, attempt: int) -> bool:
    """True when a newer attempt has begun or the FluxConfig is gone. A suspension stops nothing begun (G27)."""
    return config.attempt != attempt or cluster.objects.flux_config(config.name) is not config
