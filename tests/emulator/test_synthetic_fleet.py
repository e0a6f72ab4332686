"""A synthetic fleet served: clusters are there when somebody looks, and stay only when something happened to them."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from policyengine.emulator import Emulator
from policyengine.model.ids import ResourceId
from policyengine.model.synthetic import SyntheticFleet

if TYPE_CHECKING:
    from tests.emulator.conftest import Api, ManualClock

FLEET = SyntheticFleet(300)
SMALL = SyntheticFleet(60)
LARGE = SyntheticFleet(100_000)
NO_TIME = timedelta(0)


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


STORES = "https://github.com/contoso/stores"
PLATFORM = "https://github.com/contoso/platform"


def fleet_wide_story(emulator: Emulator) -> Iterator[None]:
    """Versions and sources from one hour to the next."""
    web = {"kind": "Deployment", "name": "web", "path": "./apps", "healthyAfter": "40s"}
    emulator.script_source({"url": STORES, "heads": {"main": "r1"}, "revisions": {"r1": [web]}})
    emulator.script_source({"url": PLATFORM, "heads": {"main": "r1"}, "revisions": {"r1": [web]}})
    yield
    emulator.advance(timedelta(seconds=95))
    yield
    emulator.script_source({"url": STORES, "failure": {"reason": "GitOperationFailed", "message": "no route"}})
    emulator.publish_version("microsoft.flux", "Stable", "1.20.0", {"*": timedelta(hours=2), "westeurope": NO_TIME})
    emulator.script_source({"url": PLATFORM, "failure": {"reason": "GitOperationFailed", "message": "no route"}})
    emulator.advance(timedelta(hours=1))
    yield
    emulator.publish_version("microsoft.flux", "Stable", "1.21.0")
    emulator.script_source({"url": STORES, "failure": None, "heads": {"main": "r2"}, "revisions": {"r2": []}})
    yield
    emulator.advance(timedelta(minutes=3))
    emulator.script_source({"url": f"{STORES}.git", "heads": {"release": "r2"}})
    emulator.forget_source(PLATFORM)
    emulator.advance(timedelta(days=2))
    yield


def told(emulator: Emulator) -> Any:
    """Everything there is to know of every cluster."""
    found = {}
    for index in range(SMALL.size):
        cluster = emulator.look_at(SMALL.id(index).text)
        records = [record.document() for record in cluster.records.values()]
        found[cluster.id.text] = [cluster.last_poll, cluster.objects.document(), records]
    return found


def test_clusters_that_nobody_kept_become_what_kept_ones_become(wall: ManualClock) -> None:
    lazily, kept_ones = (Emulator(SMALL, clock="frozen", wall=wall) for _ in range(2))
    for index in range(SMALL.size):
        kept_ones.cluster(SMALL.id(index).text)
    states = []
    for _ in zip(fleet_wide_story(lazily), fleet_wide_story(kept_ones), strict=True):
        assert told(lazily) == told(kept_ones)
        states.append(told(lazily))
    assert len({repr(state) for state in states}) == 4  # all but the one right after an announcement
    assert lazily.state.clusters.kept() == ()


def test_a_cluster_that_nobody_looked_at_in_between_is_the_same(wall: ManualClock) -> None:
    """However often somebody looked, and from a snapshot of it too."""
    watched, unwatched = (Emulator(SMALL, clock="frozen", wall=wall) for _ in range(2))
    for _ in zip(fleet_wide_story(watched), fleet_wide_story(unwatched), strict=True):
        told(watched)
    assert told(watched) == told(unwatched)
    unwatched.save_snapshot("s")
    unwatched.load_snapshot("s")
    assert told(watched) == told(unwatched)


def test_what_a_cluster_waits_for_goes_on_when_it_is_kept(wall: ManualClock) -> None:
    early, late = (Emulator(SMALL, clock="frozen", wall=wall) for _ in range(2))
    concerned = next(c.id for c in SMALL if c.kind == "Arc" and any("stores" in f.id.name for f in c.children))
    early.cluster(concerned.text)
    for emulator in (early, late):
        emulator.script_source({"url": STORES, "heads": {"main": "r1", "release": "r1", "develop": "r1"}})
        emulator.advance(timedelta(seconds=1))
        emulator.cluster(concerned.text)
        emulator.advance(timedelta(days=1))
    assert told(early) == told(late)
    assert [c.id for c in late.state.clusters.kept()] == [concerned]


def test_news_keep_no_cluster(api: Api) -> None:
    dapr = [c.id for c in FLEET if any(e.property("extensionType") == "microsoft.dapr" for e in c.extensions)]
    api.emulator.save_snapshot("before")
    api.emulator.publish_version("microsoft.dapr", "Stable", "3.9.9")
    api.emulator.script_source({"url": STORES, "heads": {"main": "moved"}})
    api.advance("1h")
    changed = {change["id"] for change in api.emulator.compare("before")}
    assert {id.text for id in dapr} & {id.partition("/providers/Microsoft.KubernetesC")[0] for id in changed}
    assert any("stores-config" in id for id in changed)
    assert kept(api) == 0


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


def test_a_state_holds_nothing_of_what_was_only_read(api: Api) -> None:
    before = len(api.emulator.freeze())
    for index in range(100):
        assert api.inside(FLEET.id(index).text)["id"] == FLEET.id(index).text
    query(api, "kubernetesconfigurationresources | project properties", **{"$top": 10})
    assert len(api.emulator.freeze()) < before + 50_000  # a hundred clusters would be 700,000


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
