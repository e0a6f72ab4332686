"""Subscriptions, groups, management groups, providers, the generic resource list."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.emulator.conftest import Api


def names(body: dict[str, Any]) -> list[str]:
    return [item["name"] for item in body["value"]]


def test_subscriptions_are_listed_and_got(api: Api) -> None:
    listed = api.get("/subscriptions").json()["value"]
    assert [(s["subscriptionId"], s["displayName"]) for s in listed] == [(api.shops, "shops"), (api.web, "web")]
    got = api.get(f"/subscriptions/{api.shops}").json()
    assert got == listed[0]
    assert (got["state"], got["tenantId"]) == ("Enabled", api.tenant)


def test_the_tenant_is_listed(api: Api) -> None:
    assert [t["tenantId"] for t in api.get("/tenants").json()["value"]] == [api.tenant]


def test_a_subscription_that_is_no_guid_and_one_unknown_are_told_apart(api: Api) -> None:
    assert api.error(api.get("/subscriptions/mine")) == (400, "InvalidSubscriptionId")
    unknown = "99999999-0000-4000-8000-000000000001"
    answer = api.get(f"/subscriptions/{unknown}/resourceGroups")
    assert api.error(answer) == (404, "SubscriptionNotFound")
    assert answer.json()["error"]["message"] == f"The subscription '{unknown}' could not be found."
    assert answer.headers["x-ms-failure-cause"] == "gateway"


def test_resource_groups_are_listed_and_got(api: Api) -> None:
    assert names(api.get(f"/subscriptions/{api.shops}/resourcegroups").json()) == ["Stores"]
    got = api.get(f"/subscriptions/{api.shops}/resourcegroups/STORES").json()
    assert (got["name"], got["type"]) == ("Stores", "Microsoft.Resources/resourceGroups")
    answer = api.get(f"/subscriptions/{api.shops}/resourcegroups/nowhere")
    assert api.error(answer) == (404, "ResourceGroupNotFound")
    assert answer.json()["error"]["message"] == "Resource group 'nowhere' could not be found."


def test_resources_are_filtered_by_type(api: Api) -> None:
    path = f"/subscriptions/{api.shops}/resources"
    body = api.http.get(
        path,
        params={"api-version": "2021-04-01", "$filter": "resourceType eq 'microsoft.kubernetes/connectedclusters'"},
    ).json()
    assert names(body) == ["cph-01", "got-02", "osl-01", "trd-01"]
    assert "properties" not in body["value"][0]
    none = api.http.get(path, params={"api-version": "2021-04-01", "$filter": "resourceType eq 'a/b'"}).json()
    assert none == {"value": []}


def test_resources_are_filtered_by_tag_and_cut_by_top(api: Api) -> None:
    path = f"/subscriptions/{api.shops}/resources"
    tagged = {"api-version": "2021-04-01", "$filter": "tagName eq 'ring' and tagValue eq '1'"}
    assert names(api.http.get(path, params=tagged).json()) == ["osl-01"]
    first = api.http.get(path, params={"api-version": "2021-04-01", "$top": "3"}).json()
    assert len(first["value"]) == 3
    assert names(api.http.get(first["nextLink"]).json()) == ["trd-01"]


def test_a_filter_nobody_understands_is_refused(api: Api) -> None:
    url = f"/subscriptions/{api.shops}/resources"
    answer = api.http.get(url, params={"api-version": "2021-04-01", "$filter": "substringof('x', name)"})
    assert api.error(answer) == (400, "InvalidFilterInQueryString")


def test_an_unregistered_provider_refuses_until_it_is_registered(api: Api) -> None:
    provider = f"/subscriptions/{api.shops}/providers/microsoft.kubernetesconfiguration"
    assert api.get(provider).json()["registrationState"] == "Registered"
    assert api.send("POST", f"{provider}/unregister").json()["registrationState"] == "NotRegistered"
    refused = api.install(api.arc)
    assert api.error(refused) == (409, "MissingSubscriptionRegistration")
    quoted = refused.json()["error"]["message"].split("'")
    assert quoted[-2] == "Microsoft.KubernetesConfiguration"
    assert api.install(api.aks).status_code == 201
    assert api.send("POST", f"{provider}/register").json()["registrationState"] == "Registered"
    assert api.install(api.arc).status_code == 201


def test_management_groups_tell_their_parents_and_what_is_below(api: Api) -> None:
    base = "/providers/Microsoft.Management/managementGroups"
    assert names(api.get(base).json()) == ["contoso", "mg-edge"]
    got = api.get(f"{base}/MG-edge").json()
    assert got["properties"]["details"]["parent"]["name"] == "contoso"
    below = api.get(f"{base}/contoso/descendants").json()["value"]
    assert {(d["name"], d["type"], d["properties"]["parent"]["id"].rpartition("/")[2]) for d in below} == {
        ("mg-edge", "Microsoft.Management/managementGroups", "contoso"),
        (api.shops, "/subscriptions", "mg-edge"),
        (api.web, "/subscriptions", "contoso"),
    }
    assert api.error(api.get(f"{base}/nobody")) == (404, "NotFound")


def test_a_management_group_is_expanded_on_request(api: Api) -> None:
    params = {"api-version": "2023-04-01", "$expand": "children", "$recurse": "true"}
    got = api.http.get("/providers/Microsoft.Management/managementGroups/contoso", params=params).json()
    children = {child["name"]: child for child in got["properties"]["children"]}
    assert set(children) == {"mg-edge", api.web}
    assert [child["name"] for child in children["mg-edge"]["children"]] == [api.shops]
