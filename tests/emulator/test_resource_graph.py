"""Resource Graph over the wire: tables, scopes, pages, formats, quota, and how it lags behind."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    import httpx

    from tests.emulator.conftest import Api

PATH = "/providers/Microsoft.ResourceGraph/resources"
V = "2024-04-01"


def post(api: Api, query: Any, headers: dict[str, str] | None = None, **body: Any) -> httpx.Response:
    return api.http.post(f"{PATH}?api-version={V}", json={"query": query, **body}, headers=headers)


def ask(api: Api, query: str, **body: Any) -> dict[str, Any]:
    answer = post(api, query, **body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def data(api: Api, query: str, **body: Any) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = ask(api, query, **body)["data"]
    return rows


def test_clusters_are_found_with_types_and_groups_in_lower_case(api: Api) -> None:
    answer = ask(api, "Resources | where type =~ 'Microsoft.Kubernetes/connectedClusters' | order by id asc")
    assert (answer["totalRecords"], answer["count"], answer["resultTruncated"]) == (4, 4, "false")
    assert answer["facets"] == []
    assert "$skipToken" not in answer
    row = answer["data"][2]
    assert (row["id"], row["name"]) == (api.arc, "osl-01")
    assert (row["type"], row["resourceGroup"]) == ("microsoft.kubernetes/connectedclusters", "stores")
    assert (row["subscriptionId"], row["tenantId"], row["location"]) == (api.shops, api.tenant, "norwayeast")
    assert (row["tags"], row["properties"]["connectivityStatus"]) == ({"ring": "1"}, "Connected")


def test_configurations_are_joined_to_their_clusters_as_the_documentation_does(api: Api) -> None:
    """Microsoft's sample: clusters that have a Flux configuration, and extensions by their type."""
    query = """
        resources
        | where type =~ 'Microsoft.Kubernetes/connectedClusters' or type =~ 'Microsoft.ContainerService/managedClusters'
        | extend clusterId = tolower(id) | project clusterId
        | join (
            kubernetesconfigurationresources
            | where type == 'microsoft.kubernetesconfiguration/fluxconfigurations'
            | parse tolower(id) with clusterId '/providers/microsoft.kubernetesconfiguration/fluxconfigurations' *
            | project clusterId
        ) on clusterId
        | project clusterId
    """
    assert data(api, query) == [{"clusterId": api.settled.casefold()}] * 2
    extensions = data(
        api,
        "kubernetesconfigurationresources | where type == 'microsoft.kubernetesconfiguration/extensions'"
        " | where properties.ExtensionType == 'microsoft.flux' | project name, properties",
    )
    assert [row["name"] for row in extensions] == ["flux"]
    assert extensions[0]["properties"]["ExtensionType"] == "microsoft.flux"
    broken = "kubernetesconfigurationresources | where properties.complianceState == 'Non-Compliant' | project name"
    assert data(api, broken) == [{"name": "broken"}]


def test_containers_know_what_is_above_them(api: Api) -> None:
    groups = data(
        api, "resourcecontainers | where type == 'microsoft.resources/subscriptions/resourcegroups' | project name"
    )
    assert groups == [{"name": "Stores"}, {"name": "web"}]
    above = data(
        api,
        "resourcecontainers | where type == 'microsoft.resources/subscriptions'"
        " | mv-expand group = properties.managementGroupAncestorsChain | project name, group = tostring(group.name)",
    )
    assert above == [
        {"name": "shops", "group": "mg-edge"},
        {"name": "shops", "group": "contoso"},
        {"name": "web", "group": "contoso"},
    ]
    assert data(
        api, "ResourceContainers | where type == 'microsoft.management/managementgroups' | summarize count()"
    ) == [{"count_": 2}]


def test_policy_resources_are_what_was_written(api: Api) -> None:
    assert data(api, "policyresources") == []
    assignment = f"/subscriptions/{api.shops}/providers/Microsoft.Authorization/policyAssignments/flux"
    api.put(assignment, {"location": "norwayeast", "properties": {"displayName": "Flux"}})
    assert data(api, "policyresources | project name, type, title = properties.displayName") == [
        {"name": "flux", "type": "microsoft.authorization/policyassignments", "title": "Flux"}
    ]
    assert data(api, "resources | where name == 'flux'") == []


