"""Tokens, roles, locks and denials: 401, 403, and the 409 of a lock."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    import httpx

    from tests.emulator.conftest import Api

READER = "acdd72a7-3385-48ef-bd42-f606fba81ae7"
CONTRIBUTOR = "b24988ac-6180-42a0-ab88-20f7382dd24c"


def jwt(**claims: Any) -> dict[str, str]:
    payload = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return {"Authorization": f"Bearer header.{payload}.signature"}


def introduce(api: Api, *roles: tuple[str, str], token: str = "limited") -> dict[str, str]:
    """A principal with just these roles; the header to ask with."""
    body = {
        "token": token,
        "objectId": f"oid-{token}",
        "name": f"app-{token}",
        "roles": [{"role": role, "scope": scope} for role, scope in roles],
    }
    assert api.http.post("/_emulator/principals", json=body).status_code == 200
    return {"Authorization": f"Bearer {token}"}


def ask(api: Api, method: str, path: str, headers: dict[str, str], body: Any = None) -> httpx.Response:
    return api.http.request(method, f"{path}?api-version=2025-03-01", headers=headers, json=body)


def test_an_expired_token_is_refused_by_the_wall_clock(api: Api) -> None:
    at = int(api.wall.now().timestamp())
    assert ask(api, "GET", "/subscriptions", jwt(oid="x", exp=at + 1)).status_code == 200
    refused = ask(api, "GET", "/subscriptions", jwt(oid="x", exp=at))
    assert api.error(refused) == (401, "ExpiredAuthenticationToken")
    assert 'error="invalid_token"' in refused.headers["www-authenticate"]


@pytest.mark.parametrize("token", ["a.W10.c", "a.bm90IGpzb24.c", "..", "a.!!!.c"])
def test_a_token_that_only_looks_like_a_jwt_is_somebody(api: Api, token: str) -> None:
    assert ask(api, "GET", "/subscriptions", {"Authorization": f"Bearer {token}"}).status_code == 200


def test_a_reader_reads_and_is_told_which_action_is_missing(api: Api) -> None:
    headers = introduce(api, ("Reader", f"/subscriptions/{api.shops}"))
    flux = api.extension(api.arc)
    assert ask(api, "GET", api.arc, headers).status_code == 200
    refused = ask(api, "PUT", flux, headers, {"properties": {"extensionType": "microsoft.flux"}})
    assert api.error(refused) == (403, "AuthorizationFailed")
    assert refused.json()["error"]["message"] == (
        "The client 'app-limited' with object id 'oid-limited' does not have authorization to perform action "
        f"'Microsoft.KubernetesConfiguration/extensions/write' over scope '{flux}' or the scope is invalid. "
        "If access was recently granted, please refresh your credentials."
    )
    assert ask(api, "DELETE", flux, headers).status_code == 403


def test_a_role_holds_at_its_scope_and_below(api: Api) -> None:
    headers = introduce(api, ("Contributor", api.arc))
    body = {"properties": {"extensionType": "microsoft.flux"}}
    assert ask(api, "PUT", api.extension(api.arc), headers, body).status_code == 201
    assert ask(api, "PUT", api.extension(api.settled), headers, body).status_code == 403
    assert ask(api, "GET", api.aks, headers).status_code == 403


def test_only_subscriptions_one_has_a_role_in_are_listed(api: Api) -> None:
    headers = introduce(api, ("Reader", f"/subscriptions/{api.web}"))
    listed = ask(api, "GET", "/subscriptions", headers).json()["value"]
    assert [s["subscriptionId"] for s in listed] == [api.web]
    refused = ask(api, "GET", f"/subscriptions/{api.shops}/resourceGroups", headers)
    assert "'Microsoft.Resources/subscriptions/resourceGroups/read'" in refused.json()["error"]["message"]


def test_a_role_assignment_written_through_the_api_counts(api: Api) -> None:
    headers = introduce(api)
    assert ask(api, "GET", api.arc, headers).status_code == 403
    assignment = f"{api.arc}/providers/Microsoft.Authorization/roleAssignments/{READER}"
    definition = f"/subscriptions/{api.shops}/providers/Microsoft.Authorization/roleDefinitions/{READER}"
    body = {"properties": {"roleDefinitionId": definition, "principalId": "oid-limited"}}
    assert api.put(assignment, body).status_code == 201
    assert ask(api, "GET", api.arc, headers).status_code == 200
    rows = ask(api, "POST", "/providers/Microsoft.ResourceGraph/resources", headers, {"query": "resources"}).json()
    assert [row["id"] for row in rows["data"]] == [api.arc]
    assert api.send("DELETE", assignment).status_code == 200
    assert ask(api, "GET", api.arc, headers).status_code == 403


def test_contributors_may_not_assign_roles(api: Api) -> None:
    headers = introduce(api, ("Contributor", "/"))
    assignment = f"{api.arc}/providers/Microsoft.Authorization/roleAssignments/{READER}"
    refused = ask(api, "PUT", assignment, headers, {"properties": {}})
    assert "'Microsoft.Authorization/roleAssignments/write'" in refused.json()["error"]["message"]


def test_registering_is_an_action_of_its_own(api: Api) -> None:
    headers = introduce(api, ("Reader", "/"))
    path = f"/subscriptions/{api.shops}/providers/Microsoft.KubernetesConfiguration"
    assert ask(api, "GET", path, headers).status_code == 200
    refused = ask(api, "POST", f"{path}/register", headers)
    assert "'Microsoft.KubernetesConfiguration/register/action'" in refused.json()["error"]["message"]


def test_each_principal_has_its_own_budget(api: Api) -> None:
    headers = introduce(api, ("Reader", "/"))
    remaining = "x-ms-ratelimit-remaining-subscription-reads"
    assert api.get(f"/subscriptions/{api.shops}").headers[remaining] == "249"
    assert ask(api, "GET", f"/subscriptions/{api.shops}", headers).headers[remaining] == "249"


def test_principals_are_told_without_their_tokens(api: Api) -> None:
    introduce(api, ("reader", "/"), token="very-secret")
    answer = api.http.get("/_emulator/principals")
    assert answer.json()["value"] == [
        {"objectId": "oid-very-secret", "name": "app-very-secret", "roles": [{"role": "Reader", "scope": "/"}]}
    ]
    ask(api, "GET", api.arc, {"Authorization": "Bearer very-secret"})
    assert api.emulator.journal.entries()[-1].principal == "oid-very-secret"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"objectId": "x", "roles": [{"role": "Redaer"}]},
        {"objectId": "x", "roles": [{"role": "Reader", "scope": "a"}]},
    ],
)
def test_a_principal_that_makes_no_sense_is_refused(api: Api, body: Any) -> None:
    answer = api.http.post("/_emulator/principals", json=body)
    assert answer.status_code == 400, answer.text


@pytest.mark.parametrize(("level", "written", "deleted"), [("CanNotDelete", 201, 409), ("ReadOnly", 409, 409)])
def test_a_lock_keeps_back_what_its_level_says(api: Api, level: str, written: int, deleted: int) -> None:
    group = api.arc.rpartition("/providers/")[0]
    lock = f"{group}/providers/Microsoft.Authorization/locks/keep"
    api.install(api.settled, "other", extensionType="microsoft.other")
    assert api.put(lock, {"properties": {"level": level}}).status_code == 201
    assert api.install(api.arc).status_code == written
    refused = api.send("DELETE", api.extension(api.settled, "other"))
    assert refused.status_code == deleted
    assert api.error(refused)[1] == "ScopeLocked"
    assert f"following scope(s) are locked: '{group}'" in refused.json()["error"]["message"]
    assert api.install(api.aks).status_code == 201
    assert api.send("DELETE", lock).status_code == 200
    assert api.send("DELETE", api.extension(api.settled, "other")).status_code == 202


def test_a_policy_that_denies_is_scripted(api: Api) -> None:
    denial = {"path": "*/osl-01/*/extensions/*", "policy": "Only approved extensions", "assignment": "approved"}
    assert api.http.post("/_emulator/denials", json=denial).status_code == 200
    refused = api.install(api.arc)
    assert api.error(refused) == (403, "RequestDisallowedByPolicy")
    (violation,) = refused.json()["error"]["additionalInfo"]
    assert (violation["type"], violation["info"]["policyAssignmentName"]) == ("PolicyViolation", "approved")
    assert api.get(api.extension(api.arc)).status_code == 404
    assert api.http.get("/_emulator/denials").json()["value"][0]["policy"] == "Only approved extensions"
    api.http.delete("/_emulator/denials")
    assert api.install(api.arc).status_code == 201
    assert api.http.post("/_emulator/denials", json={}).status_code == 400
