"""Claim: what the emulator is asked costs the same among 100,000 clusters as among 1,000, and takes little memory.

Starts `policyengine emulator` twice, as processes of their own, as anybody would, and asks both the same over HTTP, in
turn: clusters, what is on them, lists and queries from their first page to the last, writes, two days at once, a
snapshot. Rates are per second of the emulator's own processor time, for the machine may be busy; of lists and queries
they count the rows, for pages of small fleets are short. Prints both, their ratio, memory, the machine and the seed.

    python -m benchmarks.emulator [--sizes 1000 100000] [--requests 200] [--rounds 3]
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx
from httpx_aiohttp import AiohttpTransport

from benchmarks.fleet import machine
from policyengine.model.synthetic import SyntheticFleet

SEED: Final = 7
VERSION: Final = "2024-11-01"
GRAPH: Final = "/providers/Microsoft.ResourceGraph/resources?api-version=2024-04-01"
CONFIGURATION: Final = "providers/Microsoft.KubernetesConfiguration"
EXTENSION: Final = {"properties": {"extensionType": "contoso.benchmark", "autoUpgradeMinorVersion": True}}
PRINCIPALS: Final = 2_000
"""Each has buckets of its own, so that nobody is refused: this measures the server, not the limits it keeps."""
SUBSCRIPTIONS: Final = 20
PAGES_OF_CHILDREN: Final = 30
_URL: Final = re.compile(r"https?://127\.0\.0\.1:\d+")


@dataclass(frozen=True)
class Served:
    """A running emulator. ``memory`` is the resident size of its process, in MiB, ``cpu_s`` its processor time."""

    fleet: SyntheticFleet
    url: str
    pid: int

    @property
    def memory(self) -> float:
        pages = int(Path(f"/proc/{self.pid}/statm").read_text(encoding="ascii").split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20

    @property
    def cpu_s(self) -> float:
        user, system = Path(f"/proc/{self.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


@contextmanager
def served(size: int) -> Iterator[Served]:
    fleet = f"synthetic:{size}?seed={SEED}"
    command = [sys.executable, "-m", "policyengine", "emulator", "--port", "0", "--clock", "frozen", "--fleet", fleet]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        try:
            found = next(filter(None, map(_URL.search, process.stdout)), None)
            if found is None:
                sys.exit(f"the emulator did not start: {' '.join(command)}")
            yield Served(SyntheticFleet(size, SEED), found[0], process.pid)
        finally:
            process.terminate()


@dataclass
class Asker:
    """Asks as many principals, in turn, about clusters drawn from the fleet."""

    emulator: Served
    http: httpx.AsyncClient
    chance: random.Random = field(default_factory=lambda: random.Random(SEED))
    asked: int = 0

    async def ask(self, method: str, path: str, body: Any = None) -> Any:
        self.asked += 1
        headers = {"Authorization": f"Bearer benchmark-{self.asked % PRINCIPALS}"}
        answer = await self.http.request(method, path, json=body, headers=headers)
        return answer.raise_for_status().json()

    def cluster(self) -> str:
        return self.emulator.fleet.path(self.chance.randrange(self.emulator.fleet.size))

    async def get(self) -> int:
        await self.ask("GET", f"{self.cluster()}?api-version={VERSION}")
        return 1

    async def extensions(self) -> int:
        await self.ask("GET", f"{self.cluster()}/{CONFIGURATION}/extensions?api-version={VERSION}")
        return 1

    async def put(self) -> int:
        await self.ask("PUT", f"{self.cluster()}/{CONFIGURATION}/extensions/benchmark?api-version={VERSION}", EXTENSION)
        return 1

    async def listed(self) -> int:
        """The clusters of some subscriptions, from the first page to the last."""
        seen = 0
        for subscription in self.chance.sample(self.emulator.fleet.tree.subscriptions, SUBSCRIPTIONS):
            link = f"{subscription.id}/providers/Microsoft.Kubernetes/connectedClusters?api-version={VERSION}"
            while link:
                page = await self.ask("GET", link)
                seen, link = seen + len(page["value"]), page.get("nextLink")
        return seen

    async def rows(self, query: str, pages: int | None = None) -> int:
        """Of all pages, or of the first ones."""
        seen, token = 0, ""
        while pages is None or pages > 0:
            options = {"$top": 1000, **({"$skipToken": token} if token else {})}
            page = await self.ask("POST", GRAPH, {"query": query, "options": options})
            seen, token, pages = seen + page["count"], page.get("$skipToken"), None if pages is None else pages - 1
            if not token:
                break
        return seen

    async def counted(self) -> int:
        await self.rows("resources | summarize count() by type")
        return self.emulator.fleet.size

    async def queried(self) -> int:
        return await self.rows("resources | where type contains 'clusters' | order by id asc")

    async def children(self) -> int:
        return await self.rows("kubernetesconfigurationresources | order by id asc", PAGES_OF_CHILDREN)


Ask = Callable[[Asker], Awaitable[int]]
"""Something to ask; how many rows, or requests, that was."""


def ways(requests: int, rounds: int) -> Mapping[str, tuple[Ask, int, int]]:
    """What is asked, how often in a round, and in how many rounds."""
    return {
        "a cluster, requests": (Asker.get, requests, rounds),
        "its extensions, requests": (Asker.extensions, requests, rounds),
        "lists, clusters": (Asker.listed, 1, rounds),
        "count() by type, clusters": (Asker.counted, 1, rounds),
        "a query to its end, clusters": (Asker.queried, 1, 1),
        "what is on them, rows": (Asker.children, 1, 1),
        "an extension, writes": (Asker.put, requests, rounds),
    }


async def rate(asker: Asker, ask: Ask, times: int) -> float:
    """Rows, or requests, a second of the emulator's processor time; eight ask at once."""
    left, before, seen = iter(range(times)), asker.emulator.cpu_s, 0

    async def work() -> None:
        nonlocal seen
        for _ in left:
            seen += await ask(asker)

    await asyncio.gather(*(work() for _ in range(min(8, times))))
    return seen / max(asker.emulator.cpu_s - before, 1 / os.sysconf("SC_CLK_TCK"))


