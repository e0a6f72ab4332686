"""Claim: a sync costs little beside making its documents, an unchanged one writes nothing, and memory stays flat.

Each fleet is read from `synthetic:` into a new SQLite database, then once more unchanged, in a process of its own. The
baseline is a bare loop that makes the same documents and writes them out as JSON text, which it drops. Both sides are
measured in processor time, for the machine may be busy. Prints ratios, the machine and the seed.

    python benchmarks/sync.py [--sizes 10000 100000] [--rounds 3]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import platform
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

from policyengine.clock import SystemClock
from policyengine.model.synthetic import SyntheticFleet
from policyengine.store.store import Store
from policyengine.workflows.settings import Settings
from policyengine.workflows.sync import SyncResult, sync, unwatched

SEED = 7
MIB = 1024  # of the kilobytes in which the system counts


@dataclass(frozen=True)
class Measured:
    """Seconds of one process, and the most memory it had, in MiB."""

    bare: float
    first: float
    again: float
    memory: float


def seconds(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


def bare(size: int) -> None:
    for cluster in SyntheticFleet(size, SEED):
        for part in (cluster.resource, *cluster.children):
            json.dumps(part.document)


def synced(size: int, store: Store) -> SyncResult:
    settings = Settings(inventory=f"synthetic:{size}?seed={SEED}")
    return asyncio.run(sync(settings, store, SystemClock(), unwatched))


def measure(size: int) -> Measured:
    with tempfile.TemporaryDirectory() as folder, Store.open(f"sqlite:///{folder}/fleet.db") as store:
        loop = seconds(lambda: bare(size))
        first, again = seconds(lambda: synced(size, store)), seconds(lambda: synced(size, store))
        if synced(size, store).unchanged != size:
            raise SystemExit("the second reading was not told apart as unchanged")
    return Measured(loop, first, again, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / MIB)


def measured(size: int) -> Measured:
    """In a new process, whose memory nothing else has raised."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(measure, size).result()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    print(f"{platform.python_implementation()} {platform.python_version()}, {os.cpu_count()} cores, seed {SEED}")
    print(f"median of {given.rounds} rounds, processor time")
    memory = {}
    for size in given.sizes:
        found = [measured(size) for _ in range(given.rounds)]
        memory[size] = max(each.memory for each in found)
        first = statistics.median(each.first for each in found)
        again = statistics.median(each.again for each in found)
        print(f"{size:,} clusters")
        print(f"  first sync      {size / first:8,.0f} clusters/s")
        print(f"  unchanged       {size / again:8,.0f} clusters/s")
        print(f"  first / bare    {statistics.median(each.first / each.bare for each in found):8.2f}")
        print(f"  unchanged / bare{statistics.median(each.again / each.bare for each in found):8.2f}")
        print(f"  most memory     {memory[size]:8.0f} MiB")
    least, most = min(memory), max(memory)
    if least != most:
        print(f"memory at {most:,} / at {least:,}  {memory[most] / memory[least]:.2f}")


if __name__ == "__main__":
    main()
