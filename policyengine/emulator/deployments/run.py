"""Carries a deployment out: each resource whose turn it is goes through the routes, and the end of its operation brings
on the next. Nothing here waits or polls.

One that fails does not stop those that do not depend on it. Source: configuration API, "Errors" and §10.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from policyengine.emulator.answers import Answer, Refusal, Send, error_detail
from policyengine.emulator.deployments.record import RUNNING, Deployment, StepRecord
from policyengine.emulator.deployments.template import Entry, NotReady, Sheet
from policyengine.emulator.identifiers import Identifiers
from policyengine.emulator.operations import FAILED, SUCCEEDED, Operation, Operations
from policyengine.errors import TemplateError
from policyengine.model.ids import ResourceId
from policyengine.model.values import JSON

OPERATION_HEADER = "Azure-AsyncOperation"
FAILURE = (
    "At least one resource deployment operation failed. Please list deployment operations for details. "
    "Please see https://aka.ms/arm-deployment-operations for usage details."
)


@dataclass(frozen=True, slots=True)
class World:
    """What a run needs besides its template. ``begin_nested`` makes the record of a nested deployment."""

    send: Send
    operations: Operations
    identifiers: Identifiers
    begin_nested: Callable[[ResourceId, Sheet, Deployment, datetime], Deployment]


@dataclass(eq=False)
class Run:
    """``ended`` is called once, when the deployment has come to its end."""

    deployment: Deployment
    sheet: Sheet
    world: World
    ended: Callable[[datetime], None]
    waiting: list[Entry] = field(default_factory=list)
    running: list[Entry] = field(default_factory=list)
    errors: list[dict[str, JSON]] = field(default_factory=list)
    over: bool = False

    def start(self, at: datetime) -> None:
        self.waiting = list(self.sheet.entries)
        self.deployment.move(RUNNING, at)
        self.advance(at)

    def advance(self, at: datetime) -> None:
        """Begin whatever can begin; when nothing runs any more, come to an end."""
        while self.deployment.active and self._begin_next(at):
            pass
        if self.running or self.over:
            return
        self.over = True
        if self.deployment.active:
            self._conclude(at)
        self.ended(at)

    def _begin_next(self, at: datetime) -> bool:
        return any(self._begin(entry, at) for entry in tuple(self.waiting) if self._is_due(entry))

    def _is_due(self, entry: Entry) -> bool:
        return all(other.done for other in self.sheet.waits_for(entry))

    def _begin(self, entry: Entry, at: datetime) -> bool:
        """False while it needs something that is not there yet."""
        step = StepRecord(self.world.identifiers.guid(), entry.id, at)
        try:
            if not entry.is_on():
                entry.done = True
                self.waiting.remove(entry)
                return True
            begin = partial(self._nest if entry.is_deployment else self._write, entry, step, at)
            prepared = self.sheet.nested(entry, at) if entry.is_deployment else (entry.api_version(), entry.body())
        except NotReady:
            return False
        except (TemplateError, Refusal) as error:
            self.waiting.remove(entry)
            self.deployment.steps.append(step)
            self._fail(step, error_of(error), at)
            return True
        self.waiting.remove(entry)
        self.deployment.steps.append(step)
        begin(prepared)
        return True

    def _write(self, entry: Entry, step: StepRecord, at: datetime, prepared: tuple[str, Mapping[str, JSON]]) -> None:
        version, body = prepared
        try:
            answer = self.world.send("PUT", entry.id.text, version, body, at)
        except Refusal as refusal:
            self._fail(step, refusal.error, at, str(refusal.status))
            return
        operation = self._operation(entry.id, answer, at)
        if operation is None or not operation.running:
            self._settled(entry, step, operation, at)
            return
        self.running.append(entry)
        operation.then = partial(self._finished, entry, step, operation)

    def _nest(self, entry: Entry, step: StepRecord, at: datetime, sheet: Sheet) -> None:
        try:
            nested = self.world.begin_nested(entry.id, sheet, self.deployment, at)
        except Refusal as refusal:
            self._fail(step, refusal.error, at, str(refusal.status))
            return
        self.running.append(entry)
        Run(nested, sheet, self.world, partial(self._nested_ended, entry, step, nested)).start(at)

    def _nested_ended(self, entry: Entry, step: StepRecord, nested: Deployment, at: datetime) -> None:
        self.running.remove(entry)
        self.deployment.output_resources += nested.output_resources
        if nested.state == SUCCEEDED:
            entry.done, entry.outputs = True, nested.outputs
            step.end(SUCCEEDED, "OK", at)
        else:
            self._fail(step, dict(nested.error or {}), at)
        self.advance(at)

    def _finished(self, entry: Entry, step: StepRecord, operation: Operation, at: datetime) -> None:
        self.running.remove(entry)
        self._settled(entry, step, operation, at)
        self.advance(at)

    def _settled(self, entry: Entry, step: StepRecord, operation: Operation | None, at: datetime) -> None:
        if operation is not None and operation.status != SUCCEEDED:
            message = f"The resource operation completed with terminal provisioning state '{operation.status}'."
            details = (dict(operation.error),) if operation.error else ()
            self._fail(
                step, error_detail("ResourceOperationFailure", message, target=entry.id.text, details=details), at
            )
            return
        entry.done = True
        self.deployment.output_resources.append(entry.id)
        step.end(SUCCEEDED, "OK", at)

    def _operation(self, id: ResourceId, answer: Answer, at: datetime) -> Operation | None:
        """The operation that was promised; None for a write that was done at once."""
        link = next((v for name, v in answer.headers.items() if name.casefold() == OPERATION_HEADER.casefold()), None)
        if link is None:
            return None
        return self.world.operations.find(id, link.partition("?")[0].rpartition("/")[2], at)

    def _fail(self, step: StepRecord, error: dict[str, JSON], at: datetime, code: str = "Conflict") -> None:
        step.end(FAILED, code, at, error)
        self.errors.append(error)

    def _conclude(self, at: datetime) -> None:
        if not self.errors and self.waiting:
            names = ", ".join(f"'{entry.id.name}'" for entry in self.waiting)
            self.errors.append(error_detail("InvalidTemplate", f"Circular dependency detected on resources: {names}."))
        if self.errors:
            self.deployment.move(FAILED, at, error_detail("DeploymentFailed", FAILURE, details=self.errors))
        else:
            self._succeed(at)

    def _succeed(self, at: datetime) -> None:
        try:
            self.deployment.outputs = self.sheet.outputs()
        except (TemplateError, Refusal, NotReady) as error:
            inner = error_detail("DeploymentOutputEvaluationFailed", f"Unable to evaluate template outputs: {error}.")
            self.deployment.move(FAILED, at, error_detail("DeploymentFailed", FAILURE, details=(inner,)))
            return
        self.deployment.move(SUCCEEDED, at)


def error_of(error: TemplateError | Refusal) -> dict[str, JSON]:
    if isinstance(error, Refusal):
        return error.error
    return error_detail("InvalidTemplate", f"Unable to process template language expressions: {error.message}.")
