"""Every object on a simulated cluster as the Kubernetes API would show it. Secrets show their keys, never a value.

Only what is simulated is there: no pods, no events. Nothing here changes the cluster.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from policyengine.emulator.applied_objects import AppliedObject
from policyengine.emulator.cluster_objects import CONTROLLERS, FLUX_APPLIER, FLUX_NAMESPACE
from policyengine.emulator.flux_objects import FluxConfigObject, FluxObject, ObjectCondition
from policyengine.emulator.identifiers import digest_of
from policyengine.emulator.kinds import FLUX_CONFIG, FLUX_CUSTOM_RESOURCES, Kind, kind_of
from policyengine.emulator.kubernetes_specs import applied_spec, kustomization_spec, source_spec
from policyengine.emulator.state import EmulatedCluster
from policyengine.model.values import JSON

_OWNER_LABELS: Final = "kustomize.toolkit.fluxcd.io"


@dataclass(frozen=True, slots=True)
class KubernetesObject:
    kind: Kind
    document: Mapping[str, JSON]

    @property
    def name(self) -> str:
        return str(self.document["metadata"]["name"])

    @property
    def namespace(self) -> str:
        return str(self.document["metadata"].get("namespace", ""))

    @property
    def labels(self) -> Mapping[str, str]:
        labels: Mapping[str, str] = self.document["metadata"].get("labels", {})
        return labels


def objects_of(cluster: EmulatedCluster) -> list[KubernetesObject]:
    """By kind, namespace and name."""
    found = [*_of_cluster(cluster), *_of_flux(cluster), *_of_access(cluster), *_applied(cluster)]
    return sorted(found, key=lambda o: (o.kind.group, o.kind.plural, o.namespace, o.name))


def _of_cluster(cluster: EmulatedCluster) -> Iterator[KubernetesObject]:
    objects = cluster.objects
    for name in objects.namespaces:
        if ("Namespace", "", name) not in objects.applied:
            yield _object(cluster, "Namespace", "", name, status={"phase": "Active"})
    for name in objects.deployments:
        yield _object(
            cluster,
            "Deployment",
            FLUX_NAMESPACE,
            name,
            spec={"replicas": 1, "template": {"spec": {"containers": [_container(cluster, name)]}}},
            status={"replicas": 1, "readyReplicas": 1, "availableReplicas": 1},
        )
    if objects.flux_installed:
        for kind in FLUX_CUSTOM_RESOURCES:
            yield _object(cluster, "CustomResourceDefinition", "", kind.definition, spec=_definition(kind))


def _of_flux(cluster: EmulatedCluster) -> Iterator[KubernetesObject]:
    for config in cluster.objects.sorted_configs():
        yield _object(
            cluster,
            FLUX_CONFIG.name,
            config.namespace,
            config.name,
            meta={"generation": config.generation, "creationTimestamp": _time(config.created)},
            spec=config.spec,
            status={
                "complianceState": cluster.objects.compliance_state(config),
                "lastSyncedCommit": config.synced_revision,
            },
        )
        yield _flux_object(cluster, config, config.source, source_spec(config), _source_status(config))
        for kustomization in config.kustomizations.values():
            spec, status = kustomization_spec(config, kustomization), _kustomization_status(kustomization)
            yield _flux_object(cluster, config, kustomization, spec, status)
    for said in cluster.objects.secrets():
        data = dict.fromkeys(said["keys"], "")
        yield _object(cluster, "Secret", said["namespace"], said["name"], type="Opaque", data=data)


def _of_access(cluster: EmulatedCluster) -> Iterator[KubernetesObject]:
    """The service account of each configuration, and what it is bound to (G20)."""
    configs = cluster.objects.sorted_configs()
    for namespace in sorted({config.namespace for config in configs}):
        yield _object(cluster, "ServiceAccount", namespace, FLUX_APPLIER)
    for config in configs:
        kind, namespace = ("ClusterRoleBinding", "") if config.is_cluster_scoped else ("RoleBinding", config.namespace)
        role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"}
        subject = {"kind": "ServiceAccount", "name": FLUX_APPLIER, "namespace": config.namespace}
        name = f"{FLUX_APPLIER}-{config.namespace}-{config.name}"
        yield _object(cluster, kind, namespace, name, roleRef=role, subjects=[subject])


def _applied(cluster: EmulatedCluster) -> Iterator[KubernetesObject]:
    for (kind, namespace, name), found in cluster.objects.applied.items():
        if kind == "Secret":
            continue
        parts = {"data": dict(found.said.data)} if kind == "ConfigMap" else _spec_and_status(found)
        meta: dict[str, JSON] = {"creationTimestamp": _time(found.created), "generation": found.generation}
        if found.owner is not None:
            meta["labels"] = {f"{_OWNER_LABELS}/name": found.owner[1], f"{_OWNER_LABELS}/namespace": found.owner[0]}
        yield _object(cluster, kind, namespace, name, api_version=found.said.api_version, meta=meta, **parts)


def _spec_and_status(found: AppliedObject) -> dict[str, JSON]:
    parts: dict[str, JSON] = {"spec": applied_spec(found.said)}
    if found.is_flux:
        parts["status"] = {"conditions": _conditions(found.conditions), "observedGeneration": found.generation}
    return parts


def _flux_object(
    cluster: EmulatedCluster,
    config: FluxConfigObject,
    found: FluxObject,
    spec: Mapping[str, JSON],
    status: Mapping[str, JSON],
) -> KubernetesObject:
    owner = {
        "apiVersion": FLUX_CONFIG.api_version,
        "kind": FLUX_CONFIG.name,
        "name": config.name,
        "uid": _uid(cluster, FLUX_CONFIG.name, config.namespace, config.name),
    }
    meta = {
        "generation": found.generation,
        "creationTimestamp": _time(config.created),
        "ownerReferences": [owner],
    }
    shown = {"conditions": _conditions(found.conditions), "observedGeneration": found.generation, **status}
    return _object(cluster, found.kind, found.namespace, found.name, meta=meta, spec=spec, status=shown)


def _object(
    cluster: EmulatedCluster,
    kind: str,
    namespace: str,
    name: str,
    *,
    api_version: str = "",
    meta: Mapping[str, JSON] | None = None,
    **parts: JSON,
) -> KubernetesObject:
    type = kind_of(kind, api_version)
    metadata: dict[str, JSON] = {"name": name}
    if namespace:
        metadata["namespace"] = namespace
    metadata["uid"] = _uid(cluster, kind, namespace, name)
    metadata["creationTimestamp"] = _time(cluster.first_poll - cluster.simulation.poll_interval)
    metadata.update(meta or {})
    metadata["resourceVersion"] = str(metadata.get("generation", 1))
    return KubernetesObject(type, {"apiVersion": type.api_version, "kind": type.name, "metadata": metadata, **parts})


def _uid(cluster: EmulatedCluster, kind: str, namespace: str, name: str) -> str:
    return str(uuid.UUID(hex=digest_of(cluster.id.key, kind, namespace, name)[:32], version=4))


def _conditions(conditions: tuple[ObjectCondition, ...]) -> list[dict[str, JSON]]:
    return [{**c.document(), "lastTransitionTime": _time(c.since)} for c in conditions]


def _source_status(config: FluxConfigObject) -> dict[str, JSON]:
    if not config.source_updated:
        return {}
    return {"artifact": {"revision": config.synced_revision, "lastUpdateTime": _time(config.source_updated)}}


def _kustomization_status(kustomization: FluxObject) -> dict[str, JSON]:
    entries = [
        {"id": f"{namespace}_{name}_{kind_of(kind).group}_{kind}", "v": kind_of(kind).version}
        for kind, namespace, name in kustomization.inventory
    ]
    return {"lastAppliedRevision": kustomization.applied_revision, "inventory": {"entries": entries}}


def _container(cluster: EmulatedCluster, name: str) -> dict[str, JSON]:
    """Limits and the log level as the extension's settings have them (G8)."""
    settings, container = cluster.objects.flux_settings, {"name": "manager" if name in CONTROLLERS else name}
    prefix = f"{name}.resources.limits."
    limits = {key.removeprefix(prefix): value for key, value in settings.items() if key.startswith(prefix)}
    level = settings.get(f"{name}.log-level")
    return {
        **container,
        "args": [f"--log-level={level}"] if level else [],
        "resources": {"limits": limits} if limits else {},
    }


def _definition(kind: Kind) -> dict[str, JSON]:
    return {
        "group": kind.group,
        "names": {"kind": kind.name, "listKind": f"{kind.name}List", "plural": kind.plural},
        "scope": "Namespaced",
        "versions": [{"name": kind.version, "served": True, "storage": True}],
    }


def _time(at: datetime) -> str:
    """As Kubernetes writes instants: whole seconds."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