def test_security_resources_have_a_table_of_their_own(api: Api) -> None:
    assessment = f"{api.aks}/providers/Microsoft.Security/assessments/one"
    api.put(assessment, {"location": "global", "properties": {"status": {"code": "Healthy"}}})
    query = f"securityresources | where id startswith '{api.aks}' | project name, code = properties.status.code"
    assert data(api, query) == [{"name": "one", "code": "Healthy"}]
    assert data(api, "resources | where name == 'one'") == []


@pytest.mark.parametrize(
    ("scope", "found"),
    [
        ({}, 6),
        ({"subscriptions": ["{web}"]}, 2),
        ({"subscriptions": ["{shops}", "{web}"]}, 6),
        ({"subscriptions": ["00000000-0000-4000-8000-00000000dead"]}, 0),
        ({"managementGroups": ["mg-edge"]}, 4),
        ({"managementGroups": ["CONTOSO"]}, 6),
    ],
)
def test_only_what_is_in_scope_is_told(api: Api, scope: dict[str, list[str]], found: int) -> None:
    asked = {name: [v.format(shops=api.shops, web=api.web) for v in values] for name, values in scope.items()}
    assert ask(api, "resources", **asked)["totalRecords"] == found


def test_pages_follow_by_token_and_neither_repeat_nor_miss(api: Api) -> None:
    names, body = [], ask(api, "resources | order by id asc | project name", options={"$top": 4})
    names += [row["name"] for row in body["data"]]
    assert (body["count"], body["totalRecords"], body["resultTruncated"]) == (4, 6, "false")
    api.install(api.arc)
    body = ask(api, "resources | order by id asc | project name", options={"$top": 4, "$skipToken": body["$skipToken"]})
    names += [row["name"] for row in body["data"]]
    assert "$skipToken" not in body
    assert names == ["cph-01", "got-02", "osl-01", "trd-01", "web-01", "web-02"]


def test_a_token_survives_its_result(start: Callable[..., Api]) -> None:
    api = start(throttling=False)
    first = ask(api, "resources | order by id asc", options={"$top": 4})
    for _ in range(20):
        ask(api, "resources", options={"$top": 1})
    second = ask(api, "resources | order by id asc", options={"$top": 4, "$skipToken": first["$skipToken"]})
    assert [row["name"] for row in second["data"]] == ["web-01", "web-02"]


@pytest.mark.parametrize(
    "query", ["resources | take 5", "resources | limit 5 | project name", "resources | project tags"]
)
def test_rows_without_pages_are_lost_without_an_error(api: Api, query: str) -> None:
    body = ask(api, query, options={"$top": 2})
    assert (body["count"], body["resultTruncated"]) == (2, "true")
    assert "$skipToken" not in body


def test_rows_are_skipped(api: Api) -> None:
    rows = data(api, "resources | order by id asc | project name", options={"$skip": 4})
    assert [row["name"] for row in rows] == ["web-01", "web-02"]


def test_the_table_format_names_its_columns_and_their_types(api: Api) -> None:
    body = ask(
        api,
        "resources | where name == 'osl-01' | project name, tags, n = strlen(name), yes = true",
        options={"resultFormat": "table"},
    )
    assert body["data"] == {
        "columns": [
            {"name": "name", "type": "string"},
            {"name": "tags", "type": "object"},
            {"name": "n", "type": "integer"},
            {"name": "yes", "type": "boolean"},
        ],
        "rows": [["osl-01", {"ring": "1"}, 6, True]],
    }


@pytest.mark.parametrize(
    ("query", "body", "code"),
    [
        ("resources | where", {}, "ParserFailure"),
        ("resources | where nope == 1", {}, "InvalidQuery"),
        ("nowhere", {}, "InvalidQuery"),
        ("", {}, "InvalidQuery"),
        (None, {}, "InvalidQuery"),
        ("resources", {"facets": [{"expression": "type"}]}, "InvalidQuery"),
        ("resources", {"options": {"$top": 0}}, "InvalidOptions"),
        ("resources", {"options": {"$top": 1001}}, "InvalidOptions"),
        ("resources", {"options": {"$skip": -1}}, "InvalidOptions"),
        ("resources", {"options": {"resultFormat": "csv"}}, "InvalidOptions"),
        ("resources", {"options": {"$skipToken": "!"}}, "InvalidSkipToken"),
    ],
)
def test_a_bad_query_is_a_400_with_the_reason_in_its_details(api: Api, query: Any, body: Any, code: str) -> None:
    answer = post(api, query, **body)
    assert api.error(answer) == (400, "BadRequest")
    assert answer.json()["error"]["details"][0]["code"] == code
    assert answer.headers["x-ms-failure-cause"] == "service"


