"""Claim: the service's budget is the limit, not us; and without a budget, ours is at least half of the bare transport.

1. Fifty subscriptions, the emulator's buckets enforced as Azure's are, the client's set to the same (200 at once, then
   10 a second): writes that went out ÷ writes the buckets allow in that time. Client and emulator share one process
   and one clock that jumps from one event to the next: both live by it, and waiting takes no time.
2. A plan carried out whole in the same way, from the first look at each cluster to the last at what was written: the
   same ratio, and how many reads stand behind each write. Once more on five subscriptions whose agents take minutes.
3. How many writes a second one process can keep on record, on disk: the database would take no time above either.
4. No budget, a real server in a process of its own: writes a second of the client ÷ those of a bare loop over its
   transport. Prints ratios, the machine and the seed.

    python -m benchmarks.remediation [--writes 500] [--clusters 250] [--slow 500]
                                     [--requests 1000] [--parallel 100] [--rounds 15]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import platform
import random
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

import httpx

from benchmarks.transport import per_second, serve
from policyengine.arm import ArmClient, EmulatorCredential
from policyengine.arm.links import Endpoint
from policyengine.arm.transport import Transport
from policyengine.emulator import Emulator, Settings
from policyengine.emulator.app import create_app
from policyengine.emulator.throttle import LIMITS, WRITES
from policyengine.execution import Event, SecretResolver, execute
from policyengine.model.fleet import FleetFile, parse_fleet
from policyengine.model.ids import ResourceId
from policyengine.model.resource import ARC, EXTENSIONS, FLUX_CONFIGURATIONS, ResourceWrite
from policyengine.remediation.steps import Plan, Step, StepOutcome, StepState
from policyengine.store.store import Store
from tests.virtual_time import VirtualClock, run

SEED = 1
SUBSCRIPTIONS = [f"00000000-0000-4000-8000-{number:012d}" for number in range(50)]
TARGET = f"/subscriptions/{SUBSCRIPTIONS[0]}/resourceGroups/rg/providers/{ARC}/c/providers/{EXTENSIONS}/flux"
BODY = {"properties": {"extensionType": "microsoft.flux", "autoUpgradeMinorVersion": True}}
CONFIGURATION = {
    "properties": {
        "sourceKind": "GitRepository",
        "gitRepository": {"url": "https://git.example/fleet", "repositoryRef": {"branch": "main"}},
        "kustomizations": {"apps": {"path": "./apps"}},
    }
}
QUICK = {"pollInterval": "1s", "installDuration": "0s", "reconcileDuration": "0s"}
SLOW = {"pollInterval": "60s", "installDuration": "180s", "reconcileDuration": "60s"}
FEW = 5
"""Subscriptions for what takes many requests to measure; each has a budget of its own."""
RECORDED, TOGETHER = 50, 100
"""How many writes are put on record, and how many at a time where many steps move at one moment."""
PLACES = 1000
"""What `remediation.parallel` would be for so many subscriptions."""


def cluster_id(subscription: str, number: int) -> ResourceId:
    return ResourceId(f"/subscriptions/{subscription}/resourceGroups/rg/providers/{ARC}/c-{number:04d}")


def fleet(clusters: int, subscriptions: int, agents: Mapping[str, str]) -> FleetFile:
    """So many bare clusters in each subscription."""
    ids = SUBSCRIPTIONS[:subscriptions]
    return parse_fleet(
        {
            "apiVersion": "policyengine/v1",
            "kind": "Fleet",
            "tenantId": "00000000-0000-4000-8000-00000000000f",
            "subscriptions": [{"subscriptionId": id, "displayName": id} for id in ids],
            "resourceGroups": [{"subscription": id, "name": "rg", "location": "westeurope"} for id in ids],
            "clusters": [
                {
                    "name": f"c-{number:04d}",
                    "kind": "arc",
                    "subscription": id,
                    "resourceGroup": "rg",
                    "simulation": dict(agents),
                }
                for id in ids
                for number in range(clusters)
            ],
        }
    )


@dataclass(frozen=True)
class Spent:
    """What the emulator saw: accepted writes by subscription with their instants, all reads, all refusals."""

    writes: dict[str, list[float]]
    reads: int
    refused: int

    @property
    def share(self) -> float:
        """Writes that went out ÷ writes that the buckets allow from the first to the last of them, at most all."""
        limit = LIMITS[WRITES]
        allowed = sum(limit.size + limit.per_second * (at[-1] - at[0]) for at in self.writes.values())
        return sum(map(len, self.writes.values())) / allowed

    @classmethod
    def at(cls, emulator: Emulator) -> Spent:
        entries = emulator.journal.entries()
        writes: dict[str, list[float]] = {}
        for entry in entries:
            if entry.method == "PUT" and entry.status < 300:
                writes.setdefault(entry.path.split("/")[2], []).append(entry.wall.timestamp())
        return cls(writes, sum(e.method == "GET" for e in entries), sum(e.status == 429 for e in entries))


def emulated(clusters: int, subscriptions: int = len(SUBSCRIPTIONS), agents: Mapping[str, str] = QUICK) -> Emulator:
    settings = Settings(poll_interval=timedelta(seconds=1), journal_size=10_000_000)
    return Emulator(
        fleet(clusters, subscriptions, agents), clock="real", seed=SEED, settings=settings, wall=VirtualClock()
    )


def client_of(emulator: Emulator) -> ArmClient:
    """Budgets as Azure's."""
    chance = random.Random(SEED)
    return ArmClient(
        "http://127.0.0.1:1",
        EmulatorCredential(),
        transport=httpx.ASGITransport(create_app(emulator)),
        jitter=chance.random,
        writes_per_second=LIMITS[WRITES].per_second,
        writes_at_once=LIMITS[WRITES].size,
        reads_per_second=25,
    )


