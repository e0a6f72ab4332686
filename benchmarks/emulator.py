"""Claim: the emulator answers fast enough to be the bottleneck of nobody's test, and 100,000 clusters fit into it.

Starts `policyengine emulator` as a process of its own, as anybody would, and asks over HTTP: clusters, what is on
them, pages of a listing, Resource Graph, writes with their operations. Tells requests a second of each, how long it
took to be ready, and the memory of the process at the start, after reading every cluster there is, and after the
writes. Prints the machine and the seed.

    python benchmarks/emulator.py [--fleet synthetic:100000?seed=7] [--requests 1000] [--parallel 50]
"""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import random
import re
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from httpx_aiohttp import AiohttpTransport

SEED = 7
VERSION = "2024-11-01"
GRAPH = "/providers/Microsoft.ResourceGraph/resources?api-version=2024-04-01"
EXTENSION = {"properties": {"extensionType": "contoso.benchmark", "autoUpgradeMinorVersion": True}}
_URL = re.compile(r"https?://127\.0\.0\.1:\d+")
PRINCIPALS = 2_000
"""Each has buckets of its own, so that nobody is refused: this measures the server, not the limits it keeps."""


@dataclass(frozen=True)
class Served:
    """A running emulator. ``memory_mb`` is the resident size of its process, in MiB."""

    url: str
    pid: int
    ready_s: float

    @property
    def memory_mb(self) -> float:
        pages = int(Path(f"/proc/{self.pid}/statm").read_text(encoding="ascii").split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


@contextmanager
def served(fleet: str) -> Iterator[Served]:
    command = [sys.executable, "-m", "policyengine", "emulator", "--port", "0", "--clock", "x60"]
    if fleet:
        command += ["--fleet", fleet]
    started = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        try:
            found = next(filter(None, map(_URL.search, process.stdout)), None)
            if found is None:
                sys.exit(f"the emulator did not start: {' '.join(command)}")
            httpx.get(f"{found[0]}/_emulator/health", timeout=600).raise_for_status()
            yield Served(found[0], process.pid, time.perf_counter() - started)
        finally:
            process.terminate()


class Asker:
    """Asks as many principals, in turn."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http
        self._asked = 0

    async def ask(self, method: str, path: str, body: Any = None) -> Any:
        self._asked += 1
        headers = {"Authorization": f"Bearer benchmark-{self._asked % PRINCIPALS}"}
        answer = await self._http.request(method, path, json=body, headers=headers)
        if answer.status_code not in {409, 429}:  # a fleet may script some, and a long run overdraw a bucket
            answer.raise_for_status()
        return answer.json()

    async def rows(self, table: str) -> list[Any]:
        """Every row, page by page."""
        found, token = list[Any](), None
        while True:
            options = {"$top": 1000, "resultFormat": "objectArray", **({"$skipToken": token} if token else {})}
            page = await self.ask("POST", GRAPH, {"query": f"{table} | order by id asc", "options": options})
            found += page["data"]
            token = page.get("$skipToken")
            if not token:
                return found


async def per_second(ask: Callable[[], Awaitable[Any]], requests: int, parallel: int) -> float:
    left = iter(range(requests))

    async def work() -> None:
        for _ in left:
            await ask()

    started = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(parallel)))
    return requests / (time.perf_counter() - started)


async def measure(emulator: Served, requests: int, parallel: int) -> None:
    """Prints a line for each question."""
    chance = random.Random(SEED)
    async with httpx.AsyncClient(base_url=emulator.url, transport=AiohttpTransport(), timeout=600) as http:
        asker = Asker(http)
        started = time.perf_counter()
        ids = [row["id"] for row in await asker.rows("resources | project id")]
        children = len(await asker.rows("kubernetesconfigurationresources | project id"))
        took = time.perf_counter() - started
        print(f"{len(ids)} clusters, {children} extensions and configurations: all read in {took:.1f} s")
        print(f"memory after that  {emulator.memory_mb:6.0f} MiB")
        some = [chance.choice(ids) for _ in range(requests)]
        below = "providers/Microsoft.KubernetesConfiguration"
        subscriptions = sorted({id.split("/")[2] for id in ids})

        def any_of(method: str, tail: str, body: Any = None) -> Callable[[], Awaitable[Any]]:
            return lambda: asker.ask(method, f"{chance.choice(some)}{tail}?api-version={VERSION}", body)

        def page() -> Awaitable[Any]:
            place = f"/subscriptions/{chance.choice(subscriptions)}/providers/Microsoft.Kubernetes/connectedClusters"
            return asker.ask("GET", f"{place}?api-version={VERSION}")

        def count() -> Awaitable[Any]:
            query = "resources | where tags.env =~ 'prod' | summarize count() by type"
            return asker.ask("POST", GRAPH, {"query": query, "subscriptions": [chance.choice(subscriptions)]})

        ways: dict[str, tuple[Callable[[], Awaitable[Any]], int]] = {
            "get a cluster": (any_of("GET", ""), requests),
            "list extensions": (any_of("GET", f"/{below}/extensions"), requests),
            "page of a listing": (page, requests // 20),
            "query, summarized": (count, requests // 20),
            "put an extension": (any_of("PUT", f"/{below}/extensions/benchmark", EXTENSION), requests // 3),
        }
        for name, (ask, times) in ways.items():
            await ask()
            print(f"{name:18} {await per_second(ask, times, parallel):6.0f} requests/s")
        print(f"memory at the end  {emulator.memory_mb:6.0f} MiB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--fleet", default="synthetic:100000?seed=7", help='"" for the sample fleet')
    parser.add_argument("--requests", type=int, default=1000)
    parser.add_argument("--parallel", type=int, default=50)
    given = parser.parse_args()
    print(f"{platform.python_implementation()} {platform.python_version()}, {os.cpu_count()} cores, seed {SEED}")
    with served(given.fleet) as emulator:
        print(f"`{given.fleet}` ready after {emulator.ready_s:.1f} s, {emulator.memory_mb:.0f} MiB")
        asyncio.run(measure(emulator, given.requests, given.parallel))


if __name__ == "__main__":
    main()
