"""What reports ask: answered from roll-ups, a bounded choice of rows beside them, at the same cost for any fleet."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import Engine, event, text

from policyengine.model.ids import ResourceId
from policyengine.model.resource import Cluster
from policyengine.model.scope import ScopeTree
from policyengine.model.states import ComplianceState, Reason
from policyengine.store.database import Database
from policyengine.store.moves import LOOKED_AT
from policyengine.store.records import CauseRecord, MoveCount, PolicyRecord, ScanRecord
from policyengine.store.store import Store

Make = Callable[..., Cluster]
Sync = Callable[..., None]
Scan = Callable[..., ScanRecord]

GOOD = ComplianceState.COMPLIANT
BAD = ComplianceState.NON_COMPLIANT
NA = ComplianceState.NOT_APPLICABLE
EXEMPT = ComplianceState.EXEMPT
ROOT = ResourceId("/")
ARC = "microsoft.kubernetes/connectedclusters"


def why(message: str) -> Reason:
    return Reason("test", message)


def test_clusters_are_counted_where_they_stand(store: Store, sync: Sync, cluster: Make) -> None:
    a, b, c = cluster("a", group="Web"), cluster("b", group="web"), cluster("c")
    sync(a, b, c)
    sync(a, b, removed=[c])
    sync(a)

    assert store.cluster_counts() == {ResourceId("/subscriptions/edge/resourceGroups/web"): {ARC: 2}}

    sync(c, removed=[a, b])
    assert store.cluster_counts() == {ResourceId("/subscriptions/edge/resourceGroups/stores"): {ARC: 1}}


def test_clusters_that_cannot_act_are_told_with_why(store: Store, sync: Sync, cluster: Make) -> None:
    offline = [cluster(name, connectivityStatus="Offline") for name in ("c", "a", "b")]
    sync(*offline, cluster("d", connectivityStatus="Connected"))

    count, first = store.unreachable(2)

    assert (count, [(id.name, reason) for id, reason in first]) == (3, [("a", "agent offline"), ("b", "agent offline")])
    sync(cluster("a", connectivityStatus="Connected"), removed=[offline[0]])
    assert store.unreachable(2)[0] == 1


def test_causes_come_with_the_commonest_first(store: Store, sync: Sync, scan: Scan, cluster: Make) -> None:
    clusters = [cluster(name) for name in "abcdef"]
    sync(*clusters)
    states = [BAD, BAD, BAD, EXEMPT, BAD, GOOD]
    said = ["branch", "branch", "branch", "freeze", "no extension", ""]
    scan(*(("flux", c, state, text) for c, state, text in zip(clusters, states, said, strict=True)))

    assert store.causes("flux", limit=5) == [
        CauseRecord("flux", BAD, why("branch"), 3),
        CauseRecord("flux", EXEMPT, why("freeze"), 1),
        CauseRecord("flux", BAD, why("no extension"), 1),
    ]
    assert len(store.causes("flux", limit=1)) == 1
    assert store.causes("other", limit=5) == []


def test_examples_are_the_oldest_of_each_cause(store: Store, sync: Sync, scan: Scan, cluster: Make, clock: Any) -> None:
    a, b, c, d = (cluster(name) for name in "abcd")
    sync(a, b, c, d)
    scan(("flux", b, BAD, "branch"), ("flux", d, EXEMPT, "freeze"))
    clock.advance(hours=1)
    scan(("flux", a, BAD, "branch"), ("flux", b, BAD, "branch"), ("flux", c, BAD, "branch"))

    found = store.examples("flux", causes=5, each=2)

    assert sorted(f.cluster.name for f in found) == ["a", "b", "d"]
    assert {f.cluster.name: f.reason.message for f in found}["d"] == "freeze"
    assert [f.cluster.name for f in store.examples("flux", causes=1, each=1)] == ["b"]


def test_first_findings_are_some_of_all_in_the_same_order(store: Store, sync: Sync, scan: Scan, cluster: Make) -> None:
    clusters = [cluster(name) for name in "cab"]
    sync(*clusters)
    scan(*((key, c, state, key) for c in clusters for key, state in (("local", BAD), ("flux", EXEMPT), ("more", BAD))))

    assert store.first_findings(100) == store.findings()
    assert store.first_findings(4) == [*store.findings()[:3], store.first_findings(4)[3]]
    assert store.first_findings(100, states=[EXEMPT]) == store.findings(policy="flux")
    assert store.first_findings(5, states=[GOOD]) == []


def test_open_findings_are_counted_by_age(store: Store, sync: Sync, scan: Scan, cluster: Make, clock: Any) -> None:
    a, b, c = (cluster(name) for name in "abc")
    sync(a, b, c)
    began = clock.now()
    scan(("flux", a, BAD, "x"), ("flux", b, EXEMPT, "x"))
    assert store.oldest_failing() == store.findings(cluster=a.id)[0]
    clock.advance(days=2)
    scan(("flux", a, BAD, "y"), ("flux", b, BAD, "x"), ("flux", c, BAD, "x"))
    now = clock.now()

    assert store.open_since([now - timedelta(days=1)]) == [2, 1]
    assert store.open_since([now, began]) == [0, 2, 1]
    oldest = store.oldest_failing()
    assert oldest is not None
    assert (oldest.cluster, oldest.since, oldest.reason) == (a.id, began, why("y"))
    scan(("flux", a, GOOD), ("flux", b, GOOD), ("flux", c, EXEMPT))
    assert store.open_since([began]) == [0, 0]
    assert store.oldest_failing() is None


def test_clusters_that_fail_are_counted_once(store: Store, sync: Sync, scan: Scan, cluster: Make) -> None:
    a, b, c = (cluster(name) for name in "abc")
    sync(a, b, c)
    scan(("flux", a, BAD), ("local", a, BAD), ("flux", b, BAD), ("flux", c, EXEMPT))

    assert store.failing_clusters() == 2
    scan(("flux", a, BAD), ("flux", b, GOOD), policies=["flux"])
    assert store.failing_clusters() == 1
    sync(removed=[a])
    assert store.failing_clusters() == 0


class TestMoves:
    def test_a_detour_is_none(self, store: Store, sync: Sync, scan: Scan, cluster: Make, clock: Any) -> None:
        a, b = cluster("a"), cluster("b")
        sync(a, b)
        before = scan(("flux", a, GOOD), ("flux", b, BAD))
        for state in (BAD, GOOD):
            clock.advance(hours=1)
            scan(("flux", a, state), ("flux", b, GOOD))

        assert store.moves(before, limit=0) == ([MoveCount("flux", BAD, GOOD, False, 1)], [])

    def test_what_failed_long_ago_is_told_from_what_never_did(
        self, store: Store, sync: Sync, scan: Scan, cluster: Make, clock: Any
    ) -> None:
        a, b, c = (cluster(name) for name in "abc")
        sync(a, b, c)
        scan(("flux", a, BAD), ("flux", b, GOOD), ("flux", c, GOOD))
        clock.advance(hours=1)
        before = scan(("flux", a, GOOD), ("flux", b, GOOD), ("flux", c, GOOD))
        clock.advance(hours=1)
        scan(("flux", a, BAD), ("flux", b, BAD), ("flux", c, BAD))

        counts, moves = store.moves(before, limit=10)

        assert set(counts) == {MoveCount("flux", GOOD, BAD, again, n) for again, n in ((False, 2), (True, 1))}
        (again,) = (move for move in moves if move.again)
        assert (again.cluster, again.old, again.new, again.at) == (a.id, GOOD, BAD, clock.now())
        assert len(moves) == 3
        assert len(store.moves(before, limit=1)[1]) == 2  # one that never failed, one that does again

    def test_clusters_that_left_are_told_as_not_applicable(
        self, store: Store, sync: Sync, scan: Scan, cluster: Make, clock: Any
    ) -> None:
        a = cluster("a")
        sync(a)
        before = scan(("flux", a, BAD))
        clock.advance(hours=1)
        sync(removed=[a])

        assert store.moves(before, limit=0)[0] == [MoveCount("flux", BAD, NA, False, 1)]

    def test_they_cost_the_same_however_much_moved(
        self, tmp_path: Path, cluster: Make, policy: Callable[[str], PolicyRecord], clock: Any
    ) -> None:
        cost = []
        for size in (2 * LOOKED_AT, 4 * LOOKED_AT):
            url = f"sqlite:///{tmp_path}/{size}.db"
            clusters = [cluster(f"c{n:05d}").id for n in range(size)]
            with Store.open(url) as store:
                read: dict[str, Any] = {"removed": [], "tree": ScopeTree(), "source": "file:", "complete": True}
                store.apply_changes(upserts=[cluster(id.name) for id in clusters], at=clock.now(), **read)
                for state in (GOOD, BAD, GOOD, BAD):
                    clock.advance(hours=1)
                    said = [("flux", id, state, None) for id in clusters]
                    facts = {"started": clock.now(), "finished": clock.now(), "at": clock.now(), "complete": True}
                    store.record_scan(verdicts=said, policies=[policy("flux")], **facts)
            with work() as spent, Store.open(url) as store:
                counts, latest = store.moves(store.scans()[-1], limit=50)
            assert (counts, len(latest)) == ([MoveCount("flux", GOOD, BAD, False, size)], 50)
            cost.append(spent)

        (statements, steps), (more_statements, more_steps) = cost
        assert more_statements == statements
        assert more_steps <= steps * 1.02


class TestStandings:
    def test_each_cluster_comes_with_its_states_and_findings(
        self, store: Store, sync: Sync, scan: Scan, cluster: Make
    ) -> None:
        a, b, c = cluster("a"), cluster("b"), cluster("c", group="web")
        sync(a, b, c)
        scan(("flux", a, GOOD), ("local", a, NA), ("flux", b, BAD, "x"))

        found = list(store.standings([ROOT]))

        assert [each.cluster for each in found] == [a, b, c]
        assert [(each.cluster.id, dict(each.states)) for each in found] == list(store.state_matrix())
        assert [finding for each in found for finding in each.findings.values()] == store.findings()
        assert [each.cluster for each in store.standings([ROOT], found_only=True)] == [b]
        web = ResourceId("/subscriptions/edge/resourceGroups/web")
        assert [each.cluster for each in store.standings([web])] == [c]
        assert store.standings_of([b.id, cluster("nobody").id]) == [found[1]]

    def test_they_are_of_one_instant(self, store: Store, sync: Sync, scan: Scan, cluster: Make) -> None:
        """However long the reading takes: a page read later says what the first one said."""
        clusters = [cluster(f"c{n:04d}") for n in range(501)]
        sync(*clusters)
        scan(*(("flux", c, GOOD) for c in clusters))
        reading = store.standings([ROOT])
        next(reading)
        sync(removed=[clusters[-1]])
        scan(*(("flux", c, BAD) for c in clusters))

        rest = list(reading)

        assert len(rest) == 500
        assert {state for each in rest for state in each.states.values()} == {GOOD}


@contextmanager
def work() -> Iterator[list[int]]:
    """Counts statements, and hundreds of steps of SQLite's machine, of connections opened inside."""
    spent = [0, 0]

    def step() -> int:
        spent[1] += 1
        return 0

    def connected(connection: Any, _record: object) -> None:
        connection.set_progress_handler(step, 100)

    def asked(*_: object) -> None:
        spent[0] += 1

    event.listen(Engine, "connect", connected)
    event.listen(Engine, "before_cursor_execute", asked)
    try:
        yield spent
    finally:
        event.remove(Engine, "connect", connected)
        event.remove(Engine, "before_cursor_execute", asked)