async def compare(askers: list[Asker], requests: int, rounds: int) -> None:
    for name, (ask, times, turns) in ways(requests, rounds).items():
        found: list[list[float]] = [[] for _ in askers]
        for _ in range(turns):
            for asker, rates in zip(askers, found, strict=True):
                rates.append(await rate(asker, ask, times))
        _tell(f"{name}/s", [statistics.median(rates) for rates in found], "8,.0f")
        if ask is Asker.children:
            _tell("memory after reading, MiB", [asker.emulator.memory for asker in askers], "8,.0f")
    _tell("memory after the writes, MiB", [asker.emulator.memory for asker in askers], "8,.0f")
    for name, path, body in (
        ("two days, s", "/_emulator/clock", {"advance": "48h"}),
        ("a snapshot, s", "/_emulator/snapshots", {"save": "benchmark"}),
    ):
        took = []
        for asker in askers:
            before = asker.emulator.cpu_s
            await asker.ask("POST", path, body)
            took.append(asker.emulator.cpu_s - before)
        _tell(name, took, "8.2f")


def _tell(what: str, of_each: list[float], format: str) -> None:
    """With the ratio of the last to the first."""
    ratio = f"{of_each[-1] / of_each[0]:8.2f}" if of_each[0] else "        "
    print(f"{what:32}" + "".join(f" {value:{format}}" for value in of_each) + ratio, flush=True)


async def run(emulators: list[Served], requests: int, rounds: int) -> None:
    async with AsyncExitStack() as stack:
        askers = []
        for emulator in emulators:
            http = httpx.AsyncClient(base_url=emulator.url, transport=AiohttpTransport(), timeout=600)
            askers.append(Asker(emulator, await stack.enter_async_context(http)))
        await compare(askers, requests, rounds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1_000, 100_000])
    parser.add_argument("--requests", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    print(f"{machine(SEED)}; medians of {given.rounds} rounds, by the emulator's processor time")
    started = time.perf_counter()
    with ExitStack() as stack:
        emulators = [stack.enter_context(served(size)) for size in given.sizes]
        _tell("clusters", [emulator.fleet.size for emulator in emulators], "8,.0f")
        _tell("ready after, s", [emulator.cpu_s for emulator in emulators], "8.2f")
        _tell("memory at the start, MiB", [emulator.memory for emulator in emulators], "8,.0f")
        asyncio.run(run(emulators, given.requests, given.rounds))
    print(f"took {time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