async def only_writes(writes: int) -> Spent:
    """Every write of every subscription is wanted at once."""
    emulator = emulated(writes)
    async with client_of(emulator) as arm:

        async def send(id: ResourceId) -> None:
            await arm.send("PUT", id.extension(EXTENSIONS, "flux").text, "2025-03-01", BODY)

        async with asyncio.TaskGroup() as tasks:
            for number in range(writes):
                for subscription in SUBSCRIPTIONS:
                    tasks.create_task(send(cluster_id(subscription, number)))
    return Spent.at(emulator)


@dataclass(frozen=True)
class Memory:
    """Where the steps stand. The time that a database takes does not pass here, so it is measured by itself."""

    outcomes: dict[str, StepOutcome]

    def progress(self, plan_id: str) -> dict[str, StepOutcome]:  # noqa: ARG002  there is one plan only
        return self.outcomes

    def record_outcomes(self, plan_id: str, outcomes: Sequence[StepOutcome]) -> Sequence[bool]:  # noqa: ARG002
        self.outcomes.update({outcome.step_id: outcome for outcome in outcomes})
        return [False] * len(outcomes)


def plan_of(clusters: int, subscriptions: int, *, configured: bool) -> Plan:
    """Flux for so many bare clusters of each subscription; ``configured``: each gets a configuration as well."""
    steps = []
    for number in range(clusters):
        for subscription in SUBSCRIPTIONS[:subscriptions]:
            id = cluster_id(subscription, number)
            name = f"{subscription[-2:]}-{number}"
            extension = ResourceWrite(id.extension(EXTENSIONS, "flux"), "2025-03-01", BODY)
            steps.append(Step(f"e{name}", id, ("p",), extension, None, ()))
            if configured:
                write = ResourceWrite(id.extension(FLUX_CONFIGURATIONS, "apps"), "2025-04-01", CONFIGURATION)
                steps.append(Step(f"f{name}", id, ("p",), write, None, (), after_steps=(f"e{name}",)))
    return Plan(VirtualClock().now(), tuple(steps))


async def whole(plan: Plan, emulator: Emulator) -> tuple[Spent, Counter[StepState]]:
    """The plan from its first look to its last."""
    async with client_of(emulator) as arm:
        outcomes = await execute(
            plan, arm, Memory({}), VirtualClock(), secrets=SecretResolver({}), on_event=unheard, parallel=PLACES
        )
    return Spent.at(emulator), Counter(outcome.state for outcome in outcomes)


def recorded(together: int) -> float:
    """Seconds that it takes to keep a record of a write, with its three moves on disk before anything follows; so many
    steps move ``together``."""
    plan = plan_of(max(RECORDED, together), 1, configured=False)
    moves = (StepState.INTENT, StepState.ACCEPTED, StepState.SUCCEEDED)
    with tempfile.TemporaryDirectory() as folder, Store.open(f"sqlite:///{folder}/policyengine.db") as store:
        store.save_plan(plan)
        begun = time.perf_counter()
        for at in range(0, len(plan.steps), together):
            for state in moves:
                steps = plan.steps[at : at + together]
                store.record_outcomes(plan.id, [StepOutcome(step.id, state, plan.created_at) for step in steps])
        return (time.perf_counter() - begun) / len(plan.steps)


