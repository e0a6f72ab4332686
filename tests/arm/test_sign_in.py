"""Every way to sign in, against a server that issues tokens over HTTP."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from policyengine.arm.azure_identity import AzureIdentity
from policyengine.arm.choice import CREDENTIALS, Surroundings, choose
from policyengine.arm.credentials import EmulatorCredential, RenewedCredential, StaticToken
from policyengine.arm.identities import Application, ClientSecret, WorkloadIdentity
from policyengine.arm.managed_identity import ManagedIdentity
from policyengine.arm.sign_in import Machine
from policyengine.errors import ArmNotAuthorized, ArmTransportError, ArmUnavailable, ConfigError

if TYPE_CHECKING:
    from tests.arm.conftest import TokenServer

AUDIENCE = "https://management.azure.com"
SECRET = "s3cret~value"
APPLICATION = {"AZURE_TENANT_ID": "tenant-1", "AZURE_CLIENT_ID": "app-1"}


@dataclass
class Told:
    status: int = 200
    body: object = None
    headers: Mapping[str, str] = field(default_factory=dict)


class NoTime:
    """Sleeps take none."""

    now = 0.0

    def monotonic(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds


def machine() -> Machine:
    return Machine(timer=NoTime(), jitter=lambda: 0.5)


def issued(value: str = "t1", seconds: object = 3600) -> Told:
    return Told(200, {"access_token": value, "expires_in": seconds})


def application(tokens: TokenServer) -> Application:
    return Application(tokens.url, "tenant-1", "app-1", AUDIENCE)


def with_secret(tokens: TokenServer) -> ClientSecret:
    return ClientSecret(application(tokens), SECRET, machine())


def script(tokens: TokenServer, *told: Told) -> None:
    tokens.script[:] = told  # type: ignore[assignment]


# An application


def test_a_client_secret_is_exchanged_for_a_token(tokens: TokenServer) -> None:
    token = asyncio.run(with_secret(tokens).fetch(""))
    asked = tokens.asked[0]

    assert token.value == "t1"
    assert (asked.method, asked.path) == ("POST", "/tenant-1/oauth2/v2.0/token")
    assert asked.form == {
        "grant_type": "client_credentials",
        "client_id": "app-1",
        "client_secret": SECRET,
        "scope": f"{AUDIENCE}/.default",
    }


def test_claims_that_the_service_demands_are_passed_on(tokens: TokenServer) -> None:
    asyncio.run(with_secret(tokens).fetch('{"access_token":{}}'))

    assert tokens.asked[0].form["claims"] == '{"access_token":{}}'


def test_a_federated_token_is_read_anew_each_time(tokens: TokenServer, tmp_path: Path) -> None:
    file = tmp_path / "token"
    source = WorkloadIdentity(application(tokens), file, machine())
    for content in ("first\n", "second"):
        file.write_text(content)
        asyncio.run(source.fetch(""))

    assert [asked.form["client_assertion"] for asked in tokens.asked] == ["first", "second"]
    assert tokens.asked[0].form["client_assertion_type"] == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    assert "client_secret" not in tokens.asked[0].form


def test_a_federated_token_that_is_not_there_is_said_to_be_missing(tokens: TokenServer, tmp_path: Path) -> None:
    source = WorkloadIdentity(application(tokens), tmp_path / "nothing", machine())
    with pytest.raises(ConfigError, match="nothing` cannot be read: No such file"):
        asyncio.run(source.fetch(""))
    (tmp_path / "nothing").write_text(" ")
    with pytest.raises(ConfigError, match="is empty"):
        asyncio.run(source.fetch(""))


@pytest.mark.parametrize(
    ("number", "help"),
    [
        ("7000215", "value, not its id"),
        ("7000222", "run out"),
        ("700016", "names no application"),
        ("90002", "names no tenant"),
        ("70021", "federated credential"),
        ("1", "docs/azure.md"),
    ],
)
def test_a_refused_sign_in_says_who_why_and_what_to_do(tokens: TokenServer, number: str, help: str) -> None:
    words = f"AADSTS{number}: It is wrong.\r\nTrace ID: 1\r\nTimestamp: 2"
    script(tokens, Told(401, {"error": "invalid_client", "error_description": words}))
    with pytest.raises(ArmNotAuthorized) as refused:
        asyncio.run(with_secret(tokens).fetch(""))
    error = refused.value

    assert error.message == (
        "signing in as application `app-1` of tenant `tenant-1` was refused: "
        f"invalid_client: AADSTS{number}: It is wrong."
    )
    assert help in (error.help or "")
    assert (error.status, error.code, len(tokens.asked)) == (401, "invalid_client", 1)


def test_a_busy_authority_is_asked_again(tokens: TokenServer) -> None:
    script(tokens, Told(429, {}, {"retry-after": "3"}), Told(503, {}), Told(500, {}), issued())
    source = with_secret(tokens)

    assert asyncio.run(source.fetch("")).value == "t1"
    assert source.machine.timer.monotonic() >= 3


def test_an_authority_that_stays_down_is_said_to_be(tokens: TokenServer) -> None:
    script(tokens, Told(503, {"error": "temporarily_unavailable", "error_description": "Later."}))
    with pytest.raises(ArmUnavailable, match="503 temporarily_unavailable: Later"):
        asyncio.run(with_secret(tokens).fetch(""))


def test_an_authority_that_does_not_answer_is_said_not_to() -> None:
    source = ClientSecret(Application("http://127.0.0.1:9", "t", "c", AUDIENCE), SECRET, machine())
    match = r"signing in as application `c` of tenant `t` got no answer from http://127\.0\.0\.1:9"
    with pytest.raises(ArmTransportError, match=match) as silent:
        asyncio.run(source.fetch(""))

    assert not silent.value.sent


@pytest.mark.parametrize("body", [{}, {"access_token": ""}, b"<html>"])
def test_an_answer_without_a_token_is_refused(tokens: TokenServer, body: object) -> None:
    script(tokens, Told(200, body))
    with pytest.raises(ArmNotAuthorized, match="holds no token"):
        asyncio.run(with_secret(tokens).fetch(""))


def test_neither_secret_nor_token_shows_anywhere(tokens: TokenServer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    source = with_secret(tokens)
    token = asyncio.run(source.fetch(""))
    script(tokens, Told(400, {"error": "invalid_request", "error_description": "No."}))
    with pytest.raises(ArmNotAuthorized) as refused:
        asyncio.run(source.fetch(""))

    shown = f"{caplog.text} {source!r} {token!r} {refused.value!r} {vars(refused.value)}"
    assert SECRET not in shown
    assert "'t1'" not in shown


# The machine's own identity


def managed(environ: Mapping[str, str], **more: object) -> ManagedIdentity:
    return ManagedIdentity(AUDIENCE, environ, machine=machine(), **more)  # type: ignore[arg-type]


def test_a_virtual_machine_asks_its_metadata_service(tokens: TokenServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """And no proxy, whatever the environment says."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    script(tokens, Told(200, {"access_token": "t1", "expires_in": "3599", "expires_on": "99"}))
    environ = {"AZURE_POD_IDENTITY_AUTHORITY_HOST": tokens.url}

    assert asyncio.run(managed(environ, client="app-2").fetch("")).value == "t1"
    asked = tokens.asked[0]
    assert (asked.method, asked.path) == ("GET", "/metadata/identity/oauth2/token")
    assert asked.query == {"api-version": "2018-02-01", "resource": AUDIENCE, "client_id": "app-2"}
    assert asked.headers["metadata"] == "true"


