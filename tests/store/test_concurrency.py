"""Several processes and threads on one database: nobody is lost, nobody is stuck, a kill leaves the last state."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

from policyengine.model.resource import Cluster
from policyengine.model.states import ComplianceState
from policyengine.store.records import PolicyRecord, ScanRecord
from policyengine.store.store import Store

NOW = datetime(2026, 11, 22, 20, 0, tzinfo=UTC)

FIRE = """
import sys
from datetime import UTC, datetime
from policyengine.store.store import Store
with Store.open(sys.argv[1]) as store:
    print(sum(store.record_fire("nightly", datetime(2026, 11, n, tzinfo=UTC)) for n in range(1, 29)))
"""

DIE_BEFORE_THE_COMMIT = """
import os, signal, sys
from datetime import UTC, datetime
from policyengine.model.states import ComplianceState
from policyengine.store import scans
from policyengine.store.store import Store
from policyengine.store.database import Database
now = datetime(2026, 11, 23, tzinfo=UTC)
with Store.open(sys.argv[1]) as store:
    (policy,), (cluster,) = store.policies(), store.clusters()
database = Database(sys.argv[1])
with database.write() as session:
    said = scans.Verdicts()
    said.fill([(policy.key, cluster.id, ComplianceState.COMPLIANT, None)])
    scan = scans.begin(session, [policy], scans.ScanFacts(now, now, True, 1, "", "scan"))
    scans.record(session, said, scan, at=now)
    scans.finish(session, scan, finished=now)
    session.flush()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def start(script: str, url: str) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", script, url], stdout=subprocess.PIPE, text=True)


def test_processes_that_open_an_empty_database_at_once_share_it(empty_url: str) -> None:
    """Each fire is given to exactly one of them."""
    processes = [start(FIRE, empty_url) for _ in range(2)]
    given = [process.communicate(timeout=60)[0].strip() for process in processes]

    assert [process.returncode for process in processes] == [0, 0]
    assert sum(int(number) for number in given) == 28


def test_a_scan_killed_before_its_commit_leaves_the_previous_states(
    store: Store, url: str, cluster: Callable[..., Cluster], sync: Callable[..., None], scan: Callable[..., ScanRecord]
) -> None:
    a = cluster("a")
    sync(a)
    scan(("flux", a, ComplianceState.NON_COMPLIANT))
    before = (store.findings(), list(store.state_matrix()), store.rollups(), store.scans(), store.history())

    process = start(DIE_BEFORE_THE_COMMIT, url)
    process.communicate(timeout=60)

    assert process.returncode == -9
    assert (store.findings(), list(store.state_matrix()), store.rollups(), store.scans(), store.history()) == before
    assert scan(("flux", a, ComplianceState.COMPLIANT)).changed == 1


def test_scans_of_two_stores_at_once_add_up(
    store: Store,
    url: str,
    cluster: Callable[..., Cluster],
    sync: Callable[..., None],
    policy: Callable[[str], PolicyRecord],
) -> None:
    clusters = [cluster(f"c{n}", group=f"g{n % 3}") for n in range(20)]
    sync(*clusters)
    states = list(ComplianceState)
    policies = [policy("flux"), policy("local")]

    def scan_often(own: Store, key: str) -> None:
        for turn in range(6):
            own.record_scan(
                started=NOW,
                finished=NOW,
                at=NOW,
                complete=True,
                policies=policies,
                verdicts=[(key, c.id, states[(n + turn) % len(states)], None) for n, c in enumerate(clusters)],
            )

    with Store.open(url) as other, ThreadPoolExecutor(4) as pool:
        jobs = [pool.submit(scan_often, *job) for job in ((store, "flux"), (other, "local"), (other, "flux"))]
        for job in jobs:
            job.result()

    matrix = dict(store.state_matrix())
    counted: Counter[Any] = Counter((key, state) for row in matrix.values() for key, state in row.items())
    rolled: Counter[Any] = Counter()
    for row in store.rollups():
        rolled[row.policy_key, row.state] += row.count
    assert counted == rolled
    assert sum(counted.values()) == 40
    assert len(store.scans(limit=100)) == 18
    assert {(f.policy, f.cluster) for f in store.findings()} == {
        (key, id) for id, row in matrix.items() for key, state in row.items() if state.is_finding
    }
