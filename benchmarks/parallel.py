"""Claim: a second process makes a scan nearly twice as fast, and a Dask worker that is killed costs nothing but time.

A synthetic fleet is synced once into SQLite. In rounds it is scanned from nothing by 20 policies with one worker
process and with two, by the clock on the wall: a busy machine has no second core to give, so its load is printed too.
Then it is scanned on a Dask cluster of two workers, one of which is killed while shards are under way; all is verified
afterwards. Prints ratios, medians over the rounds.

    python benchmarks/parallel.py [--clusters 100000] [--rounds 3] [--folder FOLDER] [--no-dask]
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import statistics
import time
from importlib import import_module
from typing import Any

from benchmarks.fleet import machine
from benchmarks.scan import differences, forget
from benchmarks.stored import SEED, folder, scanned, settings, synced
from policyengine.clock import SystemClock
from policyengine.store.store import Store
from policyengine.workflows.executors import PROCESSES
from policyengine.workflows.scan import ScanRequest, scan
from policyengine.workflows.settings import Settings
from policyengine.workflows.sync import unwatched


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clusters", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", help="keep the databases here")
    parser.add_argument("--no-dask", action="store_true", help="processes only")
    given = parser.parse_args()
    print(f"{machine(SEED)}, load {os.getloadavg()[0]:.1f} before")
    with folder(given.folder) as place:
        told = settings(place, given.clusters)
        synced(told)
        print(f"{given.clusters:,} clusters × 20 policies, median of {given.rounds} rounds on the wall", flush=True)
        show_processes(told, given.rounds)
        if not given.no_dask:
            show_dask(told)


def show_processes(told: Settings, rounds: int) -> None:
    one, two = [], []
    for _ in range(rounds):
        one.append(seconds(told, 1))
        two.append(seconds(told, 2))
    ratios = [single / double for single, double in zip(one, two, strict=True)]
    print(f"  one process    {statistics.median(one):8.2f} s")
    print(f"  two processes  {statistics.median(two):8.2f} s")
    print(f"  speed          {statistics.median(ratios):8.2f}     {min(ratios):.2f} to {max(ratios):.2f}", flush=True)


def seconds(told: Settings, workers: int) -> float:
    forget(told)
    began = time.perf_counter()
    scanned(told, PROCESSES, workers)
    return time.perf_counter() - began


def show_dask(told: Settings) -> None:
    distributed: Any = import_module("distributed")
    forget(told)
    killed: list[int] = []
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, silence_logs=50
    ) as cluster:

        def on_scan(done: int, _total: int | None) -> None:
            if done and not killed:
                killed.append(next(iter(cluster.workers.values())).pid)
                os.kill(killed[0], signal.SIGKILL)

        request = ScanRequest(sync=False, executor=cluster.scheduler_address.replace("tcp://", "dask://"))
        with Store.open(told.database) as store:
            result = asyncio.run(
                scan(told, store, SystemClock(), request, on_sync=unwatched, on_scan=on_scan),
            )
    print(f"  Dask, one of two workers killed: {result.effort.pairs:,} pairs judged, {differences(told)} differences")


if __name__ == "__main__":
    main()