def test_a_busy_metadata_service_is_asked_again(tokens: TokenServer) -> None:
    script(tokens, Told(429, {}), Told(410, {}), Told(500, {}), issued())

    assert asyncio.run(managed({"AZURE_POD_IDENTITY_AUTHORITY_HOST": tokens.url}).fetch("")).value == "t1"


def test_an_identity_that_the_machine_lacks_is_told(tokens: TokenServer) -> None:
    script(tokens, Told(400, {"error": "invalid_request", "error_description": "Identity not found"}))
    with pytest.raises(ArmNotAuthorized, match=r"managed identity of this machine was refused: .*Identity not found"):
        asyncio.run(managed({"AZURE_POD_IDENTITY_AUTHORITY_HOST": tokens.url}).fetch(""))


def test_a_machine_without_identity_says_how_else_to_sign_in() -> None:
    with pytest.raises(ArmNotAuthorized, match="this machine has none") as refused:
        asyncio.run(managed({"AZURE_POD_IDENTITY_AUTHORITY_HOST": "http://127.0.0.1:9"}).fetch(""))

    assert "az account get-access-token" in (refused.value.help or "")


def test_app_service_is_asked_with_its_header(tokens: TokenServer) -> None:
    script(tokens, Told(200, {"access_token": "t1", "expires_on": "4102444800"}))
    environ = {"IDENTITY_ENDPOINT": f"{tokens.url}/msi/token", "IDENTITY_HEADER": "h3ader"}
    token = asyncio.run(managed(environ).fetch(""))
    asked = tokens.asked[0]

    assert (token.value, token.expires_at) == ("t1", 4102444800.0)
    assert (asked.path, asked.headers["x-identity-header"]) == ("/msi/token", "h3ader")
    assert asked.query == {"api-version": "2019-08-01", "resource": AUDIENCE}


