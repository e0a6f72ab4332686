"""Settings as a whole: what strict refuses, loose takes."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from typing import TYPE_CHECKING

from policyengine.emulator import Settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.emulator.conftest import Api


def test_strict_and_loose_choose_on_different_points() -> None:
    documented, strict, loose = (asdict(s) for s in (Settings(), Settings.strict(), Settings.loose()))
    stricter = {name for name in documented if strict[name] != documented[name]}
    looser = {name for name in documented if loose[name] != documented[name]}
    assert stricter
    assert looser
    assert not stricter & looser


def test_strict_refuses_a_configuration_without_its_extension(start: Callable[..., Api]) -> None:
    api = start(**asdict(Settings.strict()))
    accepted = api.configure(api.arc)
    api.advance("2m")
    assert api.operation(accepted)["status"] == "Failed"


def test_loose_takes_a_secret_for_granted(start: Callable[..., Api]) -> None:
    api = start(**asdict(Settings.loose()))
    api.configure(api.arc, gitRepository={**api.git, "localAuthRef": "token"})
    api.advance("4m")
    assert api.properties(api.configuration(api.arc))["complianceState"] == "Compliant"


def test_strict_refuses_extension_types_that_nobody_published(start: Callable[..., Api]) -> None:
    api = start(refuse_unknown_types=True)
    assert api.error(api.install(api.arc, "agent", extensionType="contoso.agent")) == (400, "ValidationFailed")
    api.emulator.publish_version("Contoso.Agent", "Stable", "1.0.0")
    assert api.install(api.arc, "agent", extensionType="contoso.agent").status_code == 201


def test_loose_does_not_hear_a_change_of_what_is_set_at_creation(start: Callable[..., Api]) -> None:
    api = start(refuse_create_only=False)
    api.configure(api.arc)
    api.advance("4m")
    again = api.configure(api.arc, namespace="other", scope="namespace", suspend=True)
    told = again.json()["properties"]
    assert (told["namespace"], told["scope"], told["suspend"]) == ("cluster-config", "cluster", True)
    patched = api.patch(api.configuration(api.arc), {"namespace": "other"})
    assert patched.json()["properties"]["namespace"] == "cluster-config"
    assert api.install(api.arc, extensionType="contoso.agent").json()["properties"]["extensionType"] == "microsoft.flux"


def test_loose_takes_dependencies_as_they_come(start: Callable[..., Api]) -> None:
    api = start(check_dependencies=False)
    kustomizations = {"a": {"dependsOn": ["b"]}, "b": {"dependsOn": ["a"]}, "c": {"dependsOn": ["none"]}, "d": {}}
    assert api.configure(api.arc, kustomizations=kustomizations).status_code == 201
    api.advance("5m")
    statuses = {s["name"]: s["complianceState"] for s in api.properties(api.configuration(api.arc))["statuses"]}
    assert [statuses[f"cfg-{key}"] for key in "abcd"] == [*["Non-Compliant"] * 3, "Compliant"]


def test_a_put_may_leave_alone_what_it_leaves_out(start: Callable[..., Api]) -> None:
    api = start(put_replaces=False)
    api.install(api.arc, configurationSettings={"a": "1"}, releaseTrain="Preview")
    kept = api.install(api.arc, configurationSettings={"b": "2"}).json()["properties"]
    assert (kept["releaseTrain"], kept["configurationSettings"]) == ("Preview", {"a": "1", "b": "2"})
    api.configure(api.arc, suspend=True, kustomizations={"apps": {"prune": True}})
    told = api.configure(api.arc, kustomizations={"infra": {}}).json()["properties"]
    assert told["suspend"] is True
    assert {key: k["prune"] for key, k in told["kustomizations"].items()} == {"apps": True, "infra": False}


def test_a_patch_may_replace_settings(start: Callable[..., Api]) -> None:
    api = start(merge_settings=False)
    api.install(api.arc, configurationSettings={"a": "1"}, configurationProtectedSettings={"token": "x"})
    patch = {"configurationSettings": {"b": "2"}, "configurationProtectedSettings": {"other": "y"}}
    told = api.patch(api.extension(api.arc), patch).json()["properties"]
    assert told["configurationSettings"] == {"b": "2"}
    (kept,) = api.inside(api.arc)["protectedSettings"]
    assert kept["keys"] == ["other"]


def test_ended_operations_are_kept_for_ever_or_for_a_while(start: Callable[..., Api]) -> None:
    for lifetime, found in ((None, 200), (timedelta(hours=48), 404)):
        api = start(operation_lifetime=lifetime)
        ended = api.install(api.arc).headers["azure-asyncoperation"]
        running = api.install(api.offline).headers["azure-asyncoperation"]
        api.advance("47h")
        assert [api.http.get(link).status_code for link in (ended, running)] == [200, 200]
        api.advance("2h")
        assert [api.http.get(link).status_code for link in (ended, running)] == [found, 200]
        api.configure(api.arc)
        assert [api.http.get(link).status_code for link in (ended, running)] == [found, 200]
