"""The inventory by Resource Graph, against a small server that answers as the contract says (§9), over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from policyengine.arm import ArmClient, EmulatorCredential
from policyengine.errors import ArmNotAuthorized
from policyengine.inventory import open_source, read, resource_manager
from policyengine.inventory import resource_graph as graph
from policyengine.inventory.reconcile import told_apart
from policyengine.model.fleet import Fleet
from policyengine.model.resource import ARC, EXTENSIONS, FLUX_CONFIGURATIONS
from tests.inventory.azure import SUBSCRIPTIONS, Azure, Page, Quirk, Row, cluster_id, row, serving


class NoTime:
    """Sleeps take none."""

    now = 0.0

    def monotonic(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds
        await asyncio.sleep(0)


@pytest.fixture
def azure() -> Iterator[Azure]:
    with serving() as azure:
        yield azure


def fleet_of(azure: Azure, source: str = "arm:", told: list[tuple[int, int]] | None = None) -> Fleet:
    async def main() -> Fleet:
        async with ArmClient(azure.url, EmulatorCredential(), timer=NoTime(), jitter=lambda: 0.5) as arm:
            return await read(source, arm=arm, on_progress=None if told is None else lambda *p: told.append(p))

    return asyncio.run(main())


def batches_of(azure: Azure, source: str = "arm:") -> tuple[list[list[str]], list[int], Fleet]:
    """The names in each batch, how many questions had been asked by then, and what is told at the end."""

    async def main() -> tuple[list[list[str]], list[int], Fleet]:
        async with ArmClient(azure.url, EmulatorCredential(), timer=NoTime(), jitter=lambda: 0.5) as arm:
            reading, batches, asked = await open_source(source, arm=arm), [], []
            async for batch in reading.batches:
                batches.append([cluster.name for cluster in batch])
                asked.append(len(azure.queries) + len(azure.requests))
            return batches, asked, reading.rest()

    return asyncio.run(main())


def flat(batches: list[list[str]]) -> list[str]:
    return [name for batch in batches for name in batch]


def names(fleet: Fleet) -> list[str]:
    return [cluster.name for cluster in fleet.clusters]


EVERYTHING = ["a-2", "a-1", "b-2", "b-1", "c-2", "c-1", "d-2", "d-1"]  # in order of their ids: types come first


@pytest.mark.parametrize("page_size", [1, 3, 1000])
def test_the_whole_fleet_is_found_in_order_by_paging_with_the_token(azure: Azure, page_size: int) -> None:
    azure.page_size = page_size
    fleet = fleet_of(azure)

    assert fleet.complete
    assert names(fleet) == EVERYTHING
    assert all([child.name for child in cluster.children] == ["flux"] for cluster in fleet.clusters)
    assert fleet.notes == ()
    assert fleet.lags


def test_it_asks_resource_manager_for_nothing_but_the_subscriptions(azure: Azure) -> None:
    fleet_of(azure)

    assert azure.requests == ["/subscriptions"]
    assert len(azure.queries) == 3
    assert all("order by id" in body["query"] for body in azure.queries)
    assert all(body["subscriptions"] == SUBSCRIPTIONS for body in azure.queries)
    assert all(body["options"] == {"resultFormat": "objectArray", "$top": 1000} for body in azure.queries)


def test_documents_are_spelt_as_resource_manager_spells_them(azure: Azure) -> None:
    id = cluster_id(SUBSCRIPTIONS[0], "a-1")
    flux = f"{id}/providers/{FLUX_CONFIGURATIONS}/apps"
    odd = {
        "GITRepository": {"URL": "u", "repositoryref": {"Branch": "main"}},
        "kustomizations": {"Infra": {"PATH": "p"}},
    }
    azure.resources[flux] = row(flux, properties={**odd, "configurationProtectedSettings": {"httpsKEY": ""}})
    cluster = next(c for c in fleet_of(azure).clusters if c.name == "a-1")

    assert cluster.resource.document == {
        "id": id,
        "name": "a-1",
        "type": ARC,
        "location": "norwayeast",
        "tags": {"site": "a-1"},
        "properties": {},
    }
    assert cluster.extensions[0].document["type"] == EXTENSIONS
    assert cluster.extensions[0].document["properties"] == {"extensionType": "microsoft.flux"}
    assert cluster.flux_configurations[0].document["properties"] == {
        "gitRepository": {"url": "u", "repositoryRef": {"branch": "main"}},
        "kustomizations": {"Infra": {"path": "p"}},
        "configurationProtectedSettings": {"httpsKEY": ""},
    }


def test_ids_in_another_case_meet(azure: Azure) -> None:
    """A child may spell its cluster's id in lower case."""
    id = cluster_id(SUBSCRIPTIONS[0], "a-1").lower()
    flux = f"{id}/providers/{FLUX_CONFIGURATIONS.lower()}/apps"
    azure.resources[flux] = row(flux)
    cluster = next(c for c in fleet_of(azure).clusters if c.name == "a-1")

    assert [configuration.name for configuration in cluster.flux_configurations] == ["apps"]


