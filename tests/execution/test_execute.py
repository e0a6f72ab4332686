"""Plans carried out against the emulator, over HTTP, with a real store; a proxy in between loses what it is told to."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from policyengine.arm import ArmClient, EmulatorCredential
from policyengine.emulator import Emulator, RunningEmulator, Settings
from policyengine.errors import ArmNotAuthorized, ArmTransportError, RemediationError
from policyengine.execution import (
    Event,
    SecretResolver,
    StepAccepted,
    StepFinished,
    StepLeft,
    StepStarted,
    StepWaiting,
    execute,
)
from policyengine.model.fleet import parse_fleet
from policyengine.model.ids import ResourceId
from policyengine.model.resource import AKS, ARC, EXTENSIONS, FLUX_CONFIGURATIONS, ResourceWrite
from policyengine.remediation.diff import writable_fingerprint
from policyengine.remediation.steps import Plan, Preflight, Step, StepOutcome, StepState
from policyengine.store.store import Store
from policyengine.text.reader import read, to_value

VERSION = "2024-11-01"
HEADERS = {"Authorization": "Bearer test"}
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # reading certificates takes longer than most of these tests
GROUP = "/subscriptions/aaaaaaaa-0000-4000-8000-00000000000a/resourceGroups/shops"
REFUSED = (
    '{"error":{"code":"ExtensionOperationFailed","message":"{\\"code\\": \\"InstallationFailed\\", \\"message\\": '
    '\\"Error: {failed to install chart from path [] for release [flux]: err [admission webhook denied it]} occurred '
    'while doing the operation : {Installing the extension} on the config\\"}"}}'
)
FLEET = f"""\
apiVersion: policyengine/v1
kind: Fleet
tenantId: 0d4f2b8c-0000-4000-8000-000000000000
subscriptions:
  - {{subscriptionId: aaaaaaaa-0000-4000-8000-00000000000a, displayName: edge}}
resourceGroups:
  - {{subscription: edge, name: shops, location: norwayeast}}
templates:
  shop: {{kind: arc, subscription: edge, resourceGroup: shops}}
clusters:
  - {{use: shop, name: off-01, properties: {{connectivityStatus: Offline}}, simulation: {{offlineFor: 3d}}}}
  - {{use: shop, name: stopped-01, kind: aks, properties: {{powerState: {{code: Stopped}}}}}}
  - {{use: shop, name: denied-01, simulation: {{installFailures: {{microsoft.flux: '{REFUSED}'}}}}}}
  - use: shop
    name: preview-01
    extensions: [{{name: flux, properties: {{extensionType: microsoft.flux, releaseTrain: Preview}}}}]
"""
MANY = "\n".join(f"  - {{use: shop, name: c-{n:03}}}" for n in range(150))


class EmulatedTime:
    """A sleep moves the emulator's clock instead of taking time."""

    def __init__(self, url: str) -> None:
        self._now = 0.0
        self._control = httpx.Client(base_url=url, verify=NO_TLS)

    def monotonic(self) -> float:
        return self._now

    async def sleep(self, seconds: float) -> None:
        self._now += seconds
        self._control.post("/_emulator/clock", json={"advance": f"{seconds:.3f}s"}).raise_for_status()
        await asyncio.sleep(0)

    def close(self) -> None:
        self._control.close()


class FrozenTime:
    """Sleeps take a moment and change nothing: no agent will ever act."""

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0.005)


class TestClock:
    __test__ = False

    def now(self) -> datetime:
        return datetime(2026, 11, 22, 20, 0, tzinfo=UTC)


def nothing(method: str, target: str) -> bool:
    """Lose nothing."""
    return True


