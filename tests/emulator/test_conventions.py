"""What every answer of a Resource Manager has in common: paths, api-versions, tokens, headers, pages."""

from __future__ import annotations

import base64
import gzip
import json
import re
from collections.abc import Callable
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

if TYPE_CHECKING:
    from tests.emulator.conftest import Api


@pytest.mark.parametrize("change", [str.lower, str.upper, lambda p: "/" + p, lambda p: p.replace("/", "//") + "/"])
def test_a_path_is_found_in_any_case_with_any_slashes(api: Api, change: Callable[[str], str]) -> None:
    path = change(api.arc)
    answer = api.http.get(f"{api.url}{path}?API-Version=2024-01-01")
    assert answer.json()["id"] == api.arc


@pytest.mark.parametrize("version", ["2020-01-01", "2025-04-01", "2031-12-31", "2026-07-01-preview"])
def test_any_well_formed_api_version_is_answered(api: Api, version: str) -> None:
    assert api.http.get(f"/subscriptions?api-version={version}").status_code == 200


@pytest.mark.parametrize("version", ["", "latest", "2025-13-01", "2025-04-01-beta", "2019-12-31", "25-04-01"])
def test_any_other_api_version_is_refused(api: Api, version: str) -> None:
    assert api.error(api.http.get(f"/subscriptions?api-version={version}")) == (400, "InvalidApiVersionParameter")


def test_providers_answer_older_api_versions(api: Api) -> None:
    path = f"/subscriptions/{api.shops}/providers/Microsoft.Kubernetes"
    assert api.http.get(f"{path}?api-version=2016-02-01").status_code == 200


def test_a_missing_api_version_is_named(api: Api) -> None:
    answer = api.http.get("/subscriptions")
    assert api.error(answer) == (400, "MissingApiVersionParameter")
    assert answer.json()["error"]["message"] == (
        "The api-version query parameter (?api-version=) is required for all requests."
    )


def test_a_token_is_demanded_and_any_will_do(api: Api) -> None:
    url = "/subscriptions?api-version=2022-12-01"
    answer = api.http.get(url, headers={"Authorization": ""})
    assert api.error(answer) == (401, "AuthenticationFailed")
    assert answer.json()["error"]["message"] == "Authentication failed. The 'Authorization' header is missing."
    assert answer.headers["www-authenticate"].startswith('Bearer authorization_uri="https://')
    refused = api.http.get(url, headers={"Authorization": "Basic x"})
    assert api.error(refused) == (401, "InvalidAuthenticationToken")
    assert api.http.get(url, headers={"Authorization": "bearer anything"}).status_code == 200


def test_every_answer_names_its_request(api: Api) -> None:
    for answer in (api.get("/subscriptions"), api.get("/nothing")):
        assert UUID(answer.headers["x-ms-request-id"])
        assert answer.headers["x-ms-correlation-request-id"] == answer.headers["x-ms-request-id"]
        assert re.fullmatch(r"[A-Z]+:\d{8}T\d{6}Z:[0-9a-f-]{36}", answer.headers["x-ms-routing-request-id"])
        assert answer.headers["cache-control"] == "no-cache"
        assert answer.headers["content-type"] == "application/json; charset=utf-8"
        assert "date" in answer.headers
        assert "server" not in answer.headers


def test_ids_of_the_caller_are_echoed(api: Api) -> None:
    headers = {"x-ms-correlation-request-id": "mine", "x-ms-client-request-id": "c-1"}
    url = "/subscriptions?api-version=2022-12-01"
    answer = api.http.get(url, headers=headers)
    assert answer.headers["x-ms-correlation-request-id"] == "mine"
    assert "x-ms-client-request-id" not in answer.headers
    answer = api.http.get(url, headers={**headers, "x-ms-return-client-request-id": "true"})
    assert answer.headers["x-ms-client-request-id"] == "c-1"