def test_the_scope_tree_comes_from_the_containers(azure: Azure) -> None:
    tree = fleet_of(azure).tree

    assert [(g.name, g.display_name, g.parent) for g in tree.management_groups] == [
        ("contoso", "Contoso", None),
        ("edge", "Edge", "contoso"),
    ]
    assert [(s.display_name, s.management_group) for s in tree.subscriptions] == [
        (f"sub {letter}", "edge") for letter in "abcd"
    ]
    assert [g.tags for g in tree.resource_groups] == [{"team": "shops"}] * 4


def test_management_groups_the_rows_do_not_tell_are_asked_of_resource_manager(azure: Azure) -> None:
    azure.chains = False
    fleet = fleet_of(azure)

    assert "/providers/Microsoft.Management/managementGroups" in azure.requests
    assert not fleet.groups_known
    assert fleet.complete


def refusing(*subscriptions: str, status: int = 403, code: str = "Forbidden") -> Quirk:
    def quirk(body: Row, _rows: list[Row]) -> Page | None:
        refused = set(subscriptions) & set(body["subscriptions"])
        return (status, {"error": {"code": code, "message": "Not here."}}) if refused else None

    return quirk


def test_a_subscription_that_resource_graph_refuses_is_listed_and_said_so(azure: Azure) -> None:
    azure.quirk = refusing(SUBSCRIPTIONS[2])
    fleet = fleet_of(azure)

    assert fleet.complete
    assert names(fleet) == EVERYTHING
    assert len(fleet.notes) == 1
    assert fleet.notes[0].startswith(f"subscription {SUBSCRIPTIONS[2]} was listed through Resource Manager instead")
    assert "403: Forbidden: Not here" in fleet.notes[0]
    assert not any(SUBSCRIPTIONS[0] in path for path in azure.requests)


def test_where_a_listed_subscription_belongs_is_asked_of_resource_manager(azure: Azure) -> None:
    """Else it would fall out of every scope above it, and look as if nothing applied."""
    azure.quirk = refusing(SUBSCRIPTIONS[2])
    fleet = fleet_of(azure)

    assert "/providers/Microsoft.Management/managementGroups" in azure.requests
    assert not fleet.groups_known


def test_a_subscription_that_is_silently_left_out_is_listed(azure: Azure) -> None:
    def quirk(body: Row, rows: list[Row]) -> Page | None:
        rows[:] = [r for r in rows if r["subscriptionId"] != SUBSCRIPTIONS[1]]
        return None

    azure.quirk = quirk
    fleet = fleet_of(azure)

    assert names(fleet) == EVERYTHING
    assert "Resource Graph does not show the subscription" in fleet.notes[0]


def test_a_subscription_that_nobody_shows_makes_the_fleet_incomplete(azure: Azure) -> None:
    known = [cluster.id for cluster in fleet_of(azure).clusters]
    azure.quirk, azure.forbidden = refusing(SUBSCRIPTIONS[3]), {SUBSCRIPTIONS[3]}
    fleet = fleet_of(azure)

    assert names(fleet) == EVERYTHING[:-2]
    assert {failure.scope.name for failure in fleet.failures} == {SUBSCRIPTIONS[3]}
    assert told_apart(known[-2:], fleet) == ((), tuple(known[-2:]))


