"""A fleet is mended while everything goes wrong: one request in five, in every way there is, all from one seed.

Client and emulator live in one process and one loop whose time jumps from one thing to the next, so an hour of
polling costs nothing and a run can be compared with its repetition, request by request and instant by instant.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, TypeAlias

import httpx
import pytest

from policyengine.arm import ArmClient, EmulatorCredential
from policyengine.compliance.conflicts import judge_all
from policyengine.effects.base import World
from policyengine.emulator import Emulator, Settings
from policyengine.emulator.app import create_app
from policyengine.emulator.journal import JournalEntry
from policyengine.emulator.throttle import LIMITS, READS, WRITES, operation_kind
from policyengine.errors import ArmTransportError
from policyengine.execution import Event, SecretResolver, execute
from policyengine.inventory import read
from policyengine.inventory.live import read_clusters
from policyengine.inventory.related import Related
from policyengine.model.fleet import Fleet, FleetFile, parse_fleet
from policyengine.model.ids import ResourceId
from policyengine.model.resource import Cluster
from policyengine.model.states import ComplianceState
from policyengine.remediation.plan import Draft, draft_plan, settle
from policyengine.remediation.steps import Plan, StepOutcome, StepState
from policyengine.store.store import Store
from policyengine.templates import Answers
from policyengine.workflows.load import Loaded, load
from policyengine.workflows.sync import unwatched
from policyengine.workflows.world import world_of
from tests.virtual_time import START, VirtualClock, run

pytestmark = pytest.mark.slow

SEED: Final = 20261123
CLUSTERS, BROKEN, REFUSING = 1000, 200, 8
SHARE: Final = 0.2
"""Of all requests, how many go wrong."""

URL: Final = "http://127.0.0.1:8765"
SUBSCRIPTIONS: Final = tuple(f"00000000-0000-4000-8000-00000000000{n}" for n in range(1, 5))
GIT: Final = "https://git.contoso.example/fleet"
REFUSED: Final = 'admission webhook "policy.contoso.example" denied the request'
ASSIGNMENT: Final = f"""
apiVersion: policyengine/v1
kind: Assignment
metadata: {{name: baseline}}
spec:
  initiative: gitops-baseline
  scope: /providers/Microsoft.Management/managementGroups/contoso
  parameters: {{repositoryUrl: {GIT}, trustedHosts: [git.contoso.example]}}
