"""The store as a scan sees it: what is due, what was judged with what, shard by shard."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import Engine, event, text

from policyengine.compliance.workset import Mark
from policyengine.model.resource import Cluster
from policyengine.model.scope import ResourceGroup, ScopeTree
from policyengine.model.states import ComplianceState, Reason
from policyengine.store import deltas
from policyengine.store.blocks import CHUNK
from policyengine.store.database import Database
from policyengine.store.ledger import Found, Place, Sheet
from policyengine.store.records import PolicyRecord, ScanRecord
from policyengine.store.scans import ScanFacts
from policyengine.store.store import Store

GOOD, BAD = ComplianceState.COMPLIANT, ComplianceState.NON_COMPLIANT
Make = Callable[..., Cluster]


@pytest.fixture
def begin(store: Store, clock: Any, policy: Callable[[str], PolicyRecord]) -> Callable[..., int]:
    def begin(*keys: str) -> int:
        seq = store.scanning.survey().seq
        facts = ScanFacts(clock.now(), clock.now(), True, seq, "engine", "scan")
        return store.scanning.begin([policy(key) for key in keys], facts)

    return begin


def found(states: Mapping[str, list[ComplianceState]], numbers: list[int], why: str = "why") -> Found:
    codes = np.array([[state.code for state in row] for row in states.values()], dtype=np.uint8)
    sheet = Sheet(
        assignments=(),
        numbers=np.array(numbers),
        states=codes,
        reasons=np.zeros(codes.shape, dtype=np.int32),
        texts=[Reason("test", why)],
        places=[Place("edge", "stores")],
        at=np.zeros(len(numbers), dtype=np.int64),
    )
    return Found(list(states), sheet)


def mark(seq: int, digest: str = "d", **leave: str) -> Mark:
    return Mark(digest, leave, seq)


def test_a_shard_is_there_as_soon_as_it_is_written_and_the_scan_when_it_is_finished(
    store: Store, sync: Any, cluster: Make, begin: Callable[..., int], clock: Any
) -> None:
    sync(cluster("a"), cluster("b"))
    number = begin("flux")
    store.scanning.write(
        number, found({"flux": [GOOD, BAD]}, [0, 1]), [0], {"flux": mark(1, pause="p")}, at=clock.now()
    )

    assert [finding.cluster.name for finding in store.findings()] == ["b"]
    assert store.last_scan() is None
    assert (begun := store.begun_scan()) is not None
    assert (begun.id, begun.evaluated) == ("s-000001", 2)
    assert store.scanning.marks() == {"flux": {0: mark(1, pause="p")}}

    record = store.scanning.finish(number, ["flux"], finished=clock.now() + timedelta(seconds=5))

    assert (store.last_scan(), store.begun_scan()) == (record, None)
    assert (record.changed, record.evaluated, record.clusters, record.counts) == (1, 2, 2, {GOOD: 1, BAD: 1})


def test_what_was_judged_before_a_scan_was_killed_is_kept(
    store: Store, sync: Any, cluster: Make, begin: Callable[..., int], clock: Any
) -> None:
    sync(cluster("a"))
    store.scanning.write(begin("flux"), found({"flux": [BAD]}, [0]), [0], {"flux": mark(1)}, at=clock.now())
    record = store.scanning.finish(begin("flux"), ["flux"], finished=clock.now())

    assert [scan.id for scan in store.scans()] == [record.id]
    assert record.counts == {BAD: 1}
    assert [change.scan_id for change in store.history()] == ["s-000001"]


@pytest.mark.parametrize("at_once", [1, 5, deltas.PAIRS_AT_ONCE])
def test_a_large_shard_is_written_piece_by_piece_and_says_the_same(
    store: Store,
    sync: Any,
    cluster: Make,
    begin: Callable[..., int],
    clock: Any,
    number_from: Callable[[int], None],
    monkeypatch: pytest.MonkeyPatch,
    at_once: int,
) -> None:
    """Two clusters stand in the first chunk, one in the second."""
    monkeypatch.setattr(deltas, "PAIRS_AT_ONCE", at_once)
    number_from(CHUNK - 2)
    sync(cluster("a"), cluster("b"), cluster("c"))
    marks = {"flux": mark(1), "owner": mark(1)}
    numbers = [CHUNK - 2, CHUNK - 1, CHUNK]
    first, second = (found({"flux": [BAD, GOOD, state], "owner": [GOOD, state, BAD]}, numbers) for state in (BAD, GOOD))
    for one in (first, second):
        store.scanning.write(scan := begin("flux", "owner"), one, [0, 1], marks, at=clock.now())
        store.scanning.finish(scan, ["flux", "owner"], finished=clock.now())

    assert {(f.policy, f.cluster.name) for f in store.findings()} == {("flux", "a"), ("owner", "c")}
    assert {(r.policy_key, r.state): r.count for r in store.rollups()} == {
        ("flux", BAD): 1,
        ("flux", GOOD): 2,
        ("owner", BAD): 1,
        ("owner", GOOD): 2,
    }
    assert [scan.changed for scan in store.scans()] == [2, 4]
    assert store.scanning.differences(second).sum() == 0
    assert store.scanning.differences(first).sum() == 2


def test_whatever_a_finding_a_change_or_a_sum_refers_to_is_there(
    store: Store, database: Database, sync: Any, cluster: Make, begin: Callable[..., int], clock: Any
) -> None:
    """The database does not look: it would take longer than writing."""
    sync(cluster("a"), cluster("b"))
    store.scanning.write(begin("flux"), found({"flux": [BAD, GOOD]}, [0, 1]), [0], {"flux": mark(1)}, at=clock.now())
    references = {"finding": ("cluster", "assignment", "reason"), "rollup": ("assignment",)}
    references["history"] = ("assignment", "cluster", "scan")

    with database.read() as session:
        for table, columns in references.items():
            assert session.scalar(text(f"SELECT COUNT(*) FROM {table}"))
            for column in columns:
                lost = f"SELECT COUNT(*) FROM {table} WHERE {column} NOT IN (SELECT number FROM {column})"
                assert session.scalar(text(lost)) == 0


def test_a_cluster_is_due_since_it_changed(store: Store, sync: Any, cluster: Make) -> None:
    sync(cluster("a"), cluster("b"))
    sync(cluster("a", version="2"))
    sync(removed=[cluster("b")])

    assert [numbers.tolist() for numbers in store.scanning.due(0)] == [[0], [2]]
    assert [numbers.tolist() for numbers in store.scanning.due(2)] == [[], []]


def test_what_is_due_is_looked_up_and_not_looked_for(tmp_path: Path) -> None:
    """Where nothing changed a walk through the whole table would be most of a re-scan. Pitfall 9."""
    asked: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, values: Any, *_: Any) -> None:
        asked.append((statement, values))

    url = f"sqlite:///{tmp_path}/due.db"
    store, database = Store.open(url), Database(url)
    event.listen(Engine, "before_cursor_execute", note)
    store.scanning.due(0)
    event.remove(Engine, "before_cursor_execute", note)
    with database.read() as session:
        plans = [
            session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values).all()
            for statement, values in asked
            if "FROM cluster" in statement
        ]
    store.close()
    database.close()

    found = "SEARCH cluster USING COVERING INDEX ix_cluster_due (due>?)"
    assert [[row[-1] for row in plan] for plan in plans] == [[found]]


def test_a_cluster_is_due_when_its_resource_group_tells_something_else(store: Store, sync: Any, cluster: Make) -> None:
    def tree(env: str) -> ScopeTree:
        return ScopeTree(resource_groups=(ResourceGroup(cluster("a").id.parent, "westeurope", {"env": env}),))  # type: ignore[arg-type]

    sync(cluster("a"), cluster("b", group="labs"), tree=tree("prod"))
    sync(tree=tree("prod"))
    sync(tree=tree("test"))

    assert [numbers.tolist() for numbers in store.scanning.due(1)] == [[0], [3]]


def test_the_blocks_of_a_finished_scan_hold_for_its_reading(
    store: Store, sync: Any, cluster: Make, begin: Callable[..., int], clock: Any, number_from: Callable[[int], None]
) -> None:
    """Those too in which nothing was due."""
    number_from(CHUNK - 1)
    sync(cluster("a"), cluster("b"))
    first = begin("flux", "local")
    both = {"flux": mark(1), "local": mark(1)}
    sheet = found({"flux": [GOOD, GOOD], "local": [GOOD, GOOD]}, [CHUNK - 1, CHUNK])
    store.scanning.write(first, sheet, [0, 1], both, at=clock.now())
    store.scanning.finish(first, ["flux", "local"], finished=clock.now())
    sync()
    store.scanning.finish(begin("flux", "local"), ["flux"], finished=clock.now())

    seqs = {key: [one.seq for one in marks.values()] for key, marks in store.scanning.marks().items()}
    assert seqs == {"flux": [2, 2], "local": [1, 1]}


def test_a_policy_that_is_no_longer_bound_loses_its_marks(
    store: Store, sync: Any, cluster: Make, begin: Callable[..., int], clock: Any
) -> None:
    sync(cluster("a"))
    store.scanning.write(begin("flux"), found({"flux": [BAD]}, [0]), [0], {"flux": mark(1)}, at=clock.now())
    begin("local")
    begin("flux")

    assert store.scanning.marks() == {}
    assert store.findings() == []


def test_a_cluster_that_left_while_it_was_judged_is_passed_over(
    store: Store, sync: Any, cluster: Make, begin: Callable[..., int], clock: Any
) -> None:
    sync(cluster("a"), cluster("b"))
    number = begin("flux")
    sync(removed=[cluster("a")])
    store.scanning.write(number, found({"flux": [BAD, BAD]}, [0, 1]), [0], {"flux": mark(1)}, at=clock.now())

    assert [finding.cluster.name for finding in store.findings()] == ["b"]
    assert store.scanning.finish(number, ["flux"], finished=clock.now()).evaluated == 1


def test_differences_are_told_and_nothing_is_written(
    store: Store, sync: Any, cluster: Make, begin: Callable[..., int], clock: Any
) -> None:
    sync(cluster("a"), cluster("b"), cluster("c"))
    number = begin("flux")
    said = found({"flux": [BAD, BAD, GOOD]}, [0, 1, 2])
    store.scanning.write(number, said, [0], {"flux": mark(1)}, at=clock.now())

    assert not store.scanning.differences(said).any()
    assert store.scanning.differences(found({"flux": [GOOD, BAD, GOOD]}, [0, 1, 2])).tolist() == [[True, False, False]]
    assert store.scanning.differences(found({"flux": [BAD, BAD, GOOD]}, [0, 1, 2], "else")).tolist() == [
        [True, True, False]
    ]


def test_documents_come_in_order_of_number_wherever_they_are(store: Store, sync: Any, cluster: Make) -> None:
    sync(*(cluster(f"c{n}") for n in range(5)))
    sync(removed=[cluster("c1")])

    whole, some = store.scanning.documents([0]), store.scanning.documents([0], [4, 1, 2])

    assert [row[0] for row in whole] == [0, 2, 3, 4]
    assert [row[0] for row in some] == [2, 4]
    assert whole[1] == some[0]


def test_the_inventory_is_counted_without_its_documents(store: Store, sync: Any, cluster: Make) -> None:
    sync(cluster("a"), cluster("b"), cluster("c", group="Labs"))
    sync(cluster("d"), removed=[cluster("b")])
    survey = store.scanning.survey()

    assert (survey.seq, survey.chunks, survey.clusters) == (2, 1, 3)
    assert survey.counts == {"microsoft.kubernetes/connectedclusters": 3}


def test_many_findings_are_copied(store: Store, sync: Any, cluster: Make, scan: Callable[..., ScanRecord]) -> None:
    """More than a thousand rows: another way in on PostgreSQL."""
    clusters = [cluster(f"c{n:04d}") for n in range(1100)]
    sync(*clusters)
    record = scan(*(("flux", one, BAD, "why") for one in clusters))

    assert record.changed == len(store.findings()) == len(store.history()) == 1100


def test_documents_say_which_clusters_are_known_to_hold_no_secret(store: Store, sync: Any, cluster: Make) -> None:
    """So that a scan need not look through their texts."""
    telling = cluster("b", configurationProtectedSettings={"token": "s3cret"})
    sync(cluster("a"), telling)

    assert [bool(row[-1]) for row in store.scanning.documents([0])] == [False, True]
