"""Large fleets: what an answer costs is counted in clusters that are made for it, never in seconds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from policyengine.model.ids import ResourceId
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

    def id(self, index: int) -> ResourceId:
        self.made["ids"] += 1
        return super().id(index)


@pytest.fixture
def fleet() -> CountedFleet:
    return CountedFleet(SIZE)


@pytest.fixture
def api(start: Callable[..., Api], fleet: CountedFleet) -> Api:
    return start(fleet, throttling=False)


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
