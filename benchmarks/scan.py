"""Claim: a cold scan costs hardly more than reading and parsing its documents, and a re-scan what has changed.

A synthetic fleet is synced once into SQLite. Then, in rounds: all documents are read and parsed by `orjson.loads` (the
baseline), 20 policies are scanned from nothing, and scanned again with nothing changed, with one cluster in a hundred
changed and with one in ten, spread over the fleet; each in a process of its own. At the end everything is verified. The
file is read through before each scan: the system may have let go of it, and fetching it again would be counted as the
scan's work. Prints ratios of processor time within a round, medians over the rounds, and the most memory that a scan
had.

    python benchmarks/scan.py [--clusters 100000 1000000] [--rounds 3] [--folder FOLDER]

A million clusters take 8 GB of disk and long to sync; with ``--folder`` the databases stay for the next run.
"""

from __future__ import annotations

import argparse
import asyncio
import json
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
from policyengine.model.synthetic_documents import VERSIONS
from policyengine.store.blocks import CHUNK
from policyengine.store.store import Store
from policyengine.workflows.settings import Settings
from policyengine.workflows.sync import unwatched
from policyengine.workflows.verify import verify
from policyengine.workflows.work import CHUNKS_AT_ONCE

P = ParamSpec("P")
T = TypeVar("T")

CHANGED: Final = (0.0, 0.01, 0.1)
PIECE: Final = 1 << 20
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


@dataclass(frozen=True)
class Round:
    """``again`` are the scans with so many clusters changed as CHANGED tells."""

    parsing: float
    cold: Scanned
    again: list[Scanned]


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
    found = [one_round(told, size) for _ in range(rounds)]
    show_cold(found)
    for at, share in enumerate(CHANGED):
        show_again(share, [(one.again[at], one.cold) for one in found])
    print(f"  --verify               {alone(differences, told)} differences", flush=True)
    return max(one.cold.memory for one in found)


def one_round(told: Settings, size: int) -> Round:
    forget(told)
    keep_at_hand(told)
    parsing = alone(parsed, told)
    keep_at_hand(told)
    cold, again = alone(one_scan, told), []
    for share in CHANGED:
        alone(change, told, size, share)
        keep_at_hand(told)
        again.append(alone(one_scan, told))
    return Round(parsing, cold, again)


def show_cold(found: list[Round]) -> None:
    ratios = [one.cold.seconds / one.parsing for one in found]
    first = found[0].cold
    print(f"  read and orjson.loads  {statistics.median(one.parsing for one in found):8.2f} s")
    print(f"  cold scan              {statistics.median(one.cold.seconds for one in found):8.2f} s", end="")
    print(f"   {first.written:,} changes, {first.findings:.1%} of the pairs are findings in the first")
    print(f"  cold ÷ read and parse  {statistics.median(ratios):8.2f}     {min(ratios):.2f} to {max(ratios):.2f}")
    print(f"  most memory            {max(one.cold.memory for one in found):8.0f} MiB", flush=True)


def show_again(share: float, found: list[tuple[Scanned, Scanned]]) -> None:
    ratios = [again.seconds / cold.seconds for again, cold in found]
    first = found[0][0]
    print(
        f"  re-scan, {share:4.0%} changed    {statistics.median(again.seconds for again, _ in found):8.2f} s"
        f"   {statistics.median(ratios):6.2%} of cold, {min(ratios):.2%} to {max(ratios):.2%}"
        f"   {first.pairs:,} pairs judged, {first.written:,} changes in the first"
    )


def alone(work: Callable[P, T], *given: P.args, **named: P.kwargs) -> T:
    """In a new process, whose memory nothing else has raised."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(work, *given, **named).result()


def file_of(told: Settings) -> str:
    return told.database.removeprefix("sqlite:///")


def keep_at_hand(told: Settings) -> None:
    """Brings the whole file into the system's memory."""
    buffer = bytearray(PIECE)
    with Path(file_of(told)).open("rb", buffering=0) as file:
        while file.readinto(buffer):
            pass


def forget(told: Settings) -> None:
    """As if nothing had ever been scanned."""
    connection = sqlite3.connect(file_of(told), isolation_level=None)
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
    """Changes so many clusters, as a reading of the inventory would find them: each one thing, of three by turns.

    They are others each time, as long as there are.
    """
    if not share:
        return
    fleet, step = SyntheticFleet(size, SEED), round(1 / share)
    with Store.open(told.database) as store:
        owner = f"team-{store.scanning.survey().seq}"
        chosen = range(first_untouched(store, fleet, step), size, step)
        for begin in range(0, len(chosen), 500):
            store.apply_changes(
                upserts=[changed(fleet.cluster(index), index // step, owner) for index in chosen[begin : begin + 500]],
                removed=(),
                tree=ScopeTree(),
                source=told.inventory,
                complete=False,
                partial=True,
                at=SystemClock().now(),
            )


def changed(cluster: Cluster, turn: int, owner: str) -> Cluster:
    """With another owner, whom no policy names; with another version of Kubernetes; or an extension fails or recovers.

    The first of all gets another owner.
    """
    document, extensions = dict(cluster.resource.document), cluster.extensions
    if turn % 3 == 0:
        document["tags"] = {**document.get("tags", {}), "owner": owner}
    elif turn % 3 == 1 or not extensions:
        version = document["properties"]["kubernetesVersion"].partition("+")[0]
        other = VERSIONS[VERSIONS.index(version) - 1]
        document["properties"] = json.loads(json.dumps(document["properties"]).replace(version, other))
    else:
        properties = extensions[0].document["properties"]
        state = "Succeeded" if properties["provisioningState"] == "Failed" else "Failed"
        turned = {**extensions[0].document, "properties": {**properties, "provisioningState": state}}
        extensions = (Resource.from_document(turned), *extensions[1:])
    return replace(cluster, resource=Resource.from_document(document), extensions=extensions)


def first_untouched(store: Store, fleet: SyntheticFleet, step: int) -> int:
    firsts = [fleet.cluster(index).id for index in range(step)]
    owners = {found.id: str(found.resource.document.get("tags")) for found in store.clusters_of(firsts)}
    return next((index for index, id in enumerate(firsts) if "team-" not in owners[id]), 0)


def differences(told: Settings) -> int:
    with Store.open(told.database) as store:
        return asyncio.run(verify(told, store, SystemClock(), on_scan=unwatched)).differences


if __name__ == "__main__":
    main()