@dataclass
class Proxy:
    """Passes requests on, and calls ``before`` and ``after`` on the way; what returns False loses the rest."""

    upstream: str
    before: Callable[[str, str], bool] = nothing
    after: Callable[[str, str], bool] = nothing
    url: str = ""

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with httpx.AsyncClient(verify=NO_TLS) as client:
            try:
                while await self._pass_on(reader, writer, client):
                    pass
            except (asyncio.IncompleteReadError, ConnectionError):
                pass
            finally:
                writer.close()

    async def _pass_on(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, client: httpx.AsyncClient
    ) -> bool:
        first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").strip().split("\r\n")
        method, target, _ = first.split(" ")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        if not self.before(method, target):
            return False
        # The operation's URL is built on the host the client called: keep it.
        answer = await client.request(method, self.upstream + target, headers=headers, content=body)
        if not self.after(method, target):
            return False
        kept = {"azure-asyncoperation", "retry-after", "content-type"}
        head = [f"HTTP/1.1 {answer.status_code} X", f"content-length: {len(answer.content)}"]
        head += [f"{name}: {value}" for name, value in answer.headers.items() if name in kept]
        writer.write("\r\n".join(head).encode() + b"\r\n\r\n" + answer.content)
        await writer.drain()
        return True


@asynccontextmanager
async def proxied(proxy: Proxy) -> AsyncIterator[Proxy]:
    server = await asyncio.start_server(proxy.talk, "127.0.0.1", 0)
    proxy.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield proxy
    finally:
        server.close()
        await asyncio.sleep(0)


@dataclass
class Bench:
    """An emulator and a store that all tests share, and what has been heard in this one."""

    emulator: RunningEmulator
    store: Store
    folder: Path  # where the store is
    fresh: Iterator[str]  # names of clusters that nobody has touched
    events: list[Event] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)

    def get(self, id: ResourceId, version: str = VERSION) -> Any:
        answer = httpx.get(f"{self.emulator.url}{id}?api-version={version}", headers=HEADERS, verify=NO_TLS)
        return answer.json() if answer.is_success else None

    def put(self, id: ResourceId, **properties: Any) -> None:
        url = f"{self.emulator.url}{id}?api-version={VERSION}"
        assert httpx.put(url, headers=HEADERS, json={"properties": properties}, verify=NO_TLS).is_success

    def control(self, noun: str, **body: Any) -> None:
        assert httpx.post(f"{self.emulator.url}/_emulator/{noun}", json=body, verify=NO_TLS).is_success

    def writes(self) -> list[tuple[str, int]]:
        """Name of the cluster and the resource, and the status, of every write the service has seen."""
        journal = httpx.get(f"{self.emulator.url}/_emulator/journal", verify=NO_TLS).json()["value"]
        return [
            ("/".join((entry["path"].split("/")[8], entry["path"].split("/")[-1])), entry["status"])
            for entry in journal
            if entry["method"] in {"PUT", "PATCH"}
        ]

    def plan(self, *steps: Step) -> Plan:
        plan = Plan(TestClock().now(), steps)
        self.store.save_plan(plan)
        return plan

    def install(self, cluster: str, *, id: str = "s001", after: tuple[str, ...] = (), **properties: Any) -> Step:
        body = {"extensionType": "microsoft.flux", "autoUpgradeMinorVersion": True, **properties}
        return self._step(cluster, EXTENSIONS, "flux", body, id=id, after=after)

    def configure(self, cluster: str, *, id: str = "s002", after: tuple[str, ...] = ("s001",), **more: Any) -> Step:
        source = {"url": "https://git.example/fleet", "repositoryRef": {"branch": "main"}}
        body = {"sourceKind": "GitRepository", "gitRepository": source, "kustomizations": {"infra": {"path": "./i"}}}
        return self._step(cluster, FLUX_CONFIGURATIONS, "apps", {**body, **more}, id=id, after=after)

    def _step(self, cluster: str, type: str, name: str, body: Any, *, id: str, after: tuple[str, ...]) -> Step:
        place = ResourceId(f"{GROUP}/providers/{AKS if cluster.startswith('stopped') else ARC}/{cluster}")
        write = ResourceWrite(place.extension(type, name), VERSION, {"properties": body})
        before = writable_fingerprint(self.get(write.id), type)
        return Step(id, place, ("p",), write, before, (), after_steps=after)

    async def run(self, plan: Plan, *, url: str = "", resume: bool = False, **more: Any) -> tuple[StepOutcome, ...]:
        time = more.pop("time", None) or EmulatedTime(self.emulator.url)
        async with ArmClient(
            url or self.emulator.url, EmulatorCredential(), timer=time, jitter=lambda: 0.5, writes_per_second=100
        ) as arm:
            try:
                return await execute(
                    plan,
                    arm,
                    self.store,
                    TestClock(),
                    secrets=SecretResolver(self.environment),
                    on_event=self.events.append,
                    resume=resume,
                    **more,
                )
            finally:
                if isinstance(time, EmulatedTime):
                    time.close()

    def carry_out(self, plan: Plan, **more: Any) -> list[StepState]:
        return [outcome.state for outcome in asyncio.run(self.run(plan, **more))]

    def message(self, plan: Plan, step: str = "s001") -> str:
        return self.store.progress(plan.id)[step].message

    def carry_out_through(self, plan: Plan, proxy: Proxy, **more: Any) -> list[StepState]:
        async def main() -> tuple[StepOutcome, ...]:
            async with proxied(proxy):
                return await self.run(plan, url=proxy.url, **more)

        return [outcome.state for outcome in asyncio.run(main())]