def arc_challenge(path: Path) -> Told:
    return Told(401, {"error": "unauthorized_client"}, {"www-authenticate": f"Basic realm={path}"})


def test_an_arc_server_proves_itself_with_a_file(tokens: TokenServer, tmp_path: Path) -> None:
    (tmp_path / "one.key").write_text("k3y")
    script(tokens, arc_challenge(tmp_path / "one.key"), issued())
    source = managed({"IDENTITY_ENDPOINT": f"{tokens.url}/arc"}, arc_keys=tmp_path)

    assert asyncio.run(source.fetch("")).value == "t1"
    assert "authorization" not in tokens.asked[0].headers
    assert tokens.asked[0].query["api-version"] == "2020-06-01"
    assert tokens.asked[1].headers["authorization"] == "Basic k3y"


@pytest.mark.parametrize("name", ["../stolen.key", "one.txt", "large.key", "missing.key"])
def test_an_arc_answer_cannot_have_any_other_file_sent(tokens: TokenServer, tmp_path: Path, name: str) -> None:
    keys = tmp_path / "keys"
    keys.mkdir()
    for file, content in {"../stolen.key": "s", "one.txt": "s", "large.key": "s" * 5000}.items():
        (keys / file).write_text(content)
    script(tokens, arc_challenge(keys / name))
    with pytest.raises(ArmNotAuthorized):
        asyncio.run(managed({"IDENTITY_ENDPOINT": f"{tokens.url}/arc"}, arc_keys=keys).fetch(""))

    assert len(tokens.asked) == 1


# azure-identity