@pytest.mark.parametrize(("status", "code"), [(501, "NotImplemented"), (404, "InvalidResourceType"), (503, "Busy")])
def test_without_resource_graph_everything_is_listed(azure: Azure, status: int, code: str) -> None:
    azure.quirk = refusing(*SUBSCRIPTIONS, status=status, code=code)
    fleet = fleet_of(azure)

    assert fleet.complete
    assert names(fleet) == EVERYTHING
    assert not fleet.lags
    assert [note.partition(" instead")[0] for note in fleet.notes] == [
        "4 subscriptions were listed through Resource Manager"
    ]


def test_a_refused_token_is_no_reason_to_list(azure: Azure) -> None:
    azure.quirk = refusing(*SUBSCRIPTIONS, status=401, code="InvalidAuthenticationToken")

    with pytest.raises(ArmNotAuthorized):
        fleet_of(azure)


def cut_short_above(most: int) -> Quirk:
    """Rows are lost without an error when a result has more than so many."""

    def quirk(_body: Row, rows: list[Row]) -> Page | None:
        if len(rows) <= most:
            return None
        return 200, {"totalRecords": len(rows), "count": most, "resultTruncated": "true", "data": rows[:most]}

    return quirk


def test_a_truncated_result_without_a_token_is_asked_for_in_parts(azure: Azure) -> None:
    azure.quirk = cut_short_above(2)
    fleet = fleet_of(azure)

    assert names(fleet) == EVERYTHING
    assert fleet.notes == ()
    assert min(len(body["subscriptions"]) for body in azure.queries) == 1


def test_what_stays_truncated_is_listed(azure: Azure) -> None:
    azure.quirk = cut_short_above(1)
    fleet = fleet_of(azure)

    assert names(fleet) == EVERYTHING
    assert "Resource Graph showed 1 of 2 rows" in fleet.notes[0]


def test_pages_that_repeat_rows_and_miss_others_are_not_believed(azure: Azure) -> None:
    def quirk(body: Row, rows: list[Row]) -> Page | None:
        if not body["query"].startswith("resources ") or len(body["subscriptions"]) < 2:
            return None
        return 200, {"totalRecords": len(rows), "data": [rows[0]] * len(rows), "resultTruncated": "false"}

    azure.quirk = quirk

    assert names(fleet_of(azure)) == EVERYTHING


@pytest.mark.parametrize(
    "page",
    [{}, {"totalRecords": 1, "data": {"columns": [], "rows": []}}, {"totalRecords": 1, "data": [{"id": 7}]}],
)
def test_an_answer_that_makes_no_sense_is_not_believed(azure: Azure, page: Row) -> None:
    azure.quirk = lambda _body, _rows: (200, page)
    fleet = fleet_of(azure)

    assert names(fleet) == EVERYTHING
    assert "Resource Graph gave" in fleet.notes[0]


def test_a_cluster_whose_row_is_behind_that_of_its_child_is_looked_at(azure: Azure) -> None:
    hidden = cluster_id(SUBSCRIPTIONS[0], "a-1")
    azure.listed = dict(azure.resources)
    del azure.resources[hidden]

    assert names(fleet_of(azure)) == EVERYTHING
    assert hidden in azure.requests


def test_a_child_of_a_cluster_that_is_gone_is_no_cluster(azure: Azure) -> None:
    del azure.resources[cluster_id(SUBSCRIPTIONS[0], "a-1")]
    fleet = fleet_of(azure)

    assert fleet.complete
    assert "a-1" not in names(fleet)


def test_many_subscriptions_are_asked_for_in_parts(azure: Azure, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graph, "SUBSCRIPTIONS_A_QUERY", 3)

    assert names(fleet_of(azure)) == EVERYTHING
    assert {len(body["subscriptions"]) for body in azure.queries} == {3, 1}


def test_progress_is_told_to_the_end(azure: Azure) -> None:
    told: list[tuple[int, int]] = []
    azure.quirk = refusing(SUBSCRIPTIONS[2])
    fleet_of(azure, told=told)

    assert told[-1] == (8, 8)


def test_resource_graph_can_be_left_out(azure: Azure) -> None:
    fleet = fleet_of(azure, "arm:list")

    assert names(fleet) == EVERYTHING
    assert azure.queries == []
    assert not fleet.lags


def test_no_more_than_a_part_of_the_fleet_is_held(azure: Azure, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graph, "CLUSTERS_AT_ONCE", 4)
    batches, asked, rest = batches_of(azure)

    assert flat(batches) == EVERYTHING
    assert max(map(len, batches)) <= 4
    assert asked == sorted(set(asked)), "each part is asked for when the one before has been taken"
    assert rest.complete


