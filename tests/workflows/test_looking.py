"""What assigned policies look for is read because they are assigned; what cannot be is Unknown, and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from policyengine.errors import PolicyError
from policyengine.model.ids import ResourceId
from policyengine.model.resource import ARC
from policyengine.model.states import ComplianceState
from policyengine.store.store import Store
from policyengine.workflows.inventory import cluster_document, one_cluster
from policyengine.workflows.looking import wanted_in
from policyengine.workflows.plan import PlanRequest, make_plan
from policyengine.workflows.scan import ScanRequest, ScanResult, scan
from policyengine.workflows.settings import Settings
from policyengine.workflows.sync import sync, unwatched
from tests.inventory.azure import SUBSCRIPTIONS, Azure, cluster_id, row, serving

LOCKS = "Microsoft.Authorization/locks"
ONE = cluster_id(SUBSCRIPTIONS[0], "a-1")
POLICIES = f"""
name: locked
properties:
  policyRule:
    if: {{field: type, equals: {ARC}}}
    then: {{effect: auditIfNotExists, details: {{type: {LOCKS}}}}}
---
name: placed
properties:
  policyRule:
    if: {{allOf: [{{field: type, equals: {ARC}}}, {{field: location, notEquals: norwayeast}}]}}
    then: {{effect: audit}}
"""
ASSIGNMENT = """
---
apiVersion: policyengine/v1
kind: Assignment
metadata: {{name: {name}}}
spec: {{policy: {name}, scope: {scope}}}
"""
SCOPE = f"/subscriptions/{SUBSCRIPTIONS[0]}"
UNKNOWN, ERROR, BAD, OK = (
    ComplianceState.UNKNOWN,
    ComplianceState.ERROR,
    ComplianceState.NON_COMPLIANT,
    ComplianceState.COMPLIANT,
)


class Clock:
    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC)


class Place:
    def __init__(self, azure: Azure, folder: Path) -> None:
        self.azure, self.clock, self.folder = azure, Clock(), folder
        self.store = Store.open(f"sqlite:///{folder}/x.db")
        self.settings = Settings.model_validate(
            {"arm": {"endpoint": azure.url, "credential": "emulator"}, "policies": [str(folder / "p.yaml")]}
        )
        text = POLICIES + "".join(ASSIGNMENT.format(name=name, scope=SCOPE) for name in ("locked", "placed"))
        (folder / "p.yaml").write_text(text)

    def scan(self, *, read: bool = True) -> ScanResult:
        request = ScanRequest(sync=read)
        told = scan(self.settings, self.store, self.clock, request, on_sync=unwatched, on_scan=unwatched)
        return asyncio.run(told)

    def state(self, policy: str) -> ComplianceState:
        return dict(self.store.state_matrix())[ResourceId(ONE)][policy]

    def reason(self, policy: str) -> str:
        (finding,) = (f for f in self.store.findings() if f.policy == policy and f.cluster == ResourceId(ONE))
        return finding.reason.message


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with serving() as azure:
        place = Place(azure, tmp_path)
        with place.store:
            yield place


def test_a_scan_reads_what_its_policies_look_for(place: Place) -> None:
    assert place.scan().complete
    assert place.state("locked") is BAD

    lock = f"{ONE}/providers/{LOCKS}/keep"
    place.azure.resources[lock] = row(lock)
    assert place.scan().complete
    assert place.state("locked") is OK
    others = cluster_document(one_cluster(place.store, ONE))["others"]
    assert [other["id"] for other in others] == [lock]


def test_only_clusters_in_scope_are_asked(place: Place) -> None:
    place.scan()

    assert [path for path in place.azure.requests if LOCKS in path] == [f"{ONE}/providers/{LOCKS}"]


def test_what_cannot_be_read_is_unknown_under_the_policy_that_looks_for_it_alone(place: Place) -> None:
    place.azure.forbidden = {LOCKS}
    result = place.scan()

    assert not result.complete
    assert [failure.scope.text for failure in result.failures] == [f"{SCOPE}/providers/{LOCKS}"]
    assert (place.state("locked"), place.state("placed")) == (UNKNOWN, OK)
    assert place.reason("locked").startswith(f"`{LOCKS}` on `a-1` could not be read: GET {ONE}/providers/{LOCKS} was ")

    place.azure.forbidden = set()
    assert place.scan().complete
    assert place.state("locked") is BAD


def test_an_inventory_that_was_read_for_no_policy_cannot_say_that_there_is_none(place: Place) -> None:
    asyncio.run(sync(place.settings, place.store, place.clock, unwatched))
    place.scan(read=False)

    assert place.state("locked") is ERROR
    assert place.reason("locked") == (
        f"`{LOCKS}` was not read with the clusters: read the inventory from `arm:` while the policy is assigned"
    )


def test_an_inventory_that_is_read_by_itself_reads_it_too(place: Place) -> None:
    wanted = wanted_in(place.settings, place.clock)
    asyncio.run(sync(place.settings, place.store, place.clock, unwatched, wanted))
    place.scan(read=False)

    assert place.state("locked") is BAD


def test_a_plan_reads_it_again(place: Place) -> None:
    place.scan()
    place.azure.requests.clear()
    planned = asyncio.run(make_plan(place.settings, place.store, place.clock, PlanRequest(), unwatched))

    assert f"{ONE}/providers/{LOCKS}" in place.azure.requests
    assert planned.failures == ()


def test_a_type_that_nobody_can_list_says_so_and_what_to_do(place: Place) -> None:
    file = place.folder / "p.yaml"
    file.write_text(file.read_text().replace(LOCKS, "Microsoft.Insights/dataCollectionRules"))
    place.scan()

    assert place.state("locked") is ERROR
    assert place.reason("locked") == (
        "`Microsoft.Insights/dataCollectionRules` is not known to hang on clusters, and the inventory does not search "
        f"{SCOPE}/resourceGroups/Shops for it: have the policy look for what is on the cluster, or exempt it"
    )


def test_without_policies_nothing_is_looked_for_and_with_broken_ones_nothing_is_read(place: Place) -> None:
    (place.folder / "p.yaml").write_text("policyRule: {if: {field: type, equals: x}}")
    with pytest.raises(PolicyError):
        wanted_in(place.settings, place.clock)

    (place.folder / "p.yaml").unlink()
    asyncio.run(sync(place.settings, place.store, place.clock, unwatched, wanted_in(place.settings, place.clock)))
    assert not any(LOCKS in path for path in place.azure.requests)