def losing(upstream: str, *, times: int = 1, answered: bool) -> Proxy:
    """A proxy that loses the first PUTs: before anybody saw them, or with only the answer lost."""
    left = [times]

    def lose(method: str, target: str) -> bool:
        if method != "PUT" or not left[0]:
            return True
        left[0] -= 1
        return False

    return Proxy(upstream, after=lose) if answered else Proxy(upstream, before=lose)


QUICK = Settings(
    poll_interval=timedelta(seconds=1),
    install_duration=timedelta(milliseconds=500),
    reconcile_duration=timedelta(milliseconds=500),
    throttling=False,  # it counts real seconds, and here none pass
)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    fleet = parse_fleet(to_value(read(FLEET + MANY, "fleet.yaml")[0]))
    folder = tmp_path_factory.mktemp("execute")
    with (
        RunningEmulator(Emulator(fleet, clock="frozen", settings=QUICK)) as emulator,
        Store.open(f"sqlite:///{folder / 'store.db'}") as store,
    ):
        yield Bench(emulator, store, folder, (f"c-{n:03}" for n in range(150)))


@pytest.fixture
def bench(shared: Bench) -> Bench:
    assert httpx.delete(f"{shared.emulator.url}/_emulator/journal", verify=NO_TLS).is_success
    return Bench(shared.emulator, shared.store, shared.folder, shared.fresh)


@pytest.fixture
def cluster(bench: Bench) -> str:
    return next(bench.fresh)


DONE = [StepState.SUCCEEDED, StepState.SUCCEEDED]


def test_a_plan_is_carried_out_in_order_with_one_write_each(bench: Bench, cluster: str) -> None:
    plan = bench.plan(bench.install(cluster), bench.configure(cluster))

    assert bench.carry_out(plan) == DONE
    assert bench.writes() == [(f"{cluster}/flux", 201), (f"{cluster}/apps", 201)]
    assert bench.get(plan.steps[0].write.id)["properties"]["provisioningState"] == "Succeeded"
    kinds = [type(event) for event in bench.events if not isinstance(event, StepWaiting)]
    assert kinds == [StepStarted, StepAccepted, StepFinished] * 2
    assert {s: o.state for s, o in bench.store.progress(plan.id).items()} == dict.fromkeys(("s001", "s002"), DONE[0])


