"""Long-running operations: the promise given for an accepted change, and how it ended.

Source: configuration API, "Methods, status codes, long-running operations".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from policyengine.emulator.clock import stamp
from policyengine.model.ids import ResourceId
from policyengine.model.values import JSON

IN_PROGRESS: Final = "InProgress"
SUCCEEDED: Final = "Succeeded"
FAILED: Final = "Failed"
CANCELED: Final = "Canceled"


@dataclass(eq=False)
class Operation:
    """INVARIANT: once ended it never changes again."""

    id: str
    resource: ResourceId
    started: datetime
    status: str = IN_PROGRESS
    error: Mapping[str, JSON] | None = None
    ended: datetime | None = None
    then: Callable[[datetime], None] | None = field(default=None, repr=False)
    """Called once, when it has ended."""

    @property
    def running(self) -> bool:
        return self.ended is None

    @property
    def path(self) -> str:
        return f"{self.resource}/operations/{self.id}"

    def end(self, at: datetime, error: Mapping[str, JSON] | None = None) -> None:
        if self.running:
            self._finish(FAILED if error else SUCCEEDED, error, at)

    def cancel(self, at: datetime) -> None:
        if self.running:
            error = {"code": "OperationCanceled", "message": "The operation was superseded by a deletion."}
            self._finish(CANCELED, error, at)

    def _finish(self, status: str, error: Mapping[str, JSON] | None, at: datetime) -> None:
        self.status, self.error, self.ended = status, error, at
        if self.then is not None:
            self.then(at)

    def document(self) -> dict[str, JSON]:
        shown: dict[str, JSON] = {
            "id": self.path,
            "name": self.id,
            "status": self.status,
            "startTime": stamp(self.started),
            "properties": {},
            "error": self.error,
        }
        if self.ended is not None:
            shown["endTime"] = stamp(self.ended)
        return shown


class Operations:
    """Every operation accepted; ended ones stay readable for ``lifetime``, or for ever."""

    def __init__(self, lifetime: timedelta | None = None) -> None:
        self._lifetime = lifetime
        self._by_id: dict[str, Operation] = {}

    def add(self, operation: Operation) -> None:
        self._forget(operation.started)
        self._by_id[operation.id.casefold()] = operation

    def find(self, resource: ResourceId, id: str, at: datetime) -> Operation | None:
        """The operation of that id, if it was for that resource and can be read at that instant."""
        operation = self._by_id.get(id.casefold())
        if operation is None or operation.resource != resource or self._is_over(operation, at):
            return None
        return operation

    def _forget(self, at: datetime) -> None:
        """Those in front are the oldest: one that is not over yet keeps the others a while longer."""
        while self._by_id and self._is_over(oldest := next(iter(self._by_id.values())), at):
            del self._by_id[oldest.id.casefold()]

    def _is_over(self, operation: Operation, at: datetime) -> bool:
        return self._lifetime is not None and operation.ended is not None and at - operation.ended > self._lifetime