def test_links_are_built_on_the_host_the_client_called(api: Api) -> None:
    url = f"{api.extension(api.arc)}?api-version=2025-03-01"
    body = {"properties": {"extensionType": "microsoft.flux"}}
    accepted = api.http.put(url, json=body, headers={"Host": "arm.contoso.test:8765"})
    assert accepted.headers["azure-asyncoperation"].startswith(f"http://arm.contoso.test:8765{api.extension(api.arc)}/")
    assert accepted.headers["azure-asyncoperation"].endswith("?api-version=2025-03-01")


def test_a_list_is_paged_by_opaque_absolute_links(start: Callable[..., Api]) -> None:
    api = start(page_size=1)
    path = f"/subscriptions/{api.shops}/providers/Microsoft.Kubernetes/connectedClusters"
    names, link = [], f"{path}?api-version=2024-01-01"
    while link:
        body = api.http.get(link).json()
        names += [item["name"] for item in body["value"]]
        assert len(body["value"]) == 1
        link = body.get("nextLink")
        assert link is None or (link.startswith("http://127.0.0.1:") and "api-version=2024-01-01" in link)
    assert names == ["cph-01", "got-02", "osl-01", "trd-01"]


def test_pages_in_the_middle_may_be_empty(start: Callable[..., Api]) -> None:
    api = start(page_size=2, empty_pages=True)
    link: str | None = (
        f"/subscriptions/{api.shops}/providers/Microsoft.Kubernetes/connectedClusters?api-version=2024-01-01"
    )
    pages = []
    while link:
        body = api.http.get(link).json()
        pages.append([item["name"] for item in body["value"]])
        link = body.get("nextLink")
    assert pages == [["cph-01", "got-02"], [], ["osl-01", "trd-01"]]


def test_a_page_is_not_shifted_by_what_goes_in_between(start: Callable[..., Api]) -> None:
    api = start(page_size=1)
    many = api.configuration(api.settled, "").rstrip("/")
    first = api.get(many).json()
    api.send("DELETE", api.configuration(api.settled, first["value"][0]["name"]), forceDelete="true")
    second = api.http.get(first["nextLink"]).json()
    assert [item["name"] for item in first["value"] + second["value"]] == ["broken", "settled"]


def test_a_made_up_skip_token_is_refused(api: Api) -> None:
    answer = api.http.get("/subscriptions?api-version=2022-12-01&$skipToken=!!")
    assert api.error(answer) == (400, "InvalidSkipToken")


@pytest.mark.parametrize(
    ("method", "path", "status", "named"),
    [
        ("GET", "/", 404, "NotFound"),
        (
            "GET",
            "/subscriptions/{shops}/locations",
            501,
            "/subscriptions/00000000-0000-4000-8000-000000000001/locations",
        ),
        ("POST", "/batch", 501, "POST of '/batch'"),
        ("GET", "/subscriptions/{shops}/providers/Microsoft.Compute/virtualMachines", 501, "virtualMachines"),
        ("POST", "/providers/Microsoft.ResourceGraph/resourcesHistory", 501, "Microsoft.ResourceGraph"),
        ("POST", "{aks}/listClusterUserCredential", 501, "managedClusters"),
        ("DELETE", "{aks}", 501, "Microsoft.ContainerService/managedClusters"),
        ("DELETE", "/subscriptions/{shops}/resourceGroups/Stores", 501, "DELETE of 'resourceGroups'"),
        ("PUT", "/providers/Microsoft.Management/managementGroups/new", 501, "managementGroups"),
        ("PATCH", "{arc}/providers/Microsoft.KubernetesConfiguration/sourceControlConfigurations/x", 405, "PATCH"),
        ("DELETE", "{arc}/providers/Microsoft.KubernetesConfiguration/extensions", 405, "DELETE"),
        ("POST", "{arc}/providers/Microsoft.KubernetesConfiguration/extensions/flux", 405, "MethodNotAllowed"),
        ("GET", "{arc}/providers/Microsoft.KubernetesConfiguration/privateLinkScopes", 501, "privateLinkScopes"),
    ],
)
def test_what_is_not_there_is_told_apart_from_what_is_not_emulated(
    api: Api, method: str, path: str, status: int, named: str
) -> None:
    answer = api.send(method, path.format(shops=api.shops, aks=api.aks, arc=api.arc))
    assert answer.status_code == status
    assert named in answer.text


