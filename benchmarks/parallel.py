"""Claim: a second process makes a scan nearly twice as fast, and a Dask worker that is killed costs nothing but time.

A synthetic fleet is synced once into SQLite. In rounds it is scanned from nothing by 20 policies with ``--workers 1``,
which is one process alone, and with ``--workers 2``, which is one more, by the clock on the wall. A busy machine has no
second core to give: so its load is printed, what the busier process of each scan worked, in processor time, which tells
what two free cores would bring, and what a bare loop gains by a second process at that moment.
Then it is scanned on a Dask cluster of two workers, one of which is killed while shards are under way; all is verified
afterwards. Prints ratios, medians over the rounds.

    python benchmarks/parallel.py [--clusters 100000] [--rounds 3] [--folder FOLDER] [--no-dask]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import signal
import statistics
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from importlib import import_module
from multiprocessing import get_context
from pathlib import Path
from tempfile import gettempdir
from typing import Any

from benchmarks.fleet import machine
from benchmarks.scan import differences, forget
from benchmarks.stored import SEED, folder, scanned, settings, synced
from policyengine.clock import SystemClock
from policyengine.store.store import Store
from policyengine.workflows.executors import AUTO
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
        print(f"{given.clusters:,} clusters × 20 policies, median of {given.rounds} rounds", flush=True)
        show_processes(told, given.rounds)
        if not given.no_dask:
            show_dask(told)


def show_processes(told: Settings, rounds: int) -> None:
    one, two, cores = [], [], []
    measured(told, 2)  # compiles
    for _ in range(rounds):
        one.append(measured(told, 1))
        two.append(measured(told, 2))
        cores.append(cores_now())
    for name, at in (("on the wall", 0), ("busier process", 1)):
        ratios = [single[at] / double[at] for single, double in zip(one, two, strict=True)]
        print(f"  {name:16} one {statistics.median(each[at] for each in one):7.2f} s", end="")
        print(f"   two {statistics.median(each[at] for each in two):7.2f} s", end="")
        print(f"   speed {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})", flush=True)
    print(f"  a bare loop      speed {statistics.median(cores):.2f} ({min(cores):.2f} to {max(cores):.2f})", flush=True)


def measured(told: Settings, workers: int) -> tuple[float, float]:
    """Seconds on the wall, and of processor time in the process that worked most.

    In a new process, started as an installed command is: its main module, which workers import too, imports nothing,
    and what is imported was compiled before.
    """
    forget(told)
    given = told.model_dump_json(include={"policies", "database", "inventory"})
    command = [sys.executable, "-c", "from benchmarks.parallel import one_scan; one_scan()", given, str(workers)]
    done = subprocess.run(command, env=compiled(), stdout=subprocess.PIPE, check=True, text=True)
    wall, busier = map(float, done.stdout.split())
    return wall, busier


def compiled() -> dict[str, str]:
    """The environment of a process that keeps what it compiles, wherever it finds its modules."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "PYTHONPYCACHEPREFIX": str(Path(gettempdir()) / "policyengine-benchmarks-compiled")}


def one_scan() -> None:
    """Prints what it took, after it has imported what it needs."""
    told, workers = Settings(**json.loads(sys.argv[1])), int(sys.argv[2])
    wall, own, theirs = time.perf_counter(), time.process_time(), of_children()
    scanned(told, AUTO, workers)
    busier = max(time.process_time() - own, of_children() - theirs)
    print(time.perf_counter() - wall, busier)


def cores_now() -> float:
    """How much faster two processes are than one where nothing but the machine is in their way."""
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:
        list(pool.map(loop, range(2)))
        seconds = [clocked(pool, once) for once in (range(1), range(2))]
    return 2 * seconds[0] / seconds[1]


def clocked(pool: ProcessPoolExecutor, times: range) -> float:
    began = time.perf_counter()
    list(pool.map(loop, times))
    return time.perf_counter() - began


def loop(_: int) -> int:
    return sum(range(10_000_000))


def of_children() -> float:
    """Processor time of the processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


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
