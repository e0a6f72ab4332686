"""What a configuration that was there before must have left on its cluster."""

from __future__ import annotations

from datetime import datetime, timedelta

from policyengine.emulator.clock import parse_stamp
from policyengine.emulator.configuring import place, publish_status, succeed_kustomization
from policyengine.emulator.flux_objects import FluxConfigObject, FluxObject, ObjectCondition
from policyengine.emulator.operations import SUCCEEDED
from policyengine.emulator.simulation import ReconcileFailure
from policyengine.emulator.source_controller import fail_source, succeed_source
from policyengine.emulator.state import EmulatedCluster, Record
from policyengine.model.values import JSON


def adopt(emulated: EmulatedCluster, record: Record, at: datetime) -> None:
    """Put on the cluster what a configuration that was there before must have left on it."""
    config = place(emulated, record, at)
    config.synced_revision = str(record.status.get("sourceSyncedCommitId") or "")
    failure = emulated.simulation.reconcile_failure(record.name)
    if record.status.get("statuses"):
        _restore(config, record.status["statuses"], at)
    elif record.provisioning_state == SUCCEEDED:
        _settle(config, failure or _told(record), at)
        pushed = record.status.get("statusUpdatedAt")
        publish_status(emulated, record, config, emulated.last_seen or at)
        record.status["statusUpdatedAt"] = pushed or record.status["statusUpdatedAt"]


def _settle(config: FluxConfigObject, failure: ReconcileFailure | None, at: datetime) -> None:
    since = at - (failure.since if failure else timedelta(0))
    if failure is not None and failure.is_source:
        fail_source(config, failure, since)
        return
    succeed_source(config, since)
    for kustomization in config.kustomizations.values():
        if failure is not None:
            kustomization.fail(failure.reason, failure.message, since)
        else:
            succeed_kustomization(config, kustomization, since)


def _told(record: Record) -> ReconcileFailure | None:
    """A failure that a document claims without any details."""
    if str(record.status.get("complianceState")).casefold() != "non-compliant":
        return None
    return ReconcileFailure("ReconciliationFailed", "the last reconciliation failed")


def _restore(config: FluxConfigObject, statuses: JSON, at: datetime) -> None:
    """Conditions as the document's `statuses` have them."""
    by_name: dict[tuple[str, str], FluxObject] = {(o.kind, o.name.casefold()): o for o in config.objects}
    for status in statuses:
        found = by_name.get((str(status.get("kind")), str(status.get("name")).casefold()))
        if found is not None:
            found.conditions = tuple(
                ObjectCondition(
                    str(said.get("type")),
                    str(said.get("status")),
                    str(said.get("reason", "")),
                    str(said.get("message", "")),
                    parse_stamp(said.get("lastTransitionTime")) or at,
                )
                for said in status.get("statusConditions") or ()
            )
