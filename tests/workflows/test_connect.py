from __future__ import annotations

import pytest

from policyengine.workflows.connect import credential_of
from policyengine.workflows.settings import ArmSettings

APPLICATION = {"AZURE_TENANT_ID": "t", "AZURE_CLIENT_ID": "app", "AZURE_CLIENT_SECRET": "s3cret"}


@pytest.fixture(autouse=True)
def application(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("POLICYENGINE_TOKEN", "AZURE_AUTHORITY_HOST"):
        monkeypatch.delenv(name, raising=False)
    for name, value in APPLICATION.items():
        monkeypatch.setenv(name, value)


def settings(**arm: str) -> ArmSettings:
    return ArmSettings.model_validate({"credential": "client-secret", **arm})


def test_the_cloud_says_who_issues_tokens_and_for_whom() -> None:
    told = repr(credential_of(settings(cloud="china")))

    assert "https://login.chinacloudapi.cn" in told
    assert "audience='https://management.chinacloudapi.cn'" in told


@pytest.mark.parametrize("host", ["login.microsoftonline.us", "https://login.microsoftonline.us/"])
def test_the_platform_may_name_the_authority(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    monkeypatch.setenv("AZURE_AUTHORITY_HOST", host)

    assert "authority='https://login.microsoftonline.us'" in repr(credential_of(settings()))


def test_a_setting_goes_before_the_platform(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_AUTHORITY_HOST", "login.microsoftonline.us")
    told = repr(credential_of(settings(authority="https://login.example", audience="https://arm.example")))

    assert "authority='https://login.example'" in told
    assert "audience='https://arm.example'" in told


def test_commands_of_one_process_sign_in_once(monkeypatch: pytest.MonkeyPatch) -> None:
    first = credential_of(settings())
    assert credential_of(settings()) is first

    monkeypatch.setenv("AZURE_CLIENT_SECRET", "another")
    assert credential_of(settings()) is not first


def test_no_secret_shows() -> None:
    assert "s3cret" not in repr(credential_of(settings()))