"""
MOST_ROUNDS: Final = 4
LAG: Final = timedelta(minutes=1)
"""How far Resource Graph is behind."""
INSTANT: Final = 0.001
"""Seconds. What was sent together is told apart from what came after; the journal counts in microseconds."""
Bucket: TypeAlias = tuple[str, str]
"""A subscription, and a kind of request."""
GOOD: Final = frozenset({ComplianceState.COMPLIANT, ComplianceState.NOT_APPLICABLE})


class Weather(httpx.AsyncBaseTransport):
    """The way between client and service: every so often something happens to a request, and ``seen`` counts what."""

    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator
        self._app = httpx.ASGITransport(create_app(emulator))
        self._chance = random.Random(SEED)
        self.requests = 0
        self.seen: Counter[str] = Counter()
        self.closed: list[tuple[Bucket, float, float]] = []
        """Which buckets a 429 was told of, when, and until when."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.requests += 1
        if self._chance.random() >= SHARE:
            return await self._app.handle_async_request(request)
        kind = self._chance.choice(sorted(self.KINDS))
        self.seen[kind] += 1
        return await self.KINDS[kind](self, request)

    async def _throttled(self, request: httpx.Request) -> httpx.Response:
        seconds, now = self._chance.randint(1, 20), asyncio.get_running_loop().time()
        self.closed.append((bucket_of(request.method, request.url.path), now, now + seconds))
        return await self._answered(request, 429, retryAfter=seconds)

    async def _failing_before(self, request: httpx.Request) -> httpx.Response:
        return await self._answered(request, self._chance.choice((500, 502, 503, 504)))

    async def _failing_after(self, request: httpx.Request) -> httpx.Response:
        await self._app.handle_async_request(request)
        return httpx.Response(self._chance.choice((500, 502, 504)), text="<h1>Bad gateway</h1>")

    async def _dropped_before(self, request: httpx.Request) -> httpx.Response:
        raise httpx.ReadError("the connection was reset", request=request)

    async def _dropped_after(self, request: httpx.Request) -> httpx.Response:
        await self._app.handle_async_request(request)
        raise httpx.ReadError("the connection was reset", request=request)

    async def _refused_connection(self, request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("connection refused", request=request)

    async def _late(self, request: httpx.Request) -> httpx.Response:
        answer = await self._app.handle_async_request(request)
        await asyncio.sleep(self._chance.uniform(0.1, 30))
        return answer

    async def _torn(self, request: httpx.Request) -> httpx.Response:
        answer = await self._app.handle_async_request(request)
        content = await answer.aread()
        return httpx.Response(answer.status_code, content=content[: len(content) // 2])

    async def _answered(self, request: httpx.Request, status: int, **more: int) -> httpx.Response:
        self._emulator.add_fault({"method": request.method, "path": request.url.path, "status": status, **more})
        return await self._app.handle_async_request(request)

    KINDS: Final = {
        "429": _throttled,
        "5xx before applying": _failing_before,
        "5xx after applying": _failing_after,
        "dropped before applying": _dropped_before,
        "dropped after applying": _dropped_after,
        "no connection": _refused_connection,
        "latency": _late,
        "answer cut short": _torn,
    }


def chaotic_fleet(clusters: int) -> FleetFile:
    """Clusters of which one in five is wrong in one of four ways; on some the first installation fails."""
    flux = {"name": "flux", "properties": {"extensionType": "microsoft.flux", "currentVersion": "1.19.5"}}

    def configuration(branch: str = "main", **more: Any) -> dict[str, Any]:
        git = {"url": GIT, "repositoryRef": {"branch": branch}}
        kustomizations = {
            "infra": {"path": "./infrastructure", "prune": True},
            "apps": {"path": "./apps", "prune": True, "dependsOn": ["infra"]},
        }
        properties = {"namespace": "flux-system", "gitRepository": git, "kustomizations": kustomizations, **more}
        return {"name": "cluster-config", "properties": properties}

    def cluster(number: int) -> dict[str, Any]:
        found: dict[str, Any] = {"extensions": [flux], "fluxConfigurations": [configuration()]}
        wrong, is_fine = divmod(number, CLUSTERS // BROKEN)
        if not is_fine:
            refusing = {"simulation": {"installFailures": {"microsoft.flux": REFUSED}}}
            found = (
                refusing if wrong < 4 * REFUSING else {},
                {"extensions": [flux]},
                {"extensions": [flux], "fluxConfigurations": [configuration(branch="feature")]},
                {"extensions": [flux], "fluxConfigurations": [configuration(provisioningState="Failed")]},
            )[wrong % 4]
        return {
            "name": f"edge-{number:04d}",
            "kind": "arc" if number % 2 else "aks",
            "subscription": f"shops-{number % 4}",
            "resourceGroup": "rg",
            "tags": {"site": f"s{number}"},
            **found,
        }

    return parse_fleet(
        {
            "apiVersion": "policyengine/v1",
            "kind": "Fleet",
            "tenantId": "00000000-0000-4000-8000-00000000000f",
            "managementGroups": [{"name": "contoso", "displayName": "Contoso"}],
            "subscriptions": [
                {"subscriptionId": id, "displayName": f"shops-{n}", "managementGroup": "contoso"}
                for n, id in enumerate(SUBSCRIPTIONS)
            ],
            "resourceGroups": [
                {"subscription": f"shops-{n}", "name": "rg", "location": "westeurope"} for n in range(4)
            ],
            "clusters": [cluster(number) for number in range(clusters)],
        }
    )


@dataclass
class Chaos:
    """One run: what was planned round by round, what came of it, and what the service saw."""

    weather: Weather
    plans: list[Plan] = field(default_factory=list)
    outcomes: list[Sequence[StepOutcome]] = field(default_factory=list)
    states: dict[ResourceId, frozenset[ComplianceState]] = field(default_factory=dict)
    journal: Sequence[JournalEntry] = ()
    _good: dict[ResourceId, Cluster] = field(default_factory=dict)

    def judge(self, fleet: Fleet, loaded: Loaded, world: World) -> list[ResourceId]:
        """The clusters that are not compliant; one that is as it was when it was compliant still is."""
        for cluster in fleet.clusters:
            if self._good.get(cluster.id) != cluster:
                states = {verdict.state for verdict in judge_all(loaded.policies, cluster, world).values()}
                self.states[cluster.id] = frozenset(states)
            if self.states[cluster.id] <= GOOD:
                self._good[cluster.id] = cluster
        return [cluster.id for cluster in fleet.clusters if not self.states[cluster.id] <= GOOD]


async def mend(folder: Path, clusters: int) -> Chaos:
    """Read, judge, plan and carry out, as often as it takes; somebody mends the webhook after the first round."""
    clock, chance, file = VirtualClock(), random.Random(SEED), chaotic_fleet(clusters)
    emulator = Emulator(file, clock="real", seed=SEED, settings=Settings(graph_lag=LAG), wall=clock)
    loaded = load(["library:", str(folder / "assignment.yaml")])
    chaos = Chaos(Weather(emulator))
    async with ArmClient(URL, EmulatorCredential(), transport=chaos.weather, jitter=chance.random) as arm:
        with Store.open(f"sqlite:///{folder}/policyengine.db") as store:
            for _ in range(MOST_ROUNDS):
                fleet = await read("arm:", arm=arm, on_progress=unwatched)
                world = world_of(fleet.tree, loaded.aliases, clock)
                wrong = chaos.judge(fleet, loaded, world)
                if fleet.complete and not wrong:
                    break
                plan = await planned(arm, loaded, world, wrong)
                store.save_plan(plan)
                chaos.plans.append(plan)
                chaos.outcomes.append(await carry_out(plan, arm, store, clock))
                for id in file.simulations:
                    emulator.simulate(id.text, {"installFailures": None})
                await asyncio.sleep(LAG.total_seconds())
    chaos.journal = emulator.journal.entries()
    return chaos


async def planned(arm: ArmClient, loaded: Loaded, world: World, wrong: Sequence[ResourceId]) -> Plan:
    live = await read_clusters(Related(arm), wrong, on_progress=unwatched)

    def draft(answers: Answers) -> Draft:
        return draft_plan(loaded.policies, live.clusters, world, created_at=world.at, answers=answers)

    return settle(draft, live.clusters)


def unheard(event: Event) -> None:
    """Nobody listens."""


async def carry_out(plan: Plan, arm: ArmClient, store: Store, clock: VirtualClock) -> Sequence[StepOutcome]:
    """To the end, taken up again whenever the service cannot be reached for too long."""
    resume = False
    while True:
        with suppress(ArmTransportError):
            outcomes = await execute(
                plan,
                arm,
                store,
                clock,
                secrets=SecretResolver({}),
                on_event=unheard,
                resume=resume,
                parallel=40,
            )
            if all(outcome.state.is_final for outcome in outcomes):
                return outcomes
        resume = True


def mended(folder: Path, clusters: int = CLUSTERS) -> Chaos:
    (folder / "assignment.yaml").write_text(ASSIGNMENT, encoding="utf-8")
    return run(mend(folder, clusters))


@pytest.fixture(scope="module")
def chaos(tmp_path_factory: pytest.TempPathFactory) -> Chaos:
    return mended(tmp_path_factory.mktemp("chaos"))


def bucket_of(method: str, path: str) -> Bucket:
    """What a request is counted against at the service."""
    parts = path.casefold().split("/")
    if "microsoft.resourcegraph" in parts:
        return "", "queries"
    return (parts[2] if parts[1] == "subscriptions" and len(parts) > 2 else ""), operation_kind(method)


def test_one_request_in_five_went_wrong_in_every_way_there_is(chaos: Chaos) -> None:
    assert set(chaos.weather.seen) == set(Weather.KINDS)
    assert chaos.weather.seen.total() / chaos.weather.requests == pytest.approx(SHARE, abs=0.02)
    failed = [o for o in chaos.outcomes[0] if o.state is StepState.FAILED]
    assert len(failed) == REFUSING
    assert all(REFUSED in outcome.message for outcome in failed)


def test_it_ends_with_every_cluster_compliant(chaos: Chaos) -> None:
    assert len(chaos.states) == CLUSTERS
    assert {id.name: states for id, states in chaos.states.items() if not states <= GOOD} == {}
    assert len({step.cluster for plan in chaos.plans for step in plan.runnable}) == BROKEN


def test_no_write_takes_effect_twice(chaos: Chaos) -> None:
    """What was planned and not given up was taken once; a lost answer never led to a second request."""
    planned = Counter(
        f"{step.write.method} {step.write.id.key}"
        for plan, outcomes in zip(chaos.plans, chaos.outcomes, strict=True)
        for step, outcome in zip(plan.steps, outcomes, strict=True)
        if outcome.state in {StepState.SUCCEEDED, StepState.FAILED}
    )
    taken = Counter(
        f"{entry.method} {entry.path.casefold()}"
        for entry in chaos.journal
        if operation_kind(entry.method) != READS and 200 <= entry.status < 300 and "/subscriptions/" in entry.path
    )
    assert taken == planned


def test_after_a_429_nobody_asks_before_its_time_nor_more_than_the_bucket_takes(chaos: Chaos) -> None:
    """From the first 429 on, each bucket is filled as the service fills one that was empty then."""
    assert {kind for (_, kind), _, _ in chaos.weather.closed} >= {READS, WRITES}
    per_second = {kind: limit.per_second for kind, limit in LIMITS.items()} | {"queries": 3.0}
    arrivals: dict[Bucket, list[float]] = {}
    for entry in chaos.journal:
        arrivals.setdefault(bucket_of(entry.method, entry.path), []).append((entry.wall - START).total_seconds())
    for bucket, told_at, until in chaos.weather.closed:
        assert not [at for at in arrivals[bucket] if told_at + INSTANT < at < until - INSTANT], bucket
    for bucket in {bucket for bucket, _, _ in chaos.weather.closed}:
        first = min(until for closed, _, until in chaos.weather.closed if closed == bucket)
        tokens, filled = 1.0, first
        for at in (at for at in arrivals[bucket] if at >= first):
            tokens, filled = tokens + (at - filled) * per_second[bucket[1]] - 1, at
            assert tokens > -INSTANT, (bucket, at)


def test_the_same_seed_gives_the_same_journal(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Request by request, at the same instants; only the ids that the client draws are new."""
    first, second = (mended(tmp_path_factory.mktemp("again"), 100) for _ in range(2))
    assert [replace(entry, correlation_id="") for entry in first.journal] == [
        replace(entry, correlation_id="") for entry in second.journal
    ]
    assert len(first.journal) > 200
