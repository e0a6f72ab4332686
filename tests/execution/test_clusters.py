"""How often a run asks for its clusters, and how old an answer it takes. The client is real, the service scripted."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest

from policyengine.arm import ArmClient, StaticToken
from policyengine.errors import ArmNotFound
from policyengine.execution import SecretResolver, execute
from policyengine.execution.clusters import FRESH_FOR, WORTH_LISTING, Clusters
from policyengine.model.ids import ResourceId
from policyengine.model.resource import ARC, EXTENSIONS, Cluster, ResourceWrite
from policyengine.remediation.diff import writable_fingerprint
from policyengine.remediation.steps import Plan, Step, StepOutcome, StepState
from policyengine.store.store import Store

T = TypeVar("T")
GROUP = "/subscriptions/aaaaaaaa-0000-4000-8000-00000000000a/resourceGroups/shops"
NOW = datetime(2026, 11, 22, 20, 0, tzinfo=UTC)


def cluster(number: int) -> ResourceId:
    return ResourceId(f"{GROUP}/providers/{ARC}/c-{number:03}")


class ManualClock:
    at = NOW

    def now(self) -> datetime:
        return self.at

    def advance(self, time: timedelta) -> None:
        self.at += time


class NoTime:
    now = 0.0

    def monotonic(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds
        await asyncio.sleep(0)


@dataclass
class Service:
    """A group of clusters with nothing on them; what is written is there at once. ``others`` nobody asks for."""

    clusters: dict[str, dict[str, Any]] = field(
        default_factory=lambda: {f"c-{n:03}": {"connectivityStatus": "Connected"} for n in range(40)}
    )
    others: int = 0
    listing: int = 200
    listed: dict[str, dict[str, Any]] | None = None  # what listings show, when that is something else
    written: dict[str, Any] = field(default_factory=dict)
    heard: list[str] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        name = path.rpartition("/")[2]
        if path.endswith("/flux"):
            return self._flux(request, path)
        self.heard.append("list" if name == "connectedClusters" else name)
        if name != "connectedClusters":
            shown = self.clusters.get(name)
            return httpx.Response(404) if shown is None else httpx.Response(200, json=document(name, shown))
        if self.listing != 200:
            return httpx.Response(self.listing, json={"error": {"code": "AuthorizationFailed", "message": "no"}})
        shown = self.listed if self.listed is not None else self.clusters
        strangers: dict[str, dict[str, Any]] = {f"x-{n}": {} for n in range(self.others)}
        return httpx.Response(200, json={"value": [document(*item) for item in (shown | strangers).items()]})

    def _flux(self, request: httpx.Request, path: str) -> httpx.Response:
        if request.method == "PUT":
            self.written[path] = {"properties": {"extensionType": "microsoft.flux", "provisioningState": "Succeeded"}}
            return httpx.Response(201, json=self.written[path])
        return httpx.Response(200, json=self.written[path]) if path in self.written else httpx.Response(404)


def document(name: str, properties: dict[str, Any]) -> dict[str, Any]:
    return {"id": f"{GROUP}/providers/{ARC}/{name}".upper(), "name": name, "properties": properties}


def asking(
    service: Service, ids: Iterable[ResourceId], act: Callable[[Clusters, ManualClock], Awaitable[T]]
) -> tuple[T, list[str]]:
    """What ``act`` gave back, and what the service was asked."""

    async def main() -> T:
        clock = ManualClock()
        transport = httpx.MockTransport(service)
        async with ArmClient("https://arm.example", StaticToken("t"), transport=transport, timer=NoTime()) as arm:
            return await act(Clusters(arm, clock, ids), clock)

    return asyncio.run(main()), service.heard


async def look(clusters: Clusters, *numbers: int) -> list[tuple[Cluster, bool]]:
    async with asyncio.TaskGroup() as tasks:
        looking = [tasks.create_task(clusters.look(cluster(n), unheard)) for n in numbers]
    return [task.result() for task in looking]


def unheard(reason: str, seconds: float) -> None:
    """Nobody listens."""


MANY = tuple(range(WORTH_LISTING))


def test_many_clusters_of_a_group_are_read_at_once() -> None:
    found, heard = asking(Service(), map(cluster, MANY), lambda clusters, _: look(clusters, *MANY))

    assert heard == ["list"]
    assert [(c.id, is_of_now) for c, is_of_now in found] == [(cluster(n), False) for n in MANY]
    assert all(c.unreachable_reason is None for c, _ in found)


def test_a_few_clusters_are_read_each() -> None:
    found, heard = asking(Service(), map(cluster, MANY[1:]), lambda clusters, _: look(clusters, *MANY[1:]))

    assert heard == [cluster(n).name for n in MANY[1:]]
    assert all(is_of_now for _, is_of_now in found)


def test_what_is_fresh_serves_the_next_step_of_the_cluster_and_no_later_one() -> None:
    async def act(clusters: Clusters, clock: ManualClock) -> list[bool]:
        asked = []
        for pause in (timedelta(0), FRESH_FOR - timedelta(seconds=1), timedelta(seconds=1)):
            clock.advance(pause)
            asked += [is_of_now for _, is_of_now in await look(clusters, 0)]
        return asked

    assert asking(Service(), [cluster(0)] * 3, act) == ([True, False, True], ["c-000", "c-000"])


def test_a_clock_that_is_set_back_makes_nothing_fresh() -> None:
    async def act(clusters: Clusters, clock: ManualClock) -> None:
        await look(clusters, 0)
        clock.advance(-timedelta(hours=1))
        await look(clusters, 0)

    assert asking(Service(), [cluster(0)] * 2, act)[1] == ["c-000", "c-000"]


def test_what_was_seen_before_the_cluster_was_written_to_is_not_used() -> None:
    async def act(clusters: Clusters, clock: ManualClock) -> None:
        await look(clusters, 0)
        clusters.written(cluster(0))
        await look(clusters, 0)

    assert asking(Service(), [cluster(0)] * 2, act)[1] == ["c-000", "c-000"]


def test_a_group_that_may_not_be_listed_is_tried_once() -> None:
    found, heard = asking(Service(listing=403), map(cluster, MANY), lambda clusters, _: look(clusters, *MANY))

    assert sorted(heard) == [*(cluster(n).name for n in MANY), "list"]
    assert all(is_of_now for _, is_of_now in found)


def test_a_cluster_that_a_listing_lacks_is_asked_for_itself() -> None:
    async def act(clusters: Clusters, _: ManualClock) -> None:
        with pytest.raises(ArmNotFound):
            await clusters.look(cluster(99), unheard)

    assert asking(Service(), map(cluster, (*MANY, 99)), act)[1] == ["list", "c-099"]


def test_a_listing_that_served_fewer_looks_than_it_took_reads_is_not_repeated() -> None:
    async def act(clusters: Clusters, clock: ManualClock) -> None:
        await look(clusters, 0)
        clock.advance(FRESH_FOR)
        await look(clusters, 1)

    assert asking(Service(others=700), map(cluster, range(40)), act)[1] == ["list", "c-001"]


def test_a_listing_that_was_worth_it_is_repeated_when_it_is_old() -> None:
    async def act(clusters: Clusters, clock: ManualClock) -> None:
        await look(clusters, *range(10))
        clock.advance(FRESH_FOR)
        await look(clusters, *range(10, 20))

    assert asking(Service(), map(cluster, range(40)), act)[1] == ["list", "list"]


class TestInARun:
    def carry_out(self, service: Service, folder: Path, **more: Any) -> list[StepOutcome]:
        steps = []
        for number in MANY:
            write = ResourceWrite(
                cluster(number).extension(EXTENSIONS, "flux"),
                "2024-11-01",
                {"properties": {"extensionType": "microsoft.flux"}},
            )
            seen = writable_fingerprint(None, EXTENSIONS)
            steps.append(Step(f"s{number:03}", cluster(number), ("p",), write, seen, ()))
        plan = Plan(NOW, tuple(steps))

        async def main() -> tuple[StepOutcome, ...]:
            with Store.open(f"sqlite:///{folder}/store.db") as store:
                store.save_plan(plan)
                transport, secrets = httpx.MockTransport(service), SecretResolver({})
                async with ArmClient(
                    "https://arm.example", StaticToken("t"), transport=transport, timer=NoTime()
                ) as arm:
                    return await execute(
                        plan, arm, store, ManualClock(), secrets=secrets, on_event=lambda _: None, **more
                    )

        return list(asyncio.run(main()))

    def test_a_cluster_is_skipped_only_for_what_it_says_itself(self, tmp_path: Path) -> None:
        """The listing is behind: one agent is back since, another really is away."""
        service = Service()
        away = {"connectivityStatus": "Offline"}
        service.listed = service.clusters | {"c-001": away, "c-002": away}
        service.clusters["c-002"] = away
        outcomes = self.carry_out(service, tmp_path)

        expected = [StepState.SUCCEEDED] * len(MANY)
        expected[2] = StepState.SKIPPED
        assert [outcome.state for outcome in outcomes] == expected
        assert service.heard == ["list", "c-001", "c-002"]

    def test_nobody_is_refused_for_what_a_shared_document_says(self, tmp_path: Path) -> None:
        service = Service()
        service.listed = {name: {**shown, "tag": "old"} for name, shown in service.clusters.items()}

        async def may_send(step: Step, head: Cluster) -> str:
            return "opted out" if head.resource.property("tag") == "old" and head.name == "c-003" else ""

        outcomes = self.carry_out(service, tmp_path, may_send=may_send)

        assert {outcome.state for outcome in outcomes} == {StepState.SUCCEEDED}
        assert service.heard == ["list", "c-003"]
