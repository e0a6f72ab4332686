"""What policies look for on clusters, read over HTTP: by Resource Graph, and one by one."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator

import pytest

from policyengine.arm import ArmClient, EmulatorCredential
from policyengine.inventory import read
from policyengine.inventory.live import read_cluster
from policyengine.inventory.related import Related
from policyengine.inventory.related_types import EXTENSION_LISTINGS, collection, hangs_on, listing_of
from policyengine.model.fleet import Fleet
from policyengine.model.ids import ResourceId
from policyengine.model.resource import AKS, ARC, Cluster, Sought
from policyengine.model.scope import ScopeTree
from tests.inventory.azure import SUBSCRIPTIONS, Azure, Page, Row, cluster_id, row, serving
from tests.inventory.test_resource_graph import NoTime

LOCKS = "Microsoft.Authorization/locks"
V1 = "Microsoft.KubernetesConfiguration/sourceControlConfigurations"
ASSESSMENTS = "Microsoft.Security/assessments"
MEMBERSHIPS = "Microsoft.ContainerService/fleetMemberships"
BACKUPS = "Microsoft.DataProtection/backupInstances"
ONE, OTHER = cluster_id(SUBSCRIPTIONS[0], "a-1"), cluster_id(SUBSCRIPTIONS[0], "a-2", AKS)


@pytest.fixture
def azure() -> Iterator[Azure]:
    with serving() as azure:
        yield azure


def fleet_of(azure: Azure, *sought: Sought, on: Iterable[str] = (ONE, OTHER), source: str = "arm:") -> Fleet:
    ids = {ResourceId(id) for id in on}

    def wanted(cluster: Cluster, tree: ScopeTree) -> Iterable[Sought]:
        assert tree.subscriptions, "what stands above the clusters is known before them"
        return sought if cluster.id in ids else ()

    async def main() -> Fleet:
        async with ArmClient(azure.url, EmulatorCredential(), timer=NoTime(), jitter=lambda: 0.5) as arm:
            return await read(source, arm=arm, wanted=wanted)

    return asyncio.run(main())


def found(fleet: Fleet, id: str = ONE) -> tuple[list[str], dict[str, str | None]]:
    """The names of what was found on the cluster beside the usual, and what is said of the looking."""
    (cluster,) = (cluster for cluster in fleet.clusters if cluster.id == ResourceId(id))
    return [resource.name for resource in cluster.others], dict(cluster.looked_for)


def put(azure: Azure, id: str, **more: object) -> None:
    azure.resources[id] = row(id, **more)


def asked(azure: Azure, type: str) -> list[str]:
    return sorted(path for path in azure.requests if f"/{type}" in path)


@pytest.mark.parametrize("source", ["arm:", "arm:list"])
def test_what_is_looked_for_is_read_where_it_is_wanted(azure: Azure, source: str) -> None:
    put(azure, f"{ONE}/providers/{LOCKS}/keep")
    fleet = fleet_of(azure, Sought(LOCKS), source=source)

    assert found(fleet) == (["keep"], {LOCKS.lower(): None})
    assert found(fleet, OTHER) == ([], {LOCKS.lower(): None})
    assert found(fleet, cluster_id(SUBSCRIPTIONS[1], "b-1")) == ([], {})
    assert asked(azure, LOCKS) == sorted([f"{ONE}/providers/{LOCKS}", f"{OTHER}/providers/{LOCKS}"])
    assert fleet.complete


def test_a_child_type_is_listed_below_the_clusters_that_can_have_it(azure: Azure) -> None:
    pools = f"{AKS}/agentPools"
    azure.resources[f"{OTHER}/agentPools/system"] = {**row(f"{OTHER}/agentPools/system"), "type": pools.lower()}
    azure.listed = {**azure.resources}
    fleet = fleet_of(azure, Sought(pools))

    assert [path for path in azure.requests if "agentPools" in path] == [f"{OTHER}/agentPools"]
    assert found(fleet) == ([], {})


def test_one_of_a_name_is_asked_for_by_its_name(azure: Azure) -> None:
    put(azure, f"{ONE}/providers/{LOCKS}/keep")
    put(azure, f"{ONE}/providers/{LOCKS}/other")
    fleet = fleet_of(azure, Sought(LOCKS, "keep"), Sought(LOCKS, "none"))

    assert found(fleet) == (["keep"], {f"{LOCKS}:keep".lower(): None, f"{LOCKS}:none".lower(): None})
    assert f"{ONE}/providers/{LOCKS}" not in azure.requests


def test_all_of_a_type_are_asked_for_once_whatever_names_are_too(azure: Azure) -> None:
    fleet_of(azure, Sought(LOCKS, "keep"), Sought(LOCKS), on=[ONE])

    assert asked(azure, LOCKS) == [f"{ONE}/providers/{LOCKS}"]


def test_what_there_is_only_one_of_has_no_list(azure: Azure) -> None:
    put(azure, f"{OTHER}/providers/{MEMBERSHIPS}/default")
    fleet = fleet_of(azure, Sought(MEMBERSHIPS))

    assert found(fleet, OTHER) == (["default"], {MEMBERSHIPS.lower(): None})
    assert found(fleet) == ([], {MEMBERSHIPS.lower(): None})
    assert asked(azure, MEMBERSHIPS) == sorted(f"{id}/providers/{MEMBERSHIPS}/default" for id in (ONE, OTHER))


def test_what_is_kept_elsewhere_hangs_on_the_cluster_it_was_listed_on(azure: Azure) -> None:
    vault = f"/subscriptions/{SUBSCRIPTIONS[1]}/resourceGroups/x/providers/Microsoft.DataProtection/backupVaults/v"
    kept = {"id": f"{vault}/backupInstances/b", "name": "b", "properties": {"friendlyName": "a-1"}}
    manager = azure.manager
    azure.manager = lambda path: (200, {"value": [kept]}) if path.endswith(BACKUPS) else manager(path)  # type: ignore[method-assign]
    fleet = fleet_of(azure, Sought(BACKUPS), on=[ONE])
    (backup,) = next(cluster for cluster in fleet.clusters if cluster.id == ResourceId(ONE)).others

    assert backup.document == {**kept, "id": f"{ONE}/providers/{BACKUPS}/b"}
    assert backup.type == BACKUPS


def test_what_a_list_shows_from_above_does_not_hang_on_the_cluster(azure: Azure) -> None:
    above = {"id": f"/subscriptions/{SUBSCRIPTIONS[0]}/providers/{LOCKS}/all"}
    manager = azure.manager
    azure.manager = lambda path: (200, {"value": [above]}) if path.endswith(LOCKS) else manager(path)  # type: ignore[method-assign]

    assert found(fleet_of(azure, Sought(LOCKS))) == ([], {LOCKS.lower(): None})


def test_what_cannot_be_read_is_told_on_its_cluster_and_once_for_all(azure: Azure) -> None:
    azure.forbidden = {LOCKS}
    fleet = fleet_of(azure, Sought(LOCKS), Sought(MEMBERSHIPS))
    names, looked_for = found(fleet)

    assert names == []
    assert looked_for[MEMBERSHIPS.lower()] is None
    assert "was answered 403: AuthorizationFailed" in str(looked_for[LOCKS.lower()])
    assert [failure.scope.text for failure in fleet.failures] == [
        f"/subscriptions/{SUBSCRIPTIONS[0]}/providers/{LOCKS}"
    ]
    assert fleet.failures[0].reason.startswith("not read on 2 clusters, `a-2` among them: GET ")
    assert not any(fleet.tree.contains(fleet.failures[0].scope, cluster.id) for cluster in fleet.clusters)


def test_a_type_that_the_service_does_not_have_is_not_read(azure: Azure) -> None:
    manager, error = azure.manager, {"error": {"code": "InvalidResourceType", "message": "No such type."}}
    azure.manager = lambda path: (404, error) if "fleetMemberships" in path else manager(path)  # type: ignore[method-assign]
    fleet = fleet_of(azure, Sought(MEMBERSHIPS))

    assert "InvalidResourceType" in str(found(fleet)[1][MEMBERSHIPS.lower()])
    assert not fleet.complete


@pytest.mark.parametrize("answer", [{}, [], {"id": "nonsense"}, None])
def test_an_answer_that_is_no_resource_is_not_believed(azure: Azure, answer: object) -> None:
    manager = azure.manager
    azure.manager = lambda path: (200, answer) if "fleetMemberships" in path else manager(path)  # type: ignore[method-assign]
    fleet = fleet_of(azure, Sought(MEMBERSHIPS))

    assert "gave something that cannot be used" in str(found(fleet)[1][MEMBERSHIPS.lower()])
    assert not fleet.complete


def test_a_cluster_that_is_gone_by_then_is_left_out(azure: Azure) -> None:
    azure.listed = {id: found for id, found in azure.resources.items() if not id.startswith(ONE)}
    fleet = fleet_of(azure, Sought(LOCKS))

    assert ResourceId(ONE) not in {cluster.id for cluster in fleet.clusters}
    assert fleet.complete


def test_resource_graph_tells_of_many_clusters_at_once(azure: Azure) -> None:
    """Who sees the extensions of a cluster sees its old configurations: where there is no row, there is none."""
    put(azure, f"{ONE}/providers/{V1}/Apps")
    fleet = fleet_of(azure, Sought(V1, "apps"))

    assert found(fleet) == (["Apps"], {f"{V1}:apps".lower(): None})
    assert found(fleet, OTHER) == ([], {f"{V1}:apps".lower(): None})
    assert asked(azure, V1) == []
    assert [body["query"] for body in azure.queries if V1.lower() in body["query"]] == [
        f"kubernetesconfigurationresources | where type in~ ('{V1.lower()}') | where resourceGroup in~ ('shops')"
        " | where name in~ ('apps') | order by id asc"
    ]


def test_a_row_that_may_be_missing_for_want_of_leave_is_asked_for(azure: Azure) -> None:
    put(azure, f"{ONE}/providers/{ASSESSMENTS}/x", properties={"status": {"code": "Healthy"}})
    fleet = fleet_of(azure, Sought(ASSESSMENTS, "x"))

    assert found(fleet) == (["x"], {f"{ASSESSMENTS}:x".lower(): None})
    assert asked(azure, ASSESSMENTS) == [f"{OTHER}/providers/{ASSESSMENTS}/x"]


def test_where_resource_graph_fails_each_cluster_is_asked(azure: Azure) -> None:
    put(azure, f"{ONE}/providers/{V1}/apps")

    def quirk(body: Row, _rows: list[Row]) -> Page | None:
        return (400, {"error": {"code": "BadRequest", "message": "No."}}) if V1.lower() in body["query"] else None

    azure.quirk = quirk
    fleet = fleet_of(azure, Sought(V1))

    assert found(fleet) == (["apps"], {V1.lower(): None})
    assert len(asked(azure, V1)) == 2


def test_what_is_not_known_to_hang_on_clusters_is_not_asked_for(azure: Azure) -> None:
    fleet = fleet_of(azure, Sought("Microsoft.Insights/dataCollectionRules"), Sought(f"{AKS}/agentPools/machines"))

    assert found(fleet, OTHER) == ([], {})
    assert azure.requests == ["/subscriptions"]


def test_a_cluster_that_is_read_by_itself_comes_with_it(azure: Azure) -> None:
    put(azure, f"{ONE}/providers/{LOCKS}/keep")

    async def main() -> Cluster:
        async with ArmClient(azure.url, EmulatorCredential(), timer=NoTime(), jitter=lambda: 0.5) as arm:
            return await read_cluster(Related(arm, lambda _cluster, _tree: [Sought(LOCKS)]), ResourceId(ONE))

    cluster = asyncio.run(main())
    assert [resource.name for resource in cluster.others] == ["keep"]
    assert cluster.looked_for == {LOCKS.lower(): None}


@pytest.mark.parametrize("type", EXTENSION_LISTINGS)
def test_extension_types_hang_on_clusters_of_any_kind(type: str) -> None:
    for id in (ONE, OTHER):
        assert hangs_on(type.upper(), ResourceId(id))
        assert collection(type, ResourceId(id)) == f"{id}/providers/{type}"


@pytest.mark.parametrize(
    ("type", "on", "expected"),
    [
        (f"{AKS}/maintenanceConfigurations", OTHER, True),
        (f"{AKS}/maintenanceConfigurations", ONE, False),
        (f"{ARC}/things", ONE, True),
        (f"{AKS}/agentPools/machines", OTHER, False),
        (AKS, OTHER, False),
        ("Microsoft.X/vaults", OTHER, False),
        (f"Microsoft.X/{AKS}/things", OTHER, False),
    ],
)
def test_children_hang_on_clusters_of_their_kind(type: str, on: str, expected: bool) -> None:
    assert hangs_on(type, ResourceId(on)) is expected
    assert listing_of(AKS) is None