def test_clusters_go_side_by_side_but_no_more_than_allowed_are_sent_at_once(bench: Bench, cluster: str) -> None:
    """Those whose agents are at work leave their places to the others."""
    plan = bench.plan(*(bench.install(name, id=name) for name in (cluster, next(bench.fresh), next(bench.fresh))))
    bench.carry_out(plan, parallel=2)

    assert most_between(StepStarted, StepAccepted, bench.events) == 2
    assert most_between(StepStarted, StepFinished, bench.events) == 3


def most_between(begun: type[Event], ended: type[Event], events: list[Event]) -> int:
    running, most = set[str](), 0
    for event in events:
        running |= {event.step.id} if isinstance(event, begun) else set()
        running -= {event.step.id} if isinstance(event, ended) else set()
        most = max(most, len(running))
    return most


def test_what_changed_since_the_plan_is_not_touched(bench: Bench, cluster: str) -> None:
    plan = bench.plan(bench.install(cluster, releaseTrain="Stable"), bench.configure(cluster))
    bench.put(plan.steps[0].write.id, extensionType="microsoft.flux", releaseTrain="Preview")

    assert bench.carry_out(plan) == [StepState.STALE, StepState.SKIPPED]
    assert bench.message(plan) == "`flux` has appeared since the plan was made: plan again"
    assert "had to succeed first" in bench.message(plan, "s002")
    assert len(bench.writes()) == 1


def test_what_is_as_planned_already_is_not_written_again(bench: Bench, cluster: str) -> None:
    plan = bench.plan(bench.install(cluster))
    bench.put(plan.steps[0].write.id, extensionType="microsoft.flux")

    assert bench.carry_out(plan) == [StepState.SUCCEEDED]
    assert bench.message(plan) == "already as planned: nothing was sent"
    assert len(bench.writes()) == 1


@pytest.mark.parametrize(
    ("cluster", "reason"), [("off-01", "parked: agent offline"), ("stopped-01", "parked: cluster is stopped")]
)
def test_a_cluster_that_cannot_act_is_parked(bench: Bench, cluster: str, reason: str) -> None:
    plan = bench.plan(bench.install(cluster), bench.configure(cluster))

    assert bench.carry_out(plan) == [StepState.SKIPPED, StepState.SKIPPED]
    assert bench.message(plan).startswith(reason)
    assert not bench.writes()


def test_a_cluster_that_is_gone_is_skipped(bench: Bench) -> None:
    plan = bench.plan(bench.install("never-was"))

    assert bench.carry_out(plan) == [StepState.SKIPPED]
    assert bench.message(plan) == "cluster `never-was` does not exist any more"


def test_what_the_plan_parked_or_refused_is_skipped_with_its_reason(bench: Bench, cluster: str) -> None:
    refused = replace(bench.install(cluster), preflight=Preflight.REFUSED, reason="two assignments want it")
    plan = bench.plan(refused)

    assert bench.carry_out(plan) == [StepState.SKIPPED]
    assert bench.message(plan) == "refused: two assignments want it"
    assert not bench.writes()


def test_a_failed_installation_tells_its_innermost_cause(bench: Bench) -> None:
    plan = bench.plan(bench.install("denied-01"), bench.configure("denied-01"))

    assert bench.carry_out(plan) == [StepState.FAILED, StepState.SKIPPED]
    assert bench.message(plan).startswith("InstallationFailed: admission webhook denied it; a policy on the cluster")


def test_a_busy_cluster_is_waited_for(bench: Bench, cluster: str) -> None:
    busy = {"code": "Conflict", "message": "another operation is in progress"}
    bench.control("faults", method="PUT", path=f"*/{cluster}/*", status=409, times=2, **busy)
    plan = bench.plan(bench.install(cluster))

    assert bench.carry_out(plan) == [StepState.SUCCEEDED]
    reasons = [event.reason for event in bench.events if isinstance(event, StepWaiting)]
    assert reasons.count("409 another operation is in progress") == 2
    assert [status for _, status in bench.writes()] == [409, 409, 201]