def test_queries_have_a_quota_of_their_own_for_each_user(api: Api) -> None:
    answers = [post(api, "resources | count") for _ in range(15)]
    assert [a.headers["x-ms-user-quota-remaining"] for a in answers] == [str(n) for n in range(14, -1, -1)]
    assert answers[0].headers["x-ms-user-quota-resets-after"] == "00:00:05"
    assert not any("ratelimit" in name for name in answers[0].headers)
    api.wall.pass_(3.5)
    refused = post(api, "resources | count")
    assert api.error(refused) == (429, "TooManyRequests")
    assert (refused.headers["retry-after"], refused.headers["x-ms-user-quota-resets-after"]) == ("2", "00:00:02")
    assert post(api, "resources", {"Authorization": "Bearer another"}).status_code == 200
    api.wall.pass_(1.5)
    assert post(api, "resources | count").headers["x-ms-user-quota-remaining"] == "14"


def test_only_what_the_caller_may_read_is_told(api: Api) -> None:
    roles = [{"role": "Reader", "scope": f"/subscriptions/{api.web}"}]
    api.http.post("/_emulator/principals", json={"token": "web", "objectId": "w", "roles": roles})
    api.http.post("/_emulator/principals", json={"token": "none", "objectId": "n", "roles": []})
    limited = {"Authorization": "Bearer web"}
    assert post(api, "resources", limited).json()["totalRecords"] == 2
    assert post(api, "resources", limited, subscriptions=[api.shops, api.web]).json()["totalRecords"] == 2
    assert api.error(post(api, "resources", limited, subscriptions=[api.shops])) == (403, "AuthorizationFailed")
    assert api.error(post(api, "resources", {"Authorization": "Bearer none"})) == (403, "AuthorizationFailed")


def test_too_many_subscriptions_are_answered_in_part_only_on_request(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("policyengine.emulator.routes.resource_graph.MOST_SUBSCRIPTIONS", 1)
    refused = post(api, "resources")
    assert refused.json()["error"]["details"][0]["code"] == "TooManySubscriptions"
    assert ask(api, "resources", options={"allowPartialScopes": True})["totalRecords"] == 4


def test_it_lags_behind_writes_for_as_long_as_told(start: Callable[..., Api]) -> None:
    api = start(graph_lag=timedelta(minutes=2))
    extensions = (
        "kubernetesconfigurationresources | where type endswith '/extensions' and id contains 'osl-01' | project name"
    )
    tags = "resources | where name == 'osl-01' | project tags"
    api.install(api.arc)
    api.send("PATCH", api.arc, {"tags": {"ring": "9"}})
    assert api.get(api.arc).json()["tags"] == {"ring": "9"}
    assert (data(api, extensions), data(api, tags)) == ([], [{"tags": {"ring": "1"}}])
    api.advance("119s")
    assert (data(api, extensions), data(api, tags)) == ([], [{"tags": {"ring": "1"}}])
    api.advance("1s")
    assert (data(api, extensions), data(api, tags)) == ([{"name": "flux"}], [{"tags": {"ring": "9"}}])


def test_a_deleted_resource_is_still_told_for_a_while(api: Api) -> None:
    assert api.http.post("/_emulator/graph", json={"lag": "2m"}).json() == {"lag": "120s"}
    query = "kubernetesconfigurationresources | where name == 'broken' | project state = properties.provisioningState"
    api.send("DELETE", api.configuration(api.settled, "broken"), forceDelete="true")
    assert api.get(api.configuration(api.settled, "broken")).status_code == 404
    assert data(api, query) == [{"state": "Succeeded"}]
    api.advance("2m")
    assert data(api, query) == []
    assert api.http.get("/_emulator/graph").json() == {"lag": "120s"}


def test_each_write_has_its_own_moment(start: Callable[..., Api]) -> None:
    api = start(graph_lag=timedelta(minutes=2))
    tags = "resources | where name == 'osl-01' | project ring = tags.ring"
    api.send("PATCH", api.arc, {"tags": {"ring": "2"}})
    api.advance("1m")
    api.send("PATCH", api.arc, {"tags": {"ring": "3"}})
    seen = []
    for _ in range(3):
        seen.append(data(api, tags)[0]["ring"])
        api.advance("1m")
    assert seen == ["1", "2", "3"]
