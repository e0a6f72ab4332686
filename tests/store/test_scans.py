"""What a scan leaves behind: states, findings, roll-ups, history, by differences and in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import text

from policyengine.errors import StoreError
from policyengine.model.ids import ResourceId
from policyengine.model.resource import Cluster
from policyengine.model.scope import ResourceGroup, ScopeTree, Subscription
from policyengine.model.states import ComplianceState, Finding, Reason
from policyengine.store.blocks import CHUNK
from policyengine.store.database import Database
from policyengine.store.records import Change, PairVerdict, PolicyRecord, RollupRow, ScanRecord
from policyengine.store.store import Store

Make = Callable[..., Cluster]
Sync = Callable[..., None]
Scan = Callable[..., ScanRecord]

GOOD = ComplianceState.COMPLIANT
BAD = ComplianceState.NON_COMPLIANT
NA = ComplianceState.NOT_APPLICABLE
EXEMPT = ComplianceState.EXEMPT


def everything(store: Store) -> tuple[object, ...]:
    """All that a reader can see, to show that nothing changed."""
    return (
        store.findings(),
        store.rollups(),
        list(store.state_matrix()),
        store.history(),
        store.scans(),
        store.policies(),
    )


def test_a_scan_leaves_the_state_of_every_pair(store: Store, sync: Sync, scan: Scan, cluster: Make) -> None:
    a, b = cluster("a"), cluster("b")
    sync(b, a)
    scan(("flux", a, GOOD), ("flux", b, BAD, "no extension"), ("local", a, NA))

    assert list(store.state_matrix()) == [(a.id, {"flux": GOOD, "local": NA}), (b.id, {"flux": BAD})]


def test_only_pairs_that_are_not_compliant_are_findings(
    store: Store, sync: Sync, scan: Scan, cluster: Make, clock: Any
) -> None:
    clusters = [cluster(f"c{n}") for n, _ in enumerate(ComplianceState)]
    sync(*clusters)
    scan(*(("flux", c, state, f"it is {state.value}") for c, state in zip(clusters, ComplianceState, strict=True)))

    assert store.findings() == [
        Finding(c.id, "flux", state, clock.now(), Reason("test", f"it is {state.value}"))
        for c, state in zip(clusters, ComplianceState, strict=True)
        if state not in {GOOD, NA}
    ]


def test_findings_can_be_asked_for_by_policy_cluster_and_state(
    store: Store, sync: Sync, scan: Scan, cluster: Make
) -> None:
    a, b = cluster("a"), cluster("b")
    sync(a, b)
    scan(("flux", a, BAD), ("flux", b, EXEMPT), ("local", a, EXEMPT))

    def pairs(**asked: Any) -> list[tuple[str, str]]:
        return [(finding.policy, finding.cluster.name) for finding in store.findings(**asked)]

    assert pairs(policy="flux") == [("flux", "a"), ("flux", "b")]
    assert pairs(cluster=ResourceId(a.id.text.upper())) == [("flux", "a"), ("local", "a")]
    assert pairs(states={EXEMPT}) == [("flux", "b"), ("local", "a")]
    assert pairs(policy="flux", cluster=a.id, states=[BAD]) == [("flux", "a")]
    assert pairs(states=[]) == []
    assert pairs(policy="nobody") == []


def test_a_finding_keeps_its_since_while_its_state_stays(
    store: Store, sync: Sync, scan: Scan, cluster: Make, clock: Any
) -> None:
    a = cluster("a")
    sync(a)
    scan(("flux", a, BAD, "no extension"))
    first = clock.now()
    clock.advance(days=1)
    scan(("flux", a, BAD, "the extension failed"))

    (finding,) = store.findings()

    assert (finding.since, finding.reason.message) == (first, "the extension failed")
    assert len(store.history()) == 1


def test_a_finding_that_becomes_another_starts_anew(
    store: Store, sync: Sync, scan: Scan, cluster: Make, clock: Any
) -> None:
    a = cluster("a")
    sync(a)
    scan(("flux", a, BAD))
    later = clock.advance(days=1)
    scan(("flux", a, EXEMPT))

    (finding,) = store.findings()

    assert (finding.state, finding.since) == (EXEMPT, later)


def test_a_finding_without_a_reason_says_so(store: Store, sync: Sync, scan: Scan, cluster: Make) -> None:
    a = cluster("a")
    sync(a)
    scan(("flux", a, EXEMPT))

    assert store.findings()[0].reason == Reason("unstated", "")


def test_a_reason_no_database_can_hold_does_not_sink_the_scan(
    store: Store, sync: Sync, scan: Scan, cluster: Make
) -> None:
    a, b = cluster("a"), cluster("b")
    sync(a, b)
    scan(("flux", a, BAD, "null \x00 and half \ud83d of a pair"), ("flux", b, BAD, "whole 😀"))

    assert [f.reason.message for f in store.findings()] == ["null \ufffd and half \ufffd of a pair", "whole 😀"]


def test_history_tells_changes_and_nothing_else(
    store: Store, sync: Sync, scan: Scan, cluster: Make, clock: Any
) -> None:
    """A first sight comes from not applicable, so a first sight of not applicable is no change."""
    a, b = cluster("a"), cluster("b")
    sync(a, b)
    first = clock.now()
    scan(("flux", a, BAD), ("flux", b, NA))
    scan(("flux", a, BAD), ("flux", b, NA))
    later = clock.advance(hours=1)
    record = scan(("flux", a, GOOD), ("flux", b, NA))

    assert store.history() == [
        Change("flux", a.id, NA, BAD, "s-000001", first),
        Change("flux", a.id, BAD, GOOD, "s-000003", later),
    ]
    assert record.changed == 1
    assert store.history(since=later) == store.history()[1:]
    assert store.history(policy="flux", cluster=a.id) == store.history()
    assert store.history(cluster=b.id) == []


def test_rollups_count_by_group_and_are_spelt_as_the_tree_spells_them(
    store: Store, sync: Sync, scan: Scan, cluster: Make
) -> None:
    a, b, c = cluster("a", group="STORES"), cluster("b", group="stores"), cluster("c", subscription="Web", group="X")
    tree = ScopeTree(
        subscriptions=(Subscription("Edge", "Edge"),),
        resource_groups=(ResourceGroup(ResourceId("/subscriptions/edge/resourceGroups/Stores"), "norwayeast"),),
    )
    sync(a, b, c, tree=tree)
    scan(("flux", a, BAD), ("flux", b, BAD), ("flux", c, GOOD))

    assert store.rollups() == [
        RollupRow("flux", "Edge", "Stores", BAD, 2),
        RollupRow("flux", "web", "x", GOOD, 1),
    ]


def test_a_cell_that_reaches_zero_is_gone(store: Store, sync: Sync, scan: Scan, cluster: Make) -> None:
    a = cluster("a")
    sync(a)
    scan(("flux", a, BAD))
    scan(("flux", a, GOOD))

    assert store.rollups() == [RollupRow("flux", "edge", "stores", GOOD, 1)]


def test_a_pair_without_a_verdict_keeps_its_state(store: Store, sync: Sync, scan: Scan, cluster: Make) -> None:
    a, b = cluster("a"), cluster("b")
    sync(a, b)
    scan(("flux", a, BAD), ("flux", b, BAD))
    scan(("flux", a, GOOD), policies=["flux"], complete=False)

    assert list(store.state_matrix()) == [(a.id, {"flux": GOOD}), (b.id, {"flux": BAD})]
    assert [finding.cluster for finding in store.findings()] == [b.id]


def test_verdicts_on_nothing_that_is_there_are_passed_over(store: Store, sync: Sync, scan: Scan, cluster: Make) -> None:
    record = scan(("flux", cluster("a"), BAD))

    assert (record.changed, record.evaluated, record.counts) == (0, 0, {})


def test_a_removed_cluster_is_retired_everywhere(
    store: Store, sync: Sync, scan: Scan, cluster: Make, clock: Any
) -> None:
    a, b = cluster("a"), cluster("b")
    sync(a, b)
    scan(("flux", a, BAD), ("flux", b, GOOD), ("local", a, GOOD))
    later = clock.advance(hours=1)
    sync(removed=[a])

    assert store.findings() == []
    assert store.rollups() == [RollupRow("flux", "edge", "stores", GOOD, 1)]
    assert list(store.state_matrix()) == [(b.id, {"flux": GOOD})]
    assert store.history(since=later) == [
        Change("flux", a.id, BAD, NA, None, later),
        Change("local", a.id, GOOD, NA, None, later),
    ]


def test_a_cluster_that_comes_back_is_judged_anew(
    store: Store, sync: Sync, scan: Scan, cluster: Make, clock: Any
) -> None:
    a = cluster("a")
    sync(a)
    scan(("flux", a, BAD))
    sync(removed=[a])
    sync(a)

    assert list(store.state_matrix()) == [(a.id, {})]

    later = clock.advance(hours=1)
    scan(("flux", a, BAD))

    assert store.findings()[0].since == later


def test_a_cluster_that_left_while_it_was_judged_is_passed_over(
    store: Store, sync: Sync, cluster: Make, policy: Callable[[str], PolicyRecord], clock: Any
) -> None:
    a, b = cluster("a"), cluster("b")
    sync(a, b)

    def verdicts() -> Iterator[PairVerdict]:
        yield "flux", a.id, BAD, None
        sync(removed=[a])
        yield "flux", b.id, BAD, None

    now = clock.now()
    record = store.record_scan(
        started=now, finished=now, at=now, verdicts=verdicts(), policies=[policy("flux")], complete=True
    )

    assert [finding.cluster for finding in store.findings()] == [b.id]
    assert record.counts == {BAD: 1}


def test_a_policy_no_longer_bound_is_retired_everywhere(
    store: Store, sync: Sync, scan: Scan, cluster: Make, clock: Any
) -> None:
    a = cluster("a")
    sync(a)
    scan(("flux", a, BAD), ("local", a, GOOD))
    later = clock.advance(hours=1)
    record = scan(("local", a, GOOD), policies=["local"])

    assert [policy.key for policy in store.policies()] == ["local"]
    assert store.findings() == []
    assert store.rollups() == [RollupRow("local", "edge", "stores", GOOD, 1)]
    assert list(store.state_matrix()) == [(a.id, {"local": GOOD})]
    assert store.history(since=later) == [Change("flux", a.id, BAD, NA, record.id, later)]
    assert (record.changed, record.policies, record.counts) == (1, 1, {GOOD: 1})


def test_a_policy_bound_again_starts_anew(store: Store, sync: Sync, scan: Scan, cluster: Make, clock: Any) -> None:
    a = cluster("a")
    sync(a)
    scan(("flux", a, BAD))
    scan(policies=[])
    later = clock.advance(hours=1)
    scan(("flux", a, BAD))

    assert store.findings()[0].since == later
    assert [(change.old, change.new) for change in store.history()] == [(NA, BAD), (BAD, NA), (NA, BAD)]


def test_policies_come_back_as_bound_and_in_that_order(
    store: Store, scan: Scan, policy: Callable[[str], PolicyRecord]
) -> None:
    scan(policies=["z", "base/flux", "a"])
    scan(policies=["base/flux", "z", "a"])

    assert store.policies() == [policy("base/flux"), policy("z"), policy("a")]


def test_a_scan_record_describes_the_store_after_it(
    store: Store, sync: Sync, scan: Scan, cluster: Make, clock: Any
) -> None:
    assert store.last_scan() is None

    a, b = cluster("a"), cluster("b")
    sync(a, b)
    first = scan(("flux", a, BAD), ("flux", b, GOOD), ("local", a, NA))
    second = scan(("flux", a, GOOD), policies=["flux", "local"], complete=False)

    assert first == store.scans()[1]
    assert (first.id, first.changed, first.clusters, first.policies) == ("s-000001", 1, 2, 2)
    assert first.counts == {BAD: 1, GOOD: 1, NA: 1}
    assert first.inventory_seq == 1
    assert (first.finished - first.started).total_seconds() == 1
    assert (second.id, second.complete, second.counts) == ("s-000002", False, {GOOD: 2, NA: 1})
    assert store.last_scan() == second
    assert store.scans(limit=1) == [second]


def test_a_verdict_on_an_unnamed_policy_is_refused_and_changes_nothing(
    store: Store, sync: Sync, scan: Scan, cluster: Make
) -> None:
    a = cluster("a")
    sync(a)
    scan(("flux", a, BAD))
    before = everything(store)

    with pytest.raises(StoreError, match="`local`, which is not among the bound policies"):
        scan(("local", a, BAD), policies=["flux"])

    assert everything(store) == before


def test_a_scan_that_fails_half_way_changes_nothing(
    store: Store, sync: Sync, scan: Scan, cluster: Make, policy: Callable[[str], PolicyRecord], clock: Any
) -> None:
    a = cluster("a")
    sync(a)
    scan(("flux", a, BAD))
    before = everything(store)

    def verdicts() -> Iterator[PairVerdict]:
        yield "flux", a.id, GOOD, None
        raise RuntimeError("the judge fell ill")

    now = clock.now()
    with pytest.raises(RuntimeError):
        store.record_scan(
            started=now, finished=now, at=now, verdicts=verdicts(), policies=[policy("flux")], complete=True
        )

    assert everything(store) == before


def test_the_view_decodes_the_blocks_in_plain_sql(
    store: Store, sync: Sync, scan: Scan, cluster: Make, database: Database, number_from: Callable[[int], None]
) -> None:
    """Every state, on both sides of the border between two blocks; nothing for a pair that was not judged."""
    clusters = [cluster(f"c{n:02d}") for n in range(40)]
    number_from(CHUNK - 20)
    sync(*clusters)
    states = list(ComplianceState)
    judged = [(c, states[n % len(states)]) for n, c in enumerate(clusters) if n not in {5, 30}]
    scan(*(("flux", c, state) for c, state in judged), *(("local", c, GOOD) for c in clusters[:2]))

    with database.read() as session:
        flux = text("SELECT cluster, state FROM compliance_state WHERE policy = 'flux'")
        found = {row.cluster: row.state for row in session.execute(flux)}
        one = text("SELECT policy, subscription, resource_group, state FROM compliance_state WHERE cluster = :id")
        of_first = sorted(tuple(row) for row in session.execute(one, {"id": clusters[0].id.text}))

    assert found == {c.id.text: state.value for c, state in judged}
    assert of_first == [("flux", "edge", "stores", "NotApplicable"), ("local", "edge", "stores", "Compliant")]


def test_a_scan_writes_only_what_changed(store: Store, sync: Sync, scan: Scan, cluster: Make) -> None:
    clusters = [cluster(f"c{n:03d}", group=f"g{n % 10}") for n in range(100)]
    sync(*clusters)
    verdicts = [(f"p{p:02d}", c, BAD if (p + n) % 5 == 0 else GOOD) for p in range(20) for n, c in enumerate(clusters)]
    first = scan(*verdicts)
    again = scan(*verdicts)
    moved = scan(("p00", clusters[1], BAD), *(v for v in verdicts if v[:2] != ("p00", clusters[1])))

    assert (first.changed, again.changed, moved.changed) == (400, 0, 1)
    assert len(store.history()) == 401
    assert sum(row.count for row in store.rollups()) == 2_000
