"""Resources of types without rules of their own, resource groups, and the lists that show them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.emulator.conftest import Api


def group_of(api: Api) -> str:
    return api.arc.rpartition("/providers/")[0]


def workspace(api: Api, name: str = "logs") -> str:
    return f"{group_of(api)}/providers/Microsoft.OperationalInsights/workspaces/{name}"


def test_any_other_resource_is_stored_and_told_again(api: Api) -> None:
    assert api.error(api.get(workspace(api))) == (404, "ResourceNotFound")
    body = {"location": "norwayeast", "tags": {"a": "b"}, "properties": {"sku": {"name": "PerGB2018"}}}
    created = api.put(workspace(api), body)
    assert created.status_code == 201
    found = created.json()
    assert (found["id"], found["name"]) == (workspace(api), "logs")
    assert found["type"] == "Microsoft.OperationalInsights/workspaces"
    assert (found["location"], found["tags"]) == ("norwayeast", {"a": "b"})
    assert found["properties"]["sku"] == {"name": "PerGB2018"}
    assert found["properties"]["provisioningState"] == "Succeeded"
    assert api.get(workspace(api).upper()).json() == found
    assert api.put(workspace(api), body).status_code == 200
    assert api.send("DELETE", workspace(api)).status_code == 200
    assert api.send("DELETE", workspace(api)).status_code == 204


def test_a_patch_merges_properties_and_replaces_tags(api: Api) -> None:
    api.put(workspace(api), {"location": "x", "tags": {"a": "1", "b": "2"}, "properties": {"one": 1, "two": 2}})
    patched = api.send("PATCH", workspace(api), {"tags": {"c": "3"}, "properties": {"two": 22}}).json()
    assert (patched["tags"], patched["location"]) == ({"c": "3"}, "x")
    assert (patched["properties"]["one"], patched["properties"]["two"]) == (1, 22)


def test_a_workspace_has_a_customer_id_and_keys_that_stay_the_same(api: Api) -> None:
    created = api.put(workspace(api), {"location": "x"}).json()
    again = api.put(workspace(api), {"location": "x"}).json()
    assert created["properties"]["customerId"] == again["properties"]["customerId"]
    keys = api.send("POST", f"{workspace(api)}/listKeys").json()
    assert keys == api.send("POST", f"{workspace(api)}/listkeys").json()
    assert keys["primarySharedKey"] != keys["secondarySharedKey"]
    assert api.error(api.send("POST", f"{workspace(api, 'none')}/listKeys")) == (404, "ResourceNotFound")


def test_a_resource_on_a_cluster_needs_the_cluster(api: Api) -> None:
    setting = "providers/Microsoft.Insights/diagnosticSettings/logs"
    assert api.put(f"{api.aks}/{setting}", {"properties": {}}).status_code == 201
    listed = api.get(f"{api.aks}/providers/Microsoft.Insights/diagnosticSettings").json()["value"]
    assert [item["name"] for item in listed] == ["logs"]
    missing = api.put(f"{api.aks.replace('web-01', 'none')}/{setting}", {"properties": {}})
    assert api.error(missing) == (404, "ResourceNotFound")


def test_a_nested_resource_needs_its_parent(api: Api) -> None:
    account = f"{group_of(api)}/providers/Microsoft.Storage/storageAccounts/st"
    container = f"{account}/blobServices/default/containers/backups"
    assert api.error(api.put(container, {"properties": {}})) == (404, "ParentResourceNotFound")
    assert api.put(account, {"location": "x"}).status_code == 201
    assert api.put(container, {"properties": {}}).status_code == 201
    assert api.send("DELETE", account).status_code == 200
    assert api.get(container).status_code == 404


def test_a_child_of_a_cluster_is_stored_below_it(api: Api) -> None:
    window = f"{api.aks}/maintenanceConfigurations/default"
    assert api.put(window, {"properties": {"timeInWeek": []}}).status_code == 201
    assert api.get(window).json()["type"] == "Microsoft.ContainerService/managedClusters/maintenanceConfigurations"
    assert [i["name"] for i in api.get(f"{api.aks}/maintenanceConfigurations").json()["value"]] == ["default"]


@pytest.mark.parametrize(
    "path",
    ["providers/Microsoft.Insights/diagnosticSettings", "providers/Microsoft.Authorization/locks", "agentPools"],
)
def test_what_may_hang_on_a_cluster_is_an_empty_list_where_there_is_none(api: Api, path: str) -> None:
    assert api.get(f"{api.aks}/{path}").json() == {"value": []}
    assert api.error(api.get(f"{api.aks.replace('web-01', 'none')}/{path}")) == (404, "ResourceNotFound")


def test_backups_of_a_cluster_are_listed_on_it_and_kept_in_their_vault(api: Api) -> None:
    vault = f"{group_of(api)}/providers/Microsoft.DataProtection/backupVaults/vault"
    listed = f"{api.aks}/providers/Microsoft.DataProtection/backupInstances"
    api.put(vault, {"location": "norwayeast"})
    api.put(f"{vault}/backupInstances/web", {"properties": {"dataSourceInfo": {"resourceID": api.aks.upper()}}})
    api.put(f"{vault}/backupInstances/edge", {"properties": {"dataSourceInfo": {"resourceID": api.arc}}})
    assert [item["id"] for item in api.get(listed).json()["value"]] == [f"{vault}/backupInstances/web"]


def test_a_member_of_a_fleet_is_told_of_on_its_cluster(api: Api) -> None:
    fleet = f"{group_of(api)}/providers/Microsoft.ContainerService/fleets/fleet"
    membership = f"{api.aks}/providers/Microsoft.ContainerService/fleetMemberships/default"
    api.put(fleet, {"location": "norwayeast"})
    assert api.put(f"{fleet}/members/web", {"properties": {"clusterResourceId": api.aks}}).status_code == 201
    assert api.put(f"{fleet}/members/odd", {"properties": {"clusterResourceId": "web-01"}}).status_code == 201
    assert api.get(membership).json()["properties"]["memberId"] == f"{fleet}/members/web"
    assert [m["id"] for m in api.get(membership.rpartition("/")[0]).json()["value"]] == [membership]
    assert api.send("DELETE", f"{fleet}/members/web").status_code == 200
    assert api.get(membership).status_code == 404


def test_the_value_of_a_vault_secret_is_never_told_nor_journalled(api: Api) -> None:
    vault = f"{group_of(api)}/providers/Microsoft.KeyVault/vaults/kv"
    api.put(vault, {"location": "x"})
    created = api.put(f"{vault}/secrets/git", {"properties": {"value": "hunter2"}})
    assert created.status_code == 201
    for answer in (created, api.get(f"{vault}/secrets/git"), api.get(f"{vault}/secrets")):
        assert "hunter2" not in answer.text
    assert "hunter2" not in api.http.get("/_emulator/journal").text


def test_unregistered_namespaces_refuse_what_is_only_stored_too(api: Api) -> None:
    provider = f"/subscriptions/{api.shops}/providers/Microsoft.OperationalInsights"
    api.send("POST", f"{provider}/unregister")
    refused = api.put(workspace(api), {"location": "x"})
    assert api.error(refused) == (409, "MissingSubscriptionRegistration")
    assert refused.json()["error"]["message"].split("'")[-2] == "Microsoft.OperationalInsights"


def test_a_registration_takes_its_time_when_told_to(start: Callable[..., Api]) -> None:
    from datetime import timedelta

    api = start(registration_duration=timedelta(seconds=20))
    provider = f"/subscriptions/{api.shops}/providers/Microsoft.KubernetesConfiguration"
    api.send("POST", f"{provider}/unregister")
    assert api.send("POST", f"{provider}/register").json()["registrationState"] == "Registering"
    assert api.error(api.install(api.arc)) == (409, "MissingSubscriptionRegistration")
    api.advance("20s")
    assert api.get(provider).json()["registrationState"] == "Registered"
    assert api.install(api.arc).status_code == 201


def test_providers_are_listed(api: Api) -> None:
    listed = api.get(f"/subscriptions/{api.shops}/providers").json()["value"]
    types = {p["namespace"]: {t["resourceType"] for t in p["resourceTypes"]} for p in listed}
    assert {"extensions", "fluxConfigurations", "sourceControlConfigurations", "extensionTypes"} <= types[
        "Microsoft.KubernetesConfiguration"
    ]


def test_api_versions_that_built_in_templates_still_name_are_answered(api: Api) -> None:
    api.put(workspace(api), {"location": "x"})
    for path, version in ((workspace(api), "2015-03-20"), (group_of(api), "2019-05-01")):
        assert api.http.get(f"{path}?api-version={version}").status_code == 200
    assert api.error(api.http.get(f"{workspace(api)}?api-version=2013-01-01")) == (400, "InvalidApiVersionParameter")


@pytest.mark.parametrize("body", [[], "x", None])
def test_a_stored_resource_must_be_an_object(api: Api, body: Any) -> None:
    assert api.error(api.put(workspace(api), body)) == (400, "InvalidRequestContent")


def test_a_group_is_created_tagged_and_asked_for(api: Api) -> None:
    group = f"/subscriptions/{api.shops}/resourcegroups/logs"
    assert api.send("HEAD", group).status_code == 404
    created = api.put(group, {"location": "norwayeast", "tags": {"a": 1}})
    assert created.status_code == 201
    assert created.json()["tags"] == {"a": "1"}
    assert api.send("HEAD", group).status_code == 204
    assert api.put(group, {"location": "Norway East"}).status_code == 200
    assert api.error(api.put(group, {"location": "westeurope"})) == (409, "InvalidResourceGroupLocation")
    assert api.error(api.put(group, {})) == (400, "LocationRequired")
    assert api.send("PATCH", group, {"tags": {"b": "2"}}).json()["tags"] == {"b": "2"}
    assert api.error(api.put(group.replace("logs", "bad."), {"location": "x"})) == (400, "InvalidResourceGroup")
    assert [g["name"] for g in api.get(f"/subscriptions/{api.shops}/resourceGroups").json()["value"]] == [
        "logs",
        "Stores",
    ]
    assert (
        api.put(f"{group}/providers/Microsoft.OperationalInsights/workspaces/w", {"location": "x"}).status_code == 201
    )


def test_the_generic_list_shows_what_was_stored_with_a_location(api: Api) -> None:
    api.put(workspace(api), {"location": "norwayeast", "tags": {"ring": "2", "owner": "1"}})
    api.put(f"{api.arc}/providers/Microsoft.Authorization/roleAssignments/x", {"properties": {}})
    path = f"/subscriptions/{api.shops}/resources"
    names = [r["name"] for r in api.get(path).json()["value"]]
    assert names == ["cph-01", "got-02", "osl-01", "trd-01", "logs"]
    crossed = {"api-version": "2021-04-01", "$filter": "tagName eq 'ring' and tagValue eq '1'"}
    assert [r["name"] for r in api.http.get(path, params=crossed).json()["value"]] == ["osl-01"]
    expanded = {"api-version": "2021-04-01", "$expand": "createdTime,changedTime,provisioningState"}
    last = api.http.get(path, params=expanded).json()["value"][-1]
    assert last["provisioningState"] == "Succeeded"
    assert last["createdTime"] == last["changedTime"] == "2026-11-23T08:00:00.000Z"
    assert "createdTime" not in api.get(path).json()["value"][-1]
