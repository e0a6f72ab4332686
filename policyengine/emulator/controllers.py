"""The Flux controllers of a cluster: they make objects from a FluxConfig, reconcile them, and say how that went.

Reconciliation goes on while Azure cannot be reached; only the telling waits (G23).
G-numbers are the statements of the GitOps behaviour reference.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial

from policyengine.emulator.answers import error_detail
from policyengine.emulator.clock import stamp
from policyengine.emulator.cluster_objects import COMPLIANT, SUSPENDED, FluxConfigObject, FluxObject
from policyengine.emulator.durations import parse_iso_duration
from policyengine.emulator.flux_rules import source_of
from policyengine.emulator.identifiers import digest_of
from policyengine.emulator.provisioning import Provisioning
from policyengine.emulator.simulation import ReconcileFailure
from policyengine.emulator.state import EmulatedCluster, Record
from policyengine.emulator.timeline import Timeline
from policyengine.model.values import JSON


class FluxControllers:
    def __init__(self, timeline: Timeline, provisioning: Provisioning) -> None:
        self._timeline = timeline
        self._provisioning = provisioning

    def apply(self, cluster: EmulatedCluster, record: Record, at: datetime) -> None:
        """The agent has fetched the write: the FluxConfig and what follows from it are there (G16, G17)."""
        record.delivered = record.generation
        config = place(cluster, record)
        config.secret_keys = record.secrets.keys
        record.secrets.erase(at)
        if not config.suspended:
            self._begin(cluster, record, config, at)
        self.push(cluster, record, config, at)

    def remove(self, cluster: EmulatedCluster, record: Record) -> None:
        cluster.objects.flux_configs.pop(record.name.casefold(), None)

    def watch_limit(self, record: Record, at: datetime) -> None:
        """With `waitForReconciliation` the operation fails when its own limit passes first (G33)."""
        duration = record.spec.get("reconciliationWaitDuration")
        if record.spec.get("waitForReconciliation") and duration:
            give_up = partial(self._give_up, record, record.generation, str(duration))
            self._timeline.after(at, parse_iso_duration(duration), give_up)

    def push(self, cluster: EmulatedCluster, record: Record, config: FluxConfigObject, at: datetime) -> None:
        cluster.tell(partial(self._publish, record, config), at)

    def _begin(self, cluster: EmulatedCluster, record: Record, config: FluxConfigObject, at: datetime) -> None:
        config.attempt += 1
        for found in config.objects:
            found.set_ready("Unknown", "Progressing", "reconciliation in progress", at)
        fetch = partial(self._fetch, cluster, record, config, config.attempt)
        self._timeline.after(at, _half(cluster), fetch)

    def _fetch(
        self, cluster: EmulatedCluster, record: Record, config: FluxConfigObject, attempt: int, at: datetime
    ) -> None:
        if _is_stale(cluster, config, attempt):
            return
        failure = cluster.simulation.reconcile_failure(config.name)
        if failure is not None and failure.is_source:
            fail_source(config, failure, at)
        else:
            succeed_source(config, at)
            for kustomization in config.kustomizations.values():
                self._start(cluster, record, config, kustomization, at)
        self.push(cluster, record, config, at)

    def _start(
        self,
        cluster: EmulatedCluster,
        record: Record,
        config: FluxConfigObject,
        kustomization: FluxObject,
        at: datetime,
    ) -> None:
        missing = next((d for d in kustomization.depends_on if not config.kustomizations[d].is_ready), None)
        if missing is not None:
            name = f"{config.namespace}/{config.kustomizations[missing].name}"
            kustomization.set_ready("False", "DependencyNotReady", f"dependency '{name}' is not ready", at)
            return
        apply = partial(self._apply, cluster, record, config, kustomization, config.attempt)
        self._timeline.after(at, _half(cluster), apply)

    def _apply(
        self,
        cluster: EmulatedCluster,
        record: Record,
        config: FluxConfigObject,
        kustomization: FluxObject,
        attempt: int,
        at: datetime,
    ) -> None:
        if _is_stale(cluster, config, attempt):
            return
        failure = cluster.simulation.reconcile_failure(config.name)
        if failure is not None:
            kustomization.set_ready("False", failure.reason, failure.message, at)
        else:
            succeed_kustomization(config, kustomization, at)
            for waiting in config.kustomizations.values():
                if kustomization.key in waiting.depends_on:
                    self._start(cluster, record, config, waiting, at)
        self.push(cluster, record, config, at)

    def _publish(self, record: Record, config: FluxConfigObject, at: datetime) -> None:
        publish_status(record, config, at)
        done = not record.spec.get("waitForReconciliation") or config.compliance_state in {COMPLIANT, SUSPENDED}
        if record.awaits_outcome and done:
            self._provisioning.succeed(record, at)

    def _give_up(self, record: Record, generation: int, duration: str, at: datetime) -> None:
        if record.generation == generation and not record.settled and not record.deleting:
            message = f"The configuration was not reconciled within {duration}."
            self._provisioning.fail(record, error_detail("ReconciliationTimedOut", message), message, at)


def place(cluster: EmulatedCluster, record: Record) -> FluxConfigObject:
    """The FluxConfig as the record now says: one source, one Kustomization per key, all in one namespace."""
    kind, _ = source_of(record.spec)
    namespace = str(record.spec["namespace"])
    cluster.objects.namespaces.add(namespace)
    config = cluster.objects.flux_config(record.name)
    if config is None:
        source = FluxObject(kind.object_kind, namespace, record.name, owner=record.name)
        config = FluxConfigObject(record.name, namespace, source, "")
        cluster.objects.flux_configs[record.name.casefold()] = config
    else:
        config.generation += 1
        config.source.kind, config.source.generation = kind.object_kind, config.source.generation + 1
    config.revision = revision_of(record.spec)
    config.kustomizations = {
        key: _kustomization(config, key, said) for key, said in (record.spec.get("kustomizations") or {}).items()
    }
    config.suspended = bool(record.spec["suspend"])
    for found in config.objects:
        found.suspended = config.suspended
    return config


def publish_status(record: Record, config: FluxConfigObject, at: datetime) -> None:
    """Azure's picture of the configuration becomes what is on the cluster (G23)."""
    record.status.update(
        statuses=[found.status() for found in config.objects],
        complianceState=config.compliance_state,
        sourceSyncedCommitId=config.synced_revision,
        sourceUpdatedAt=stamp(config.source_updated) if config.source_updated else None,
        statusUpdatedAt=stamp(at),
    )


