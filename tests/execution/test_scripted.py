"""Steps against a service that does what the emulator never would; the client is real, the answers are scripted."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from policyengine.arm import ArmClient, StaticToken
from policyengine.clock import SystemClock
from policyengine.errors import (
    ArmNotAuthorized,
    ArmTransportError,
    InventoryError,
    PolicyEngineError,
    RemediationError,
)
from policyengine.execution import Event, SecretResolver, StepLeft, execute
from policyengine.model.ids import ResourceId
from policyengine.model.resource import ARC, EXTENSIONS, Cluster, ResourceWrite
from policyengine.remediation.diff import writable_fingerprint
from policyengine.remediation.steps import Plan, Step, StepOutcome, StepState
from policyengine.store.store import Store

NOW = datetime(2026, 11, 22, 20, 0, tzinfo=UTC)
GROUP = "/subscriptions/aaaaaaaa-0000-4000-8000-00000000000a/resourceGroups/shops"
ENDPOINT = "https://arm.example"
OPERATION = f"{ENDPOINT}/operations/1"
SECRET = {"configurationProtectedSettings": {"key": {"secretRef": {"env": "KEY"}}}}


class NoTime:
    """Waiting takes none."""

    passed = 0.0

    def monotonic(self) -> float:
        return self.passed

    def now(self) -> datetime:
        return NOW + timedelta(seconds=self.passed)

    async def sleep(self, seconds: float) -> None:
        self.passed += seconds
        await asyncio.sleep(0)


def live(train: str = "Stable", state: str = "Succeeded") -> dict[str, Any]:
    return {"properties": {"extensionType": "microsoft.flux", "releaseTrain": train, "provisioningState": state}}


@dataclass
class Service:
    """``objects`` answers reads of the extension in order, the last one again and again; ``put`` answers writes."""

    objects: list[dict[str, Any] | None]
    put: Callable[[Any], httpx.Response] = lambda body: httpx.Response(201, json=body)
    operation: dict[str, Any] | None = None
    puts: int = 0
    silent: tuple[str, ...] = ()  # names of clusters that it has no answer for
    is_away: bool = False
    heard: list[str] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        self.heard.append(path)
        if any(path.startswith(f"{GROUP}/providers/{ARC}/{name}") for name in self.silent) or self.is_away:
            raise httpx.ReadError("the connection was reset", request=request)
        if request.method != "GET":
            self.puts += 1
            return self.put(json.loads(request.content))
        if path == "/operations/1" and self.operation is not None:
            return httpx.Response(200, json=self.operation)
        if not path.endswith("/flux"):
            return httpx.Response(200, json={"properties": {"connectivityStatus": "Connected"}})
        now = self.objects.pop(0) if len(self.objects) > 1 else self.objects[0]
        return httpx.Response(404) if now is None else httpx.Response(200, json=now)


@dataclass
class Bench:
    store: Store
    events: list[Event] = field(default_factory=list)

    def plan(self, *names: str, before: dict[str, Any] | None = None, **properties: Any) -> Plan:
        steps = []
        for number, name in enumerate(names or ("c",)):
            cluster = ResourceId(f"{GROUP}/providers/{ARC}/{name}")
            body = {"extensionType": "microsoft.flux", "releaseTrain": "Stable", **properties}
            write = ResourceWrite(cluster.extension(EXTENSIONS, "flux"), "2024-11-01", {"properties": body})
            seen = writable_fingerprint(before, EXTENSIONS)
            steps.append(Step(f"s{number:03}", cluster, ("p",), write, seen, ()))
        plan = Plan(NOW, tuple(steps))
        self.store.save_plan(plan)
        return plan

    def stands(self, plan: Plan, *states: StepState, url: str | None = None) -> None:
        for state in states:
            self.store.record_outcome(plan.id, StepOutcome("s000", state, NOW, operation_url=url))

    def carry_out(self, plan: Plan, service: Service, *, key: str = "", **more: Any) -> list[StepOutcome]:
        async def main() -> tuple[StepOutcome, ...]:
            transport = httpx.MockTransport(service)
            timer = NoTime()
            async with ArmClient(
                ENDPOINT, StaticToken("t"), transport=transport, timer=timer, jitter=lambda: 0.0
            ) as arm:
                return await execute(
                    plan,
                    arm,
                    more.pop("store", self.store),
                    timer,
                    secrets=SecretResolver({"KEY": key}),
                    on_event=self.events.append,
                    **more,
                )

        return list(asyncio.run(main()))


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with Store.open(f"sqlite:///{tmp_path}/store.db") as store:
        yield Bench(store)


def test_a_secret_nobody_can_compare_is_never_taken_as_written(bench: Bench) -> None:
    """The object appeared with the declared fields; whether it has the secret, nobody can see."""
    service = Service([live()])
    (outcome,) = bench.carry_out(bench.plan(**SECRET), service, key="s3cret-value")

    assert outcome.state is StepState.STALE
    assert not service.puts


def test_an_unanswered_write_that_still_moves_is_waited_for(bench: Bench) -> None:
    """The service shows the old fields until it is through; only then the object tells whose work it was."""
    plan = bench.plan(before=live("Preview"))
    bench.stands(plan, StepState.INTENT)
    service = Service([live("Preview", "Updating"), live("Preview", "Updating"), live("Stable")])
    (outcome,) = bench.carry_out(plan, service, resume=True)

    assert (outcome.state, outcome.message) == (StepState.SUCCEEDED, "")
    assert not service.puts


def test_an_accepted_write_is_followed_by_its_stored_operation(bench: Bench) -> None:
    """The resource looks well, since the operation never got to it."""
    plan = bench.plan()
    bench.stands(plan, StepState.INTENT, StepState.ACCEPTED, url=OPERATION)
    failed = {"status": "Failed", "error": {"code": "InstallationFailed", "message": "no room"}}
    service = Service([live()], operation=failed)
    (outcome,) = bench.carry_out(plan, service, resume=True)

    assert (outcome.state, outcome.message) == (StepState.FAILED, "InstallationFailed: no room")
    assert "/operations/1" in service.heard


@pytest.mark.parametrize("garbage", [[], "text", 7])
def test_an_answer_that_is_no_object_is_not_taken_for_an_absent_one(bench: Bench, garbage: Any) -> None:
    service = Service([garbage])
    (outcome,) = bench.carry_out(bench.plan(), service)

    assert (outcome.state, service.puts) == (StepState.PLANNED, 0)
    assert ["was answered with no object" in e.reason for e in bench.events if isinstance(e, StepLeft)] == [True]


@pytest.mark.parametrize(("secret", "reads"), [({}, ["flux", "flux"]), (SECRET, ["flux", "1", "flux"])])
def test_the_object_alone_is_followed_where_its_content_can_tell(
    bench: Bench, secret: dict[str, Any], reads: list[str]
) -> None:
    def put(body: Any) -> httpx.Response:
        shown = live("Stable", "Creating")
        return httpx.Response(201, json=shown, headers={"Azure-AsyncOperation": OPERATION, "Retry-After": "15"})

    service = Service([None, live()], put=put, operation={"status": "Succeeded"})
    (outcome,) = bench.carry_out(bench.plan(**secret), service, key="s3cret-value")

    assert outcome.state is StepState.SUCCEEDED
    assert outcome.operation_url == OPERATION, "kept for whoever resumes"
    names = [path.rpartition("/")[2] for path in service.heard]
    assert [name for name in names if name != "c"] == ["flux", *reads]


def test_a_repair_with_the_same_fields_is_told_by_the_operation(bench: Bench) -> None:
    """The object held them before, so that it holds them says nothing of this write."""

    def put(body: Any) -> httpx.Response:
        shown = live("Stable", "Updating")
        return httpx.Response(200, json=shown, headers={"Azure-AsyncOperation": OPERATION, "Retry-After": "15"})

    failed = {"status": "Failed", "error": {"code": "InstallationFailed", "message": "no room"}}
    before = live("Stable", "Failed")
    service = Service([before, live()], put=put, operation=failed)
    (outcome,) = bench.carry_out(bench.plan(before=before), service)

    assert (outcome.state, outcome.message) == (StepState.FAILED, "InstallationFailed: no room")


def test_a_request_nobody_wants_any_more_is_not_sent(bench: Bench) -> None:
    async def may_send(step: Step, cluster: Cluster) -> str:
        assert cluster.id == step.cluster
        return "nobody asks for it" if cluster.name == "a" else ""

    service = Service([None, live()])
    outcomes = bench.carry_out(bench.plan("a", "b"), service, may_send=may_send)

    assert [(o.state, o.message) for o in outcomes] == [
        (StepState.SKIPPED, "nobody asks for it"),
        (StepState.SUCCEEDED, ""),
    ]
    assert service.puts == 1


@dataclass
class Contested:
    """A store in which another plan wrote to every object, or is writing now."""

    store: Store
    now: bool

    def progress(self, plan_id: str) -> dict[str, StepOutcome]:
        return self.store.progress(plan_id)

    def record_outcomes(self, plan_id: str, outcomes: Sequence[StepOutcome]) -> list[bool | PolicyEngineError]:
        if self.now:
            return [RemediationError("plan p-other is writing to the same object now") for _ in outcomes]
        self.store.record_outcomes(plan_id, outcomes)
        return [outcome.state is StepState.INTENT for outcome in outcomes]


@pytest.mark.parametrize(
    ("found", "state", "puts"),
    [(live("Preview"), StepState.STALE, 0), (live(), StepState.SUCCEEDED, 0), (None, StepState.SUCCEEDED, 1)],
)
def test_what_another_plan_wrote_to_is_looked_at_once_more(
    bench: Bench, found: dict[str, Any] | None, state: StepState, puts: int
) -> None:
    service = Service([None, found, live()])
    (outcome,) = bench.carry_out(bench.plan(), service, store=Contested(bench.store, now=False))

    assert (outcome.state, service.puts) == (state, puts)


def test_what_another_plan_is_writing_to_is_left(bench: Bench) -> None:
    service = Service([None])
    plan = bench.plan()
    (outcome,) = bench.carry_out(plan, service, store=Contested(bench.store, now=True))

    assert outcome.state is StepState.PLANNED
    assert [e.reason for e in bench.events if isinstance(e, StepLeft)] == [
        "plan p-other is writing to the same object now"
    ]
    assert (service.puts, bench.store.progress(plan.id)) == (0, {})


def test_a_subscription_closed_for_an_hour_is_tried_once(bench: Bench) -> None:
    closed = httpx.Response(429, headers={"Retry-After": "3600"}, json={"error": {"code": "TooManyRequests"}})
    service = Service([None], put=lambda _: closed)
    plan = bench.plan(*(f"c-{n}" for n in range(30)))
    outcomes = bench.carry_out(plan, service, parallel=1)

    assert {outcome.state for outcome in outcomes} == {StepState.PLANNED}
    assert service.puts == 1
    assert len([e for e in bench.events if isinstance(e, StepLeft)]) == 30
    assert [o.attempts for o in bench.store.progress(plan.id).values()] == [1], "the others were not even begun"


class TestAWriteThatHadToWait:
    """A look is good for half a minute; the budget, or a 429, may take longer."""

    def throttled(self, bench: Bench, *objects: dict[str, Any] | None, seconds: int, **more: Any) -> tuple[Any, int]:
        answers = [httpx.Response(429, headers={"Retry-After": str(seconds)}, json={"error": {"code": "T"}})]

        def put(body: Any) -> httpx.Response:
            return answers.pop() if answers else httpx.Response(201, json=body)

        service = Service(list(objects), put=put)
        (outcome,) = bench.carry_out(bench.plan(), service, **more)
        return outcome, service.puts

    def test_is_not_sent_over_what_has_appeared_meanwhile(self, bench: Bench) -> None:
        outcome, puts = self.throttled(bench, None, live("Preview"), seconds=60)

        assert (outcome.state, puts) == (StepState.STALE, 1)
        assert outcome.message == "`flux` has appeared since the plan was made: plan again"

    def test_is_not_sent_when_somebody_else_has_done_the_same(self, bench: Bench) -> None:
        outcome, puts = self.throttled(bench, None, live(), seconds=60)

        assert (outcome.state, puts) == (StepState.SUCCEEDED, 1)

    def test_is_sent_when_nothing_has_changed(self, bench: Bench) -> None:
        outcome, puts = self.throttled(bench, None, None, live(), seconds=60)

        assert (outcome.state, puts, outcome.attempts) == (StepState.SUCCEEDED, 2, 1)

    def test_is_sent_at_once_when_it_was_not_long(self, bench: Bench) -> None:
        outcome, puts = self.throttled(bench, None, live(), seconds=20)

        assert (outcome.state, puts) == (StepState.SUCCEEDED, 2)

    def test_is_not_sent_when_nobody_wants_it_any_more(self, bench: Bench) -> None:
        asked: list[str] = []

        async def may_send(step: Step, cluster: Cluster) -> str:
            asked.append(step.id)
            return "opted out" if len(asked) > 1 else ""

        outcome, puts = self.throttled(bench, None, seconds=60, may_send=may_send)

        assert (outcome.state, outcome.message, puts) == (StepState.SKIPPED, "opted out", 1)

    def test_is_left_when_its_object_cannot_be_seen_any_more(self, bench: Bench) -> None:
        garbage: Any = ["no object"]
        outcome, puts = self.throttled(bench, None, garbage, seconds=60)

        assert (outcome.state, puts) == (StepState.INTENT, 1)


def left(bench: Bench) -> list[str]:
    return [event.reason for event in bench.events if isinstance(event, StepLeft)]


@pytest.mark.parametrize("parallel", [1, 10])
def test_an_object_without_an_answer_ends_its_own_step_only(bench: Bench, parallel: int) -> None:
    plan = bench.plan("a", "b", "c", "d")
    service = Service([None, live()], silent=("a", "b", "c"))
    outcomes = bench.carry_out(plan, service, parallel=parallel)

    assert [outcome.state for outcome in outcomes] == [*[StepState.PLANNED] * 3, StepState.SUCCEEDED]
    assert ["got no answer" in reason for reason in left(bench)] == [True] * 3

    resumed = bench.carry_out(plan, Service([None, live(), None, live(), None, live()]), resume=True, parallel=1)
    assert [outcome.state for outcome in resumed] == [StepState.SUCCEEDED] * 4


def test_a_write_without_an_answer_whose_object_cannot_be_read_is_looked_into_by_a_later_run(bench: Bench) -> None:
    plan = bench.plan()

    def put(body: Any) -> httpx.Response:
        silent.silent = ("c",)
        return httpx.Response(502, text="<h1>Bad gateway</h1>")

    silent = Service([None], put=put)
    (outcome,) = bench.carry_out(plan, silent)
    assert outcome.state is StepState.INTENT

    service = Service([live()])
    (outcome,) = bench.carry_out(plan, service, resume=True)
    assert (outcome.state, service.puts) == (StepState.SUCCEEDED, 0), "it had been applied"


def test_a_service_that_answers_nobody_ends_the_run(bench: Bench) -> None:
    plan = bench.plan("a", "b", "c", "d")

    with pytest.raises(ArmTransportError):
        bench.carry_out(plan, Service([None], is_away=True), parallel=1)
    assert bench.store.progress(plan.id) == {}
    assert not left(bench)


def test_a_refused_look_at_the_subscription_shows_that_the_service_is_there(bench: Bench) -> None:
    class Reserved(Service):
        def __call__(self, request: httpx.Request) -> httpx.Response:
            return httpx.Response(403) if len(request.url.path) < len(GROUP) else super().__call__(request)

    (outcome,) = bench.carry_out(bench.plan(), Reserved([None], silent=("c",)))
    assert outcome.state is StepState.PLANNED


def test_an_inventory_that_makes_no_sense_ends_its_own_step_only(bench: Bench) -> None:
    async def may_send(step: Step, cluster: Cluster) -> str:
        if cluster.name == "a":
            raise InventoryError("a document that cannot be used")
        return ""

    outcomes = bench.carry_out(bench.plan("a", "b"), Service([None, live()]), may_send=may_send)

    assert [outcome.state for outcome in outcomes] == [StepState.PLANNED, StepState.SUCCEEDED]
    assert left(bench) == ["a document that cannot be used"]


def quoting(status: int, **headers: str) -> Callable[[Any], httpx.Response]:
    """Refuses, and quotes the whole request."""

    def put(body: Any) -> httpx.Response:
        message = f"{body['properties']['configurationProtectedSettings']['key']} in {json.dumps(body)}"
        return httpx.Response(status, headers=headers, json={"error": {"code": "E", "message": message}})

    return put


KEY = '-----BEGIN KEY-----\nfirst-"line"-s3cret\nsecond-line-s3cret\n-----END KEY-----'


def test_a_refusal_that_quotes_a_secret_of_many_lines_is_not_quoted(bench: Bench) -> None:
    (outcome,) = bench.carry_out(bench.plan(**SECRET), Service([None], put=quoting(400)), key=KEY)

    assert outcome.state is StepState.FAILED
    assert "s3cret" not in outcome.message
    assert "••••" in outcome.message


def test_a_step_that_is_left_does_not_tell_its_secret(bench: Bench) -> None:
    bench.carry_out(bench.plan(**SECRET), Service([None], put=quoting(429, **{"Retry-After": "3600"})), key=KEY)

    assert "s3cret" not in str(bench.events)
    assert "••••" in str(bench.events)


def test_an_error_that_ends_it_all_does_not_tell_a_secret(bench: Bench) -> None:
    with pytest.raises(ArmNotAuthorized) as error:
        bench.carry_out(bench.plan(**SECRET), Service([None], put=quoting(401)), key=KEY)

    assert "s3cret" not in f"{error.value!r} {vars(error.value)}"


def test_the_secret_that_was_sent_is_taken_out_even_when_it_has_changed_since(bench: Bench) -> None:
    environment = {"KEY": "old-s3cret"}

    def put(body: Any) -> httpx.Response:
        environment["KEY"] = "new"
        return quoting(400)(body)

    async def main() -> str:
        async with ArmClient(
            ENDPOINT, StaticToken("t"), transport=httpx.MockTransport(Service([None], put=put)), timer=NoTime()
        ) as arm:
            (outcome,) = await execute(
                bench.plan(**SECRET),
                arm,
                bench.store,
                SystemClock(),
                secrets=SecretResolver(environment),
                on_event=bench.events.append,
            )
        return outcome.message

    assert "s3cret" not in asyncio.run(main())