QUESTIONS: dict[str, Callable[[Store], object]] = {
    "policy_counts": lambda store: store.policy_counts(),
    "group_counts": lambda store: store.group_counts(),
    "cluster_counts": lambda store: store.cluster_counts(),
    "causes": lambda store: store.causes("flux", limit=5),
    "examples": lambda store: store.examples("flux", causes=3, each=3),
    "first_findings": lambda store: store.first_findings(10),
    "open_since": lambda store: store.open_since([]),
    "oldest_failing": lambda store: store.oldest_failing(),
    "unreachable": lambda store: store.unreachable(5),
    "failing_clusters": lambda store: store.failing_clusters(),
    "scans": lambda store: store.scans(),
    "policies": lambda store: store.policies(),
}


def filled(folder: Path, size: int, cluster: Make, policy: Callable[[str], PolicyRecord], clock: Any) -> str:
    """Every third cluster fails one policy, each for one of three reasons."""
    url = f"sqlite:///{folder}/{size}.db"
    clusters = [cluster(f"c{n:05d}") for n in range(size)]
    with Store.open(url) as store:
        read: dict[str, Any] = {"removed": [], "tree": ScopeTree(), "source": "file:", "complete": True}
        store.apply_changes(upserts=clusters, at=clock.now(), **read)
        judged: Sequence[tuple[str, ResourceId, ComplianceState, Reason | None]] = [
            (key, c.id, *((GOOD, None) if n % 3 else (BAD, why(f"reason {n % 9}"))))
            for key in ("flux", "local")
            for n, c in enumerate(clusters)
        ]
        now = clock.now()
        policies = [policy("flux"), policy("local")]
        store.record_scan(started=now, finished=now, verdicts=judged, policies=policies, complete=True, at=now)
    return url


