"""A synthetic fleet served: clusters are there when somebody looks, and stay only when something happened to them."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from policyengine.emulator import Emulator
from policyengine.model.ids import ResourceId
from policyengine.model.synthetic import SyntheticFleet

if TYPE_CHECKING:
    from tests.emulator.conftest import Api

FLEET = SyntheticFleet(300)
LARGE = SyntheticFleet(100_000)


@pytest.fixture
def api(start: Callable[..., Api]) -> Api:
    return start(FLEET)


def flux_less(fleet: SyntheticFleet) -> ResourceId:
    return next(c.id for c in fleet if c.kind == "Arc" and not c.children and c.unreachable_reason is None)


def kept(api: Api) -> int:
    return len(api.emulator.state.clusters.kept())


def query(api: Api, text: str, **options: Any) -> Any:
    return api.send("POST", "/providers/Microsoft.ResourceGraph/resources", {"query": text, "options": options}).json()


def test_reading_keeps_nothing(api: Api) -> None:
    subscription = FLEET.tree.subscriptions[0].id
    assert api.get(FLEET.id(7).text).status_code == 200
    assert api.get(f"{FLEET.id(7)}/providers/Microsoft.KubernetesConfiguration/extensions").status_code == 200
    assert api.get(f"{subscription}/providers/Microsoft.Kubernetes/connectedClusters").status_code == 200
    assert api.inside(FLEET.id(8).text)["id"] == FLEET.id(8).text
    api.advance("3d")
    assert query(api, "resources | count")["data"] == [{"Count": 300}]
    assert kept(api) == 0


def test_a_cluster_that_was_written_to_stays_as_it_became(api: Api) -> None:
    cluster = flux_less(FLEET).text
    api.install(cluster)
    api.configure(cluster)
    api.advance("1h")
    for index in range(FLEET.size):
        api.emulator.state.clusters.get(FLEET.id(index).key)
    assert kept(api) == 1
    assert api.properties(api.configuration(cluster))["complianceState"] == "Compliant"
    assert query(api, f"kubernetesconfigurationresources | where id startswith '{cluster}' | count")["data"] == [
        {"Count": 2}
    ]


def test_lists_show_every_cluster_once(api: Api) -> None:
    listed: list[str] = []
    for subscription in FLEET.tree.subscriptions:
        for type in ("Microsoft.Kubernetes/connectedClusters", "Microsoft.ContainerService/managedClusters"):
            page = api.get(f"{subscription.id}/providers/{type}").json()
            listed += [document["id"] for document in page["value"]]
            assert "nextLink" not in page
    assert sorted(listed) == sorted(FLEET.id(index).text for index in range(FLEET.size))


def test_resource_graph_tells_the_same_as_resource_manager(api: Api) -> None:
    text = "resources | where type =~ 'microsoft.kubernetes/connectedclusters' | project id, tags | order by id desc"
    first = query(api, text, **{"$top": 100})
    second = query(api, text, **{"$top": 100, "$skipToken": first["$skipToken"]})
    rows = first["data"] + second["data"]
    assert len({row["id"] for row in rows}) == first["totalRecords"] == 180
    assert [row["id"] for row in rows] == sorted((row["id"] for row in rows), reverse=True)
    assert rows[3]["tags"] == api.get(rows[3]["id"]).json()["tags"]


@pytest.mark.parametrize(
    "text",
    [
        "resources | extend v = properties.kubernetesVersion | summarize n = count() by tostring(v) | order by n",
        "kubernetesconfigurationresources | where properties.ProvisioningState == 'Failed' | project name, id",
        "resources | extend location = 'x' | project-away tags | where location == 'x' | take 5",
        "resources | join kind=inner (kubernetesconfigurationresources | extend id = tostring(split(id, '/providers/M"
        "icrosoft.KubernetesConfiguration')[0])) on id | count",
        "resources | distinct location | order by location asc",
    ],
)
def test_queries_give_what_they_give_of_a_fleet_that_is_all_there(api: Api, text: str) -> None:
    lazily = query(api, text)
    for index in range(FLEET.size):
        api.emulator.cluster(FLEET.id(index).text)
    assert kept(api) == 300
    assert lazily["data"] == query(api, text)["data"]


def test_a_version_touches_only_clusters_it_concerns(api: Api) -> None:
    api.emulator.publish_version("microsoft.dapr", "Stable", "9.9.9")
    api.emulator.settle()
    concerned = [c for c in FLEET if any(e.property("extensionType") == "microsoft.dapr" for e in c.extensions)]
    assert 0 < kept(api) == len(concerned) < 300


def test_a_source_touches_only_clusters_it_concerns(api: Api) -> None:
    url = "https://github.com/contoso/stores"
    api.emulator.script_source({"url": url, "heads": {"main": "moved"}})
    concerned = [c for c in FLEET if any("stores" in json.dumps(f.document) for f in c.flux_configurations)]
    assert 0 < kept(api) == len(concerned) < 300


def test_a_snapshot_holds_what_was_touched(api: Api) -> None:
    cluster = flux_less(FLEET).text
    small = len(api.emulator.freeze())
    api.emulator.save_snapshot("before")
    api.install(cluster)
    api.advance("5m")
    assert len(api.emulator.freeze()) < small + 40_000
    assert [c["change"] for c in api.emulator.compare("before")] == ["changed", "added"]
    api.emulator.load_snapshot("before")
    assert kept(api) == 0
    assert api.get(api.extension(cluster)).status_code == 404


def test_a_hundred_thousand_clusters_cost_little_until_they_are_looked_at() -> None:
    tracemalloc.start()
    try:
        emulator = Emulator(LARGE, clock="frozen")
        for index in range(0, LARGE.size, 500):
            assert emulator.state.find_cluster(LARGE.id(index)) is not None
        used = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert len(emulator.state.clusters) == 100_000
    assert used < 40_000_000
