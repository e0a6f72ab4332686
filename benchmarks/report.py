"""Claim: a report of any fleet takes at most 100 ms of queries, little memory, and is a page that a browser opens.

A store is filled as scans leave it: clusters in as many groups as a synthetic fleet has, under twenty policies, one
pair in twenty not compliant for one of four reasons, thirty scans, and a week in which one cluster in a hundred
changed. Documents are short, for reports read few of them. Each report is made in a process of its own, and the
statements it took are sent again to the driver alone: that is the time of queries. The baseline is a count of the
findings in the same database, in the same process. Last, every pair is listed. Prints medians of processor time,
memory, kilobytes, the machine and the seed.

    python -m benchmarks.report [--sizes 10000 100000 1000000] [--rounds 5] [--list 10000]
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import numpy as np
from sqlalchemy import Engine, event

from benchmarks.fleet import machine, policies
from benchmarks.policies import assignments, definitions
from policyengine.compliance.workset import Mark
from policyengine.model.cluster_text import to_text
from policyengine.model.states import ComplianceState, Reason
from policyengine.model.synthetic import SyntheticFleet
from policyengine.reports import FORMATS, LISTS
from policyengine.store.ledger import Found, Numbers, Place, Sheet, placed
from policyengine.store.scans import ScanFacts
from policyengine.store.store import Store
from policyengine.workflows.report import make_report
from policyengine.workflows.report_list import list_pairs
from policyengine.workflows.scan import record_of
from policyengine.workflows.settings import Settings
from policyengine.workflows.status import read_status

SEED: Final = 7
SHARD: Final = 20_480
SCANS: Final = 30
NOW: Final = datetime(2026, 11, 23, tzinfo=UTC)
NO_CHILDREN: Final = to_text({"extensions": [], "fluxConfigurations": [], "others": []})
COMPLIANT, FAILING = ComplianceState.COMPLIANT.code, ComplianceState.NON_COMPLIANT.code
KEYS: Final = [policy.key for policy in policies()]
TEXTS: Final = [Reason("condition", f"tags.ring is `{n}`, wanted `0`") for n in range(4)]


@dataclass(frozen=True)
class Clock:
    def now(self) -> datetime:
        return NOW


def settings(folder: str) -> Settings:
    return Settings(policies=[f"{folder}/policies"], database=f"sqlite:///{folder}/fleet.db")


def fill(folder: str, size: int) -> None:
    """Writes the policies and the store."""
    files = Path(folder, "policies")
    files.mkdir()
    for number, document in enumerate((*definitions(chosen=True), *assignments())):
        (files / f"{number}.json").write_text(json.dumps(document), encoding="utf-8")
    fleet = SyntheticFleet(size, SEED)
    with Store.open(settings(folder).database) as store:
        read: dict[str, Any] = {"removed": (), "source": f"synthetic:{size}", "complete": True}
        store.apply_changes(upserts=(), tree=fleet.tree, at=NOW - timedelta(days=SCANS), **read)
        where, at = add_clusters(folder, fleet)
        dice = np.random.default_rng(SEED)
        everything = np.arange(size)
        for day in range(SCANS, 0, -1):
            late = day <= 7
            changed = everything if day == SCANS else np.sort(dice.choice(everything, size // 700 if late else 0))
            scan(store, np.unique(changed), dice, where, at, NOW - timedelta(days=day))


def add_clusters(folder: str, fleet: SyntheticFleet) -> tuple[list[Place], Numbers]:
    """By plain SQL; where each is counted is answered."""
    places = []
    with sqlite3.connect(f"{folder}/fleet.db") as connection:
        for begin in range(0, len(fleet), SHARD):
            rows = []
            for number in range(begin, min(begin + SHARD, len(fleet))):
                id = fleet.id(number)
                group, tags = (id.resource_group or "").casefold(), {"owner": "stores", "ring": str(number % 4)}
                head = {"id": id.text, "type": id.type, "location": "westeurope", "tags": tags, "properties": {}}
                places.append(Place((id.subscription or "").casefold(), group))
                told = "agent offline" if number % 30 == 0 else ""
                rows.append((number, id.key, id.text, id.name, *places[-1], id.type, to_text(head), NO_CHILDREN, told))
            connection.executemany(
                "INSERT INTO cluster (number, seq, due, key, id, name, subscription, resource_group, location, type,"
                " document, children, content_hash, secretive, unreachable)"
                " VALUES (?, 1, 1, ?, ?, ?, ?, ?, 'westeurope', ?, ?, ?, '', 0, ?)",
                rows,
            )
        connection.execute(
            "INSERT INTO cluster_total SELECT subscription, resource_group, LOWER(type), COUNT(*)"
            " FROM cluster GROUP BY subscription, resource_group, LOWER(type)"
        )
    return placed(places)


def scan(
    store: Store, numbers: Numbers, dice: np.random.Generator, where: list[Place], at: Numbers, now: datetime
) -> None:
    """Judges these clusters, each pair by lot."""
    facts = ScanFacts(now, now, True, 1, "", "scan")
    scan = store.scanning.begin([record_of(policy) for policy in policies()], facts)
    for shard in np.array_split(numbers, len(numbers) // SHARD + 1):
        states = np.where(dice.random((len(KEYS), len(shard))) < 0.05, FAILING, COMPLIANT).astype(np.uint8)
        reasons = dice.integers(0, len(TEXTS), states.shape, dtype=np.int32)
        sheet = Sheet((), shard, states, np.where(states == FAILING, reasons, -1), TEXTS, where, at[shard])
        marks: dict[str, Mark] = {}
        store.scanning.write(scan, Found(KEYS, sheet), (), marks, at=now)
    store.scanning.finish(scan, (), finished=now)


class Asked:
    """The questions that SQLAlchemy sends while this is open."""

    def __init__(self) -> None:
        self.statements: list[tuple[str, Any]] = []

    def _hear(self, _connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if statement.lstrip().startswith(("SELECT", "WITH")):
            self.statements.append((statement, parameters))

    def __enter__(self) -> Asked:
        event.listen(Engine, "before_cursor_execute", self._hear)
        return self

    def __exit__(self, *_: object) -> None:
        event.remove(Engine, "before_cursor_execute", self._hear)

    def again(self, connection: sqlite3.Connection) -> None:
        """All of them, to their last row, with nothing between the driver and us."""
        for statement, parameters in self.statements:
            connection.execute(statement, parameters).fetchall()


Make = Callable[[Settings, Store], str]
REPORTS: Final[dict[str, Make]] = {
    "status": lambda _, store: "\n".join(map(str, read_status(store).policies)),
    "status --by cluster": lambda _, store: "\n".join(map(str, read_status(store, findings=1000).findings)),
    "report html": lambda settings, store: FORMATS["html"](make_report(settings, store, Clock())),
    "report markdown": lambda settings, store: FORMATS["markdown"](make_report(settings, store, Clock())),
    "report json": lambda settings, store: FORMATS["json"](make_report(settings, store, Clock())),
}


@dataclass(frozen=True)
class Measured:
    """Milliseconds of queries, in all, and of the baseline; statements; kilobytes of text; MiB at most."""

    queries: float
    whole: float
    baseline: float
    statements: int
    page: float
    memory: float


def measure(name: str, folder: str) -> Measured:
    with Store.open(settings(folder).database) as store, sqlite3.connect(f"{folder}/fleet.db") as plain:
        with Asked() as asked:
            text = REPORTS[name](settings(folder), store)  # once for what is imported and compiled
        whole = milliseconds(lambda: REPORTS[name](settings(folder), store))
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        asked.again(plain)
        queries = milliseconds(lambda: asked.again(plain))
        baseline = milliseconds(lambda: plain.execute("SELECT COUNT(*) FROM finding WHERE state <> ''").fetchone())
    return Measured(queries, whole, baseline, len(asked.statements), len(text.encode()) / 1024, memory)


def milliseconds(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return (time.process_time() - started) * 1000


def listed(folder: str, everything: bool) -> tuple[int, float, float]:
    """Lines, lines a second, MiB at most."""
    with Store.open(settings(folder).database) as store:
        started = time.process_time()
        lines = sum(1 for _ in LISTS["csv"](list_pairs(settings(folder), store, Clock(), everything=everything)))
        spent = time.process_time() - started
    return lines, lines / spent, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def apart(work: Callable[..., Any], *given: Any) -> Any:
    """In a new process, whose memory nothing else has raised."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(work, *given).result()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--list", type=int, default=10_000, help="list every pair of fleets up to this size")
    given = parser.parse_args()
    print(f"{machine(SEED)}; median of {given.rounds} rounds, processor time")
    for size in given.sizes:
        with tempfile.TemporaryDirectory() as folder:
            apart(fill, folder, size)
            print(f"{size:,} clusters × {len(KEYS)} policies")
            print(f"  {'':20} queries ms  ÷ count  statements  whole ms      KB     MiB")
            found: dict[str, list[Measured]] = {name: [] for name in REPORTS}
            for _ in range(given.rounds):
                for name, rounds in found.items():
                    rounds.append(apart(measure, name, folder))
            for name, rounds in found.items():
                show(name, rounds)
            for everything in (False, True) if size <= given.list else ():
                lines, rate, memory = apart(listed, folder, everything)
                name = "csv --all" if everything else "csv"
                print(f"  {name:20} {lines:,} lines, {rate:,.0f} lines/s, {memory:.0f} MiB")


def show(name: str, found: list[Measured]) -> None:
    queries, statements, whole, page, memory = (
        statistics.median(getattr(each, value) for each in found)
        for value in ("queries", "statements", "whole", "page", "memory")
    )
    ratio = statistics.median(each.queries / each.baseline for each in found)
    print(f"  {name:20} {queries:10.1f} {ratio:8.2f} {statements:11.0f} {whole:9.0f} {page:7.0f} {memory:7.0f}")


if __name__ == "__main__":
    main()
