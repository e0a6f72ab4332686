"""Extensions over the wire: what is accepted, completed, refused, merged."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.emulator.conftest import Api


def test_a_new_extension_is_created_with_every_default(api: Api) -> None:
    created = api.install(api.arc)
    assert created.status_code == 201
    body = created.json()
    assert body["id"] == api.extension(api.arc)
    assert (body["name"], body["type"]) == ("flux", "Microsoft.KubernetesConfiguration/extensions")
    assert "location" not in body
    properties = body["properties"]
    assert properties["provisioningState"] == "Creating"
    assert properties["currentVersion"] is None
    assert properties["autoUpgradeMinorVersion"] is True
    assert properties["autoUpgradeMode"] == "compatible"
    assert properties["releaseTrain"] == "Stable"
    assert properties["isSystemExtension"] is False


def test_an_accepted_change_names_its_operation(api: Api) -> None:
    created = api.install(api.arc)
    headers = created.headers
    assert headers["azure-asyncoperation"].startswith(f"{api.url}{api.extension(api.arc)}/operations/")
    assert headers["operation-location"].startswith(f"{api.extension(api.arc)}/operations/")
    assert headers["x-ms-async-operation-timeout"] == "PT48H"
    assert int(headers["retry-after"]) >= 1
    running = api.http.get(headers["azure-asyncoperation"])
    assert running.status_code == 200
    assert running.json()["status"] == "InProgress"
    assert running.json()["id"] == headers["operation-location"]
    assert int(running.headers["retry-after"]) >= 1


def test_the_resource_shows_its_end_when_the_operation_says_so(api: Api) -> None:
    created = api.install(api.arc)
    seen = []
    for _ in range(12):
        api.advance("10s")
        seen.append((api.operation(created)["status"], api.properties(api.extension(api.arc))["provisioningState"]))
    assert set(seen) == {("InProgress", "Creating"), ("Succeeded", "Succeeded")}
    ended = api.operation(created)
    assert ended["error"] is None
    assert ended["endTime"] > ended["startTime"]


def test_an_unknown_operation_is_not_found(api: Api) -> None:
    created = api.install(api.arc)
    assert api.get(f"{api.extension(api.arc)}/operations/none").status_code == 404
    elsewhere = created.headers["azure-asyncoperation"].replace("extensions/flux", "extensions/other")
    assert api.http.get(elsewhere).status_code == 404


def test_auto_upgrade_echoes_the_version_it_resolved(api: Api) -> None:
    api.install(api.arc, releaseTrain="stable")
    api.advance("2m")
    found = api.properties(api.extension(api.arc))
    assert (found["version"], found["currentVersion"]) == ("1.19.5", "1.19.5")


def test_neither_pinned_nor_auto_upgrading_leaves_version_null(api: Api) -> None:
    api.install(api.arc, autoUpgradeMinorVersion=False)
    api.advance("2m")
    found = api.properties(api.extension(api.arc))
    assert (found["version"], found["currentVersion"]) == (None, "1.19.5")


def test_a_pin_is_installed_as_it_is(api: Api) -> None:
    api.install(api.arc, autoUpgradeMinorVersion=False, version="1.18.4")
    api.advance("2m")
    found = api.properties(api.extension(api.arc))
    assert (found["version"], found["currentVersion"]) == ("1.18.4", "1.18.4")


def test_a_pin_with_auto_upgrade_is_refused_from_2023_on(api: Api) -> None:
    body = {"properties": {"extensionType": "microsoft.flux", "version": "1.18.4"}}
    assert api.error(api.put(api.extension(api.arc), body)) == (400, "ValidationFailed")
    older = api.http.put(f"{api.extension(api.arc)}?api-version=2022-03-01", json=body)
    assert older.status_code == 201
    assert older.json()["properties"]["version"] == "1.19.5"


def test_the_body_of_azure_s_own_built_in_is_understood(api: Api) -> None:
    """Booleans in settings, `location`, `scope.Cluster`, null versions: all of it occurs in built-ins."""
    body: dict[str, Any] = {
        "location": "norwayeast",
        "identity": {"type": "SystemAssigned"},
        "properties": {
            "ExtensionType": "microsoft.policyinsights",
            "version": None,
            "scope": {"Cluster": {"releaseNamespace": "kube-system"}},
            "configurationSettings": {"helm-controller.enabled": True, "replicas": 2, "share": 0.5},
            "configurationProtectedSettings": {},
        },
    }
    answer = api.put(api.extension(api.arc, "azurepolicy"), body).json()
    assert answer["properties"]["scope"] == {"cluster": {"releaseNamespace": "kube-system"}}
    assert answer["properties"]["configurationSettings"] == {
        "helm-controller.enabled": "true",
        "replicas": "2",
        "share": "0.5",
    }
    assert answer["properties"]["extensionType"] == "microsoft.policyinsights"
    assert answer["identity"]["principalId"]
    assert answer["identity"]["tenantId"] == api.tenant


def test_protected_settings_are_never_told(api: Api) -> None:
    created = api.install(api.arc, configurationProtectedSettings={"token": "c2VjcmV0"})
    assert created.json()["properties"]["configurationProtectedSettings"] == {}
    assert "c2VjcmV0" not in created.text + api.get(api.extension(api.arc)).text
    assert "c2VjcmV0" not in api.http.get("/_emulator/journal").text
    (entry,) = api.emulator.journal.entries("PUT")
    assert entry.body["properties"]["configurationProtectedSettings"] == {"token": "***"}


@pytest.mark.parametrize(
    ("properties", "code"),
    [
        ({"extensionType": None}, "ValidationFailed"),
        ({"scope": {"cluster": {}, "namespace": {"targetNamespace": "x"}}}, "ValidationFailed"),
        ({"extensionType": "a.b", "scope": {"namespace": {}}}, "ValidationFailed"),
        ({"autoUpgradeMode": "sometimes"}, "ValidationFailed"),
        ({"autoUpgradeMinorVersion": "perhaps"}, "InvalidRequestContent"),
        ({"configurationSettings": {"a": {"b": 1}}}, "InvalidRequestContent"),
        ({"configurationSettings": []}, "InvalidRequestContent"),
    ],
)
def test_what_the_service_would_not_take_is_refused(api: Api, properties: dict[str, Any], code: str) -> None:
    assert api.error(api.install(api.arc, **properties)) == (400, code)
    assert api.get(api.extension(api.arc)).status_code == 404


def test_a_name_of_other_characters_is_refused(api: Api) -> None:
    assert api.error(api.install(api.arc, "no spaces")) == (400, "ValidationFailed")


def test_a_type_with_scope_namespace_is_taken(api: Api) -> None:
    created = api.install(api.arc, "x", extensionType="contoso.shop", scope={"namespace": {"targetNamespace": "shop"}})
    assert created.status_code == 201
    api.advance("2m")
    assert "shop" in api.inside(api.arc)["namespaces"]
    assert api.properties(api.extension(api.arc, "x"))["currentVersion"] == "1.0.0"


def test_a_put_over_an_existing_one_replaces_it(api: Api) -> None:
    api.install(api.arc, configurationSettings={"a": "1"})
    api.advance("2m")
    again = api.put(api.extension(api.arc).upper(), {"properties": {"extensionType": "Microsoft.Flux"}})
    assert again.status_code == 200
    assert again.json()["name"] == "flux"
    assert again.json()["properties"]["provisioningState"] == "Updating"
    assert again.json()["properties"]["configurationSettings"] == {}
    assert "azure-asyncoperation" in again.headers
    api.advance("2m")
    assert api.operation(again)["status"] == "Succeeded"


def test_who_made_it_and_who_changed_it_last_are_told_apart(api: Api) -> None:
    first = api.install(api.arc).json()["systemData"]
    api.advance("1h")
    later = api.install(api.arc).json()["systemData"]
    created = {name: value for name, value in first.items() if name.startswith("created")}
    assert created == {name: value for name, value in later.items() if name.startswith("created")}
    assert first["lastModifiedAt"] == first["createdAt"] < later["lastModifiedAt"]


def test_an_identity_is_given_once(api: Api) -> None:
    body = {"identity": {"type": "SystemAssigned"}, "properties": {"extensionType": "microsoft.flux"}}
    first = api.put(api.extension(api.arc), body).json()["identity"]
    assert first == {"type": "SystemAssigned", "principalId": first["principalId"], "tenantId": api.tenant}
    assert api.put(api.extension(api.arc), body).json()["identity"] == first
    assert api.install(api.arc).json()["identity"] == first


@pytest.mark.parametrize("change", [{"extensionType": "other.type"}, {"scope": {"cluster": {"releaseNamespace": "x"}}}])
def test_what_is_set_at_creation_cannot_be_changed(api: Api, change: dict[str, Any]) -> None:
    api.install(api.arc)
    assert api.error(api.install(api.arc, **change)) == (400, "ValidationFailed")


def test_a_patch_merges_settings_key_by_key_and_hears_only_what_may_be_patched(api: Api) -> None:
    api.install(api.arc, configurationSettings={"a": "1", "b": "2"})
    api.advance("2m")
    settings = {"a": None, "c": True}
    patched = api.patch(api.extension(api.arc), {"configurationSettings": settings, "extensionType": "other"})
    assert patched.status_code == 202
    found = patched.json()["properties"]
    assert found["configurationSettings"] == {"b": "2", "c": "true"}
    assert found["extensionType"] == "microsoft.flux"
    assert found["provisioningState"] == "Updating"


def test_a_null_among_settings_is_none(api: Api) -> None:
    created = api.install(api.arc, configurationSettings={"a": None, "b": "1"})
    assert created.json()["properties"]["configurationSettings"] == {"b": "1"}


def test_a_protected_setting_that_a_patch_nulls_is_done_without(api: Api) -> None:
    api.install(api.arc, configurationProtectedSettings={"token": "x", "other": "y"})
    api.advance("2m")
    (kept,) = api.inside(api.arc)["protectedSettings"]
    assert kept["keys"] == ["token", "other"]
    patch = {"configurationProtectedSettings": {"Token": None}}
    assert api.patch(api.extension(api.arc), patch).status_code == 202
    (kept,) = api.inside(api.arc)["protectedSettings"]
    assert kept["keys"] == ["other"]
    api.advance("2m")
    assert api.patch(api.extension(api.arc), patch).status_code == 200


def test_a_marketplace_plan_is_told_in_its_own_spelling(api: Api) -> None:
    plan = {"Name": "standard", "PUBLISHER": "contoso", "product": "agent", "unheard": "of"}
    body = {"Plan": plan, "managedBy": "someone", "properties": {"extensionType": "contoso.agent"}}
    found = api.put(api.extension(api.arc, "agent"), body).json()
    assert found["plan"] == {"name": "standard", "publisher": "contoso", "product": "agent"}
    assert found["managedBy"] == "someone"
    later = api.put(api.extension(api.arc, "agent"), {**body, "managedBy": "another"}).json()
    assert later["managedBy"] == "someone"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"plan": {"name": "standard", "publisher": "contoso"}}, "ValidationFailed"),
        ({"plan": "standard"}, "InvalidRequestContent"),
        ({"identity": {"type": "UserAssigned"}}, "ValidationFailed"),
        ({"identity": "SystemAssigned"}, "InvalidRequestContent"),
        ({"properties": []}, "InvalidRequestContent"),
        ({"properties": {"extensionType": " "}}, "ValidationFailed"),
    ],
)
def test_what_makes_no_sense_around_the_properties_is_refused(api: Api, body: dict[str, Any], code: str) -> None:
    whole = {"properties": {"extensionType": "contoso.agent"}, **body}
    assert api.error(api.put(api.extension(api.arc, "agent"), whole)) == (400, code)
    assert api.get(api.extension(api.arc, "agent")).status_code == 404


def test_an_extension_on_aks_acts_as_what_it_asked_for_and_the_service_gives_the_ids(api: Api) -> None:
    asked = {"type": "workload", "clientId": "me", "url": "https://x", "principalId": "made up"}
    first = api.install(api.aks, aksAssignedIdentity=asked).json()["properties"]["aksAssignedIdentity"]
    assert (first["type"], first["clientId"], first["url"], first["tenantId"]) == (
        "Workload",
        "me",
        "https://x",
        api.tenant,
    )
    assert first["principalId"] != "made up"
    again = api.install(api.aks).json()["properties"]["aksAssignedIdentity"]
    assert again == {"type": "SystemAssigned", "principalId": first["principalId"], "tenantId": api.tenant}
    assert "aksAssignedIdentity" not in api.install(api.arc, aksAssignedIdentity=asked).json()["properties"]
    bad = {"aksAssignedIdentity": {"type": "Borrowed"}}
    assert api.error(api.install(api.aks, "x", extensionType="contoso.x", **bad)) == (400, "ValidationFailed")


def test_a_type_in_namespaces_has_an_instance_in_each(api: Api) -> None:
    def install(name: str, namespace: str) -> int:
        scope = {"namespace": {"targetNamespace": namespace}}
        return api.install(api.arc, name, extensionType="contoso.shop", scope=scope).status_code

    assert [install("a", "shop"), install("b", "bar"), install("c", "shop")] == [201, 201, 409]


def test_a_patch_that_changes_nothing_is_no_operation(api: Api) -> None:
    api.install(api.arc)
    api.advance("2m")
    patched = api.patch(api.extension(api.arc), {"releaseTrain": "Stable"})
    assert patched.status_code == 200
    assert "azure-asyncoperation" not in patched.headers


def test_a_patch_can_pin_what_was_upgrading(api: Api) -> None:
    api.install(api.arc)
    api.advance("2m")
    patched = api.patch(api.extension(api.arc), {"autoUpgradeMinorVersion": False, "version": "1.18.4"})
    assert patched.status_code == 202
    api.advance("2m")
    assert api.properties(api.extension(api.arc))["currentVersion"] == "1.18.4"


def test_what_is_no_longer_upgraded_stays_at_its_version_without_a_pin(api: Api) -> None:
    api.install(api.arc)
    api.advance("2m")
    api.patch(api.extension(api.arc), {"autoUpgradeMinorVersion": False})
    api.advance("2m")
    found = api.properties(api.extension(api.arc))
    assert (found["version"], found["currentVersion"]) == (None, "1.19.5")


def test_a_patch_of_what_is_not_there_is_not_found(api: Api) -> None:
    answer = api.patch(api.extension(api.arc), {})
    assert api.error(answer) == (404, "ResourceNotFound")
    assert answer.json()["error"]["message"] == "Extension instance with name 'flux' not found."


def test_a_deletion_ends_when_the_agent_has_removed_it(flux: Api) -> None:
    deleted = flux.send("DELETE", flux.extension(flux.arc), forceDelete="false")
    assert deleted.status_code == 202
    assert deleted.content == b""
    assert deleted.headers["x-ms-async-operation-timeout"] == "PT1H"
    assert flux.properties(flux.extension(flux.arc))["provisioningState"] == "Deleting"
    assert flux.error(flux.install(flux.arc)) == (409, "Conflict")
    flux.advance("30s")
    assert flux.operation(deleted)["status"] == "Succeeded"
    assert flux.get(flux.extension(flux.arc)).status_code == 404


def test_a_deletion_of_nothing_is_204(api: Api) -> None:
    assert api.send("DELETE", api.extension(api.arc)).status_code == 204


def test_a_forced_deletion_does_not_wait_for_the_agent(flux: Api) -> None:
    flux.emulator.disconnect(flux.arc)
    deleted = flux.send("DELETE", flux.extension(flux.arc), forceDelete="true")
    assert deleted.status_code == 200
    assert flux.get(flux.extension(flux.arc)).status_code == 404
    assert flux.inside(flux.arc)["deployments"] != []


def test_a_deletion_may_be_gone_at_once(start: Callable[..., Api]) -> None:
    api = start(gone_at_once=True)
    deleted = api.send("DELETE", api.extension(api.settled))
    assert api.get(api.extension(api.settled)).status_code == 404
    assert api.operation(deleted)["status"] == "InProgress"
    api.advance("30s")
    assert api.operation(deleted)["status"] == "Succeeded"


def test_a_deletion_cancels_what_was_going_on(api: Api) -> None:
    created = api.install(api.arc)
    api.send("DELETE", api.extension(api.arc))
    canceled = api.operation(created)
    assert canceled["status"] == "Canceled"
    assert canceled["error"]["code"] == "OperationCanceled"


def test_the_last_writer_wins_unless_told_otherwise(api: Api, start: Callable[..., Api]) -> None:
    first, second = api.install(api.arc), api.install(api.arc, releaseTrain="Preview")
    assert (first.status_code, second.status_code) == (201, 200)
    api.advance("2m")
    assert {api.operation(first)["status"], api.operation(second)["status"]} == {"Succeeded"}
    assert api.properties(api.extension(api.arc))["currentVersion"] == "1.20.0"

    strict = start(refuse_concurrent_writes=True)
    strict.install(strict.arc)
    assert strict.error(strict.install(strict.arc)) == (409, "OperationInProgress")
    assert strict.patch(strict.extension(strict.arc), {}).status_code == 409
    strict.advance("2m")
    assert strict.install(strict.arc).status_code == 200


def test_an_identity_on_aks_is_refused_only_when_asked_to(api: Api, start: Callable[..., Api]) -> None:
    body = {"identity": {"type": "SystemAssigned"}, "properties": {"extensionType": "microsoft.flux"}}
    assert api.put(api.extension(api.aks), body).status_code == 201
    strict = start(refuse_aks_identity=True)
    assert strict.put(strict.extension(strict.aks), body).status_code == 400
    assert strict.put(strict.extension(strict.arc), body).status_code == 201


def test_the_timeout_is_told_to_the_second(start: Callable[..., Api]) -> None:
    api = start(write_timeout=timedelta(minutes=90), delete_timeout=timedelta(seconds=90))
    assert api.install(api.arc).headers["x-ms-async-operation-timeout"] == "PT1H30M"
    deleted = api.send("DELETE", api.extension(api.arc))
    assert deleted.headers["x-ms-async-operation-timeout"] == "PT1M30S"
    late = api.install(api.offline)
    api.advance("90m")
    assert api.operation(late)["error"]["message"].endswith("did not respond within PT1H30M.")