def test_no_question_costs_more_for_a_larger_fleet(
    tmp_path: Path, cluster: Make, policy: Callable[[str], PolicyRecord], clock: Any
) -> None:
    cost: dict[str, list[list[int]]] = {name: [] for name in QUESTIONS}
    for size in (300, 9_000):
        url = filled(tmp_path, size, cluster, policy, clock)
        for name, ask in QUESTIONS.items():
            with work() as spent, Store.open(url) as store:
                ask(store)
            cost[name].append(spent)

    for name, (small, large) in cost.items():
        assert large[0] == small[0], f"{name}: statements"
        assert large[1] <= small[1] + 2, f"{name}: steps"


def test_an_older_database_gets_its_totals(
    empty_url: str, cluster: Make, policy: Callable[[str], PolicyRecord]
) -> None:
    """What a database of the release before holds is counted once, when it is brought up to date."""
    Store.open(empty_url).close()
    database = Database(empty_url)
    config = Config()
    config.set_main_option("script_location", "policyengine.store:migrations")
    config.set_main_option("path_separator", "os")
    rows = {
        "cluster (number, seq, key, id, name, subscription, resource_group, location, type, document, children,"
        " content_hash)": "7, 1, '/a', '/a', 'a', 's', 'g', '', 'Microsoft.Kubernetes/connectedClusters',"
        """ '{"properties": {"connectivityStatus": "Offline"}}', '{}', 'h'""",
        "assignment (key, position, digest, assignment, definition, display_name, severity, effect, owner, runbook)": (
            "'flux', 0, 'd', 'a', 'p', 'P', 'low', 'audit', '', ''"
        ),
        "reason (hash, code, message)": "'h', 'c', 'm'",
        "rollup": "1, 's', 'g', 'NonCompliant', 1",
        "finding": "7, 1, 'NonCompliant', '2026-11-01T00:00:00.000000+00:00', 1",
    }
    with database.write() as session:
        config.attributes["connection"] = session.connection()
        command.downgrade(config, "0004")
        for table, values in rows.items():
            session.execute(text(f"INSERT INTO {table} VALUES ({values})"))
    database.close()

    with Store.open(empty_url) as store:
        assert store.policy_counts() == {"flux": {BAD: 1}}
        assert list(store.group_counts().values()) == [{BAD: 1}]
        assert list(store.cluster_counts().values()) == [{ARC: 1}]
        assert store.causes("flux", limit=9) == [CauseRecord("flux", BAD, Reason("c", "m"), 1)]
        assert (store.open_since([]), store.failing_clusters()) == ([1], 1)
        assert store.unreachable(5) == (1, [(ResourceId("/a"), "agent offline")])


def test_an_older_database_gets_what_changed(
    store: Store, database: Database, sync: Sync, scan: Scan, cluster: Make, clock: Any
) -> None:
    """The sums of a history that was written before there were any are those that are kept."""
    a, b, c = (cluster(name) for name in "abc")
    sync(a, b, c)
    for states in ((BAD, GOOD, EXEMPT), (GOOD, BAD, EXEMPT), (BAD, GOOD, BAD), (GOOD, BAD, BAD)):
        clock.advance(hours=1)
        scan(*(("flux", each, state) for each, state in zip((a, b, c), states, strict=True)))
        clock.advance(hours=1)
        sync(a, b, removed=[c])
        sync(a, b, c)
    kept = sums(database)
    with database.write() as session:
        config = Config()
        config.set_main_option("script_location", "policyengine.store:migrations")
        config.set_main_option("path_separator", "os")
        config.attributes["connection"] = session.connection()
        command.downgrade(config, "0006")
        command.upgrade(config, "0007")

    assert sums(database) == kept
    assert len(kept) > 5


def sums(database: Database) -> list[Any]:
    with database.read() as session:
        return sorted(map(tuple, session.execute(text("SELECT * FROM moved WHERE n <> 0")).all()))
