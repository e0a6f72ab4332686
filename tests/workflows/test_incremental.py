"""A scan judges what has changed and nothing else, and says the same as one that judges everything."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from policyengine.compliance.workset import Cause
from policyengine.model.fleet import ScopeFailure
from policyengine.model.ids import ResourceId
from policyengine.model.resource import ARC, Cluster, Resource
from policyengine.model.scope import ManagementGroup, ResourceGroup, ScopeTree, Subscription
from policyengine.model.states import ComplianceState
from policyengine.store.store import Store
from policyengine.workflows import bench
from policyengine.workflows.bench import set_up
from policyengine.workflows.load import load
from policyengine.workflows.scan import ScanRequest, ScanResult, scan
from policyengine.workflows.settings import Settings
from policyengine.workflows.sync import unwatched
from policyengine.workflows.work import Shard

if TYPE_CHECKING:
    from tests.workflows.conftest import ManualClock

ONE, TWO = "5b0c0000-0000-0000-0000-000000000001", "5b0c0000-0000-0000-0000-000000000002"
MANAGED = "/providers/Microsoft.Management/managementGroups/mg"
EXEMPT = ComplianceState.EXEMPT

DEFINITIONS = """
apiVersion: policyengine/v1
kind: PolicyDefinition
metadata: {name: flux, severity: high}
spec:
  appliesTo: [arc]
  require: {extension: {extensionType: microsoft.flux, releaseTrain: TRAIN}}
---
apiVersion: policyengine/v1
kind: PolicyDefinition
metadata: {name: flux2}
spec:
  appliesTo: [arc]
  require: {extension: {extensionType: microsoft.flux, releaseTrain: Preview}}
---
apiVersion: policyengine/v1
kind: PolicyDefinition
metadata: {name: owned}
spec:
  policyRule:
    if:
      allOf:
      - {field: type, equals: Microsoft.Kubernetes/connectedClusters}
      - {field: tags.owner, exists: false}
    then: {effect: audit}
---
apiVersion: policyengine/v1
kind: PolicyDefinition
metadata: {name: placed}
spec:
  policyRule:
    if:
      allOf:
      - {field: type, equals: Microsoft.Kubernetes/connectedClusters}
      - {value: "[resourceGroup().tags.env]", notEquals: prod}
    then: {effect: audit}
---
apiVersion: policyengine/v1
kind: PolicyDefinition
metadata: {name: fresh}
spec:
  policyRule:
    if:
      allOf:
      - {field: type, equals: Microsoft.Kubernetes/connectedClusters}
      - {value: "[utcNow()]", greater: "2026-12-01T00:00:00Z"}
    then: {effect: audit}
"""


NODED = """---
apiVersion: policyengine/v1
kind: PolicyDefinition
metadata: {name: noded}
spec:
  policyRule:
    if: {field: Microsoft.Kubernetes/connectedClusters/totalNodeCount, greater: 3}
    then: {effect: audit}
"""


def assignment(name: str, policy: str, scope: str) -> str:
    return f"""---
apiVersion: policyengine/v1
kind: Assignment
metadata: {{name: {name}}}
spec: {{policy: {policy}, scope: {scope}}}
"""


def exemption(name: str, assignment: str, scope: str, until: str = "") -> str:
    expires = f", expiresOn: {until}" if until else ""
    return f"""---