def test_a_cluster_that_stays_busy_is_left_for_later(bench: Bench, cluster: str) -> None:
    busy = {"code": "Conflict", "message": "another operation is in progress"}
    bench.control("faults", method="PUT", path=f"*/{cluster}/*", status=409, times=10, **busy)
    plan = bench.plan(bench.install(cluster))

    assert bench.carry_out(plan) == [StepState.PLANNED]
    assert bench.carry_out(plan, resume=True) == [StepState.SUCCEEDED]


def test_a_refused_write_fails_at_once_with_its_help(bench: Bench, cluster: str) -> None:
    message = "The subscription is not registered to use namespace 'Microsoft.KubernetesConfiguration'"
    bench.control(
        "faults",
        method="PUT",
        path=f"*/{cluster}/*",
        status=409,
        code="MissingSubscriptionRegistration",
        message=message,
    )
    plan = bench.plan(bench.install(cluster))

    assert bench.carry_out(plan) == [StepState.FAILED]
    assert "az provider register --namespace Microsoft.KubernetesConfiguration" in bench.message(plan)


def test_a_lost_answer_does_not_lead_to_a_second_write(bench: Bench, cluster: str) -> None:
    plan = bench.plan(bench.install(cluster), bench.configure(cluster))
    proxy = losing(bench.emulator.url, answered=True, times=2)

    assert bench.carry_out_through(plan, proxy) == DONE
    assert bench.writes() == [(f"{cluster}/flux", 201), (f"{cluster}/apps", 201)]


def test_a_lost_request_is_sent_again_after_a_look(bench: Bench, cluster: str) -> None:
    plan = bench.plan(bench.install(cluster))

    assert bench.carry_out_through(plan, losing(bench.emulator.url, answered=False)) == [StepState.SUCCEEDED]
    assert bench.store.progress(plan.id)["s001"].attempts == 2
    assert len(bench.writes()) == 1


def test_a_request_that_is_always_lost_fails(bench: Bench, cluster: str) -> None:
    plan = bench.plan(bench.install(cluster))

    assert bench.carry_out_through(plan, losing(bench.emulator.url, answered=False, times=9)) == [StepState.FAILED]
    assert bench.message(plan) == "sent 3 times without an answer, and never applied"


def test_a_server_error_is_looked_into_before_anything_is_sent_again(bench: Bench, cluster: str) -> None:
    bench.control("faults", method="PUT", path=f"*/{cluster}/*", status=500, code="InternalServerError", times=1)
    plan = bench.plan(bench.install(cluster))

    assert bench.carry_out(plan) == [StepState.SUCCEEDED]
    assert [status for _, status in bench.writes()] == [500, 201]


def test_what_the_service_drops_silently_is_found_by_reading_back(bench: Bench, cluster: str) -> None:
    plan = bench.plan(bench.install(cluster, releaseTrane="Stable"))

    assert bench.carry_out(plan) == [StepState.FAILED]
    assert bench.message(plan) == (
        "accepted, but it reads back differently: properties.releaseTrane is `None`, not `Stable`"
    )


def test_an_update_changes_one_field_and_leaves_the_rest(bench: Bench) -> None:
    step = bench.install("preview-01")
    write = ResourceWrite(step.write.id, VERSION, {"properties": {"releaseTrain": "Stable"}}, "PATCH")
    plan = bench.plan(replace(step, write=write))

    assert bench.carry_out(plan) == [StepState.SUCCEEDED]
    assert bench.get(write.id)["properties"]["releaseTrain"] == "Stable"
    assert len(bench.writes()) == 1


