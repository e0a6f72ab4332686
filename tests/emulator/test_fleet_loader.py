"""Fleets read from documents, whole or sparse."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from policyengine.emulator import Emulator
from policyengine.errors import InventoryError, UsageError
from policyengine.model.fleet import Fleet, FleetFile
from policyengine.model.ids import ResourceId
from policyengine.model.resource import AKS, ARC, Cluster, Resource
from policyengine.model.scope import ScopeTree
from tests.emulator.conftest import GIT, fleet

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.emulator.conftest import Api

ID = "/subscriptions/s1/resourceGroups/rg/providers/Microsoft.Kubernetes/connectedClusters/one"


def extension_document(**properties: Any) -> dict[str, Any]:
    id = f"{ID}/providers/Microsoft.KubernetesConfiguration/extensions/flux"
    return {"id": id, "properties": {"extensionType": "microsoft.flux", **properties}}


def configuration_document(**properties: Any) -> dict[str, Any]:
    id = f"{ID}/providers/Microsoft.KubernetesConfiguration/fluxConfigurations/cfg"
    return {"id": id, "properties": {"gitRepository": {"url": "https://x/y"}, **properties}}


def file_of(*, simulation: Any = None, **documents: Any) -> FleetFile:
    head = Resource.from_document({"id": ID, "location": "norwayeast", "properties": {}})
    cluster = Cluster(
        head,
        extensions=tuple(Resource.from_document(d) for d in documents.get("extensions", ())),
        flux_configurations=tuple(Resource.from_document(d) for d in documents.get("configurations", ())),
    )
    simulations = {ResourceId(ID): simulation} if simulation else {}
    return FleetFile(Fleet(ScopeTree(), (cluster,)), simulations)


def record_of(emulator: Emulator) -> dict[str, Any]:
    (record,) = emulator.cluster("one").records.values()
    return record.document()


def test_scopes_that_clusters_imply_are_there() -> None:
    tree = Emulator(file_of(), clock="frozen").state.tree
    assert [s.subscription_id for s in tree.subscriptions] == ["s1"]
    assert [(g.name, g.location) for g in tree.resource_groups] == [("rg", "norwayeast")]


@pytest.mark.parametrize(
    ("type", "said", "sku"),
    [
        (AKS, {}, {"name": "Base", "tier": "Free"}),
        (AKS, {"sku": {"name": "Automatic", "tier": "Standard"}}, {"name": "Automatic", "tier": "Standard"}),
        (ARC, {}, None),
    ],
)
def test_an_aks_cluster_has_a_sku(type: str, said: dict[str, Any], sku: dict[str, str] | None) -> None:
    id = f"/subscriptions/s1/resourceGroups/rg/providers/{type}/web"
    cluster = Cluster(Resource.from_document({"id": id, "location": "norwayeast", "properties": {}, **said}))
    emulator = Emulator(FleetFile(Fleet(ScopeTree(), (cluster,)), {}), clock="frozen")

    assert emulator.cluster("web").document.get("sku") == sku


def test_a_sparse_extension_is_filled_in_as_settled() -> None:
    emulator = Emulator(file_of(extensions=[extension_document()]), clock="frozen")
    found = record_of(emulator)["properties"]
    assert (found["provisioningState"], found["version"], found["currentVersion"]) == ("Succeeded", "1.19.5", "1.19.5")
    assert emulator.cluster("one").objects.flux_installed


def test_a_version_read_back_while_upgrading_is_no_pin() -> None:
    emulator = Emulator(file_of(extensions=[extension_document(version="1.18.4")]), clock="frozen")
    found = record_of(emulator)["properties"]
    assert (found["autoUpgradeMinorVersion"], found["currentVersion"]) == (True, "1.18.4")


def test_a_failed_extension_leaves_no_controllers() -> None:
    document = extension_document(provisioningState="Failed", errorInfo={"code": "X", "message": "why"})
    emulator = Emulator(file_of(extensions=[document]), clock="frozen")
    assert record_of(emulator)["properties"]["errorInfo"]["message"] == "why"
    assert not emulator.cluster("one").objects.flux_installed


def test_a_resource_caught_in_the_middle_goes_on() -> None:
    emulator = Emulator(file_of(extensions=[extension_document(provisioningState="Creating")]), clock="frozen")
    emulator.advance(timedelta(minutes=2))
    assert record_of(emulator)["properties"]["provisioningState"] == "Succeeded"


def test_a_resource_caught_while_being_deleted_goes() -> None:
    emulator = Emulator(file_of(extensions=[extension_document(provisioningState="Deleting")]), clock="frozen")
    emulator.advance(timedelta(minutes=1))
    assert emulator.cluster("one").records == {}


@pytest.mark.parametrize("state", ["Compliant", "Non-Compliant"])
def test_a_compliance_state_without_details_gets_them(state: str) -> None:
    document = configuration_document(complianceState=state, kustomizations={"apps": {}})
    found = record_of(Emulator(file_of(configurations=[document]), clock="frozen"))["properties"]
    assert found["complianceState"] == state
    assert [s["kind"] for s in found["statuses"]] == ["GitRepository", "Kustomization"]


def test_a_scripted_failure_dates_from_when_it_says(api: Api) -> None:
    found = api.properties(api.configuration(api.settled, "broken"))
    condition = found["statuses"][0]["statusConditions"][0]
    assert condition["message"] == "unable to clone"
    assert condition["lastTransitionTime"] == "2026-11-14T08:00:00.000Z"


def test_statuses_that_are_given_are_kept() -> None:
    condition = {
        "type": "Ready",
        "status": "False",
        "reason": "BuildFailed",
        "message": "no kustomization.yaml",
        "lastTransitionTime": "2026-11-01T00:00:00Z",
    }
    status = {"name": "cfg-apps", "kind": "Kustomization", "statusConditions": [condition]}
    document = configuration_document(kustomizations={"apps": {}}, statuses=[status], complianceState="Non-Compliant")
    emulator = Emulator(file_of(configurations=[document]), clock="frozen")
    assert record_of(emulator)["properties"]["statuses"] == [status]
    objects = emulator.cluster("one").objects
    assert objects.document()["objects"][0]["complianceState"] == "Non-Compliant"


@pytest.mark.parametrize(
    "file",
    [
        file_of(simulation={"offlinefor": "3d"}),
        file_of(simulation={"pollInterval": "often"}),
        file_of(extensions=[extension_document(extensionType=None)]),
        file_of(configurations=[configuration_document(gitRepository=None)]),
        file_of(configurations=[configuration_document(scope="galaxy")]),
        FleetFile(Fleet(ScopeTree(), ()), {}, ({"path": "*", "status": 200},)),
    ],
)
def test_a_fleet_that_cannot_be_used_says_why(file: FleetFile) -> None:
    with pytest.raises(InventoryError):
        Emulator(file, clock="frozen")


def test_the_same_seed_gives_the_same_polls_and_another_does_not() -> None:
    def first_poll(seed: int) -> timedelta:
        emulator = Emulator(file_of(), clock="frozen", seed=seed)
        return emulator.cluster("one").first_poll - emulator.clock.now()

    assert first_poll(1) == first_poll(1) != first_poll(2)


def test_a_cluster_is_found_by_a_name_that_only_it_has() -> None:
    emulator = Emulator(file_of(), clock="frozen")
    assert emulator.cluster("ONE").id == emulator.cluster(ID).id
    with pytest.raises(UsageError):
        emulator.cluster("two")


def test_a_fleet_file_scripts_sources_from_the_beginning(start: Callable[..., Api]) -> None:
    objects = [{"kind": "ConfigMap", "name": "from-git"}]
    api = start(replace(fleet(), sources=({"url": GIT["url"], "revisions": {"*": objects}},)))
    api.install(api.arc)
    api.configure(api.arc)
    api.advance("5m")
    assert [o["name"] for o in api.inside(api.arc)["applied"]] == ["from-git"]