def test_azure_identity_signs_in_by_its_own_means(tokens: TokenServer, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AZURE_CLIENT_SECRET", "AZURE_FEDERATED_TOKEN_FILE", "AZURE_CLIENT_ID"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "ManagedIdentityCredential")
    monkeypatch.setenv("IDENTITY_ENDPOINT", f"{tokens.url}/msi/token")
    monkeypatch.setenv("IDENTITY_HEADER", "h3ader")
    script(tokens, Told(200, {"access_token": "t1", "expires_on": "4102444800", "resource": AUDIENCE}))
    token = asyncio.run(AzureIdentity("https://login.microsoftonline.com", AUDIENCE).fetch(""))

    assert (token.value, token.expires_at) == ("t1", 4102444800.0)
    assert tokens.asked[0].query["resource"] == AUDIENCE


def test_azure_identity_that_cannot_sign_in_says_so(tokens: TokenServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "EnvironmentCredential")
    for name in ("AZURE_CLIENT_SECRET", "AZURE_CLIENT_ID", "AZURE_TENANT_ID"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ArmNotAuthorized, match="azure-identity could not sign in"):
        asyncio.run(AzureIdentity("https://login.microsoftonline.com", AUDIENCE).fetch(""))


# The choice


def around(**environ: str) -> Surroundings:
    return Surroundings("https://login.example", AUDIENCE + "/", environ)


def chosen(kind: str, **environ: str) -> str:
    credential = choose(kind, around(**environ))
    return repr(credential)


def test_auto_takes_the_first_whose_means_are_at_hand(tmp_path: Path) -> None:
    everything = {
        "POLICYENGINE_TOKEN": "t",
        **APPLICATION,
        "AZURE_CLIENT_SECRET": SECRET,
        "AZURE_FEDERATED_TOKEN_FILE": str(tmp_path / "f"),
        "IDENTITY_ENDPOINT": "http://127.0.0.1:9",
    }
    order = []
    for gone in ("POLICYENGINE_TOKEN", "AZURE_CLIENT_SECRET", "AZURE_FEDERATED_TOKEN_FILE", "IDENTITY_ENDPOINT"):
        order.append(chosen("auto", **everything))
        del everything[gone]
    order.append(chosen("auto", **everything))
    kinds = ["StaticToken", "ClientSecret", "WorkloadIdentity", "ManagedIdentity", "AzureIdentity"]

    assert [kind for kind, text in zip(kinds, order, strict=True) if kind in text] == kinds
    assert SECRET not in "".join(order)


@pytest.mark.parametrize(
    ("kind", "missing"),
    [
        ("client-secret", "AZURE_TENANT_ID, AZURE_CLIENT_ID, AZURE_CLIENT_SECRET"),
        ("workload-identity", "AZURE_TENANT_ID, AZURE_CLIENT_ID, AZURE_FEDERATED_TOKEN_FILE"),
    ],
)
def test_a_named_credential_says_what_it_lacks(kind: str, missing: str) -> None:
    with pytest.raises(ConfigError, match=f"`arm.credential: {kind}` needs {missing}"):
        choose(kind, around())


def test_an_unknown_credential_is_answered_with_a_near_one() -> None:
    with pytest.raises(ConfigError, match="`managed-identiy`, which nobody knows") as unknown:
        choose("managed-identiy", around())
    assert "managed-identity" in (unknown.value.help or "")


def test_a_missing_token_says_how_to_get_one() -> None:
    with pytest.raises(ArmNotAuthorized, match="POLICYENGINE_TOKEN is not set"):
        choose("token", around())


def test_every_named_credential_can_be_made(tmp_path: Path) -> None:
    environ = {
        "POLICYENGINE_TOKEN": "t",
        **APPLICATION,
        "AZURE_CLIENT_SECRET": SECRET,
        "AZURE_FEDERATED_TOKEN_FILE": str(tmp_path),
    }
    made = {kind: choose(kind, around(**environ)) for kind in CREDENTIALS}

    assert isinstance(made["token"], StaticToken)
    assert isinstance(made["emulator"], EmulatorCredential)
    assert all(isinstance(made[k], RenewedCredential) for k in ("client-secret", "managed-identity", "azure-identity"))


@pytest.mark.parametrize(
    ("kind", "name", "value"),
    [
        ("client-secret", "AZURE_TENANT_ID", "contoso/../evil?"),
        ("managed-identity", "IDENTITY_ENDPOINT", "169.254.169.254"),
        ("managed-identity", "AZURE_POD_IDENTITY_AUTHORITY_HOST", "metadata"),
    ],
)
def test_a_variable_that_cannot_be_used_is_named(kind: str, name: str, value: str) -> None:
    environ = {"AZURE_TENANT_ID": "t", "AZURE_CLIENT_ID": "c", "AZURE_CLIENT_SECRET": "s", name: value}
    with pytest.raises(ConfigError, match=name):
        choose(kind, around(**environ))


def test_an_authority_in_clear_text_is_refused() -> None:
    with pytest.raises(ConfigError, match="in clear text"):
        Surroundings("http://login.example", AUDIENCE, {})