class TestStoppingAndResuming:
    def test_what_was_begun_needs_resume(self, bench: Bench, cluster: str) -> None:
        plan = bench.plan(bench.install(cluster))
        bench.carry_out(plan)

        with pytest.raises(RemediationError, match="was begun before"):
            bench.carry_out(plan)
        assert bench.carry_out(plan, resume=True) == [StepState.SUCCEEDED]
        assert len(bench.writes()) == 1

    def test_a_step_whose_time_is_up_stays_accepted_and_is_followed_later(self, bench: Bench, cluster: str) -> None:
        plan = bench.plan(bench.install(cluster), bench.configure(cluster))
        first = bench.carry_out(plan, time=FrozenTime(), step_timeout=timedelta(seconds=0.3))

        assert first == [StepState.ACCEPTED, StepState.PLANNED]
        left = [event.reason for event in bench.events if isinstance(event, StepLeft)]
        assert left[0] == "not done after 0.3 s; the service goes on with it"
        assert "has not ended yet" in left[1]
        assert bench.store.progress(plan.id)["s001"].operation_url is not None

        assert bench.carry_out(plan, resume=True) == DONE
        assert bench.writes() == [(f"{cluster}/flux", 201), (f"{cluster}/apps", 201)]

    @pytest.mark.parametrize("url", ["http://127.0.0.1:9/operations/1", "{own}/operations/unknown", None])
    def test_an_operation_nobody_knows_is_followed_by_the_resource(
        self, bench: Bench, cluster: str, url: str | None
    ) -> None:
        """Stored under an endpoint that is not ours any more, forgotten, or never given."""
        plan = bench.plan(bench.install(cluster))
        bench.put(plan.steps[0].write.id, extensionType="microsoft.flux", autoUpgradeMinorVersion=True)
        stored = url and url.replace("{own}", bench.emulator.url + plan.steps[0].write.id.text)
        for state in (StepState.INTENT, StepState.ACCEPTED):
            bench.store.record_outcome(plan.id, StepOutcome("s001", state, TestClock().now(), operation_url=stored))

        assert bench.carry_out(plan, resume=True) == [StepState.SUCCEEDED]
        assert len(bench.writes()) == 1

    def test_an_intent_that_was_overtaken_is_stale(self, bench: Bench, cluster: str) -> None:
        plan = bench.plan(bench.install(cluster, releaseTrain="Stable"))
        bench.store.record_outcome(plan.id, StepOutcome("s001", StepState.INTENT, TestClock().now()))
        bench.put(plan.steps[0].write.id, extensionType="microsoft.flux", releaseTrain="Preview")

        assert bench.carry_out(plan, resume=True) == [StepState.STALE]
        assert len(bench.writes()) == 1

    def test_without_a_service_nothing_is_decided(self, bench: Bench, cluster: str) -> None:
        plan = bench.plan(bench.install(cluster), bench.configure(cluster))

        with pytest.raises(ArmTransportError, match=r"got no answer from http://127\.0\.0\.1:9"):
            bench.carry_out(plan, url="http://127.0.0.1:9")
        assert bench.store.progress(plan.id) == {}
        assert bench.carry_out(plan) == DONE

    def test_a_token_that_runs_out_stops_everything_and_decides_nothing(self, bench: Bench, cluster: str) -> None:
        bench.control(
            "faults", method="PUT", path=f"*/{cluster}/*", status=401, code="ExpiredAuthenticationToken", times=1
        )
        plan = bench.plan(bench.install(cluster))

        with pytest.raises(ArmNotAuthorized):
            bench.carry_out(plan)
        assert bench.store.progress(plan.id)["s001"].state is StepState.PLANNED
        assert bench.carry_out(plan, resume=True) == [StepState.SUCCEEDED]

    def test_an_overloaded_service_leaves_the_step_for_later(self, bench: Bench, cluster: str) -> None:
        bench.control("faults", method="PUT", path=f"*/{cluster}/*", status=429, code="TooManyRequests", times=10)
        plan = bench.plan(bench.install(cluster))

        assert bench.carry_out(plan) == [StepState.PLANNED]
        assert bench.carry_out(plan, resume=True) == [StepState.SUCCEEDED]

    def test_a_damaged_order_is_refused_before_anything_is_sent(self, bench: Bench, cluster: str) -> None:
        plan = bench.plan(bench.install(cluster, after=("s002",)), bench.configure(cluster, after=()))

        with pytest.raises(RemediationError, match="`s001` waits for `s002`"):
            bench.carry_out(plan)
        assert not bench.writes()

    def test_a_step_may_wait_for_another_cluster_even_with_one_place(self, bench: Bench, cluster: str) -> None:
        other = next(bench.fresh)
        late = bench.configure(other, id="s003", after=("s001",))
        plan = bench.plan(bench.install(cluster), bench.install(other, id="s002"), late)

        assert bench.carry_out(plan, parallel=1) == [StepState.SUCCEEDED] * 3


