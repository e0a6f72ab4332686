"""From an accepted write to its end: what is asked, in which order, and when. The client is real, answers scripted."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from policyengine.arm import ArmClient, StaticToken
from policyengine.errors import ArmRejected
from policyengine.execution.following import Promise, follow
from policyengine.execution.live_object import LiveObject
from policyengine.model.ids import ResourceId
from policyengine.model.resource import ARC, EXTENSIONS, ResourceWrite
from policyengine.remediation.steps import StepState

ENDPOINT = "https://arm.example"
OPERATION = f"{ENDPOINT}/operations/1"
CLUSTER = ResourceId(f"/subscriptions/aaaaaaaa-0000-4000-8000-00000000000a/resourceGroups/g/providers/{ARC}/c")
WRITE = ResourceWrite(
    CLUSTER.extension(EXTENSIONS, "flux"),
    "2024-11-01",
    {"properties": {"extensionType": "microsoft.flux", "releaseTrain": "Stable"}},
)
TOLD_BY_OBJECT = Promise(OPERATION, 15.0, object_tells=True)
RUNNING = {"status": "InProgress"}
SUCCEEDED = {"status": "Succeeded"}
VAGUE = {"status": "Failed", "error": {"code": "ResourceOperationFailure", "message": "it failed"}}
NO_ROOM = {"status": "Failed", "error": {"code": "InstallationFailed", "message": "no room"}}


class NoTime:
    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.slept.append(seconds)
        await asyncio.sleep(0)


def live(state: str = "Succeeded", train: str = "Stable", **more: Any) -> dict[str, Any]:
    properties = {"extensionType": "microsoft.flux", "releaseTrain": train, "provisioningState": state, **more}
    return {"id": WRITE.id.text, "properties": properties}


@dataclass
class Service:
    """What it shows of the object and of the operation, in order, the last again and again; a number is a status."""

    objects: list[Any]
    operations: list[Any] = field(default_factory=list)
    retry_after: str = ""
    heard: list[str] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        is_operation = request.url.path.startswith("/operations/")
        self.heard.append("operation" if is_operation else "object")
        script = self.operations if is_operation else self.objects
        now = script.pop(0) if len(script) > 1 else script[0]
        if isinstance(now, int):
            return httpx.Response(now, json={"error": {"code": "C", "message": "m"}})
        headers = {"Retry-After": self.retry_after} if is_operation and self.retry_after else {}
        return httpx.Response(200, json=now, headers=headers)


def end_of(service: Service, promise: Promise) -> tuple[tuple[StepState, str], list[float]]:
    """How it ended, and the waits on the way."""

    async def main() -> tuple[tuple[StepState, str], list[float]]:
        timer = NoTime()
        async with ArmClient(
            ENDPOINT, StaticToken("t"), transport=httpx.MockTransport(service), timer=timer, jitter=lambda: 0.0
        ) as arm:
            return await follow(LiveObject(arm, WRITE, lambda *_: None), promise), timer.slept

    return asyncio.run(main())


DONE = (StepState.SUCCEEDED, "")


def test_an_object_that_holds_what_was_written_is_asked_once_and_no_sooner_than_the_service_wants() -> None:
    service = Service([live()])

    assert end_of(service, TOLD_BY_OBJECT) == (DONE, [15.0])
    assert service.heard == ["object"]


def test_looks_keep_to_what_the_service_said_first_and_grow_rarer() -> None:
    """A resource never says when to look again; the answer to the write did."""
    service = Service([*[live("Creating")] * 8, live()])
    ended, waits = end_of(service, TOLD_BY_OBJECT)

    assert ended == DONE
    assert waits[:3] == [15.0, 15.0, 15.0]
    assert waits == sorted(waits)
    assert waits[-1] == 60.0


def test_an_object_that_settles_without_what_was_written_leaves_it_to_the_operation() -> None:
    """A replica that lags behind, say: what it shows is from before the write."""
    service = Service([live(train="Preview"), live()], [RUNNING, SUCCEEDED])

    assert end_of(service, TOLD_BY_OBJECT)[0] == DONE
    assert service.heard == ["object", "operation", "operation", "object"]


def test_a_failure_that_the_object_shows_is_the_operations_to_explain() -> None:
    service = Service([live("Failed")], [NO_ROOM])

    assert end_of(service, TOLD_BY_OBJECT)[0] == (StepState.FAILED, "InstallationFailed: no room")
    assert service.heard == ["object", "operation"]


def test_the_object_explains_what_the_operation_does_not() -> None:
    told = live("Failed", errorInfo={"code": "InstallationFailed", "message": "the chart is broken"})
    service = Service([told], [VAGUE])

    assert end_of(service, TOLD_BY_OBJECT)[0] == (StepState.FAILED, "InstallationFailed: the chart is broken")


def test_an_object_that_is_gone_after_all_has_failed() -> None:
    ended, _ = end_of(Service([404], [SUCCEEDED]), TOLD_BY_OBJECT)

    assert ended == (StepState.FAILED, "`flux` was accepted, but it is not there any more")


def test_where_the_object_cannot_tell_the_operation_comes_first() -> None:
    service = Service([live()], [NO_ROOM])

    assert end_of(service, Promise(OPERATION, 15.0)) == ((StepState.FAILED, "InstallationFailed: no room"), [15.0])
    assert service.heard == ["operation"]


@pytest.mark.parametrize("refusal", [403, 404])
def test_an_operation_that_cannot_be_read_leaves_the_object_to_tell(refusal: int) -> None:
    assert end_of(Service([live()], [refusal]), Promise(OPERATION))[0] == DONE


def test_what_reads_back_differently_has_failed() -> None:
    state, message = end_of(Service([live(train="Preview")], [SUCCEEDED]), TOLD_BY_OBJECT)[0]

    assert state is StepState.FAILED
    assert message == "accepted, but it reads back differently: properties.releaseTrain is `Preview`, not `Stable`"


def test_an_answer_that_is_no_object_decides_nothing() -> None:
    with pytest.raises(ArmRejected, match="was answered with no object"):
        end_of(Service([["a", "list"]], [SUCCEEDED]), TOLD_BY_OBJECT)