def succeed_source(config: FluxConfigObject, at: datetime) -> None:
    config.synced_revision, config.source_updated = config.revision, at
    config.source.set_ready("True", "Succeeded", f"stored artifact for revision '{config.revision}'", at)


def fail_source(config: FluxConfigObject, failure: ReconcileFailure, at: datetime) -> None:
    config.source.set_ready("False", failure.reason, failure.message, at)
    for kustomization in config.kustomizations.values():
        kustomization.set_ready("False", "ArtifactFailed", "Source artifact not found, retrying in 30s", at)


def succeed_kustomization(config: FluxConfigObject, kustomization: FluxObject, at: datetime) -> None:
    kustomization.set_ready("True", "ReconciliationSucceeded", f"Applied revision: {config.revision}", at)


def revision_of(spec: Mapping[str, JSON]) -> str:
    """`reference/digest`. A pretended repository's head depends on its url and reference alone.

    Precedence of a Git reference: commit, semver, tag, branch; none is `master` (G31).
    """
    kind, source = source_of(spec)
    reference = source.get("repositoryRef") or {}
    url = str(source["url"])
    if kind.member == "gitRepository":
        branch = str(reference.get("branch") or "master")
        if reference.get("commit"):
            return f"{branch}/{reference['commit']}"
        name = str(reference.get("semver") or reference.get("tag") or branch)
        return f"{name}/{digest_of(url, name)}"
    name = str(reference.get("digest") or reference.get("semver") or reference.get("tag") or "latest")
    return f"{name}/{digest_of(url, name, str(source.get('bucketName') or source.get('containerName')))}"


def _kustomization(config: FluxConfigObject, key: str, said: Mapping[str, JSON]) -> FluxObject:
    depends_on = tuple(said.get("dependsOn") or ())
    before = config.kustomizations.get(key)
    if before is not None:
        before.depends_on, before.generation = depends_on, before.generation + 1
        return before
    name = f"{config.name}-{key}"
    return FluxObject("Kustomization", config.namespace, name, owner=config.name, key=key, depends_on=depends_on)


def _half(cluster: EmulatedCluster) -> timedelta:
    """Fetching the source and applying a kustomization take half of the reconciliation each."""
    return cluster.simulation.reconcile_duration / 2


def _is_stale(cluster: EmulatedCluster, config: FluxConfigObject, attempt: int) -> bool:
    """True when a newer attempt has begun or the FluxConfig is gone. A suspension stops nothing begun (G27)."""
    return config.attempt != attempt or cluster.objects.flux_config(config.name) is not config
