"""Synthetic fleets: shares and sizes as measured fleets have them, every cluster a function of seed and index."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime
from statistics import mean

import pytest

from policyengine.errors import InventoryError
from policyengine.model.ids import ResourceId
from policyengine.model.resource import Cluster, Resource
from policyengine.model.synthetic import SyntheticFleet

FLEET = SyntheticFleet(100_000)
SAMPLE = [FLEET.cluster(index) for index in range(0, FLEET.size, 97)]


def size(resource: Resource) -> int:
    return len(json.dumps(resource.document, separators=(",", ":")))


def whole(cluster: Cluster) -> int:
    return size(cluster.resource) + sum(size(child) for child in cluster.children)


def test_its_scopes_are_as_many_as_in_a_large_fleet() -> None:
    assert (len(FLEET.tree.subscriptions), len(FLEET.tree.resource_groups)) == (200, 2_000)
    assert len({group.location for group in FLEET.tree.resource_groups}) == 30


def test_six_of_ten_clusters_are_arc() -> None:
    types = Counter(FLEET.id(index).type for index in range(0, FLEET.size))
    assert types == {
        "Microsoft.Kubernetes/connectedClusters": 60_000,
        "Microsoft.ContainerService/managedClusters": 40_000,
    }


def test_documents_repeat_and_weigh_as_real_ones_do() -> None:
    versions = {str(c.resource.property("kubernetesVersion")).partition("+")[0] for c in SAMPLE}
    assert (len(versions), len({json.dumps(c.resource.tags) for c in SAMPLE})) == (25, 40)
    assert 1_900 < mean(size(c.resource) for c in SAMPLE) < 2_300
    assert 5_200 < mean(whole(c) for c in SAMPLE) < 6_000


def test_children_are_few_on_most_and_many_on_some() -> None:
    extensions, configurations = [len(c.extensions) for c in SAMPLE], [len(c.flux_configurations) for c in SAMPLE]
    assert mean(extensions) == pytest.approx(2.0, abs=0.12)
    assert mean(configurations) == pytest.approx(0.85, abs=0.08)
    assert (max(extensions), max(configurations)) == (8, 5)


def test_no_extension_type_is_on_a_cluster_twice() -> None:
    for cluster in SAMPLE:
        types = [extension.property("extensionType") for extension in cluster.extensions]
        assert len(types) == len(set(types))


def test_index_order_is_id_order() -> None:
    keys = [FLEET.id(index).key for index in range(FLEET.size)]
    assert keys == sorted(keys)


@pytest.mark.parametrize("fleet", [SyntheticFleet(1), SyntheticFleet(37), SyntheticFleet(2_500, seed=3), FLEET])
def test_an_id_leads_back_to_its_index(fleet: SyntheticFleet) -> None:
    for index in {0, fleet.size // 3, fleet.size - 1}:
        assert fleet.index(ResourceId(fleet.id(index).text.upper())) == index
    with pytest.raises(IndexError):
        fleet.id(fleet.size)


def test_an_id_of_another_fleet_has_no_index() -> None:
    assert FLEET.index(SyntheticFleet(100_000, seed=8).id(5)) is None
    assert FLEET.index(ResourceId(f"{FLEET.id(5)}/providers/Microsoft.KubernetesConfiguration/extensions/flux")) is None


def test_what_is_below_a_scope_is_a_range() -> None:
    for scope in (ResourceId("/"), FLEET.tree.subscriptions[3].id, FLEET.tree.resource_groups[-1].id, FLEET.id(77)):
        found = FLEET.below(scope)
        assert all(scope.contains(FLEET.id(index)) for index in (found.start, found.stop - 1))
        assert found.start == 0 or not scope.contains(FLEET.id(found.start - 1))
        assert found.stop == FLEET.size or not scope.contains(FLEET.id(found.stop))
    assert len(FLEET.below(ResourceId("/subscriptions/none"))) == 0


def test_the_same_seed_gives_the_same_fleet_and_another_another() -> None:
    def documents(fleet: SyntheticFleet) -> list[object]:
        return [[c.resource.document, *(child.document for child in c.children)] for c in fleet]

    assert documents(SyntheticFleet(20)) == documents(SyntheticFleet(20, seed=7))
    assert documents(SyntheticFleet(20)) != documents(SyntheticFleet(20, seed=8))


def test_times_lie_before_the_instant_it_is_read_at() -> None:
    at = datetime(2027, 5, 1, tzinfo=UTC)
    arc = next(c for c in SyntheticFleet(10, at=at) if c.kind == "Arc")
    assert str(arc.resource.property("lastConnectivityTime")) <= "2027-05-01T00:00:00Z"


@pytest.mark.parametrize(("text", "size", "seed"), [("1000", 1_000, 7), ("100_000?seed=42", 100_000, 42)])
def test_it_is_written_as_a_size_and_a_seed(text: str, size: int, seed: int) -> None:
    assert SyntheticFleet.parse(text) == SyntheticFleet(size, seed)


@pytest.mark.parametrize("text", ["", "0", "-5", "many", "10?seed=x", "99999999999"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(InventoryError, match="synthetic fleet"):
        SyntheticFleet.parse(text)


def test_what_is_on_a_cluster_is_known_without_making_it() -> None:
    for index in range(0, FLEET.size, 997):
        cluster = FLEET.cluster(index)
        told = [cluster.id.extension(type, name) for type, name in FLEET.children(index)]
        assert told == sorted(child.id for child in cluster.children)
        assert FLEET.head(index) == cluster.resource
        assert (FLEET.path(index), FLEET.type(index)) == (cluster.id.text, cluster.id.type)
        assert FLEET.tree.resource_groups[FLEET.group(index)].id.contains(cluster.id)
