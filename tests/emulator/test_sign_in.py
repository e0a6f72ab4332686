"""Signing in: credential libraries get tokens from the emulator, over https with an authority of its own."""

from __future__ import annotations

import base64
import json
import ssl
import stat
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from azure.identity import ClientAssertionCredential, ClientSecretCredential, ManagedIdentityCredential

from policyengine.clock import SystemClock
from policyengine.emulator import Emulator, RunningEmulator
from policyengine.emulator.crypto.certificates import Certificate, certificate_for
from policyengine.errors import ConfigError
from tests.emulator.conftest import TENANT, fleet

if TYPE_CHECKING:
    from tests.emulator.conftest import Api

SCOPE = "https://management.azure.com/.default"
CLIENT = "11111111-2222-4333-8444-555555555555"
JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


def claims(token: str) -> dict[str, Any]:
    payload = token.split(".")[1]
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return found


def jwt(**said: Any) -> str:
    def text(value: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    return f"{text({'alg': 'RS256'})}.{text(said)}.c2lnbmF0dXJl"


def sign_in(api: Api, **form: str) -> httpx.Response:
    body = {"grant_type": "client_credentials", "client_id": CLIENT, "scope": SCOPE, **form}
    return api.http.post(f"/{TENANT}/oauth2/v2.0/token", data=body)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return certificate_for("127.0.0.1", tmp_path_factory.mktemp("state"), SystemClock().now())


@pytest.fixture(scope="module")
def secure(certificate: Certificate) -> Iterator[RunningEmulator]:
    with RunningEmulator(Emulator(fleet(), clock="frozen"), chain=certificate.chain) as running:
        yield running


def test_a_client_secret_credential_signs_in_over_https(secure: RunningEmulator, certificate: Certificate) -> None:
    with ClientSecretCredential(
        TENANT,
        CLIENT,
        "a secret",
        authority=secure.url,
        disable_instance_discovery=True,
        connection_verify=str(certificate.authority),
    ) as credential:
        token = credential.get_token(SCOPE)
    answer = httpx.get(
        f"{secure.url}/subscriptions?api-version=2022-12-01",
        headers={"Authorization": f"Bearer {token.token}"},
        verify=ssl.create_default_context(cafile=str(certificate.authority)),
    )
    assert answer.status_code == 200
    assert claims(token.token)["tid"] == TENANT
    assert secure.emulator.journal.entries()[-1].principal == claims(token.token)["oid"]


def test_a_client_assertion_credential_signs_in_over_https(secure: RunningEmulator, certificate: Certificate) -> None:
    assertion = jwt(sub="workload", exp=(datetime.now(UTC) + timedelta(minutes=5)).timestamp())
    with ClientAssertionCredential(
        TENANT,
        CLIENT,
        lambda: assertion,
        authority=secure.url,
        disable_instance_discovery=True,
        connection_verify=str(certificate.authority),
    ) as credential:
        assert claims(credential.get_token(SCOPE).token)["appid"] == CLIENT


def test_links_of_an_https_emulator_are_https(secure: RunningEmulator, certificate: Certificate) -> None:
    trust = ssl.create_default_context(cafile=str(certificate.authority))
    told = httpx.get(f"{secure.url}/{TENANT}/v2.0/.well-known/openid-configuration", verify=trust).json()
    assert told["token_endpoint"] == f"{secure.url}/{TENANT}/oauth2/v2.0/token"
    assert told["issuer"] == f"{secure.url}/{TENANT}/v2.0"


def test_the_authority_stays_the_same_and_the_keys_are_the_owners_alone(tmp_path: Path) -> None:
    now = datetime(2026, 11, 23, tzinfo=UTC)
    first = certificate_for("127.0.0.1", tmp_path, now)
    before = first.authority.read_bytes(), first.chain.read_bytes()
    again = certificate_for("arm.test", tmp_path, now)
    assert again.authority.read_bytes() == before[0]
    assert again.chain.read_bytes() != before[1]
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o600}


def test_half_an_authority_is_refused_with_a_way_out(tmp_path: Path) -> None:
    certificate_for("localhost", tmp_path, datetime(2026, 11, 23, tzinfo=UTC))
    (tmp_path / "ca-key.pem").unlink()
    with pytest.raises(ConfigError, match=r"without its `ca-key\.pem`"):
        certificate_for("localhost", tmp_path, datetime(2026, 11, 23, tzinfo=UTC))