class TestSecrets:
    def secret_step(self, bench: Bench) -> Step:
        reference = {"httpsKey": {"secretRef": {"env": "FLEET_TOKEN"}}}
        source = {"url": "https://git.example/fleet", "repositoryRef": {"branch": "main"}, "httpsUser": "reader"}
        return bench.configure(
            next(bench.fresh), after=(), configurationProtectedSettings=reference, gitRepository=source
        )

    def test_a_missing_secret_fails_before_anything_is_sent(self, bench: Bench) -> None:
        plan = bench.plan(self.secret_step(bench))

        assert bench.carry_out(plan) == [StepState.FAILED]
        assert bench.message(plan, "s002") == "secret variable `FLEET_TOKEN` is not set: nothing was sent"
        assert not bench.writes()

    def test_a_secret_is_sent_and_never_kept(self, bench: Bench) -> None:
        bench.environment["FLEET_TOKEN"] = "s3cret-value"
        plan = bench.plan(self.secret_step(bench))

        assert bench.carry_out(plan) == [StepState.SUCCEEDED]
        assert "s3cret" not in str(bench.events)
        assert all(b"s3cret" not in path.read_bytes() for path in bench.folder.iterdir())

    def test_a_service_that_quotes_the_secret_is_not_quoted(self, bench: Bench) -> None:
        bench.environment["FLEET_TOKEN"] = "s3cret-value"
        plan = bench.plan(self.secret_step(bench))
        path = f"*/{plan.steps[0].cluster.name}/*"
        bench.control("faults", method="PUT", path=path, status=400, code="Invalid", message="bad key 's3cret-value'")

        assert bench.carry_out(plan) == [StepState.FAILED]
        assert "bad key '••••'" in bench.message(plan, "s002")


def test_stopped_at_any_request_a_plan_is_finished_by_resuming(bench: Bench) -> None:
    """Stopped before and after every single request; each time on a cluster of its own."""

    async def main() -> int:
        stops = 0
        for n in range(60):
            cluster = next(bench.fresh)
            plan = bench.plan(bench.install(cluster), bench.configure(cluster))
            if not await stopped_at(bench, plan, request=n // 2, answered=n % 2 == 1):
                return stops
            stops += 1
            assert [o.state for o in await bench.run(plan, resume=True)] == DONE
        return stops

    stops = asyncio.run(main())
    assert 12 <= stops < 60  # it did end by itself once, so every request had its turn
    written = [name for name, _ in bench.writes()]
    assert sorted(written) == sorted(set(written))


async def stopped_at(bench: Bench, plan: Plan, *, request: int, answered: bool) -> bool:
    """Begin the plan and cancel at its n-th request, before or after the service saw it; False when it ended first."""
    seen = [0]
    tasks: list[asyncio.Task[Any]] = []

    def stop(method: str, target: str) -> bool:
        seen[0] += 1
        if seen[0] > request:
            tasks[0].cancel()
            return False
        return True

    url = bench.emulator.url
    proxy = Proxy(url, after=stop) if answered else Proxy(url, before=stop)
    async with proxied(proxy):
        tasks.append(asyncio.create_task(bench.run(plan, url=proxy.url)))
        try:
            await tasks[0]
        except asyncio.CancelledError:
            return True
    return False
