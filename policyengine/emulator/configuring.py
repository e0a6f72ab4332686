"""The fluxconfig controller: it makes a FluxConfig's objects, takes them away, and says how they are.

Knows no time but the instant it is given. G-numbers are the statements of the GitOps behaviour reference.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from policyengine.emulator.clock import stamp
from policyengine.emulator.cluster_objects import ClusterObjects
from policyengine.emulator.credentials import secret_keys
from policyengine.emulator.flux_objects import FluxConfigObject, FluxObject
from policyengine.emulator.flux_rules import source_of
from policyengine.emulator.kustomize_controller import give_up
from policyengine.emulator.source_controller import revision_of
from policyengine.emulator.state import EmulatedCluster, Record
from policyengine.model.values import JSON


def place(cluster: EmulatedCluster, record: Record, at: datetime) -> FluxConfigObject:
    """The FluxConfig as the record now says: one source, one Kustomization per key, all in one namespace.

    Kustomizations that are no longer there give up what they applied. The secret is made while its values are known;
    a cluster that comes too late for them lacks it (G42).
    """
    kind, source = source_of(record.spec)
    namespace = str(record.spec["namespace"])
    cluster.objects.namespaces.add(namespace)
    config = cluster.objects.flux_config(record.name)
    if config is None:
        made = FluxObject(kind.object_kind, namespace, record.name, owner=record.name)
        config = FluxConfigObject(record.name, namespace, made, "", at)
        config.secrets_missing = bool(record.secrets.keys)
        cluster.objects.flux_configs[record.name.casefold()] = config
    else:
        config.generation += 1
        config.source.kind, config.source.generation = kind.object_kind, config.source.generation + 1
    config.spec, config.source.spec = record.spec, source
    config.revision = revision_of(record.spec)
    _place_secret(config, record)
    _place_kustomizations(cluster.objects, config, record.spec.get("kustomizations") or {})
    config.suspended = bool(record.spec["suspend"])
    for found in config.objects:
        found.suspended = config.suspended
    return config


def withdraw(objects: ClusterObjects, name: str) -> None:
    """Take the FluxConfig of that name away, with all that was made from it (G32)."""
    config = objects.flux_configs.pop(name.casefold(), None)
    for kustomization in config.kustomizations.values() if config else ():
        give_up(objects, kustomization, kustomization.inventory)


def publish_status(cluster: EmulatedCluster, record: Record, config: FluxConfigObject, at: datetime) -> None:
    """Azure's picture of the configuration becomes what is on the cluster (G23)."""
    record.status.update(
        statuses=cluster.objects.statuses(config),
        complianceState=cluster.objects.compliance_state(config),
        sourceSyncedCommitId=config.synced_revision,
        sourceUpdatedAt=stamp(config.source_updated) if config.source_updated else None,
        statusUpdatedAt=stamp(at),
    )


def succeed_kustomization(config: FluxConfigObject, kustomization: FluxObject, at: datetime) -> None:
    """It has been applied before anybody looked."""
    kustomization.applied_revision = config.synced_revision
    kustomization.set_ready("True", "ReconciliationSucceeded", f"Applied revision: {config.synced_revision}", at)


def _place_secret(config: FluxConfigObject, record: Record) -> None:
    if record.secrets.values is not None or not record.secrets.keys:
        config.secrets_missing = False
    elif record.secrets.lost:
        config.secrets_missing = True
    config.secret_keys = () if config.secrets_missing else secret_keys(record.spec, record.secrets.keys)


def _place_kustomizations(objects: ClusterObjects, config: FluxConfigObject, said: Mapping[str, JSON]) -> None:
    for key, gone in config.kustomizations.items():
        if key not in said:
            give_up(objects, gone, gone.inventory)
    config.kustomizations = {key: _kustomization(config, key, spec) for key, spec in said.items()}


def _kustomization(config: FluxConfigObject, key: str, spec: Mapping[str, JSON]) -> FluxObject:
    before = config.kustomizations.get(key)
    if before is not None:
        before.spec, before.generation = spec, before.generation + 1
        return before
    name = f"{config.name}-{key}"
    return FluxObject("Kustomization", config.namespace, name, owner=config.name, key=key, spec=spec)