def test_an_authority_whose_time_is_over_is_made_anew(tmp_path: Path) -> None:
    old = certificate_for("localhost", tmp_path, datetime(2010, 1, 1, tzinfo=UTC)).authority.read_bytes()
    assert certificate_for("localhost", tmp_path, datetime(2026, 1, 1, tzinfo=UTC)).authority.read_bytes() != old


def test_tokens_say_who_asks_and_until_when(api: Api) -> None:
    told = sign_in(api, client_secret="x").json()
    assert (told["token_type"], told["expires_in"]) == ("Bearer", 3600)
    said = claims(told["access_token"])
    assert (said["aud"], said["tid"], said["appid"]) == ("https://management.azure.com", TENANT, CLIENT)
    assert said["exp"] - said["iat"] == 3600
    headers = {"Authorization": f"Bearer {told['access_token']}"}
    path = "/subscriptions?api-version=2022-12-01"
    assert api.http.get(path, headers=headers).status_code == 200
    api.wall.pass_(3600)
    assert api.http.get(path, headers=headers).json()["error"]["code"] == "ExpiredAuthenticationToken"


def test_a_client_that_was_introduced_is_held_to_its_secret_and_its_roles(api: Api) -> None:
    known = {"objectId": "reader", "clientId": CLIENT.upper(), "clientSecret": "right", "roles": []}
    shown = api.http.post("/_emulator/principals", json=known).json()
    assert "right" not in json.dumps(shown)
    refused = sign_in(api, client_secret="wrong")
    assert (refused.status_code, refused.json()["error"]) == (401, "invalid_client")
    assert "AADSTS7000215" in refused.json()["error_description"]
    token = sign_in(api, client_secret="right").json()["access_token"]
    answer = api.http.get(f"{api.arc}?api-version=2024-01-01", headers={"Authorization": f"Bearer {token}"})
    assert answer.json()["error"]["code"] == "AuthorizationFailed"


@pytest.mark.parametrize(
    ("form", "error", "number"),
    [
        ({"grant_type": "password"}, "unsupported_grant_type", 70003),
        ({"client_id": ""}, "invalid_request", 900144),
        ({}, "invalid_client", 7000218),
        ({"client_assertion": "x", "client_assertion_type": "saml"}, "invalid_request", 90014),
        ({"client_assertion": "x", "client_assertion_type": JWT_BEARER}, "invalid_client", 50027),
        ({"client_assertion": jwt(exp=1), "client_assertion_type": JWT_BEARER}, "invalid_client", 700024),
    ],
)
def test_who_cannot_sign_in_is_told_why(api: Api, form: dict[str, str], error: str, number: int) -> None:
    answer = sign_in(api, **form)
    assert answer.status_code in {400, 401}
    assert (answer.json()["error"], answer.json()["error_codes"]) == (error, [number])


def test_a_managed_identity_gets_a_token_as_from_its_machine(api: Api) -> None:
    path = "/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https://management.azure.com/"
    assert api.http.get(path).status_code == 400
    told = api.http.get(path, headers={"Metadata": "true"}).json()
    assert claims(told["access_token"])["aud"] == told["resource"] == "https://management.azure.com/"
    assert int(told["expires_on"]) - int(told["not_before"]) == 3600
    other = api.http.get(f"{path}&client_id={CLIENT}", headers={"Metadata": "true"}).json()
    assert claims(other["access_token"])["oid"] != claims(told["access_token"])["oid"]


def test_a_managed_identity_credential_signs_in(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", api.url)
    with ManagedIdentityCredential(client_id=CLIENT) as credential:
        token = credential.get_token(SCOPE).token
    assert claims(token)["appid"] == CLIENT


def test_the_cloud_tells_its_endpoints(api: Api) -> None:
    told = api.http.get("/metadata/endpoints?api-version=2022-09-01").json()
    assert told["resourceManager"] == f"{api.url}/"
    assert told["authentication"]["loginEndpoint"] == api.url
    assert api.http.get("/metadata/endpoints?api-version=2019-05-01").json() == [told]


@pytest.mark.parametrize("path", ["/common/discovery/instance", f"/{TENANT}/discovery/v2.0/keys"])
def test_what_libraries_look_up_on_the_way_is_there(api: Api, path: str) -> None:
    assert api.http.get(path).status_code == 200


def test_signing_in_leaves_nothing_in_the_journal(api: Api) -> None:
    sign_in(api, client_secret="x")
    assert api.emulator.journal.entries() == ()
