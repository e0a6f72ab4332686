"""What GitOps on Azure promises, statement by statement: the number in a name is the statement's in the reference."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.emulator.conftest import Api


def states(api: Api, cluster: str, name: str = "cfg") -> tuple[str, str]:
    found = api.properties(api.configuration(cluster, name))
    return found["provisioningState"], found["complianceState"]


def test_g1_a_first_configuration_brings_the_extension_with_it(api: Api) -> None:
    accepted = api.configure(api.arc)
    assert api.properties(api.extension(api.arc))["provisioningState"] == "Creating"

    api.advance("90s")
    assert api.properties(api.extension(api.arc))["provisioningState"] == "Succeeded"
    assert states(api, api.arc) == ("Creating", "Pending")

    api.advance("2m")
    assert states(api, api.arc) == ("Succeeded", "Compliant")
    assert api.operation(accepted)["status"] == "Succeeded"


def test_g1_only_arc_gets_an_identity_with_it(api: Api) -> None:
    api.configure(api.arc)
    api.configure(api.aks)
    assert api.get(api.extension(api.arc)).json()["identity"]["type"] == "SystemAssigned"
    assert "identity" not in api.get(api.extension(api.aks)).json()


def test_g1_an_extension_of_another_type_keeps_the_name_flux(api: Api) -> None:
    api.install(api.arc, extensionType="contoso.agent")
    accepted = api.configure(api.arc)
    api.advance("5m")
    assert api.properties(api.extension(api.arc))["extensionType"] == "contoso.agent"
    assert api.operation(accepted)["status"] == "Failed"
    assert "microsoft.flux" in api.properties(api.configuration(api.arc))["errorMessage"]


def test_g1_switched_off_the_configuration_fails_and_names_the_extension(start: Callable[..., Api]) -> None:
    api = start(auto_install_flux=False)
    accepted = api.configure(api.arc)
    api.advance("1m")
    assert api.get(api.extension(api.arc)).status_code == 404
    operation = api.operation(accepted)
    assert operation["status"] == "Failed"
    assert "microsoft.flux" in operation["error"]["message"]
    assert "microsoft.flux" in api.properties(api.configuration(api.arc))["errorMessage"]


def test_g1_a_configuration_that_failed_is_not_applied_by_itself_later(start: Callable[..., Api]) -> None:
    api = start(auto_install_flux=False)
    api.configure(api.arc)
    api.advance("2m")
    api.install(api.arc)
    api.advance("5m")
    assert states(api, api.arc)[0] == "Failed"
    assert api.objects(api.arc) == {}
    again = api.configure(api.arc)
    api.advance("5m")
    assert api.operation(again)["status"] == "Succeeded"


def test_g1_a_configuration_fails_with_the_extension_it_waits_for(api: Api) -> None:
    accepted = api.configure(api.refusing)
    api.advance("3m")
    assert api.operation(accepted)["status"] == "Failed"
    assert "extension 'flux' is in state Failed" in api.properties(api.configuration(api.refusing))["errorMessage"]


def test_g2_an_extension_of_any_name_serves_and_none_is_added(api: Api) -> None:
    api.put(api.extension(api.arc, "gitops"), {"properties": {"extensionType": "Microsoft.Flux"}})
    api.advance("2m")
    api.configure(api.arc)
    api.advance("2m")
    assert states(api, api.arc) == ("Succeeded", "Compliant")
    listed = api.get(api.extension(api.arc).removesuffix("/flux")).json()["value"]
    assert [item["name"] for item in listed] == ["gitops"]


def test_g3_flux_is_cluster_scoped_in_flux_system(api: Api) -> None:
    api.install(api.arc)
    assert api.properties(api.extension(api.arc))["scope"] == {"cluster": {"releaseNamespace": "flux-system"}}


def test_g3_namespace_scope_is_refused_and_nothing_stored(api: Api) -> None:
    refused = api.install(api.arc, scope={"namespace": {"targetNamespace": "shop"}})
    assert api.error(refused) == (400, "ValidationFailed")
    assert api.get(api.extension(api.arc)).status_code == 404


@pytest.mark.parametrize("status", [400, 409])
def test_g4_a_second_instance_of_the_type_is_refused(start: Callable[..., Api], status: int) -> None:
    api = start(second_instance_status=status)
    api.install(api.arc)
    again = api.put(api.extension(api.arc, "flux2"), {"properties": {"extensionType": "MICROSOFT.FLUX"}})
    assert again.status_code == status
    assert "'flux'" in again.json()["error"]["message"]


def test_g5_a_pinned_version_becomes_unsupported_when_newer_ones_appear(api: Api) -> None:
    api.install(api.arc, autoUpgradeMinorVersion=False, version="1.17.3")
    api.advance("2m")
    assert api.properties(api.extension(api.arc))["statuses"] == []

    api.emulator.publish_version("microsoft.flux", "Stable", "1.20.0")
    api.advance("1m")
    found = api.properties(api.extension(api.arc))
    assert (found["currentVersion"], found["provisioningState"]) == ("1.17.3", "Succeeded")
    assert [(s["level"], s["code"]) for s in found["statuses"]] == [("Warning", "UnsupportedVersion")]


def test_g6_auto_upgrade_follows_minor_versions_after_the_next_poll_and_never_major_ones(flux: Api) -> None:
    flux.emulator.publish_version("microsoft.flux", "stable", "1.20.0")
    flux.emulator.publish_version("microsoft.flux", "stable", "2.0.0")
    assert flux.properties(flux.extension(flux.arc))["currentVersion"] == "1.19.5"
    flux.advance("30s")
    found = flux.properties(flux.extension(flux.arc))
    assert (found["version"], found["currentVersion"]) == ("1.20.0", "1.20.0")


def test_g7_the_controllers_are_there_after_installation_and_not_before(api: Api) -> None:
    api.install(api.arc)
    assert api.inside(api.arc)["deployments"] == []
    api.advance("2m")
    inside = api.inside(api.arc)
    assert {d["name"] for d in inside["deployments"]} == {
        "source-controller",
        "kustomize-controller",
        "helm-controller",
        "notification-controller",
        "fluxconfig-agent",
        "fluxconfig-controller",
    }
    assert {d["namespace"] for d in inside["deployments"]} == {"flux-system"}
    assert "flux-system" in inside["namespaces"]
    assert "fluxconfigs.clusterconfig.azure.com" in inside["customResourceDefinitions"]


def test_g8_settings_turn_controllers_on_and_off(api: Api) -> None:
    settings = {"image-automation-controller.enabled": True, "helm-controller.enabled": False}
    api.install(api.arc, configurationSettings=settings)
    api.advance("2m")
    names = {d["name"] for d in api.inside(api.arc)["deployments"]}
    assert "image-automation-controller" in names
    assert "helm-controller" not in names


def test_g10_without_the_extension_configurations_stay_and_turn_unknown(flux: Api) -> None:
    flux.configure(flux.arc)
    flux.advance("2m")
    flux.send("DELETE", flux.extension(flux.arc))
    flux.advance("30s")
    assert flux.get(flux.extension(flux.arc)).status_code == 404
    assert flux.inside(flux.arc)["deployments"] == []
    assert states(flux, flux.arc) == ("Succeeded", "Unknown")

    flux.install(flux.arc)
    flux.advance("4m")
    assert states(flux, flux.arc) == ("Succeeded", "Compliant")


def test_g12_a_failed_installation_shows_its_cause_wrapped_as_the_service_does(api: Api) -> None:
    accepted = api.install(api.refusing)
    api.advance("2m")
    found = api.properties(api.extension(api.refusing))
    assert found["provisioningState"] == "Failed"
    assert found["currentVersion"] is None
    assert [s["code"] for s in found["statuses"]] == ["InstallationFailed"]
    assert api.refused in found["errorInfo"]["message"]
    error = api.operation(accepted)["error"]
    assert error["code"] == "ExtensionOperationFailed"
    inner = json.loads(error["message"])["error"]
    innermost = json.loads(inner["message"])["error"]
    assert innermost == {"code": "InstallationFailed", "message": api.refused}
    assert api.inside(api.refusing)["deployments"] == []


def test_g15_nothing_happens_on_the_cluster_before_its_next_poll(flux: Api) -> None:
    accepted = flux.configure(flux.arc)
    assert flux.objects(flux.arc) == {}
    assert states(flux, flux.arc) == ("Creating", "Pending")
    assert flux.operation(accepted)["status"] == "InProgress"
    flux.advance("30s")
    assert flux.objects(flux.arc) != {}


def test_g16_one_flux_config_per_configuration_with_a_generation(flux: Api) -> None:
    flux.configure(flux.arc)
    flux.advance("2m")
    assert flux.objects(flux.arc)["FluxConfig", "cfg"]["generation"] == 1
    flux.patch(flux.configuration(flux.arc), {"gitRepository": {"repositoryRef": {"branch": "next"}}})
    flux.advance("2m")
    found = flux.objects(flux.arc)["FluxConfig", "cfg"]
    assert (found["generation"], found["namespace"]) == (2, "cluster-config")


@pytest.mark.parametrize(
    ("properties", "kind"),
    [
        ({}, "GitRepository"),
        ({"sourceKind": "Bucket", "bucket": {"url": "https://s3", "bucketName": "b"}}, "Bucket"),
        ({"sourceKind": "AzureBlob", "azureBlob": {"url": "https://blob", "containerName": "c"}}, "Bucket"),
        ({"sourceKind": "OCIRepository", "ociRepository": {"url": "oci://ghcr.io/x"}}, "OCIRepository"),
    ],
)
def test_g17_one_source_and_one_kustomization_per_key(flux: Api, properties: dict[str, Any], kind: str) -> None:
    flux.configure(flux.aks, kustomizations={"infra": {}, "apps": {}}, **properties)
    flux.advance("2m")
    found = flux.objects(flux.aks)
    assert set(found) == {
        ("FluxConfig", "cfg"),
        (kind, "cfg"),
        ("Kustomization", "cfg-infra"),
        ("Kustomization", "cfg-apps"),
    }
    assert {o["namespace"] for o in found.values()} == {"cluster-config"}
    assert "cluster-config" in flux.inside(flux.aks)["namespaces"]
    assert states(flux, flux.aks) == ("Succeeded", "Compliant")


def test_g17_another_kind_of_source_takes_the_place_of_the_first(flux: Api) -> None:
    flux.configure(flux.arc)
    flux.advance("2m")
    bucket = {"url": "https://minio.contoso.com", "bucketName": "fleet"}
    flux.configure(flux.arc, sourceKind="Bucket", gitRepository=None, bucket=bucket)
    flux.advance("2m")
    assert set(flux.objects(flux.arc)) == {("FluxConfig", "cfg"), ("Bucket", "cfg"), ("Kustomization", "cfg-apps")}
    assert flux.objects(flux.arc)["Bucket", "cfg"]["generation"] == 2


def test_g17_a_kustomization_that_is_taken_away_goes(flux: Api) -> None:
    flux.configure(flux.arc, kustomizations={"infra": {}, "apps": {}})
    flux.advance("2m")
    flux.patch(flux.configuration(flux.arc), {"kustomizations": {"apps": None}})
    flux.advance("2m")
    assert ("Kustomization", "cfg-apps") not in flux.objects(flux.arc)
    assert ("Kustomization", "cfg-infra") in flux.objects(flux.arc)


def test_g18_a_key_pair_lives_as_long_as_its_configuration(flux: Api) -> None:
    path, ssh = flux.configuration(flux.arc), {**flux.git, "url": "git@github.com:contoso/fleet"}
    flux.configure(flux.arc, gitRepository=ssh)
    first = flux.properties(path)["repositoryPublicKey"]
    assert first.startswith("ssh-rsa AAAAB3NzaC1yc2E")
    flux.patch(path, {"suspend": True})
    assert flux.properties(path)["repositoryPublicKey"] == first
    flux.send("DELETE", path)
    flux.advance("30s")
    flux.configure(flux.arc, gitRepository=ssh)
    assert flux.properties(path)["repositoryPublicKey"] not in {first, ""}


def test_g18_no_key_is_shown_for_https_nor_when_the_user_gave_one(flux: Api) -> None:
    flux.configure(flux.arc)
    assert flux.properties(flux.configuration(flux.arc))["repositoryPublicKey"] == ""
    ssh = {**flux.git, "url": "ssh://git@github.com/contoso/fleet"}
    flux.configure(flux.arc, "own", gitRepository=ssh, configurationProtectedSettings={"sshPrivateKey": "a2V5"})
    assert flux.properties(flux.configuration(flux.arc, "own"))["repositoryPublicKey"] == ""


def test_g22_several_configurations_may_use_the_same_kustomization_key(flux: Api) -> None:
    flux.configure(flux.arc, "one")
    flux.configure(flux.arc, "two", scope="namespace", namespace="shop")
    flux.advance("2m")
    found = flux.objects(flux.arc)
    assert ("Kustomization", "one-apps") in found
    assert ("Kustomization", "two-apps") in found
    assert states(flux, flux.arc, "one") == states(flux, flux.arc, "two") == ("Succeeded", "Compliant")


def test_g23_what_azure_shows_is_what_was_last_pushed(flux: Api) -> None:
    path = flux.configuration(flux.arc)
    flux.configure(flux.arc)
    flux.advance("40s")
    flux.emulator.disconnect(flux.arc)
    pushed = flux.properties(path)
    flux.advance("10m")
    assert flux.properties(path) == pushed
    assert flux.objects(flux.arc)["FluxConfig", "cfg"]["complianceState"] == "Compliant"

    flux.emulator.connect(flux.arc)
    flux.advance("30s")
    after = flux.properties(path)
    assert after["complianceState"] == "Compliant"
    assert after["sourceSyncedCommitId"].startswith("main/")
    assert after["statusUpdatedAt"] > pushed["statusUpdatedAt"]


def test_g24_a_dependant_waits_until_its_dependency_is_ready(flux: Api) -> None:
    flux.configure(flux.arc, kustomizations={"apps": {"dependsOn": ["infra"]}, "infra": {}})
    seen = []
    for _ in range(8):
        flux.advance("10s")
        apps = flux.objects(flux.arc).get(("Kustomization", "cfg-apps"), {"conditions": []})
        seen += [(c["reason"], c["message"]) for c in apps["conditions"] if c["type"] == "Ready"]
    assert ("DependencyNotReady", "dependency 'cluster-config/cfg-infra' is not ready") in seen
    flux.advance("1m")
    ready = {
        name: next(c for c in found["conditions"] if c["type"] == "Ready")
        for (_, name), found in flux.objects(flux.arc).items()
        if "conditions" in found
    }
    assert {c["status"] for c in ready.values()} == {"True"}
    assert ready["cfg-apps"]["lastTransitionTime"] >= ready["cfg-infra"]["lastTransitionTime"]


def test_g27_suspended_nothing_new_is_reconciled_and_false_resumes(flux: Api) -> None:
    path = flux.configuration(flux.arc)
    flux.configure(flux.arc)
    flux.advance("2m")
    before = flux.properties(path)["sourceSyncedCommitId"]
    flux.patch(path, {"suspend": True, "gitRepository": {"repositoryRef": {"branch": "next"}}})
    flux.advance("10m")
    assert states(flux, flux.arc) == ("Succeeded", "Suspended")
    assert flux.properties(path)["sourceSyncedCommitId"] == before

    flux.patch(path, {"suspend": False})
    flux.advance("2m")
    assert states(flux, flux.arc) == ("Succeeded", "Compliant")
    assert flux.properties(path)["sourceSyncedCommitId"].startswith("next/")


def test_g27_what_is_in_progress_when_suspended_finishes(start: Callable[..., Api]) -> None:
    api = start(reconcile_duration=timedelta(minutes=10))
    api.install(api.arc)
    api.advance("2m")
    api.configure(api.arc)
    api.advance("1m")
    api.patch(api.configuration(api.arc), {"suspend": True})
    api.advance("20m")
    ready = [c for c in api.objects(api.arc)["Kustomization", "cfg-apps"]["conditions"] if c["type"] == "Ready"]
    assert [c["status"] for c in ready] == ["True"]
    assert states(api, api.arc) == ("Succeeded", "Suspended")


def test_g33_the_operation_ends_when_the_cluster_has_accepted_not_when_it_complies(flux: Api) -> None:
    accepted = flux.configure(flux.arc)
    flux.advance("30s")
    assert flux.operation(accepted)["status"] == "Succeeded"
    assert states(flux, flux.arc) == ("Succeeded", "Pending")


def test_g33_with_wait_it_ends_when_reconciled(flux: Api) -> None:
    accepted = flux.configure(flux.arc, waitForReconciliation=True, reconciliationWaitDuration="PT30M")
    flux.advance("30s")
    assert flux.operation(accepted)["status"] == "InProgress"
    flux.advance("1m")
    assert flux.operation(accepted)["status"] == "Succeeded"
    assert states(flux, flux.arc) == ("Succeeded", "Compliant")


def test_g33_nobody_waits_for_what_is_suspended(flux: Api) -> None:
    accepted = flux.configure(flux.arc, suspend=True, waitForReconciliation=True, reconciliationWaitDuration="PT30M")
    flux.advance("1m")
    assert flux.operation(accepted)["status"] == "Succeeded"
    assert states(flux, flux.arc) == ("Succeeded", "Suspended")


def test_g33_with_wait_it_fails_at_the_limit(api: Api) -> None:
    path = api.configuration(api.settled, "broken")
    wait = {"waitForReconciliation": True, "reconciliationWaitDuration": "PT30M"}
    accepted = api.patch(path, wait)
    assert accepted.status_code == 202
    api.advance("29m")
    assert api.operation(accepted)["status"] == "InProgress"
    api.advance("1m")
    assert api.operation(accepted)["status"] == "Failed"
    assert states(api, api.settled, "broken") == ("Failed", "Non-Compliant")


def test_g35_the_state_of_an_object_follows_its_ready_condition(flux: Api) -> None:
    flux.configure(flux.arc, suspend=True)
    flux.configure(flux.aks)
    flux.advance("30s")
    assert {o["complianceState"] for o in flux.objects(flux.arc).values()} == {"Suspended"}
    assert flux.objects(flux.aks)["Kustomization", "cfg-apps"]["complianceState"] == "Pending"
    flux.advance("2m")
    assert {o["complianceState"] for o in flux.objects(flux.aks).values()} == {"Compliant"}
    assert {s["complianceState"] for s in broken_statuses(flux)} == {"Non-Compliant"}


def broken_statuses(api: Api) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = api.properties(api.configuration(api.settled, "broken"))["statuses"]
    return found


def test_g36_the_state_of_a_configuration_is_the_worst_of_its_objects(flux: Api) -> None:
    assert states(flux, flux.settled, "broken") == ("Succeeded", "Non-Compliant")
    assert states(flux, flux.settled, "settled") == ("Succeeded", "Compliant")


def test_g37_conditions_use_the_words_of_flux(flux: Api) -> None:
    statuses = flux.properties(flux.configuration(flux.settled, "settled"))["statuses"]
    revision = flux.properties(flux.configuration(flux.settled, "settled"))["sourceSyncedCommitId"]
    said = {s["kind"]: s["statusConditions"][-1] for s in statuses}
    assert said["GitRepository"]["reason"] == "Succeeded"
    assert said["GitRepository"]["message"] == f"stored artifact for revision '{revision}'"
    assert said["Kustomization"]["reason"] == "ReconciliationSucceeded"
    assert said["Kustomization"]["message"] == f"Applied revision: {revision}"
    failed = {s["kind"]: s["statusConditions"][-1]["reason"] for s in broken_statuses(flux)}
    assert failed == {"GitRepository": "GitOperationFailed", "Kustomization": "ArtifactFailed"}


def test_g39_an_arc_agent_is_offline_after_15_minutes_of_silence(api: Api) -> None:
    api.emulator.disconnect(api.arc)
    seen = api.properties(api.arc)
    api.advance("14m59s")
    assert api.properties(api.arc)["connectivityStatus"] == "Connected"
    api.advance("1s")
    found = api.properties(api.arc)
    assert found["connectivityStatus"] == "Offline"
    assert found["lastConnectivityTime"] == seen["lastConnectivityTime"]
    assert api.install(api.arc).status_code == 201

    api.emulator.connect(api.arc)
    assert api.properties(api.arc)["connectivityStatus"] == "Connected"


def test_g39_a_write_to_an_offline_cluster_is_accepted_and_waits(api: Api) -> None:
    assert api.properties(api.offline)["connectivityStatus"] == "Offline"
    accepted = api.install(api.offline)
    assert accepted.status_code == 201
    api.advance("1h")
    assert api.operation(accepted)["status"] == "InProgress"


def test_g39_a_stopped_aks_cluster_is_the_same_without_saying_so(api: Api) -> None:
    assert "connectivityStatus" not in api.properties(api.stopped)
    accepted = api.install(api.stopped)
    api.advance("1h")
    assert api.operation(accepted)["status"] == "InProgress"
    api.emulator.connect(api.stopped)
    api.advance("2m")
    assert api.properties(api.stopped)["powerState"] == {"code": "Running"}
    assert api.operation(accepted)["status"] == "Succeeded"


def test_g40_a_cluster_that_comes_back_within_48_hours_takes_the_change(api: Api) -> None:
    accepted = api.install(api.offline)
    assert accepted.headers["x-ms-async-operation-timeout"] == "PT48H"
    api.advance("47h")
    api.advance("59m")
    assert api.operation(accepted)["status"] == "InProgress"
    assert api.properties(api.extension(api.offline))["provisioningState"] == "Creating"
    api.emulator.connect(api.offline)
    api.advance("5m")
    assert api.operation(accepted)["status"] == "Succeeded"
    assert api.properties(api.extension(api.offline))["provisioningState"] == "Succeeded"


def test_g40_who_is_back_in_time_may_finish_what_takes_longer(api: Api) -> None:
    """The agent polls after the limit, and the configuration waits for its extension."""
    accepted = api.configure(api.offline)
    api.advance("47h59m59s")
    api.emulator.connect(api.offline)
    api.advance("5m")
    assert api.operation(accepted)["status"] == "Succeeded"
    assert states(api, api.offline) == ("Succeeded", "Compliant")


def test_g40_at_48_hours_to_the_second_time_is_up(flux: Api) -> None:
    flux.emulator.disconnect(flux.arc)
    path = flux.configuration(flux.arc)
    accepted = flux.configure(flux.arc)
    flux.advance("47h")
    flux.advance("59m59s")
    assert flux.operation(accepted)["status"] == "InProgress"
    flux.advance("1s")
    assert flux.operation(accepted)["status"] == "Failed"
    assert flux.properties(path)["provisioningState"] == "Failed"
    assert "48 hours" in flux.properties(path)["errorMessage"]

    flux.emulator.connect(flux.arc)
    flux.advance("1h")
    assert flux.objects(flux.arc) == {}
    again = flux.patch(path, {})
    assert again.status_code == 202
    flux.advance("2m")
    assert flux.operation(again)["status"] == "Succeeded"
    assert states(flux, flux.arc) == ("Succeeded", "Compliant")


def test_g40_each_update_starts_its_own_48_hours(api: Api) -> None:
    first = api.install(api.offline)
    api.advance("24h")
    second = api.patch(api.extension(api.offline), {"configurationSettings": {"a": "b"}})
    api.advance("24h")
    assert api.operation(first)["status"] == "Failed"
    assert api.operation(second)["status"] == "InProgress"
    assert api.properties(api.extension(api.offline))["provisioningState"] == "Updating"
    api.advance("24h")
    assert api.operation(second)["status"] == "Failed"
    assert api.properties(api.extension(api.offline))["provisioningState"] == "Failed"


def test_g41_a_deletion_waits_one_hour(api: Api) -> None:
    path = api.configuration(api.settled, "settled")
    api.emulator.disconnect(api.settled)
    accepted = api.send("DELETE", path)
    assert accepted.headers["x-ms-async-operation-timeout"] == "PT1H"
    api.advance("59m")
    assert states(api, api.settled, "settled")[0] == "Deleting"
    api.advance("1m")
    assert api.operation(accepted)["status"] == "Failed"
    api.emulator.connect(api.settled)
    api.advance("5m")
    assert ("FluxConfig", "settled") in api.objects(api.settled)


def test_g42_secrets_are_erased_once_delivered(flux: Api) -> None:
    ssh = {**flux.git, "url": "ssh://git@github.com/contoso/fleet"}
    flux.configure(flux.arc, gitRepository=ssh, configurationProtectedSettings={"sshPrivateKey": "c2VjcmV0"})
    boxes = {b["id"].rpartition("/")[2]: b for b in flux.inside(flux.arc)["protectedSettings"]}
    assert (boxes["cfg"]["state"], boxes["cfg"]["keys"]) == ("present", ["sshPrivateKey"])
    assert boxes["flux"]["state"] == "none"
    flux.advance("30s")
    inside = flux.inside(flux.arc)
    boxes = {b["id"].rpartition("/")[2]: b for b in inside["protectedSettings"]}
    assert boxes["cfg"]["state"] == "erased"
    assert boxes["cfg"]["erasedAt"] is not None
    keys = ["identity", "identity.pub", "known_hosts"]
    assert inside["secrets"] == [{"namespace": "cluster-config", "name": "cfg-auth", "keys": keys}]
    everything = json.dumps([inside, flux.get(flux.configuration(flux.arc)).json()])
    assert "c2VjcmV0" not in everything
    assert "c2VjcmV0" not in flux.http.get("/_emulator/journal").text


def test_g42_secrets_are_erased_at_48_hours(api: Api) -> None:
    api.install(api.offline, configurationProtectedSettings={"token": "c2VjcmV0"})
    api.advance("48h")
    (box,) = api.inside(api.offline)["protectedSettings"]
    assert (box["state"], box["keys"]) == ("erased", ["token"])
