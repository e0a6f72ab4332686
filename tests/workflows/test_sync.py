"""What becomes of the store when the inventory is read by Resource Graph, which lags behind."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from policyengine.errors import ArmNotAuthorized
from policyengine.inventory import resource_graph
from policyengine.model.ids import ResourceId
from policyengine.model.resource import ResourceWrite
from policyengine.remediation.steps import Plan, Step, StepOutcome, StepState
from policyengine.store.store import Store
from policyengine.workflows.settings import Settings
from policyengine.workflows.sync import LAG, SyncResult, sync, unwatched
from tests.inventory.azure import SUBSCRIPTIONS, Azure, Page, Quirk, Row, cluster_id, serving

GONE = cluster_id(SUBSCRIPTIONS[0], "a-1")


class Clock:
    at = datetime(2026, 1, 1, tzinfo=UTC)

    def now(self) -> datetime:
        return self.at


class Place:
    def __init__(self, azure: Azure, folder: Path) -> None:
        self.azure, self.clock = azure, Clock()
        self.store = Store.open(f"sqlite:///{folder}/x.db")
        self.settings = Settings.model_validate({"arm": {"endpoint": azure.url, "credential": "emulator"}})

    def sync(self) -> SyncResult:
        return asyncio.run(sync(self.settings, self.store, self.clock, unwatched))

    def kind(self) -> object:
        return self.store.find_clusters(GONE)[0].resource.document.get("kind")


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with serving() as azure:
        place = Place(azure, tmp_path)
        with place.store:
            place.sync()
            azure.requests.clear()
            yield place


def test_an_unchanged_fleet_is_not_looked_at_cluster_by_cluster(place: Place) -> None:
    again = place.sync()

    assert (again.clusters, again.unchanged, again.complete, again.notes) == (8, 8, True, ())
    assert place.azure.requests == ["/subscriptions"]


def test_a_cluster_that_resource_graph_no_longer_shows_is_kept_while_it_is_there(place: Place) -> None:
    place.azure.listed = dict(place.azure.resources)
    del place.azure.resources[GONE]
    again = place.sync()

    assert (again.removed, again.clusters, again.complete) == (0, 8, True)


def test_a_cluster_that_is_gone_is_retired(place: Place) -> None:
    for id in [id for id in place.azure.resources if id.startswith(GONE)]:
        del place.azure.resources[id]
    again = place.sync()

    assert (again.removed, again.clusters, again.complete) == (1, 7, True)
    assert GONE in place.azure.requests


def test_a_cluster_that_cannot_be_looked_at_is_kept_and_said_to_be_unread(place: Place) -> None:
    del place.azure.resources[GONE]
    place.azure.forbidden = {SUBSCRIPTIONS[0]}
    again = place.sync()

    assert (again.removed, again.complete) == (0, False)
    assert [failure.scope for failure in again.failures] == [ResourceId(GONE)]
    assert place.store.find_clusters(GONE)


def delete(place: Place, id: str) -> None:
    for key in [key for key in place.azure.resources if key.startswith(id)]:
        del place.azure.resources[key]


def refused_from(subscription: str) -> Quirk:
    """The token runs out before that subscription is asked about."""

    def quirk(body: Row, _rows: list[Row]) -> Page | None:
        if body["query"].startswith("resources ") and subscription in body["subscriptions"]:
            return 401, {"error": {"code": "ExpiredAuthenticationToken", "message": "Too late."}}
        return None

    return quirk


def test_a_sync_that_breaks_off_keeps_what_it_read_and_retires_nobody(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resource_graph, "SUBSCRIPTIONS_A_QUERY", 1)
    before = place.store.last_sync()
    delete(place, GONE)
    place.azure.add(SUBSCRIPTIONS[0], "a-0")
    place.azure.add(SUBSCRIPTIONS[3], "d-0")
    place.azure.quirk = refused_from(SUBSCRIPTIONS[2])

    with pytest.raises(ArmNotAuthorized):
        place.sync()
    assert place.store.last_sync() == before
    assert place.store.find_clusters(cluster_id(SUBSCRIPTIONS[0], "a-0"))
    assert place.store.find_clusters(GONE)
    assert not place.store.find_clusters(cluster_id(SUBSCRIPTIONS[3], "d-0"))

    place.azure.quirk = lambda _body, _rows: None
    again = place.sync()
    assert (again.added, again.removed, again.clusters, again.complete) == (1, 1, 9, True)


def test_what_is_gone_in_a_part_that_was_read_is_retired_though_another_was_not(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resource_graph, "SUBSCRIPTIONS_A_QUERY", 1)
    unread = cluster_id(SUBSCRIPTIONS[3], "d-1")
    delete(place, GONE)
    delete(place, unread)
    place.azure.forbidden = {SUBSCRIPTIONS[3]}
    place.azure.quirk = lambda body, _: (403, {}) if SUBSCRIPTIONS[3] in body["subscriptions"] else None
    again = place.sync()

    assert (again.removed, again.complete) == (1, False)
    assert not place.store.find_clusters(GONE)
    assert place.store.find_clusters(unread)


def write_to(place: Place) -> None:
    """As a remediation does: a step of a plan, and the cluster as it is afterwards."""
    id, now = ResourceId(GONE), place.clock.now()
    plan = Plan(now, (Step("s001", id, ("a/b",), ResourceWrite(id, "2024-01-01", {}, "PATCH"), None, ()),))
    place.store.save_plan(plan)
    place.store.start_remediation(plan.id, now, "anna")
    place.store.record_outcome(plan.id, StepOutcome("s001", StepState.SUCCEEDED, now))
    place.store.finish_remediation(plan.id, now)
    place.azure.listed = {**place.azure.resources, GONE: {**place.azure.resources[GONE], "kind": "written"}}


def test_rows_older_than_our_own_write_are_not_believed(place: Place) -> None:
    write_to(place)
    place.sync()
    assert place.kind() == "written"

    place.clock.at += LAG + timedelta(seconds=1)
    place.sync()
    assert place.kind() is None  # by now the table has had its time: what it shows is what is there