def unheard(event: Event) -> None:
    """Nobody listens."""


async def bare(url: str, requests: int, parallel: int) -> float:
    """The transport alone: no client above it, neither ours nor httpx's."""
    headers = {"Authorization": "Bearer emulator", "Content-Type": "application/json"}
    content = json.dumps(BODY).encode()
    async with Transport(Endpoint(url)) as transport:

        async def put() -> None:
            request = httpx.Request("PUT", f"{url}{TARGET}?api-version=2025-03-01", headers=headers, content=content)
            answer = await transport.handle_async_request(request)
            await answer.aread()

        return await per_second(put, requests, parallel)


async def client(url: str, requests: int, parallel: int) -> float:
    budget = 1e9
    async with ArmClient(url, EmulatorCredential(), reads_per_second=budget, writes_per_second=budget) as arm:
        return await per_second(lambda: arm.send("PUT", TARGET, "2025-03-01", BODY), requests, parallel)


def rates(requests: int, parallel: int, rounds: int) -> dict[str, list[float]]:
    """Requests a second, round by round; which of the two goes first is drawn."""
    ours, theirs = multiprocessing.Pipe(duplex=False)
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(theirs,), daemon=True)
    server.start()
    url = f"http://127.0.0.1:{ours.recv()}"
    order, found = random.Random(SEED), {"bare": list[float](), "client": list[float]()}
    for _ in range(rounds):
        for name in order.sample(sorted(found), len(found)):
            found[name].append(asyncio.run({"bare": bare, "client": client}[name](url, requests, parallel)))
    server.terminate()
    return found


def shown(name: str, spent: Spent, states: Counter[StepState]) -> None:
    writes = states.total()
    found = ", ".join(f"{count} {state.value}" for state, count in states.items())
    print(f"{name}: {found}, {spent.refused} requests refused")
    print(f"achieved / allowed writes  {spent.share:.3f}")
    print(f"reads / write  {spent.reads / writes:.2f}   (25 reads/s and 10 writes/s allow {25 / 10:.2f})")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    defaults = {"writes": 500, "clusters": 250, "slow": 500, "requests": 1000, "parallel": 100, "rounds": 15}
    for name, default in defaults.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    given = parser.parse_args()
    print(f"{platform.python_implementation()} {platform.python_version()}, {os.cpu_count()} cores, seed {SEED}")
    print(f"{len(SUBSCRIPTIONS)} subscriptions, {given.writes} writes each, buckets as Azure's")
    spent = run(only_writes(given.writes))
    print(f"achieved / allowed writes  {spent.share:.3f}   ({spent.refused} were refused)")
    plan = plan_of(given.clusters, len(SUBSCRIPTIONS), configured=True)
    name = f"{given.clusters} clusters in each, extension and configuration, carried out whole"
    shown(name, *run(whole(plan, emulated(given.clusters))))
    plan = plan_of(given.slow, FEW, configured=False)
    name = f"{given.slow} clusters in each of {FEW}, extension alone, agents that take minutes"
    shown(name, *run(whole(plan, emulated(given.slow, FEW, SLOW))))
    on_record = [(recorded(1), recorded(TOGETHER)) for _ in range(3)]
    alone, together = (statistics.median(pair[at] for pair in on_record) for at in (0, 1))
    print(f"kept on record, SQLite: {1 / alone:.0f} writes/s one by one, {1 / together:.0f} with {TOGETHER} at a time")
    print(f"one by one / together  {statistics.median(one / many for one, many in on_record):.1f}")
    rate = rates(given.requests, given.parallel, given.rounds)
    print(f"no budget: {given.requests} writes, {given.parallel} at once, medians of {given.rounds} rounds")
    for name, values in rate.items():
        print(f"{name:10} {statistics.median(values):8.0f} requests/s")
    # Round by round: on a shared machine both of a round see the same weather.
    pairs = [ours / bare for ours, bare in zip(rate["client"], rate["bare"], strict=True)]
    print(f"client / bare  {statistics.median(pairs):.2f}   ({min(pairs):.2f} to {max(pairs):.2f})")


if __name__ == "__main__":
    main()
