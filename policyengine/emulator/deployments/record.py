"""What is known of a deployment: what was asked, how far it is, what came of it. Holds data; decides nothing.

Source: configuration API, "Subscriptions, groups, management groups, deployments".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from policyengine.emulator.clock import stamp
from policyengine.emulator.operations import CANCELED, FAILED, SUCCEEDED
from policyengine.model.ids import ResourceId
from policyengine.model.values import JSON

DEPLOYMENTS: Final = "Microsoft.Resources/deployments"
ACCEPTED: Final = "Accepted"
RUNNING: Final = "Running"
ENDED: Final = frozenset({SUCCEEDED, FAILED, CANCELED})


@dataclass(eq=False)
class StepRecord:
    """One resource of a deployment, as its operations tell it."""

    number: str
    target: ResourceId
    started: datetime
    state: str = RUNNING
    ended: datetime | None = None
    status_code: str = "Accepted"
    error: Mapping[str, JSON] | None = None

    def end(self, state: str, code: str, at: datetime, error: Mapping[str, JSON] | None = None) -> None:
        self.state, self.status_code, self.ended, self.error = state, code, at, error

    def document(self, deployment: ResourceId) -> dict[str, JSON]:
        properties: dict[str, JSON] = {
            "provisioningOperation": "Create",
            "provisioningState": self.state,
            "timestamp": stamp(self.ended or self.started),
            "duration": _in_seconds((self.ended or self.started) - self.started),
            "statusCode": self.status_code,
            "targetResource": {
                "id": self.target.text,
                "resourceType": self.target.type,
                "resourceName": self.target.full_name,
            },
        }
        if self.error is not None:
            properties["statusMessage"] = {"status": FAILED, "error": self.error}
        return {"id": f"{deployment}/operations/{self.number}", "operationId": self.number, "properties": properties}


@dataclass(eq=False)
class Deployment:
    """``parameters`` and ``outputs`` are as shown: values of secure ones are not among them.

    INVARIANT: once ended it never changes again.
    """

    id: ResourceId
    mode: str
    template: Mapping[str, JSON]
    parameters: Mapping[str, JSON]
    correlation_id: str
    operation_id: str
    started: datetime
    location: str | None = None
    tags: Mapping[str, JSON] | None = None
    template_hash: str = ""
    state: str = ACCEPTED
    changed: datetime | None = None
    outputs: Mapping[str, JSON] | None = None
    output_resources: list[ResourceId] = field(default_factory=list)
    error: Mapping[str, JSON] | None = None
    steps: list[StepRecord] = field(default_factory=list)

    @property
    def active(self) -> bool:
        return self.state not in ENDED

    def move(self, state: str, at: datetime, error: Mapping[str, JSON] | None = None) -> None:
        if self.active:
            self.state, self.changed, self.error = state, at, error

    def status(self) -> dict[str, JSON]:
        """What `operationStatuses` tells."""
        return {"status": self.state} if self.error is None else {"status": self.state, "error": self.error}

    def document(self) -> dict[str, JSON]:
        changed = self.changed or self.started
        properties: dict[str, JSON] = {
            "templateHash": self.template_hash,
            "parameters": self.parameters,
            "mode": self.mode,
            "provisioningState": self.state,
            "timestamp": stamp(changed),
            "duration": _in_seconds(changed - self.started),
            "correlationId": self.correlation_id,
            "providers": [],
            "dependencies": [],
        }
        if self.outputs is not None:
            properties["outputs"] = self.outputs
        if not self.active:
            properties["outputResources"] = [{"id": id.text} for id in self.output_resources]
        if self.error is not None:
            properties["error"] = self.error
        shown = {"id": self.id.text, "name": self.id.name, "type": DEPLOYMENTS, "location": self.location}
        if self.tags:
            shown["tags"] = dict(self.tags)  # type: ignore[assignment]
        return {**{name: value for name, value in shown.items() if value is not None}, "properties": properties}


def _in_seconds(length: timedelta) -> str:
    return f"PT{length.total_seconds():g}S"
