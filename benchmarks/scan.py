"""Claim: a cold scan costs hardly more than reading and parsing its documents, and a re-scan what has changed.

A synthetic fleet is synced once into SQLite. Then, in rounds: all documents are read and parsed by `orjson.loads` (the
baseline), and 20 policies are scanned from nothing, each in a process of its own. After the last round the fleet is
scanned again with nothing changed, with one cluster in a hundred changed and with one in ten, spread over the fleet;
at the end everything is verified. Prints ratios of processor time, medians over the rounds, and the most memory that
a scan had.

    python benchmarks/scan.py [--clusters 100000 1000000] [--rounds 3] [--folder FOLDER]

A million clusters take 8 GB of disk and long to sync; with ``--folder`` the databases stay for the next run.
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import sqlite3
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Final, ParamSpec, TypeVar

import orjson

from benchmarks.fleet import machine
from benchmarks.stored import SEED, folder, scanned, settings, synced
from policyengine.clock import SystemClock
from policyengine.model.resource import Cluster, Resource
from policyengine.model.scope import ScopeTree
from policyengine.model.synthetic import SyntheticFleet
from policyengine.store.blocks import CHUNK
from policyengine.store.store import Store
from policyengine.workflows.settings import Settings
from policyengine.workflows.sync import unwatched
from policyengine.workflows.verify import verify
from policyengine.workflows.work import CHUNKS_AT_ONCE

P = ParamSpec("P")
T = TypeVar("T")

CHANGED: Final = (0.0, 0.01, 0.1)
JUDGED: Final = (
    *("finding", "state_block", "rollup", "history", "mark", "scan_count", "cause", "age", "failure", "policy_total"),
    *("group_total", "moved", "scan", "reason", "assignment"),
)
"""The tables that scans write, those that refer to others first."""


@dataclass(frozen=True)
class Scanned:
    """Seconds of processor time, the most memory in MiB, and what was done."""

    seconds: float
    memory: float
    pairs: int
    written: int
    findings: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clusters", type=int, nargs="+", default=[100_000])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", help="keep the databases here")
    given = parser.parse_args()
    print(machine(SEED))
    with folder(given.folder) as place:
        memory = {size: measured(place, size, given.rounds) for size in given.clusters}
    least, most = min(memory), max(memory)
    if least != most:
        print(f"memory at {most:,} ÷ at {least:,}   {memory[most] / memory[least]:.2f}")


def measured(place: Path, size: int, rounds: int) -> float:
    told = settings(place, size)
    alone(synced, told)
    print(f"{size:,} clusters × 20 policies, median of {rounds} rounds of processor time", flush=True)
    parsing, cold = [], []
    for _ in range(rounds):
        forget(told)
        parsing.append(alone(parsed, told))
        cold.append(alone(one_scan, told))
    show_cold(parsing, cold)
    whole = statistics.median(one.seconds for one in cold)
    for share in CHANGED:
        alone(change, told, size, share)
        again = alone(one_scan, told)
        print(
            f"  re-scan, {share:4.0%} changed    {again.seconds:8.2f} s   {again.seconds / whole:7.2%} of cold"
            f"   {again.pairs:,} pairs judged, {again.written:,} changes",
            flush=True,
        )
    print(f"  --verify               {alone(differences, told)} differences", flush=True)
    return max(one.memory for one in cold)


def show_cold(parsing: list[float], cold: list[Scanned]) -> None:
    ratios = [scan.seconds / parse for scan, parse in zip(cold, parsing, strict=True)]
    print(f"  read and orjson.loads  {statistics.median(parsing):8.2f} s")
    print(f"  cold scan              {statistics.median(one.seconds for one in cold):8.2f} s", end="")
    print(f"   {cold[-1].written:,} changes, {cold[-1].findings:.1%} of the pairs are findings")
    print(f"  cold ÷ read and parse  {statistics.median(ratios):8.2f}     {min(ratios):.2f} to {max(ratios):.2f}")
    print(f"  most memory            {max(one.memory for one in cold):8.0f} MiB", flush=True)


def alone(work: Callable[P, T], *given: P.args, **named: P.kwargs) -> T:
    """In a new process, whose memory nothing else has raised."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(work, *given, **named).result()


def forget(told: Settings) -> None:
    """As if nothing had ever been scanned."""
    connection = sqlite3.connect(told.database.removeprefix("sqlite:///"), isolation_level=None)
    for table in JUDGED:
        connection.execute(f"DELETE FROM {table}")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


def parsed(told: Settings) -> float:
    """What it takes to read every document as a scan does, and to parse and drop it."""
    with Store.open(told.database) as store:
        scanning = store.scanning
        chunks = range(scanning.survey().last // CHUNK + 1)
        began = time.process_time()
        for at in range(0, len(chunks), CHUNKS_AT_ONCE):
            for row in scanning.documents(chunks[at : at + CHUNKS_AT_ONCE]):
                orjson.loads(row[5])
                orjson.loads(row[6])
        return time.process_time() - began


def one_scan(told: Settings) -> Scanned:
    began = time.process_time()
    result = scanned(told)
    seconds = time.process_time() - began
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    counts = result.scan.counts
    found = sum(n for state, n in counts.items() if state.is_finding)
    return Scanned(seconds, memory, result.effort.pairs, result.scan.changed, found / sum(counts.values()))


def change(told: Settings, size: int, share: float) -> None:
    """Gives so many clusters another owner, as a reading of the inventory would find them.

    They are others each time, as long as there are: one whose owner no policy names moves nothing when it gets another.
    """
    if not share:
        return
    fleet, step = SyntheticFleet(size, SEED), round(1 / share)
    with Store.open(told.database) as store:
        owner = f"team-{store.scanning.survey().seq}"
        for at in range(first_untouched(store, fleet, step), size, 500 * step):
            chosen = (fleet.cluster(index) for index in range(at, min(at + 500 * step, size), step))
            store.apply_changes(
                upserts=[owned(cluster, owner) for cluster in chosen],
                removed=(),
                tree=ScopeTree(),
                source=told.inventory,
                complete=False,
                partial=True,
                at=SystemClock().now(),
            )


def first_untouched(store: Store, fleet: SyntheticFleet, step: int) -> int:
    firsts = [fleet.cluster(index).id for index in range(step)]
    owners = {found.id: str(found.resource.document.get("tags")) for found in store.clusters_of(firsts)}
    return next((index for index, id in enumerate(firsts) if "team-" not in owners[id]), 0)


def owned(cluster: Cluster, owner: str) -> Cluster:
    document = dict(cluster.resource.document)
    tags = {**document.get("tags", {}), "owner": owner}
    return replace(cluster, resource=Resource.from_document({**document, "tags": tags}))


def differences(told: Settings) -> int:
    with Store.open(told.database) as store:
        return asyncio.run(verify(told, store, SystemClock(), on_scan=unwatched)).differences


if __name__ == "__main__":
    main()
