"""The `spec` of Flux objects, in the words of their custom resource definitions, from what Azure's say."""

from __future__ import annotations

from collections.abc import Mapping

from policyengine.emulator.cluster_objects import FLUX_APPLIER
from policyengine.emulator.flux_objects import FluxConfigObject, FluxObject
from policyengine.emulator.flux_rules import source_of
from policyengine.emulator.source_script import ScriptedObject
from policyengine.model.values import JSON


def source_spec(config: FluxConfigObject) -> dict[str, JSON]:
    kind, source = source_of(config.spec)
    spec: dict[str, JSON] = {"interval": _seconds(source.get("syncIntervalInSeconds"))}
    where = _bucket(source) if kind.object_kind == "Bucket" else {"url": source["url"]}
    for name, value in (
        *where.items(),
        ("insecure", source.get("insecure")),
        ("layerSelector", source.get("layerSelector")),
        ("provider", _provider(kind.member, source)),
        ("ref", {k: v for k, v in (source.get("repositoryRef") or {}).items() if v}),
        ("secretRef", _secret(config, source)),
        ("serviceAccountName", source.get("serviceAccountName")),
        ("sparseCheckout", source.get("sparseCheckout")),
        ("timeout", _seconds(source.get("timeoutInSeconds"))),
        ("suspend", config.suspended),
    ):
        if value:
            spec[name] = value
    return {**spec, **(source.get("additionalConfigurations") or {})}


def kustomization_spec(config: FluxConfigObject, kustomization: FluxObject) -> dict[str, JSON]:
    said = kustomization.spec
    spec: dict[str, JSON] = {
        "interval": _seconds(said.get("syncIntervalInSeconds")),
        "path": said.get("path") or "./",
        "prune": bool(said.get("prune")),
        "serviceAccountName": FLUX_APPLIER,
        "sourceRef": {"kind": config.source.kind, "name": config.name, "namespace": config.namespace},
        "timeout": _seconds(said.get("timeoutInSeconds")),
    }
    depends_on = [{"name": f"{config.name}-{key}", "namespace": config.namespace} for key in kustomization.depends_on]
    for name, value in (
        ("dependsOn", depends_on),
        ("force", said.get("force")),
        ("postBuild", said.get("postBuild")),
        ("retryInterval", said.get("retryIntervalInSeconds") and _seconds(said["retryIntervalInSeconds"])),
        ("suspend", kustomization.suspended),
        ("wait", said.get("wait")),
    ):
        if value:
            spec[name] = value
    return {**spec, **(said.get("additionalConfigurations") or {})}


def applied_spec(said: ScriptedObject) -> dict[str, JSON]:
    """Of an object from a repository, what its script tells."""
    spec: dict[str, JSON] = {"url": said.url} if said.url else {}
    source = dict(zip(("kind", "namespace", "name"), said.source, strict=True)) if said.source else None
    if said.kind == "HelmRelease":
        chart = {"chart": said.chart or said.name, "version": said.chart_version or "*", "sourceRef": source}
        spec["chart"] = {"spec": chart}
    elif source is not None:
        spec["sourceRef"] = source
    if said.service_account:
        spec["serviceAccountName"] = said.service_account
    return spec


def _bucket(source: Mapping[str, JSON]) -> dict[str, JSON]:
    """Azure's storage is addressed by its URL, any other by its host."""
    url, container = str(source["url"]), source.get("containerName")
    return {"bucketName": container or source.get("bucketName"), "endpoint": url if container else url.split("://")[-1]}


def _provider(member: str, source: Mapping[str, JSON]) -> str | None:
    """Whose kind of identity signs in; nothing for sources that need no word about it."""
    azure = member == "azureBlob" or source.get("useWorkloadIdentity")
    return "azure" if azure else str(source.get("provider") or "").casefold() or None


def _secret(config: FluxConfigObject, source: Mapping[str, JSON]) -> dict[str, JSON] | None:
    name = source.get("localAuthRef") or (config.secret_name if config.secret_keys else None)
    return {"name": name} if name else None


def _seconds(value: JSON) -> str:
    """As Flux writes lengths of time: `10m0s`."""
    minutes, seconds = divmod(int(value or 600), 60)
    return f"{minutes}m{seconds}s" if minutes else f"{seconds}s"
