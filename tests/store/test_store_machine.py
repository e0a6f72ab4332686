"""Whatever the order of readings and scans, the store says what a plain dictionary says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from sqlalchemy import text

from policyengine.model.ids import ResourceId
from policyengine.model.resource import Cluster
from policyengine.model.scope import ScopeTree
from policyengine.model.states import FAILING, ComplianceState, Finding, Reason
from policyengine.store.blocks import CHUNK
from policyengine.store.database import Database
from policyengine.store.records import MoveCount, PolicyRecord, RollupRow, ScanRecord
from policyengine.store.store import Store

Pair = tuple[str, str]  # policy, cluster name

NA = ComplianceState.NOT_APPLICABLE
GOOD = ComplianceState.COMPLIANT
POLICIES = ("base/config", "base/flux", "local")
GROUPS = {"a": "g1", "b": "g1", "c": "g2", "d": "g2"}
TOTALS = {
    "cluster_total": "SELECT subscription, resource_group, LOWER(type), COUNT(*) FROM cluster WHERE removed IS NULL"
    " GROUP BY subscription, resource_group, type",
    "policy_total": "SELECT assignment, state, SUM(n) FROM rollup GROUP BY assignment, state",
    "group_total": "SELECT subscription, resource_group, state, SUM(n) FROM rollup"
    " GROUP BY subscription, resource_group, state",
    "cause": "SELECT assignment, state, reason, COUNT(*) FROM finding GROUP BY assignment, state, reason",
    "age": "SELECT assignment, state, since, COUNT(*) FROM finding GROUP BY assignment, state, since",
    "failure": "SELECT policies, COUNT(*) FROM (SELECT COUNT(*) AS policies FROM finding"
    " WHERE state IN ('NonCompliant', 'Conflict', 'Error') GROUP BY cluster) AS failing GROUP BY policies",
}
"""Each roll-up of the whole fleet, counted from its rows."""
WHY = st.sampled_from([None, Reason("r", "one reason"), Reason("r", "another")])


@dataclass
class Model:
    """The store, naively: every pair has its state, and everything else is counted from that."""

    clusters: set[str] = field(default_factory=set)
    policies: list[str] = field(default_factory=list)
    states: dict[Pair, tuple[ComplianceState, datetime, Reason]] = field(default_factory=dict)
    history: list[tuple[str, str, ComplianceState, ComplianceState]] = field(default_factory=list)
    ended: list[tuple[ScanRecord, int]] = field(default_factory=list)
    """Each scan, and how long the history was when it ended."""

    def move(self, pair: Pair, new: tuple[ComplianceState, datetime, Reason] | None) -> None:
        old = self.states.pop(pair, None)
        before, after = (old[0] if old else NA), (new[0] if new else NA)
        if before is not after and not (old is None and after is GOOD):
            self.history.append((*pair, before, after))
        if new is not None:
            stays = old is not None and old[0] is new[0]
            self.states[pair] = (new[0], old[1] if old and stays else new[1], new[2])

    def moves(self, long: int) -> Counter[MoveCount]:
        """Between then and now; there and back is no move."""
        began: dict[Pair, ComplianceState] = {}
        stands: dict[Pair, ComplianceState] = {}
        for key, name, old, new in self.history[long:]:
            began.setdefault((key, name), old)
            stands[key, name] = new
        failed = {(key, name) for key, name, _, new in self.history[:long] if new in FAILING}
        found: Counter[MoveCount] = Counter()
        for pair, old in began.items():
            new = stands[pair]
            again = pair in failed and new in FAILING and old not in FAILING
            found[MoveCount(pair[0], old, new, again, 0)] += old is not new
        return Counter({move: n for move, n in found.items() if n})

    def forget(self, gone: Callable[[Pair], bool]) -> None:
        for pair in [pair for pair in self.states if gone(pair)]:
            self.move(pair, None)


def machine(
    store: Store,
    database: Database,
    wipe: Callable[[], None],
    number_from: Callable[[int], None],
    cluster: Callable[..., Cluster],
    policy: Callable[[str], PolicyRecord],
) -> type[RuleBasedStateMachine]:
    def build(name: str, **properties: object) -> Cluster:
        return cluster(name, group=GROUPS[name], **properties)

    class StoreMachine(RuleBasedStateMachine):
        @initialize()
        def empty(self) -> None:
            wipe()
            self.model = Model()
            self.now = datetime(2026, 11, 22, tzinfo=UTC)
            self.last: ScanRecord | None = None
            number_from(CHUNK - 2)  # clusters on both sides of the border between two blocks

        @rule(
            seen=st.dictionaries(st.sampled_from(sorted(GROUPS)), st.integers(0, 2)),
            gone=st.sets(st.sampled_from(sorted(GROUPS))),
            complete=st.booleans(),
        )
        def read_inventory(self, seen: dict[str, int], gone: set[str], complete: bool) -> None:
            self.now += timedelta(minutes=1)
            gone -= seen.keys()
            store.apply_changes(
                upserts=[build(name, version=version) for name, version in seen.items()],
                removed=[build(name).id for name in gone],
                tree=ScopeTree(),
                source="file:",
                complete=complete,
                at=self.now,
            )
            self.model.clusters = (self.model.clusters - gone) | seen.keys()
            self.model.forget(lambda pair: pair[1] in gone)

        @rule(
            bound=st.lists(st.sampled_from(POLICIES), unique=True),
            said=st.dictionaries(
                st.tuples(st.sampled_from(POLICIES), st.sampled_from(sorted(GROUPS))),
                st.tuples(st.sampled_from(list(ComplianceState)), WHY),
            ),
        )
        def scan(self, bound: list[str], said: dict[Pair, tuple[ComplianceState, Reason | None]]) -> None:
            self.now += timedelta(minutes=1)
            said = {pair: judged for pair, judged in said.items() if pair[0] in bound}
            before = len(self.model.history)
            self.last = store.record_scan(
                started=self.now,
                finished=self.now,
                at=self.now,
                complete=True,
                policies=[policy(key) for key in bound],
                verdicts=[(key, build(name).id, state, why) for (key, name), (state, why) in said.items()],
            )
            self.model.forget(lambda pair: pair[0] not in bound)
            for pair, (state, why) in said.items():
                if pair[1] in self.model.clusters:
                    self.model.move(pair, (state, self.now, why or Reason("unstated", "")))
            self.model.policies = bound
            self.model.ended.append((self.last, len(self.model.history)))
            assert self.last.changed == len(self.model.history) - before
            assert self.last.counts == Counter(state for state, _, _ in self.model.states.values())
            assert (self.last.clusters, self.last.policies) == (len(self.model.clusters), len(bound))

        @invariant()
        def findings_agree(self) -> None:
            expected = [
                Finding(build(name).id, key, state, since, why)
                for (key, name), (state, since, why) in self.model.states.items()
                if state.is_finding
            ]
            order = {key: at for at, key in enumerate(self.model.policies)}
            assert store.findings() == sorted(expected, key=lambda f: (order[f.policy], f.cluster))

        @invariant()
        def rollups_agree(self) -> None:
            expected = Counter(
                (key, "edge", GROUPS[name], state) for (key, name), (state, _, _) in self.model.states.items()
            )
            found = store.rollups()
            assert len(found) == len(expected)
            assert set(found) == {RollupRow(*cell, count) for cell, count in expected.items()}

        @invariant()
        def totals_agree(self) -> None:
            """What reports read instead of rows is the sum of those rows."""
            with database.read() as session:
                for table, rows in TOTALS.items():
                    kept = session.execute(text(f"SELECT * FROM {table} WHERE n IS NOT NULL")).all()
                    assert Counter(map(tuple, kept)) == Counter(map(tuple, session.execute(text(rows)).all())), table

        @invariant()
        def matrix_agrees(self) -> None:
            expected: dict[ResourceId, dict[str, ComplianceState]] = {
                build(name).id: {} for name in sorted(self.model.clusters, key=lambda name: build(name).id)
            }
            for (key, name), (state, _, _) in self.model.states.items():
                expected[build(name).id][key] = state
            assert list(store.state_matrix()) == list(expected.items())
            assert [found.id for found in store.clusters()] == list(expected)

        @invariant()
        def view_agrees(self) -> None:
            with database.read() as session:
                rows = session.execute(text("SELECT policy, cluster, state FROM compliance_state")).all()
            assert sorted(tuple(row) for row in rows) == sorted(
                (key, build(name).id.text, state.value) for (key, name), (state, _, _) in self.model.states.items()
            )

        @invariant()
        def history_agrees(self) -> None:
            """The order inside one reading or scan is nobody's business."""
            found = [(change.policy, change.cluster.name, change.old, change.new) for change in store.history()]
            assert Counter(found) == Counter(self.model.history)
            stands: dict[Pair, ComplianceState] = {}
            for key, name, old, new in found:
                was = stands.get((key, name), NA)
                assert old is was or (was is NA and old is GOOD), "a change begins where the one before it ended"
                stands[key, name] = new

        @invariant()
        def moves_agree(self) -> None:
            """Since every scan there was, by the sums and by the changes that are named."""
            for scan, long in self.model.ended:
                counts, named = store.moves(scan, limit=1000)
                expected = self.model.moves(long)
                assert {replace(move, pairs=0): move.pairs for move in counts} == expected
                assert Counter(MoveCount(m.policy, m.old, m.new, m.again, 0) for m in named) == expected

        @invariant()
        def policies_agree(self) -> None:
            assert store.policies() == [policy(key) for key in self.model.policies]
            assert store.last_scan() == self.last

    return StoreMachine


@pytest.mark.slow
def test_the_store_agrees_with_a_naive_model(
    store: Store,
    database: Database,
    wipe: Callable[[], None],
    number_from: Callable[[int], None],
    cluster: Callable[..., Cluster],
    policy: Callable[[str], PolicyRecord],
) -> None:
    run_state_machine_as_test(
        machine(store, database, wipe, number_from, cluster, policy),
        settings=settings(
            max_examples=8, stateful_step_count=8, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