apiVersion: policyengine/v1
kind: Exemption
metadata: {{name: {name}}}
spec: {{assignment: {assignment}, category: Waiver, scopes: ['{scope}']{expires}, reason: later}}
"""


def group_id(group: str, subscription: str = ONE) -> str:
    return f"/subscriptions/{subscription}/resourceGroups/{group}"


def cluster(name: str, group: str = "a", subscription: str = ONE, **tags: str) -> Cluster:
    id = f"{group_id(group, subscription)}/providers/{ARC}/{name}"
    return Cluster(Resource.from_document({"id": id, "location": "westeurope", "tags": tags, "properties": {}}))


def with_flux(one: Cluster, train: str = "Stable") -> Cluster:
    properties = {"extensionType": "microsoft.flux", "releaseTrain": train, "provisioningState": "Succeeded"}
    id = f"{one.id.text}/providers/Microsoft.KubernetesConfiguration/extensions/flux"
    return Cluster(one.resource, (Resource.from_document({"id": id, "properties": properties}),))


def tree(env: str = "prod", *, above: str = "mg", groups: tuple[str, ...] = ("a", "b")) -> ScopeTree:
    """Two subscriptions, the first of them under ``above``; ``env`` is what group a says of itself."""
    return ScopeTree(
        (ManagementGroup("mg", "Group"), ManagementGroup("other", "Other")),
        (Subscription(ONE, "One", above), Subscription(TWO, "Two", "other")),
        tuple(
            ResourceGroup(
                ResourceId(group_id(name, subscription)), "westeurope", {"env": env if name == "a" else "prod"}
            )
            for name in groups
            for subscription in (ONE, TWO)
        ),
    )


class Fleet:
    """Policy files and a store, and readings of an inventory that are told, not read."""

    def __init__(self, folder: Path, clock: ManualClock, name: str = "incremental") -> None:
        self.folder, self.clock = folder, clock
        self.url = f"sqlite:///{folder}/{name}.db"
        self.store = Store.open(self.url)
        (folder / "policies").mkdir(exist_ok=True)

    @property
    def settings(self) -> Settings:
        return Settings(policies=[str(self.folder / "policies")], database=self.url, inventory="file:none")

    def write(self, *documents: str, train: str = "Stable") -> None:
        text = DEFINITIONS.replace("TRAIN", train) + "".join(documents)
        (self.folder / "policies" / "all.yaml").write_text(text, encoding="utf-8")

    def read(self, *upserts: Cluster, removed: tuple[Cluster, ...] = (), **facts: Any) -> None:
        failures = facts.pop("failures", ())
        self.store.apply_changes(
            upserts=upserts,
            removed=[one.id for one in removed],
            tree=facts.pop("tree", tree()),
            source="file:none",
            complete=not failures,
            failures=failures,
            at=self.clock.now(),
            **facts,
        )

    def scan(self, **request: Any) -> ScanResult:
        asked = ScanRequest(sync=False, **request)
        return asyncio.run(scan(self.settings, self.store, self.clock, asked, on_sync=unwatched, on_scan=unwatched))

    def pairs(self, result: ScanResult) -> tuple[int, int]:
        """How many pairs were judged, and how many clusters were read for it."""
        return result.effort.pairs, result.effort.decoded

    def causes(self, result: ScanResult) -> set[Cause]:
        return {because.cause for because in result.effort.because}

    def states(self) -> Mapping[str, Mapping[str, ComplianceState]]:
        return {id.name: states for id, states in self.store.state_matrix()}


@pytest.fixture
def clock() -> ManualClock:
    from tests.workflows.conftest import ManualClock

    return ManualClock()


@pytest.fixture
def fleet(tmp_path: Path, clock: ManualClock) -> Iterator[Fleet]:
    """Ten clusters in two groups, `owned` assigned to a management group and `placed` to a subscription; scanned."""
    fleet = Fleet(tmp_path, clock)
    fleet.write(
        assignment("owned", "owned", MANAGED),
        assignment("placed", "placed", f"/subscriptions/{ONE}"),
    )
    fleet.read(*(cluster(f"c{n}", "a" if n < 5 else "b") for n in range(10)))
    first = fleet.scan()
    assert fleet.pairs(first) == (20, 10)
    assert fleet.causes(first) == {Cause.NEW}
    yield fleet
    fleet.store.close()


def test_nothing_is_judged_when_nothing_changed(fleet: Fleet) -> None:
    result = fleet.scan()

    assert fleet.pairs(result) == (0, 0)
    assert result.effort.because == ()
    assert result.scan.changed == 0
    assert result.scan.counts == {ComplianceState.COMPLIANT: 10, ComplianceState.NON_COMPLIANT: 10}


def test_a_changed_cluster_is_judged_under_every_policy_and_nothing_else_is_read(fleet: Fleet) -> None:
    fleet.read(cluster("c3", owner="me"))
    result = fleet.scan()

    assert fleet.pairs(result) == (2, 1)
    assert fleet.causes(result) == {Cause.CLUSTERS}
    assert result.effort.because[0].clusters == 1
    assert result.scan.changed == 1


def test_clusters_that_no_projection_reads_are_counted(fleet: Fleet) -> None:
    fleet.write(NODED, assignment("noded", "noded", MANAGED))
    fleet.scan()
    odd = {**cluster("c3").resource.document, "properties": "odd"}
    fleet.read(Cluster(Resource.from_document(odd)), cluster("c4", owner="me"))
    effort = fleet.scan().effort

    assert (effort.odd, effort.decoded) == (1, 1)


def test_a_change_of_one_in_a_hundred_reads_and_writes_just_that(fleet: Fleet) -> None:
    fleet.read(*(cluster(f"d{n:03d}", "ab"[n % 2]) for n in range(390)))
    fleet.scan()
    before = len(fleet.store.history())
    fleet.read(*(cluster(f"d{n:03d}", "ab"[n % 2], owner="me") for n in range(0, 400, 100)))
    result = fleet.scan()

    assert fleet.pairs(result) == (8, 4)
    assert (result.scan.changed, len(fleet.store.history()) - before) == (4, 4)
    assert result.effort.whole <= 4


def test_a_child_counts_as_its_owner(fleet: Fleet) -> None:
    fleet.read(with_flux(cluster("c3")))

    assert fleet.pairs(fleet.scan()) == (2, 1)


def test_a_resource_of_another_kind_on_a_cluster_counts_as_its_owner(fleet: Fleet) -> None:
    """What an existence check may look at is part of what is compared."""
    one = cluster("c3")
    lock = Resource.from_document({"id": f"{one.id.text}/providers/Microsoft.Authorization/locks/keep"})
    fleet.read(replace(one, others=(lock,)))

    assert fleet.pairs(fleet.scan()) == (2, 1)


def test_another_version_of_the_semantics_makes_everything_due_once(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench, "ENGINE", "another/2")
    result = fleet.scan()

    assert fleet.pairs(result) == (20, 10)
    assert fleet.causes(result) == {Cause.POLICY}
    assert result.scan.changed == 0
    assert fleet.pairs(fleet.scan()) == (0, 0)


def test_a_cluster_that_went_away_is_retired_without_judging_anything(fleet: Fleet) -> None:
    fleet.read(removed=(cluster("c3"),))

    assert fleet.pairs(fleet.scan()) == (0, 0)
    assert "c3" not in fleet.states()


def test_an_inventory_that_became_empty_is_judged_as_nothing(fleet: Fleet) -> None:
    """As after a reading that found no cluster."""
    fleet.read(removed=tuple(cluster(f"c{n}", "a" if n < 5 else "b") for n in range(10)))
    empty = set_up(fleet.settings, fleet.store, fleet.clock, loaded := load(fleet.settings.policies), loaded.policies)
    nothing = empty.desk.judge(Shard((0, 1), (0,)))

    assert nothing.found.sheet.states.shape == (2, 0)
    assert not empty.scanning.differences(nothing.found).any()


def test_a_cluster_that_moved_is_judged_where_it_is_now(fleet: Fleet) -> None:
    fleet.read(cluster("c3", "b"), removed=(cluster("c3", "a"),))

    assert fleet.pairs(fleet.scan()) == (2, 1)
    assert {row.resource_group: row.count for row in fleet.store.rollups() if row.policy_key == "placed"} == {
        "a": 4,
        "b": 6,
    }


def test_a_changed_policy_is_judged_on_every_cluster_and_no_other_policy_is(fleet: Fleet) -> None:
    text = (fleet.folder / "policies" / "all.yaml").read_text().replace("notEquals: prod", "equals: prod")
    (fleet.folder / "policies" / "all.yaml").write_text(text)
    result = fleet.scan()

    assert fleet.pairs(result) == (10, 10)
    assert [(because.cause, because.policy) for because in result.effort.because] == [(Cause.POLICY, "placed")]
    assert result.scan.changed == 10


def test_words_that_mean_nothing_are_no_change(fleet: Fleet) -> None:
    file = fleet.folder / "policies" / "all.yaml"
    named = file.read_text().replace("{name: owned}", "{name: owned, displayName: Somebody owns it}", 1)
    file.write_text(f"# a remark\n{named}")

    assert fleet.pairs(fleet.scan()) == (0, 0)


def test_another_catalogue_of_aliases_makes_policies_due(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    file = fleet.folder / "aliases.json"
    types = {ARC: {"aliases": {f"{ARC}/infrastructure": {"path": "properties.other"}}}}
    file.write_text(
        __import__("json").dumps({"apiVersion": "policyengine/v1", "kind": "AliasCatalogue", "types": types})
    )
    monkeypatch.setattr(Fleet, "settings", fleet.settings.model_copy(update={"aliases": str(file)}))

    result = fleet.scan()

    assert fleet.pairs(result) == (20, 10)
    assert fleet.causes(result) == {Cause.POLICY}


def test_an_exemption_that_begins_is_judged_where_it_speaks(fleet: Fleet) -> None:
    with (fleet.folder / "policies" / "all.yaml").open("a") as file:
        file.write(exemption("pause", "owned", group_id("a"), "2026-11-25"))
    result = fleet.scan()

    assert fleet.pairs(result) == (5, 5)
    assert [(b.cause, b.policy, b.exemption) for b in result.effort.because] == [(Cause.EXEMPTION, "owned", "pause")]
    assert sum(states["owned"] is EXEMPT for states in fleet.states().values()) == 5


def test_an_exemption_that_runs_out_is_judged_where_it_spoke(fleet: Fleet) -> None:
    with (fleet.folder / "policies" / "all.yaml").open("a") as file:
        file.write(exemption("pause", "owned", cluster("c1").id.text, "2026-11-25"))
    fleet.scan()
    assert fleet.pairs(fleet.scan()) == (0, 0)
    fleet.clock.advance(days=5)
    result = fleet.scan()

    assert fleet.pairs(result) == (1, 1)
    assert fleet.causes(result) == {Cause.EXEMPTION}
    assert not any(states["owned"] is EXEMPT for states in fleet.states().values())


def test_what_a_resource_group_says_is_judged_on_its_clusters(fleet: Fleet) -> None:
    fleet.read(tree=tree("test"))
    result = fleet.scan()

    assert fleet.pairs(result) == (10, 5)
    assert result.scan.changed == 5


def test_a_subscription_under_another_management_group_is_judged_again(fleet: Fleet) -> None:
    fleet.read(cluster("far", subscription=TWO))
    fleet.scan()
    fleet.read(tree=tree(above="other"))
    result = fleet.scan()

    assert fleet.pairs(result) == (20, 10)
    assert {states["owned"] for states in fleet.states().values()} == {ComplianceState.NOT_APPLICABLE}


def test_a_scope_that_cannot_be_read_is_judged_when_it_fails_and_when_it_is_back(fleet: Fleet) -> None:
    failed = (ScopeFailure(ResourceId(group_id("b")), "403"),)
    fleet.read(failures=failed)
    assert fleet.pairs(fleet.scan()) == (10, 5)
    fleet.read(failures=failed)
    assert fleet.pairs(fleet.scan()) == (0, 0)
    fleet.read()
    assert fleet.pairs(fleet.scan()) == (10, 5)


def test_a_policy_that_asks_for_the_time_is_judged_every_time(fleet: Fleet) -> None:
    with (fleet.folder / "policies" / "all.yaml").open("a") as file:
        file.write(assignment("fresh", "fresh", f"/subscriptions/{ONE}"))
    assert fleet.causes(fleet.scan()) == {Cause.NEW}
    result = fleet.scan()
    fleet.clock.advance(days=30)

    assert fleet.pairs(result) == (10, 10)
    assert fleet.causes(result) == {Cause.CLOCK}
    assert fleet.scan().scan.changed == 10


def test_a_narrow_scan_leaves_the_rest_to_the_next_one(fleet: Fleet) -> None:
    fleet.read(cluster("c1", owner="me"), tree=tree("test"))

    assert fleet.pairs(fleet.scan(assignment="placed")) == (5, 5)
    assert fleet.pairs(fleet.scan()) == (5, 5)
    assert fleet.pairs(fleet.scan()) == (0, 0)


def test_all_is_judged_when_it_is_asked_for(fleet: Fleet) -> None:
    result = fleet.scan(full=True)

    assert fleet.pairs(result) == (20, 10)
    assert fleet.causes(result) == {Cause.FULL}
    assert result.scan.changed == 0


CHANGES = st.sampled_from(["none", "stable", "preview"])


def machine(folder: Path) -> type[RuleBasedStateMachine]:
    from tests.workflows.conftest import ManualClock

    serial = iter(range(1_000_000))

    class Incremental(RuleBasedStateMachine):
        """Two stores are told the same; one scans what changed, for the other every scan is its first."""

        @initialize()
        def begin(self) -> None:
            self.clock = ManualClock()
            self.fleet = Fleet(folder, self.clock, f"warm{next(serial)}")
            self.clusters: dict[str, Cluster] = {}
            self.tree = tree()
            self.failures: tuple[ScopeFailure, ...] = ()
            self.documents = [assignment("owned", "owned", f"/subscriptions/{ONE}")]
            self.train = "Stable"
            self.put({"c0": ("a", ONE, "none", False), "c1": ("b", TWO, "stable", True)})

        def read(self, *upserts: Cluster, removed: tuple[Cluster, ...] = ()) -> None:
            self.clock.advance(minutes=1)
            self.fleet.read(*upserts, removed=removed, tree=self.tree, failures=self.failures)

        @rule(
            seen=st.dictionaries(
                st.sampled_from(["c0", "c1", "c2", "c3"]),
                st.tuples(st.sampled_from("ab"), st.sampled_from([ONE, TWO]), CHANGES, st.booleans()),
            )
        )
        def put(self, seen: Mapping[str, tuple[str, str, str, bool]]) -> None:
            gone = []
            for name, (group, subscription, flux, owned) in seen.items():
                one = cluster(name, group, subscription, **({"owner": "me"} if owned else {}))
                one = one if flux == "none" else with_flux(one, flux.capitalize())
                if name in self.clusters and self.clusters[name].id != one.id:
                    gone.append(self.clusters[name])
                self.clusters[name] = one
            self.read(*(self.clusters[name] for name in seen), removed=tuple(gone))

        @rule(name=st.sampled_from(["c0", "c1", "c2", "c3"]))
        def remove(self, name: str) -> None:
            if name in self.clusters:
                self.read(removed=(self.clusters.pop(name),))

        @rule(
            assigned=st.dictionaries(
                st.sampled_from(["flux", "flux2", "owned", "placed", "fresh"]),
                st.sampled_from(
                    [f"/subscriptions/{ONE}", "/providers/Microsoft.Management/managementGroups/mg", group_id("a", TWO)]
                ),
                min_size=1,
            ),
            exempt=st.lists(
                st.tuples(
                    st.sampled_from([group_id("a"), group_id("b", TWO), f"/subscriptions/{ONE}"]), st.integers(23, 27)
                ),
                max_size=2,
            ),
            train=st.sampled_from(["Stable", "Preview"]),
        )
        def assign(self, assigned: Mapping[str, str], exempt: list[tuple[str, int]], train: str) -> None:
            self.train = train
            self.documents = [assignment(name, name, scope) for name, scope in sorted(assigned.items())]
            first = min(assigned)
            self.documents += [
                exemption(f"e{number}", first, scope, f"2026-11-{day}")
                for number, (scope, day) in enumerate(exempt)
                if scope.startswith(assigned[first])
            ]

        @rule(days=st.integers(1, 6))
        def wait(self, days: int) -> None:
            self.clock.advance(days=days)

        @rule(env=st.sampled_from(["prod", "test"]), above=st.sampled_from(["mg", "other"]))
        def move(self, env: str, above: str) -> None:
            self.tree = tree(env, above=above)
            self.read()

        @rule(
            scope=st.sampled_from([None, group_id("a"), f"/subscriptions/{TWO}"]), why=st.sampled_from(["403", "500"])
        )
        def fail(self, scope: str | None, why: str) -> None:
            self.failures = () if scope is None else (ScopeFailure(ResourceId(scope), why),)
            self.read()

        @rule(narrow=st.booleans())
        def scan(self, narrow: bool) -> None:
            self.fleet.write(*self.documents, train=self.train)
            if not self.clusters:
                return  # it says that the inventory is empty
            if narrow:
                self.fleet.scan(assignment=self.documents[0].partition("{name: ")[2].partition("}")[0])
            self.fleet.scan()
            cold = Fleet(folder, self.clock, f"cold{next(serial)}")
            cold.read(*self.clusters.values(), tree=self.tree, failures=self.failures)
            cold.scan()
            assert told(self.fleet.store) == told(cold.store)
            cold.store.close()

        def teardown(self) -> None:
            self.fleet.store.close()

    return Incremental


def told(store: Store) -> tuple[object, ...]:
    """All that does not depend on what was before."""
    last = store.last_scan()
    assert last is not None
    findings = {(f.policy, f.cluster.text, f.state, f.reason) for f in store.findings()}
    return findings, set(store.rollups()), dict(store.state_matrix()), last.counts


@pytest.mark.slow
def test_what_it_says_is_what_a_first_scan_would_say(tmp_path: Path) -> None:
    run_state_machine_as_test(
        machine(tmp_path),
        settings=settings(
            max_examples=12, stateful_step_count=12, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
