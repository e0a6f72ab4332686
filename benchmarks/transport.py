"""Claim: the client's transport (aiohttp under httpx) answers more requests a second than httpx's own.

Both talk to the same server on this machine, in a process of its own. Also: what the whole client, with tokens,
budgets and retries, makes of its transport. Prints ratios, the machine and the seed.

    python benchmarks/transport.py [--requests 4000] [--parallel 100] [--rounds 3]
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
import time
from collections.abc import Awaitable, Callable
from multiprocessing.connection import Connection

import httpx

from policyengine.arm.client import ArmClient
from policyengine.arm.credentials import EmulatorCredential
from policyengine.arm.links import Endpoint
from policyengine.arm.transport import Transport

SEED = 1
PATH = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Kubernetes/connectedClusters/c"
VERSION = "2024-01-01"
DOCUMENT = {"id": PATH, "name": "c", "tags": {"site": "osl"}, "properties": {"connectivityStatus": "Connected"}}
Ask = Callable[[], Awaitable[object]]


def serve(told: Connection) -> None:
    """Answers every request with the same small document, as fast as asyncio can."""
    body = json.dumps(DOCUMENT).encode()
    answer = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body) + body

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                await reader.readuntil(b"\r\n\r\n")
                writer.write(answer)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def main() -> None:
        server = await asyncio.start_server(talk, "127.0.0.1", 0)
        told.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(main())


async def per_second(ask: Ask, requests: int, parallel: int) -> float:
    left = iter(range(requests))

    async def work() -> None:
        for _ in left:
            await ask()

    await ask()
    started = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(parallel)))
    return requests / (time.perf_counter() - started)


async def bare(url: str, transport: httpx.AsyncBaseTransport, requests: int, parallel: int) -> float:
    headers = {"Authorization": "Bearer emulator"}
    async with httpx.AsyncClient(transport=transport, headers=headers, timeout=60.0) as http:
        return await per_second(lambda: http.get(f"{url}{PATH}?api-version={VERSION}"), requests, parallel)


async def client(url: str, requests: int, parallel: int) -> float:
    budget = 1e9
    async with ArmClient(url, EmulatorCredential(), reads_per_second=budget, writes_per_second=budget) as arm:
        return await per_second(lambda: arm.get(PATH, VERSION), requests, parallel)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    for name, default in (("requests", 4000), ("parallel", 100), ("rounds", 3)):
        parser.add_argument(f"--{name}", type=int, default=default)
    given = parser.parse_args()
    ours, theirs = multiprocessing.Pipe(duplex=False)
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(theirs,), daemon=True)
    server.start()
    url = f"http://127.0.0.1:{ours.recv()}"
    limits = httpx.Limits(max_connections=100)
    ways: dict[str, Callable[[], Awaitable[float]]] = {
        "httpcore": lambda: bare(url, httpx.AsyncHTTPTransport(limits=limits), given.requests, given.parallel),
        "aiohttp": lambda: bare(url, Transport(Endpoint(url)), given.requests, given.parallel),
        "client": lambda: client(url, given.requests, given.parallel),
    }
    order, found = random.Random(SEED), {name: list[float]() for name in ways}
    for _ in range(given.rounds):
        for name in order.sample(sorted(ways), len(ways)):
            found[name].append(asyncio.run(_now(ways[name])))
    server.terminate()
    rate = {name: statistics.median(rates) for name, rates in found.items()}
    print(f"{platform.python_implementation()} {platform.python_version()}, {os.cpu_count()} cores, seed {SEED}")
    print(f"{given.requests} requests, {given.parallel} at once, median of {given.rounds} rounds")
    for name, value in rate.items():
        print(f"{name:10} {value:8.0f} requests/s")
    print(f"aiohttp / httpcore  {rate['aiohttp'] / rate['httpcore']:.2f}")
    print(f"client / aiohttp    {rate['client'] / rate['aiohttp']:.2f}")


async def _now(way: Callable[[], Awaitable[float]]) -> float:
    return await way()


if __name__ == "__main__":
    main()
