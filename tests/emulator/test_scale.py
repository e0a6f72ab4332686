"""Large fleets: what an answer costs is counted in clusters that are made for it, never in seconds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from policyengine.emulator.resource_graph.lazy_rows import is_lazy
from policyengine.model.resource import AKS, ARC, Cluster, Resource
from policyengine.model.synthetic import SyntheticFleet

if TYPE_CHECKING:
    from tests.emulator.conftest import Api

SIZE = 100_000


@dataclass(frozen=True)
class CountedFleet(SyntheticFleet):
    """Says how many whole clusters, heads and ids were made of it."""

    made: Counter[str] = field(default_factory=Counter, compare=False)

    def cluster(self, index: int) -> Cluster:
        self.made["whole"] += 1
        return super().cluster(index)

    def head(self, index: int) -> Resource:
        self.made["heads"] += 1
        return super().head(index)

    def path(self, index: int) -> str:
        self.made["ids"] += 1
        return super().path(index)


@pytest.fixture
def fleet() -> CountedFleet:
    return CountedFleet(SIZE)


@pytest.fixture
def api(start: Callable[..., Api], fleet: CountedFleet) -> Api:
    return start(fleet, throttling=False)


def query(api: Api, text: str, **options: Any) -> Any:
    path = "/providers/Microsoft.ResourceGraph/resources"
    answer = api.send("POST", path, {"query": text, "options": {"$top": 1000, **options}})
    assert answer.status_code == 200, answer.text
    return answer.json()


def pages(api: Api, path: str) -> list[Any]:
    """All pages of a list."""
    found = [api.get(path).json()]
    while "nextLink" in found[-1]:
        found.append(api.http.get(found[-1]["nextLink"]).json())
    return found


def test_a_cluster_is_told_without_making_another_or_what_is_on_it(api: Api, fleet: CountedFleet) -> None:
    path = fleet.id(70_000).text
    fleet.made.clear()
    assert api.get(path).status_code == 200
    assert fleet.made["whole"] == 0
    assert fleet.made["heads"] == 1
    assert fleet.made["ids"] < 10


def test_what_is_on_a_cluster_is_told_by_making_that_cluster_once(api: Api, fleet: CountedFleet) -> None:
    path = fleet.id(70_000).text
    fleet.made.clear()
    for type in ("extensions", "fluxConfigurations"):
        assert api.get(f"{path}/providers/Microsoft.KubernetesConfiguration/{type}").status_code == 200
    assert fleet.made["whole"] == 1
    assert fleet.made["ids"] < 20


@pytest.mark.parametrize("type", [ARC, AKS])
def test_a_page_makes_what_it_shows(api: Api, fleet: CountedFleet, type: str) -> None:
    subscription = fleet.tree.subscriptions[150].id
    fleet.made.clear()
    page = api.get(f"{subscription}/providers/{type}").json()
    assert len(page["value"]) == 100
    assert fleet.made["heads"] == 101
    assert fleet.made["ids"] < 101 * 5
    assert fleet.made["whole"] == 0


@pytest.mark.parametrize("list", ["providers/Microsoft.Kubernetes/connectedClusters", "resources"])
@pytest.mark.parametrize("size", ["10", "40"])
def test_a_walk_from_page_to_page_makes_each_cluster_about_once(
    start: Callable[..., Api], fleet: CountedFleet, list: str, size: str
) -> None:
    api = start(fleet, throttling=False, page_size=int(size))
    subscription = fleet.tree.subscriptions[150].id
    fleet.made.clear()
    found = pages(api, f"{subscription}/{list}")
    shown = [document["id"] for page in found for document in page["value"]]
    assert len(set(shown)) == len(shown) in {300, 500}
    assert fleet.made["heads"] < len(shown) + len(found)
    # Beside the ids of the subscription itself, each page looks where it begins and where the subscription does.
    assert fleet.made["ids"] < 500 * 4 + len(found) * 60
    assert fleet.made["whole"] == 0


def test_a_page_of_a_group_knows_nothing_of_other_groups(api: Api, fleet: CountedFleet) -> None:
    group = fleet.tree.resource_groups[1234].id
    fleet.made.clear()
    assert len(api.get(f"{group}/providers/{ARC}").json()["value"]) == 30
    assert fleet.made["heads"] == 30


def test_a_list_shows_what_was_stored_between_the_clusters_at_its_place(api: Api, fleet: CountedFleet) -> None:
    group = fleet.tree.resource_groups[1234].id
    stored = [f"{group}/providers/{name}" for name in ("Aaa.Bbb/things/x", "Microsoft.Foo/bars/y", "Zzz.Yyy/z/z")]
    for path in stored:
        assert api.put(path, {"location": "westeurope"}).status_code == 201
    shown = [document["id"] for page in pages(api, f"{group}/resources") for document in page["value"]]
    assert len(shown) == 53
    assert shown == sorted(shown, key=str.casefold)
    assert set(stored) < set(shown)
    assert [d["id"] for d in api.get(f"{group}/resources", **{"$filter": "name eq 'y'"}).json()["value"]] == stored[1:2]


def test_two_days_pass_without_making_a_cluster_that_nothing_happens_to(api: Api, fleet: CountedFleet) -> None:
    api.configure(next(fleet.id(at).text for at in range(SIZE) if "arc-" in fleet.id(at).text))
    fleet.made.clear()
    api.emulator.advance(timedelta(hours=48))
    assert fleet.made == Counter()


CLUSTERS = "resources | where type in~ ('microsoft.kubernetes/connectedclusters') | order by id asc"
CHILDREN = "kubernetesconfigurationresources | order by id asc"


def test_a_page_of_a_query_makes_the_rows_it_shows(api: Api, fleet: CountedFleet) -> None:
    first = query(api, CLUSTERS)
    assert (first["count"], first["totalRecords"]) == (1000, 60_000)
    assert fleet.made["heads"] == 1000
    fleet.made.clear()
    second = query(api, CLUSTERS, **{"$skipToken": first["$skipToken"]})
    assert first["data"][-1]["id"] < second["data"][0]["id"]
    assert fleet.made["heads"] == 1000
    assert fleet.made["ids"] < 1000 * 5  # nothing is looked for again
    assert fleet.made["whole"] == 0


def test_a_page_of_what_is_on_clusters_makes_those_clusters_once(start: Callable[..., Api]) -> None:
    fleet = CountedFleet(20_000)
    api, token = start(fleet, throttling=False), ""
    seen: list[str] = []
    for _ in range(3):
        fleet.made.clear()
        page = query(api, CHILDREN, **({"$skipToken": token} if token else {}))
        owners = {row["id"].partition("/providers/Microsoft.KubernetesConfiguration/")[0] for row in page["data"]}
        assert fleet.made["whole"] <= len(owners) < 500
        token, seen = page["$skipToken"], [*seen, *(row["id"] for row in page["data"])]
    assert seen == sorted(set(seen))


def test_a_query_that_ids_answer_makes_no_row(api: Api, fleet: CountedFleet) -> None:
    for text in (
        "resources | summarize count()",
        "resources | summarize n = count() by type, subscriptionId",
        "kubernetesconfigurationresources | where type endswith 'extensions' | count",
        "resources | where name == 'arc-0070007' | project id, resourceGroup",
        "resources | distinct resourceGroup",
    ):
        query(api, text)
    assert fleet.made["heads"] == fleet.made["whole"] == 0


def test_a_query_knows_nothing_of_subscriptions_it_is_not_about(api: Api, fleet: CountedFleet) -> None:
    subscription = fleet.tree.subscriptions[77].subscription_id
    body = {"query": "resources | where tags.env == 'prod' | count", "subscriptions": [subscription]}
    fleet.made.clear()
    api.send("POST", "/providers/Microsoft.ResourceGraph/resources", body)
    assert fleet.made["heads"] == 500
    assert fleet.made["ids"] < 500 * 4 + 60  # the rest is looking where the subscription begins and ends


def test_who_may_read_one_group_pages_through_its_clusters(api: Api, fleet: CountedFleet) -> None:
    group = fleet.tree.resource_groups[1234].id
    reader = {"token": "reader", "objectId": "r", "roles": [{"role": "Reader", "scope": group.text}]}
    api.http.post("/_emulator/principals", json=reader).raise_for_status()
    api.http.headers["Authorization"] = "Bearer reader"
    fleet.made.clear()
    assert query(api, CLUSTERS)["totalRecords"] == fleet.made["heads"] == 30


def test_a_table_does_not_look_beyond_its_page_for_the_type_of_a_column(api: Api, fleet: CountedFleet) -> None:
    page = query(api, "resources | project id, zones", resultFormat="table", **{"$top": 10})
    assert [column["type"] for column in page["data"]["columns"]] == ["string", "string"]
    assert fleet.made["heads"] == 10


@pytest.mark.parametrize(
    "text",
    [
        "resources | mv-expand pool = properties.agentPoolProfiles | project id, pool.name",
        "resources | parse name with kind '-' number | project id, kind, number",
        "resources | join kind=leftouter (resourcecontainers | project subscriptionId, title = name) on subscriptionId"
        " | project id, title",
    ],
)
def test_rows_that_are_not_made_stay_so_from_operator_to_operator(start: Callable[..., Api], text: str) -> None:
    fleet = CountedFleet(2000)
    api = start(fleet, throttling=False)
    query(api, text, **{"$top": 10})
    (result,) = api.emulator.graph._results.values()
    assert all(is_lazy(row) for row in result.table.rows)


def test_queries_of_two_who_page_at_the_same_time_are_answered_once_each(api: Api, fleet: CountedFleet) -> None:
    first, second = query(api, CLUSTERS), query(api, CLUSTERS)
    fleet.made.clear()
    for page in (first, second):
        query(api, CLUSTERS, **{"$skipToken": page["$skipToken"]})
    assert fleet.made["ids"] < 2 * 1000 * 5
