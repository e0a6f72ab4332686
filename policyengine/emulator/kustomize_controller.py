"""The kustomize controller: it builds what a Kustomization says, applies it, prunes, and waits for health.

When a Kustomization is due is decided elsewhere. G-numbers are the statements of the GitOps behaviour reference.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Final, TypeAlias

from policyengine.emulator import object_controllers
from policyengine.emulator.applied_objects import AppliedObject
from policyengine.emulator.cluster_objects import ClusterObjects, owner_of
from policyengine.emulator.flux_objects import FluxConfigObject, FluxObject
from policyengine.emulator.simulation import ReconcileFailure
from policyengine.emulator.source_controller import SourceController
from policyengine.emulator.source_script import ScriptedObject, folder
from policyengine.emulator.state import EmulatedCluster
from policyengine.emulator.substitution import missing_reference, substituted
from policyengine.emulator.tenancy import forbidden
from policyengine.emulator.timeline import Timeline

Changed: TypeAlias = Callable[[EmulatedCluster, FluxConfigObject, FluxObject, datetime], None]

_AT_APPLY: Final = frozenset({"ArtifactFailed", "BuildFailed", "PruneFailed", "ReconciliationFailed"})
"""Reasons of a scripted object that stop its Kustomization before anything is applied."""


class KustomizeController:
    """``changed`` is told of every Kustomization whose state, or whose objects' state, is another than before."""

    def __init__(self, timeline: Timeline, sources: SourceController, changed: Changed) -> None:
        self._timeline = timeline
        self._sources = sources
        self._changed = changed

    def apply(
        self, cluster: EmulatedCluster, config: FluxConfigObject, kustomization: FluxObject, at: datetime
    ) -> None:
        """One attempt, from the build on; it ends at once, or with the health of what it applied (G29)."""
        kustomization.last_attempt, kustomization.deadline = at, None
        failure, wanted = self._build(cluster, config, kustomization, at)
        failure = failure or _refused(cluster.objects, config, kustomization, wanted)
        if failure is not None:
            kustomization.fail(failure.reason, failure.message, at)
        else:
            self._put(cluster, kustomization, wanted, at)
            kustomization.applied_revision = config.synced_revision
            self._await_health(cluster, config, kustomization, at)
        self._changed(cluster, config, kustomization, at)

    def _build(
        self, cluster: EmulatedCluster, config: FluxConfigObject, kustomization: FluxObject, at: datetime
    ) -> tuple[ReconcileFailure | None, Sequence[ScriptedObject]]:
        told = cluster.simulation.reconcile_failure(config.name)
        if told is not None and not told.is_source:
            return told, ()
        missing = missing_reference(cluster.objects, kustomization)
        script = self._sources.script_of(config, at)
        found = script.objects(config.synced_revision) if script else ()
        path = folder(str(kustomization.spec.get("path") or ""))
        chosen = [said for said in found if _is_below(said.path, path)]
        if found and not chosen:
            return ReconcileFailure("ArtifactFailed", f"kustomization path not found: stat {path}"), ()
        built = [substituted(cluster.objects, kustomization, said).placed(config.namespace) for said in chosen]
        return missing, built

    def _put(
        self, cluster: EmulatedCluster, kustomization: FluxObject, wanted: Sequence[ScriptedObject], at: datetime
    ) -> None:
        before, kustomization.inventory = kustomization.inventory, tuple(said.key for said in wanted)
        for said in wanted:
            self._put_one(cluster, kustomization, said, at)
        gone = [key for key in before if key not in kustomization.inventory]
        give_up(cluster.objects, kustomization, gone)

    def _put_one(self, cluster: EmulatedCluster, kustomization: FluxObject, said: ScriptedObject, at: datetime) -> None:
        held = cluster.objects.applied.get(said.key)
        if held is not None and held.said.immutable != said.immutable:
            cluster.objects.delete(said.key)  # `force`, or it would have been refused (G29)
            held = None
        if held is not None and held.said == said and not held.drifted:
            applied, new = held, held.is_flux and not held.is_ready and held.settles < at
        else:
            applied, new = cluster.objects.put(said, at), True
        applied.owner = owner_of(kustomization)
        if new:
            self._begin(cluster, applied, at)

    def _begin(self, cluster: EmulatedCluster, applied: AppliedObject, at: datetime) -> None:
        applied.settles = at + applied.said.healthy_after
        if applied.is_flux:
            object_controllers.begin(cluster, applied, at)
        if applied.is_flux or applied.settles > at:
            self._timeline.at(applied.settles, partial(self._settle, cluster, applied))

    def _settle(self, cluster: EmulatedCluster, applied: AppliedObject, at: datetime) -> None:
        if cluster.objects.applied.get(applied.said.key) is not applied or applied.settles != at:
            return
        if applied.is_flux:
            object_controllers.settle(cluster, applied, at)
            if applied.is_ready:
                self._settle_waiting(cluster, applied, at)
        for config in cluster.objects.sorted_configs():
            for kustomization in config.kustomizations.values():
                if owner_of(kustomization) == applied.owner:
                    self._look_again(cluster, config, kustomization, at)

    def _settle_waiting(self, cluster: EmulatedCluster, source: AppliedObject, at: datetime) -> None:
        for waiting in object_controllers.waits_for(cluster, source):
            waiting.settles = at
            self._timeline.at(at, partial(self._settle, cluster, waiting))

    def _await_health(
        self, cluster: EmulatedCluster, config: FluxConfigObject, kustomization: FluxObject, at: datetime
    ) -> None:
        if not kustomization.spec.get("wait") or not _unhealthy(cluster.objects, kustomization, at):
            _succeed(kustomization, at)
            return
        kustomization.deadline = at + kustomization.timeout
        seconds = int(kustomization.timeout.total_seconds())
        message = f"Running health checks for revision {config.synced_revision} with a timeout of {seconds}s"
        kustomization.set_ready("Unknown", "Progressing", message, at)
        self._timeline.at(kustomization.deadline, partial(self._time_is_up, cluster, config, kustomization))

    def _look_again(
        self, cluster: EmulatedCluster, config: FluxConfigObject, kustomization: FluxObject, at: datetime
    ) -> None:
        """Something it applied has become ready, or failed for good."""
        if kustomization.deadline is not None and not _unhealthy(cluster.objects, kustomization, at):
            kustomization.deadline = None
            _succeed(kustomization, at)
        self._changed(cluster, config, kustomization, at)

    def _time_is_up(
        self, cluster: EmulatedCluster, config: FluxConfigObject, kustomization: FluxObject, at: datetime
    ) -> None:
        if kustomization.deadline != at or cluster.objects.flux_config(config.name) is not config:
            return
        kustomization.deadline = None
        failing = _unhealthy(cluster.objects, kustomization, at)
        if failing:
            seconds = int(kustomization.timeout.total_seconds())
            message = f"timeout waiting for: [{', '.join(failing)}] after {seconds}s"
            kustomization.fail("HealthCheckFailed", message, at)
        else:
            _succeed(kustomization, at)
        self._changed(cluster, config, kustomization, at)


