"""Accepts changes for the cluster, promises an operation for each, and ends it one way or the other.

Whether and when a cluster acts is the agent's affair; here is only what Azure knows. A later write supersedes an
earlier one: both operations then end together, but each keeps its own deadline (G40).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial

from policyengine.emulator.answers import error_detail
from policyengine.emulator.clock import stamp
from policyengine.emulator.durations import iso_duration
from policyengine.emulator.identifiers import Identifiers
from policyengine.emulator.operations import FAILED, SUCCEEDED, Operation, Operations
from policyengine.emulator.state import EmulatedCluster, Record
from policyengine.emulator.timeline import Timeline
from policyengine.model.values import JSON


class Provisioning:
    def __init__(self, timeline: Timeline, operations: Operations, identifiers: Identifiers) -> None:
        self._timeline = timeline
        self._operations = operations
        self._identifiers = identifiers

    def begin(
        self, cluster: EmulatedCluster, record: Record, state: str, at: datetime, timeout: timedelta
    ) -> Operation:
        """Put ``record`` into ``state`` and promise an end: within ``timeout`` where the agent stays away."""
        operation = Operation(self._identifiers.guid(), record.id, at)
        self._operations.add(operation)
        record.operations.append(operation)
        record.provisioning_state = state
        self._timeline.after(at, timeout, partial(self._time_out, cluster, record, operation, timeout))
        return operation

    def succeed(self, record: Record, at: datetime) -> None:
        record.provisioning_state = SUCCEEDED
        record.status.update({"errorInfo": None} if record.is_extension else {"errorMessage": ""})
        self._end(record, at, None)

    def fail(self, record: Record, error: Mapping[str, JSON], message: str, at: datetime) -> None:
        """``error`` is what the operation says, ``message`` what the resource itself shows."""
        record.provisioning_state = FAILED
        if record.is_extension:
            record.status.update(errorInfo=error_detail("InstallationFailed", message), statuses=[_failed(message, at)])
        else:
            record.status["errorMessage"] = message
        self._end(record, at, error)

    def cancel(self, record: Record, at: datetime) -> None:
        """A deletion takes the place of what was still going on; of an earlier deletion it does not."""
        if not record.deleting:
            for operation in record.operations:
                operation.cancel(at)
            record.operations.clear()

    def removed(self, record: Record, at: datetime) -> None:
        """The deletion is done."""
        self._end(record, at, None)

    def _end(self, record: Record, at: datetime, error: Mapping[str, JSON] | None) -> None:
        for operation in record.operations:
            operation.end(at, error)
        record.operations.clear()

    def _time_out(
        self,
        cluster: EmulatedCluster,
        record: Record,
        operation: Operation,
        timeout: timedelta,
        at: datetime,
        *,
        again: bool = True,
    ) -> None:
        # INVARIANT: at exactly the limit time is up, for this event was planned before any poll of that instant.
        if not operation.running:
            return
        if again and (cluster.connected or record.awaits_outcome):
            # The request reaches the cluster, or did: what it makes of it may take as long once more.
            self._timeline.after(at, timeout, partial(self._time_out, cluster, record, operation, timeout, again=False))
            return
        message = f"The request to the cluster timed out: its agent did not respond within {_told(timeout)}."
        error = error_detail("OperationTimedOut", message)
        if record.operations[-1] is operation:
            record.abandoned = record.generation
            record.secrets.erase(at)
            self.fail(record, error, message, at)
        else:
            record.operations.remove(operation)
            operation.end(at, error)


def _told(length: timedelta) -> str:
    """`48 hours`, `1 hour`, or to the second where it is no whole number of hours."""
    hours, rest = divmod(length, timedelta(hours=1))
    return iso_duration(length) if rest or not hours else f"{hours} hour{'s' if hours > 1 else ''}"


def nested_error(*codes: str, cause: str) -> dict[str, JSON]:
    """An error as the service wraps it: the message of each code is the next error as JSON text; last, the cause."""
    *outer, innermost = codes
    error = error_detail(innermost, cause)
    for code in reversed(outer):
        error = error_detail(code, json.dumps({"error": error}))
    return error


def _failed(message: str, at: datetime) -> dict[str, JSON]:
    return {
        "code": "InstallationFailed",
        "displayStatus": "Installation failed",
        "level": "Error",
        "message": message,
        "time": stamp(at),
    }