def test_kubernetes_clusters_of_other_kinds_are_no_resource_type_here(api: Api) -> None:
    group = f"/subscriptions/{api.shops}/resourceGroups/Stores"
    path = f"{group}/providers/Microsoft.HybridContainerService/provisionedClusters/x"
    assert api.error(api.get(path)) == (404, "InvalidResourceType")


def test_so_is_everything_below_them(api: Api) -> None:
    group = f"/subscriptions/{api.shops}/resourceGroups/Stores"
    path = f"{group}/providers/Microsoft.ResourceConnector/Appliances/x/providers/Microsoft.KubernetesConfiguration"
    answer = api.put(f"{path}/extensions/flux", {})
    assert api.error(answer) == (404, "InvalidResourceType")
    assert "'Appliances' could not be found in the namespace 'Microsoft.ResourceConnector'" in answer.text


@pytest.mark.parametrize("method", ["POST", "OPTIONS", "TRACE"])
def test_a_method_nothing_answers_is_an_error_like_any_other(api: Api, method: str) -> None:
    answer = api.send(method, api.extension(api.arc))
    assert api.error(answer) == (405, "MethodNotAllowed")
    assert answer.headers["x-ms-failure-cause"] == "gateway"
    assert answer.headers["x-ms-request-id"]


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b'"x"', b'{"a": NaN}', b"\xff", b"[" * 100_000])
def test_a_body_that_is_no_object_is_refused(api: Api, content: bytes) -> None:
    answer = api.http.put(f"{api.extension(api.arc)}?api-version=2025-03-01", content=content)
    assert api.error(answer) == (400, "InvalidRequestContent")
    assert answer.headers["x-ms-failure-cause"] == "gateway"


def test_text_that_is_no_text_is_stored_and_told_again(api: Api) -> None:
    url = f"{api.extension(api.arc)}?api-version=2025-03-01"
    body = b'{"properties": {"extensionType": "x", "configurationSettings": {"half": "\\ud800"}}}'
    assert api.http.put(url, content=body).status_code == 201


def test_the_principal_is_the_object_id_of_the_token_and_never_the_token(api: Api) -> None:
    claims = base64.urlsafe_b64encode(json.dumps({"oid": "someone"}).encode()).decode().rstrip("=")
    url = f"{api.extension(api.arc)}?api-version=2025-03-01"
    body = {"properties": {"extensionType": "microsoft.flux"}}
    created = api.http.put(url, json=body, headers={"Authorization": f"Bearer h.{claims}.s"})
    assert created.json()["systemData"]["createdBy"] == "someone"
    api.get("/subscriptions")
    principals = {entry.principal for entry in api.emulator.journal.entries()}
    assert "someone" in principals
    assert not any("secret-token" in principal for principal in principals)


def test_existence_is_asked_by_head(api: Api) -> None:
    assert api.send("HEAD", api.arc).status_code == 204
    assert api.send("HEAD", api.extension(api.settled)).status_code == 204
    missing = api.send("HEAD", api.extension(api.arc))
    assert (missing.status_code, missing.content) == (404, b"")


def test_large_answers_are_gzip_for_those_who_take_it(start: Callable[..., Api]) -> None:
    api = start(compress_from=1000)
    path = f"/subscriptions/{api.shops}/providers/Microsoft.Kubernetes/connectedClusters?api-version=2024-01-01"
    plain = api.http.get(path, headers={"Accept-Encoding": "identity"})
    small = api.http.get("/tenants?api-version=2022-12-01")
    packed = api.http.get(path, headers={"Accept-Encoding": "gzip"})
    assert packed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in {**plain.headers, **small.headers}
    assert packed.json() == plain.json()


def test_a_request_may_be_gzip_too(api: Api) -> None:
    url = f"{api.extension(api.arc)}?api-version=2025-03-01"
    body = json.dumps({"properties": {"extensionType": "microsoft.flux"}}).encode()
    headers = {"Content-Encoding": "gzip"}
    assert api.error(api.http.put(url, content=body, headers=headers)) == (400, "InvalidRequestContent")
    assert api.http.put(url, content=gzip.compress(body), headers=headers).status_code == 201