def give_up(objects: ClusterObjects, kustomization: FluxObject, keys: Sequence[tuple[str, str, str]]) -> None:
    """Objects that are declared no longer: deleted with `prune`, else left to themselves (G28).

    A suspended Kustomization prunes nothing. Source: kustomize-controller, garbage collection.
    """
    for key in keys:
        applied = objects.applied.get(key)
        if applied is None or applied.owner != owner_of(kustomization):
            continue
        if kustomization.spec.get("prune") and not kustomization.suspended:
            objects.delete(key)
        else:
            applied.owner = None


def _refused(
    objects: ClusterObjects, config: FluxConfigObject, kustomization: FluxObject, wanted: Sequence[ScriptedObject]
) -> ReconcileFailure | None:
    """Why the API server, or the objects' script, takes none of it: the dry run comes first (G20, G29)."""
    for said in wanted:
        if said.failure is not None and not said.type.controller and said.failure.reason in _AT_APPLY:
            return said.failure
        denied = forbidden(objects, config, said)
        if denied is not None:
            return ReconcileFailure("ReconciliationFailed", denied)
        held = objects.applied.get(said.key)
        if held is not None and held.said.immutable != said.immutable and not kustomization.spec.get("force"):
            path = "/".join(part for part in said.key if part)
            return ReconcileFailure("ReconciliationFailed", f"{path} dry-run failed (Invalid): field is immutable")
    return None


def _unhealthy(objects: ClusterObjects, kustomization: FluxObject, at: datetime) -> list[str]:
    found = [(key, objects.applied.get(key)) for key in kustomization.inventory]
    return ["/".join(p for p in key if p) for key, held in found if held is None or not held.is_healthy(at)]


def _succeed(kustomization: FluxObject, at: datetime) -> None:
    message = f"Applied revision: {kustomization.applied_revision}"
    kustomization.set_ready("True", "ReconciliationSucceeded", message, at)


def _is_below(path: str, folder: str) -> bool:
    """Objects that say no path are everywhere."""
    return not path or not folder or path == folder or path.startswith(f"{folder}/")