def spread(azure: Azure, groups: list[str]) -> list[str]:
    """One subscription with two clusters in each resource group; all names, in order of the ids."""
    azure.groups = groups
    azure.resources.clear()
    for number, group in enumerate(groups):
        for name in (f"{number}-a", f"{number}-b"):
            azure.add(SUBSCRIPTIONS[0], name, group=group)
    keys = sorted(id.lower() for id, row in azure.resources.items() if row["type"] == ARC.lower())
    return [key.rpartition("/")[2] for key in keys]


def test_a_large_subscription_is_read_by_resource_groups(azure: Azure, monkeypatch: pytest.MonkeyPatch) -> None:
    """In order of the ids below them: a hyphen sorts before the slash."""
    monkeypatch.setattr(graph, "CLUSTERS_AT_ONCE", 3)
    everything = spread(azure, ["a-b", "A", "b", "C"])
    batches, _, rest = batches_of(azure)

    assert flat(batches) == everything == [f"{n}-{x}" for n in range(4) for x in "ab"]
    assert max(map(len, batches)) <= 3
    assert (rest.complete, rest.notes) == (True, ())


def test_a_resource_group_that_resource_graph_does_not_know_makes_the_fleet_incomplete(
    azure: Azure, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(graph, "CLUSTERS_AT_ONCE", 3)
    spread(azure, ["a", "b", "c"])
    azure.groups = ["a", "b"]
    batches, _, rest = batches_of(azure)

    assert flat(batches) == ["0-a", "0-b", "1-a", "1-b"]
    assert [(f.scope.name, f.reason) for f in rest.failures] == [
        (SUBSCRIPTIONS[0], "Resource Graph counts 2 more clusters than its resource groups have")
    ]


def test_a_resource_group_that_is_cut_short_is_not_read_and_said_so(
    azure: Azure, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(graph, "CLUSTERS_AT_ONCE", 3)
    spread(azure, ["a", "b", "c"])

    def quirk(body: Row, rows: list[Row]) -> Page | None:
        if "resourceGroup in~ ('b')" not in body["query"] or not body["query"].startswith("kubernetes"):
            return None
        return 200, {"totalRecords": 2, "count": 1, "resultTruncated": "true", "data": rows[:1]}

    azure.quirk = quirk
    batches, _, rest = batches_of(azure)

    assert flat(batches) == ["0-a", "0-b", "2-a", "2-b"]
    assert [f.scope.name for f in rest.failures] == [SUBSCRIPTIONS[0], "b"]


def test_rows_of_other_places_are_not_taken(azure: Azure, monkeypatch: pytest.MonkeyPatch) -> None:
    """They come in their own turn: what comes out of turn would be taken for new, and what was passed by for gone."""
    monkeypatch.setattr(graph, "SUBSCRIPTIONS_A_QUERY", 1)
    stray = row(cluster_id(SUBSCRIPTIONS[3], "d-1"))

    def quirk(body: Row, rows: list[Row]) -> Page | None:
        if body["query"].startswith("resources "):
            rows.append(stray)
        return None

    azure.quirk = quirk
    batches, _, rest = batches_of(azure)

    assert flat(batches) == EVERYTHING
    assert rest.complete


def test_subscriptions_are_listed_a_few_at_a_time(azure: Azure, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource_manager, "SUBSCRIPTIONS_AT_ONCE", 1)
    batches, asked, rest = batches_of(azure, "arm:list")

    assert flat(batches) == EVERYTHING
    assert asked == sorted(set(asked))
    assert rest.complete


def test_a_reading_that_is_given_up_asks_no_more(azure: Azure, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource_manager, "SUBSCRIPTIONS_AT_ONCE", 2)

    async def main() -> int:
        async with ArmClient(azure.url, EmulatorCredential(), timer=NoTime(), jitter=lambda: 0.5) as arm:
            reading = await open_source("arm:list", arm=arm)
            await anext(reading.batches)
            await reading.batches.aclose()
            asked = len(azure.requests)
            await asyncio.sleep(0)
            return len(azure.requests) - asked

    assert asyncio.run(main()) == 0
    assert not any(SUBSCRIPTIONS[3] in path for path in azure.requests)
