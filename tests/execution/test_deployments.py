"""A deployment as one write, against a small server that answers as Resource Manager does for deployments."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from policyengine.arm import ArmClient, EmulatorCredential
from policyengine.execution import Event, SecretResolver, execute
from policyengine.model.ids import ResourceId
from policyengine.model.resource import ARC, ResourceWrite
from policyengine.remediation.steps import Plan, Step, StepOutcome, StepState
from policyengine.store.store import Store
from tests.execution.test_execute import GROUP, FrozenTime, TestClock

CLUSTER = ResourceId(f"{GROUP}/providers/{ARC}/edge-01")
ID = ResourceId(f"{GROUP}/providers/Microsoft.Resources/deployments/policyengine-edge-01-0123456789abcdef")
VAULT = {"reference": {"keyVault": {"id": "/subscriptions/s/…/vaults/kv"}, "secretName": "git"}}
BODY = {
    "properties": {
        "mode": "Incremental",
        "template": {"parameters": {"key": {"type": "securestring"}}, "resources": []},
        "parameters": {"key": VAULT},
    }
}
STEP = Step("s001", CLUSTER, ("p",), ResourceWrite(ID, "2021-04-01", BODY), None, ())


@dataclass
class DeploymentService:
    """Records of runs without their templates; ``mute`` loses that many answers to a PUT, after having acted."""

    result: dict[str, Any] = field(default_factory=lambda: {"status": "Succeeded"})
    mute: int = 0
    url: str = ""
    record: dict[str, Any] | None = None
    sent: list[Any] = field(default_factory=list)

    def answer(self, method: str, path: str, body: Any) -> tuple[int, Any, str] | None:
        if method == "PUT":
            return self._deploy(body)
        if path.endswith("/operationStatuses/1"):
            return 200, self.result, ""
        if path == CLUSTER.text:
            return 200, {"id": CLUSTER.text, "properties": {"connectivityStatus": "Connected"}}, ""
        return (200, self.record, "") if self.record else (404, {"error": {"code": "DeploymentNotFound"}}, "")

    def _deploy(self, body: Any) -> tuple[int, Any, str] | None:
        self.sent.append(body)
        told = {"provisioningState": self.result["status"], "mode": "Incremental", "timestamp": f"t{len(self.sent)}"}
        self.record = {"id": ID.text, "properties": {**told, "templateHash": "1"}}
        if self.mute:
            self.mute -= 1
            return None
        return 201, self.record, f"Azure-AsyncOperation: {self.url}{ID}/operationStatuses/1?api-version=2021-04-01"

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await self._one(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").strip().split("\r\n")
        method, target, _ = first.split(" ")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        content = await reader.readexactly(int(headers.get("content-length", 0)))
        answer = self.answer(method, target.partition("?")[0], json.loads(content) if content else None)
        if answer is None:
            return False
        status, document, link = answer
        text = json.dumps(document).encode()
        head = [f"HTTP/1.1 {status} X", f"Content-Length: {len(text)}", "Content-Type: application/json"]
        writer.write("\r\n".join([*head, *([link] if link else [])]).encode() + b"\r\n\r\n" + text)
        await writer.drain()
        return True


@asynccontextmanager
async def serving(service: DeploymentService) -> AsyncIterator[None]:
    server = await asyncio.start_server(service.talk, "127.0.0.1", 0)
    service.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield
    finally:
        server.close()
        await asyncio.sleep(0)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(f"sqlite:///{tmp_path / 'store.db'}") as opened:
        yield opened


def carry_out(service: DeploymentService, store: Store) -> StepOutcome:
    plan = Plan(TestClock().now(), (STEP,))
    store.save_plan(plan)

    events: list[Event] = []

    async def main() -> tuple[StepOutcome, ...]:
        async with (
            serving(service),
            ArmClient(service.url, EmulatorCredential(), timer=FrozenTime(), jitter=lambda: 0.5) as arm,
        ):
            secrets = SecretResolver({})
            return await execute(plan, arm, store, TestClock(), secrets=secrets, on_event=events.append)

    return asyncio.run(main())[0]


def test_a_deployment_is_sent_as_it_was_planned_and_followed_to_its_end(store: Store) -> None:
    service = DeploymentService()

    outcome = carry_out(service, store)

    assert (outcome.state, outcome.message) == (StepState.SUCCEEDED, "")
    assert service.sent == [BODY]
    assert (outcome.operation_url or "").endswith("/operationStatuses/1?api-version=2021-04-01")


def test_the_record_of_an_earlier_run_is_no_obstacle(store: Store) -> None:
    service = DeploymentService(
        record={"id": ID.text, "properties": {"provisioningState": "Failed", "timestamp": "t0"}}
    )

    assert carry_out(service, store).state is StepState.SUCCEEDED
    assert service.sent == [BODY]


def test_a_lost_answer_does_not_deploy_twice(store: Store) -> None:
    """The record tells: its time is not the one noted before sending."""
    service = DeploymentService(mute=1, record={"id": ID.text, "properties": {"timestamp": "t0"}})

    assert carry_out(service, store).state is StepState.SUCCEEDED
    assert service.sent == [BODY]


def test_a_failed_deployment_tells_the_innermost_cause(store: Store) -> None:
    refused = {"code": "KeyVaultParameterReferenceNotFound", "message": "the secret `git` was not found in the vault"}
    failed = {"code": "DeploymentFailed", "message": "At least one operation failed.", "details": [refused]}
    outcome = carry_out(DeploymentService(result={"status": "Failed", "error": failed}), store)

    assert outcome.state is StepState.FAILED
    assert "the secret `git` was not found in the vault" in outcome.message
