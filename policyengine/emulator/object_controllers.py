"""The controllers that look after applied objects of Flux kinds: how a HelmRelease and its like turn out.

Decides one object at one instant; when that instant comes is the Kustomization's affair. G-numbers are the statements
of the GitOps behaviour reference.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from policyengine.emulator.applied_objects import AppliedObject, HelmHistory
from policyengine.emulator.simulation import ReconcileFailure
from policyengine.emulator.source_controller import host_of, reaches
from policyengine.emulator.state import EmulatedCluster
from policyengine.emulator.tenancy import tenancy_failure

_UNREACHABLE: Final[Mapping[str, str]] = {
    "Bucket": "BucketOperationFailed",
    "GitRepository": "GitOperationFailed",
    "HelmRepository": "IndexationFailed",
    "OCIRepository": "OCIArtifactPullFailed",
}
_RELEASE_FAILURES: Final = frozenset({"InstallFailed", "UpgradeFailed"})
"""Reasons of Helm itself; any other keeps it from being asked."""


def begin(cluster: EmulatedCluster, applied: AppliedObject, at: datetime) -> None:
    """A controller takes notice of the object, if there is one that does (G8)."""
    if applied.said.kind == "HelmRelease" and applied.helm is None:
        applied.helm = HelmHistory()
    if cluster.objects.runs(applied.said.type.controller):
        applied.set_ready("Unknown", "Progressing", "reconciliation in progress", at)
    else:
        applied.conditions = ()


def settle(cluster: EmulatedCluster, applied: AppliedObject, at: datetime) -> None:
    """The object is done, one way or the other."""
    if not cluster.objects.runs(applied.said.type.controller):
        return
    failure = (
        tenancy_failure(cluster.objects, applied.said)
        or _source_failure(cluster, applied)
        or _not_reached(cluster, applied)
        or applied.said.failure
    )
    if applied.helm is not None:
        _settle_release(applied, applied.helm, failure, at)
    elif failure is not None:
        also = ("FetchFailed",) if applied.said.kind in _UNREACHABLE else ()
        applied.set_ready("False", failure.reason, failure.message, at, *also)
    else:
        reason = "ReconciliationSucceeded" if applied.said.kind == "Kustomization" else "Succeeded"
        applied.set_ready("True", reason, "stored artifact" if applied.said.kind in _UNREACHABLE else "reconciled", at)


def waits_for(cluster: EmulatedCluster, source: AppliedObject) -> list[AppliedObject]:
    """Objects that have failed for want of ``source``, in order."""
    found = cluster.objects.applied
    return [found[k] for k in sorted(found) if found[k].said.source == source.said.key and found[k].has_failed]


def _settle_release(applied: AppliedObject, helm: HelmHistory, failure: ReconcileFailure | None, at: datetime) -> None:
    """Words of the helm controller; a release counts its revisions and its failures (G34, G37)."""
    said, verb = applied.said, "upgrade" if helm.revision else "install"
    if failure is None:
        helm.revision += 1
        chart = f"{said.chart or said.name}@{said.chart_version or '1.0.0'}"
        message = f"Helm {verb} succeeded for release {said.namespace}/{said.name}.v{helm.revision} with chart {chart}"
        applied.set_ready("True", f"{verb.capitalize()}Succeeded", message, at, "Released")
        return
    if failure.reason == "UpgradeFailed" or (failure.reason == "InstallFailed" and helm.revision):
        helm.upgrade_failures += 1
    elif failure.reason == "InstallFailed":
        helm.install_failures += 1
    also = ("Released",) if failure.reason in _RELEASE_FAILURES else ()
    applied.set_ready("False", failure.reason, failure.message, at, *also)


def _source_failure(cluster: EmulatedCluster, applied: AppliedObject) -> ReconcileFailure | None:
    wanted = applied.said.source
    if wanted is None:
        return None
    source = cluster.objects.applied.get(wanted)
    config = cluster.objects.flux_config(wanted[2])
    ready = source.is_ready if source else config is not None and config.source.is_ready
    if ready:
        return None
    return ReconcileFailure("ArtifactFailed", f"{'/'.join(wanted)} is not ready")


def _not_reached(cluster: EmulatedCluster, applied: AppliedObject) -> ReconcileFailure | None:
    if not applied.said.url or reaches(cluster, applied.said.url):
        return None
    message = f"failed to fetch '{applied.said.url}': '{host_of(applied.said.url)}' is not reachable from the cluster"
    return ReconcileFailure(_UNREACHABLE.get(applied.said.kind, "FetchFailed"), message)
