"""Both kinds of cluster over the wire."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.emulator.conftest import Api


def test_clusters_are_listed_by_subscription_and_by_group(api: Api) -> None:
    kind = "providers/microsoft.containerservice/managedclusters"
    by_subscription = api.get(f"/subscriptions/{api.web}/{kind}").json()["value"]
    by_group = api.get(f"/subscriptions/{api.web}/resourceGroups/WEB/{kind}").json()["value"]
    assert [c["name"] for c in by_subscription] == [c["name"] for c in by_group] == ["web-01", "web-02"]
    assert api.get(f"/subscriptions/{api.shops}/{kind}").json() == {"value": []}


def test_a_cluster_answers_with_the_case_it_was_stored_in(api: Api) -> None:
    got = api.get(api.aks.upper()).json()
    assert (got["id"], got["name"], got["type"]) == (api.aks, "web-01", "Microsoft.ContainerService/managedClusters")


def test_a_missing_cluster_is_named_with_its_type_and_group(api: Api) -> None:
    missing = api.arc.replace("osl-01", "nobody")
    for answer in (api.get(missing), api.install(missing)):
        assert api.error(answer) == (404, "ResourceNotFound")
        assert answer.json()["error"]["message"] == (
            "The Resource 'Microsoft.Kubernetes/connectedClusters/nobody' under resource group 'Stores' was not found. "
            "For more details please go to https://aka.ms/ARMResourceNotFoundFix"
        )


def test_tags_in_a_patch_replace_the_whole_map(api: Api) -> None:
    for cluster in (api.arc, api.aks):
        patched = api.send("PATCH", cluster, {"tags": {"owner": "shops"}})
        assert patched.status_code == 200
        assert patched.json()["tags"] == {"owner": "shops"}
        assert api.get(cluster).json()["tags"] == {"owner": "shops"}


def test_an_arc_cluster_takes_its_distribution_and_nothing_else(api: Api) -> None:
    api.patch(api.arc, {"distribution": "eks", "connectivityStatus": "Expired"})
    found = api.properties(api.arc)
    assert (found["distribution"], found["connectivityStatus"]) == ("eks", "Connected")


def test_a_heartbeat_is_told_every_five_minutes(api: Api) -> None:
    """More often, and every inventory would find every cluster changed."""
    seen = []
    for _ in range(20):
        seen.append(api.get(api.arc).text)
        api.advance("30s")
    assert len(set(seen)) <= 3


def test_the_last_heartbeat_of_a_connected_agent_is_less_than_15_minutes_old(api: Api) -> None:
    for _ in range(12):
        beat = datetime.fromisoformat(api.properties(api.arc)["lastConnectivityTime"])
        assert timedelta(0) <= api.emulator.clock.now() - beat < timedelta(minutes=15)
        api.advance("7m")


def test_an_aks_cluster_is_written_member_by_member(api: Api) -> None:
    """Templates of policies send the whole cluster back with one thing changed."""
    before = api.get(api.aks).json()
    properties = {**before["properties"], "disableLocalAccounts": True, "powerState": {"code": "Stopped"}}
    answer = api.put(api.aks, {"location": before["location"], "properties": properties})
    assert answer.status_code == 200
    after = api.properties(api.aks)
    assert after["disableLocalAccounts"] is True
    assert after["powerState"] == before["properties"]["powerState"]
    api.put(api.aks, {"properties": {"enableRBAC": True}})
    assert api.properties(api.aks)["disableLocalAccounts"] is True


def test_clusters_are_not_created(api: Api) -> None:
    assert api.error(api.put(api.aks.replace("web-01", "new"), {"location": "x"})) == (404, "ResourceNotFound")
    assert api.put(api.arc, {"location": "x"}).status_code == 501


def test_an_etag_guards_an_aks_cluster_and_nothing_else(api: Api) -> None:
    def patch(path: str, body: object, **headers: str) -> int:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return api.http.patch(f"{path}?api-version=2026-08-01", json=body, headers=named).status_code

    first = api.get(api.aks).json()["eTag"]
    assert api.get(api.aks).json()["eTag"] == first
    assert patch(api.aks, {"tags": {"a": "1"}}, If_Match=first) == 200
    assert api.get(api.aks).json()["eTag"] != first
    refused = api.http.patch(f"{api.aks}?api-version=2026-08-01", json={"tags": {}}, headers={"If-Match": first})
    assert api.error(refused) == (412, "PreconditionFailed")
    assert patch(api.aks, {"tags": {}}, If_Match="*") == 200
    assert patch(api.aks, {"tags": {}}, If_None_Match="*") == 412
    assert patch(api.arc, {"tags": {}}, If_Match="anything") == 200
