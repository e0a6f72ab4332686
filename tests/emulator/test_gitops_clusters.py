"""What Flux does on a cluster, statement by statement: the number in a name is the statement's in the reference."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from policyengine.emulator.flux_objects import FluxObject, combined_state

if TYPE_CHECKING:
    from tests.emulator.conftest import Api

URL = "https://github.com/contoso/fleet"
WEB = {"kind": "Deployment", "namespace": "shop", "name": "web"}
REPOSITORY = {"kind": "HelmRepository", "namespace": "cluster-config", "name": "charts", "url": "https://charts.io"}
RELEASE = {
    "kind": "HelmRelease",
    "namespace": "cluster-config",
    "name": "redis",
    "chart": "redis",
    "chartVersion": "17.0.0",
    "source": {"kind": "HelmRepository", "name": "charts"},
}


def script(api: Api, *objects: Any, revision: str = "r1", **said: Any) -> None:
    """Head `main` of the repository is ``revision``, with these objects in it."""
    body = {"url": URL, "heads": {"main": revision}, "revisions": {revision: list(objects)}, **said}
    answer = api.http.post("/_emulator/sources", json=body)
    assert answer.status_code == 200, answer.text


def by_hand(api: Api, cluster: str, said: Any) -> None:
    assert api.http.post(f"/_emulator/clusters{cluster}/objects", json=said).status_code == 200


def applied(api: Api, cluster: str) -> dict[tuple[str, str, str], dict[str, Any]]:
    return {(o["kind"], o["namespace"], o["name"]): o for o in api.inside(cluster)["applied"]}


def ready(found: dict[str, Any]) -> tuple[str, str, str]:
    condition = next(c for c in found.get("conditions") or found["statusConditions"] if c["type"] == "Ready")
    return condition["status"], condition["reason"], condition["message"]


def kustomization(api: Api, name: str = "cfg-apps", cluster: str | None = None) -> tuple[str, str, str]:
    return ready(api.objects(cluster or api.arc)["Kustomization", name])


def statuses(api: Api, name: str = "cfg") -> dict[tuple[str, str], dict[str, Any]]:
    found = api.properties(api.configuration(api.arc, name))["statuses"]
    return {(s["kind"], s["name"]): s for s in found}


def state(api: Api, name: str = "cfg") -> str:
    found: str = api.properties(api.configuration(api.arc, name))["complianceState"]
    return found


# Controllers (G8)


def test_g8_without_the_helm_controller_a_release_never_becomes_ready(flux: Api) -> None:
    script(flux, REPOSITORY, RELEASE)
    flux.patch(flux.extension(flux.arc), {"configurationSettings": {"helm-controller.enabled": "false"}})
    flux.advance("2m")
    flux.configure(flux.arc)
    flux.advance("20m")
    assert statuses(flux)["HelmRelease", "redis"]["complianceState"] == "Pending"
    assert kustomization(flux)[:2] == ("False", "HealthCheckFailed")

    flux.patch(flux.extension(flux.arc), {"configurationSettings": {"helm-controller.enabled": "true"}})
    flux.advance("20m")
    assert statuses(flux)["HelmRelease", "redis"]["complianceState"] == "Compliant"
    assert state(flux) == "Compliant"


@pytest.mark.parametrize("controller", ["source-controller", "kustomize-controller"])
def test_g8_without_the_controller_of_its_objects_a_configuration_stays_pending(flux: Api, controller: str) -> None:
    settings = {f"{controller}.enabled": "false"}
    flux.patch(flux.extension(flux.arc), {"configurationSettings": settings})
    flux.advance("2m")
    flux.configure(flux.arc)
    flux.advance("20m")
    assert state(flux) == "Pending"


# Authentication (G19)


@pytest.mark.parametrize(
    ("properties", "keys"),
    [
        ({"gitRepository": {"url": "ssh://git@github.com/contoso/fleet"}}, ["identity", "identity.pub", "known_hosts"]),
        (
            {
                "gitRepository": {"url": URL, "httpsUser": "me", "httpsCACert": "Y2E="},
                "configurationProtectedSettings": {"httpsKey": "c2VjcmV0"},
            },
            ["ca.crt", "password", "username"],
        ),
        (
            {
                "sourceKind": "Bucket",
                "bucket": {"url": "https://s3", "bucketName": "b", "accessKey": "id"},
                "configurationProtectedSettings": {"bucketSecretKey": "c2VjcmV0"},
            },
            ["accesskey", "secretkey"],
        ),
    ],
)
def test_g19_the_authentication_secret_has_the_keys_that_flux_reads(
    flux: Api, properties: dict[str, Any], keys: list[str]
) -> None:
    flux.configure(flux.arc, **properties)
    flux.advance("2m")
    inside = flux.inside(flux.arc)
    assert inside["secrets"] == [{"namespace": "cluster-config", "name": "cfg-auth", "keys": keys}]
    assert "c2VjcmV0" not in json.dumps(inside)
    assert state(flux) == "Compliant"


def test_g19_without_credentials_there_is_no_secret(flux: Api) -> None:
    flux.configure(flux.arc)
    flux.advance("2m")
    assert flux.inside(flux.arc)["secrets"] == []


def test_g19_a_private_repository_wants_credentials(flux: Api) -> None:
    script(flux, private=True)
    flux.configure(flux.arc)
    key = {"httpsKey": "c2VjcmV0"}
    flux.configure(flux.arc, "own", gitRepository={**flux.git, "httpsUser": "me"}, configurationProtectedSettings=key)
    flux.advance("2m")
    assert ready(flux.objects(flux.arc)["GitRepository", "cfg"])[:2] == ("False", "AuthenticationFailed")
    assert state(flux, "own") == "Compliant"


def test_g19_a_local_secret_must_be_in_the_namespace(flux: Api) -> None:
    flux.configure(flux.arc, gitRepository={**flux.git, "localAuthRef": "token"})
    secret = {"kind": "Secret", "name": "token", "data": {"password": "x"}}
    by_hand(flux, flux.arc, {**secret, "namespace": "default"})
    flux.advance("20m")
    failed = ready(flux.objects(flux.arc)["GitRepository", "cfg"])
    assert failed[:2] == ("False", "AuthenticationFailed")
    assert "cluster-config/token" in failed[2]
    assert state(flux) == "Non-Compliant"

    by_hand(
        flux, flux.arc, {"kind": "Secret", "namespace": "cluster-config", "name": "token", "data": {"password": "x"}}
    )
    flux.advance("11m")
    assert state(flux) == "Compliant"


def test_g19_a_local_secret_stands_in_for_one_of_the_configuration(flux: Api) -> None:
    git = {**flux.git, "httpsUser": "me", "localAuthRef": "token"}
    flux.configure(flux.arc, gitRepository=git, configurationProtectedSettings={"httpsKey": "x"})
    flux.advance("2m")
    assert flux.inside(flux.arc)["secrets"] == []
    assert ready(flux.objects(flux.arc)["GitRepository", "cfg"])[1] == "AuthenticationFailed"


def test_g19_a_local_secret_may_be_taken_for_granted(start: Any) -> None:
    api = start(check_local_secrets=False)
    api.configure(api.arc, gitRepository={**api.git, "localAuthRef": "token"})
    api.advance("4m")
    assert state(api) == "Compliant"


# Access (G20, G21)


@pytest.mark.parametrize(
    ("said", "complaint"),
    [
        (
            WEB,
            'deployments.apps "web" is forbidden: User "system:serviceaccount:cluster-config:flux-applier" '
            'cannot patch resource "deployments" in API group "apps" in the namespace "shop"',
        ),
        (
            {"kind": "Namespace", "name": "shop"},
            'namespaces "shop" is forbidden: User "system:serviceaccount:cluster-config:flux-applier" cannot patch '
            'resource "namespaces" in API group "" at the cluster scope',
        ),
    ],
)
def test_g20_under_namespace_scope_nothing_outside_is_applied(flux: Api, said: Any, complaint: str) -> None:
    script(flux, {**WEB, "namespace": "cluster-config", "name": "own"}, said)
    flux.configure(flux.arc, scope="namespace")
    flux.advance("2m")
    status, reason, message = kustomization(flux)
    assert (status, reason) == ("False", "ReconciliationFailed")
    assert complaint in message
    assert applied(flux, flux.arc) == {}


def test_g20_under_cluster_scope_everything_is(flux: Api) -> None:
    script(flux, WEB, {"kind": "Namespace", "name": "other"})
    flux.configure(flux.arc)
    flux.advance("2m")
    assert set(applied(flux, flux.arc)) == {("Deployment", "shop", "web"), ("Namespace", "", "other")}
    assert {"shop", "other"} <= set(flux.inside(flux.arc)["namespaces"])
    assert state(flux) == "Compliant"


def test_g21_a_source_in_another_namespace_is_refused(flux: Api) -> None:
    elsewhere = {**REPOSITORY, "namespace": "shared"}
    release = {**RELEASE, "source": {"kind": "HelmRepository", "namespace": "shared", "name": "charts"}}
    script(flux, elsewhere, release)
    flux.configure(flux.arc)
    flux.advance("2m")
    status, reason, message = ready(statuses(flux)["HelmRelease", "redis"])
    assert (status, reason) == ("False", "AccessDenied")
    assert message == ("can't access 'HelmRepository/shared/charts', cross-namespace references have been blocked")


def test_g21_objects_deploy_as_flux_applier_which_other_namespaces_lack(flux: Api) -> None:
    release = {"kind": "HelmRelease", "namespace": "shop", "name": "redis"}
    script(flux, release)
    flux.configure(flux.arc)
    flux.advance("2m")
    status, reason, message = ready(statuses(flux)["HelmRelease", "redis"])
    assert (status, reason) == ("False", "InstallFailed")
    assert "system:serviceaccount:shop:flux-applier" in message

    script(
        flux,
        {"kind": "ServiceAccount", "namespace": "shop", "name": "deployer"},
        {**release, "serviceAccountName": "deployer"},
        revision="r2",
    )
    flux.advance("11m")
    assert ready(statuses(flux)["HelmRelease", "redis"])[:2] == ("True", "InstallSucceeded")


def test_g21_multi_tenancy_can_be_turned_off(api: Api) -> None:
    release = {**RELEASE, "namespace": "shop", "source": {"namespace": "shared", "name": "charts"}}
    script(api, {**REPOSITORY, "namespace": "shared"}, release)
    api.install(api.arc, configurationSettings={"multiTenancy.enforce": "false"})
    api.advance("2m")
    api.configure(api.arc)
    api.advance("2m")
    assert state(api) == "Compliant"


# Dependencies (G25)


def test_g25_those_that_depended_on_a_kustomization_taken_away_halt(flux: Api) -> None:
    script(flux, {**WEB, "path": "apps"}, {**WEB, "name": "base", "path": "infra"})
    both = {"infra": {"path": "./infra"}, "apps": {"path": "./apps", "dependsOn": ["infra"]}}
    flux.configure(flux.arc, kustomizations=both)
    flux.advance("2m")
    assert state(flux) == "Compliant"
    taken = flux.patch(flux.configuration(flux.arc), {"kustomizations": {"infra": None}})
    assert taken.status_code == 202
    flux.advance("2m")
    assert kustomization(flux) == (
        "False",
        "DependencyNotReady",
        "dependency 'cluster-config/cfg-infra' is not ready",
    )
    script(flux, {**WEB, "name": "later", "path": "apps"}, revision="r2")
    flux.advance("20m")
    assert ("Deployment", "shop", "later") not in applied(flux, flux.arc)
    assert state(flux) == "Non-Compliant"


def test_g25_a_dependency_that_never_was_is_refused(flux: Api) -> None:
    flux.configure(flux.arc)
    flux.advance("2m")
    asked = {"kustomizations": {"apps": {"dependsOn": ["nobody"]}}}
    assert flux.error(flux.patch(flux.configuration(flux.arc), asked)) == (400, "ValidationFailed")


# Intervals (G26)


def test_g26_a_new_commit_arrives_within_the_sync_interval(flux: Api) -> None:
    script(flux, WEB)
    flux.configure(flux.arc)
    flux.advance("2m")
    assert flux.properties(flux.configuration(flux.arc))["sourceSyncedCommitId"] == "main/r1"
    script(flux, WEB, {**WEB, "name": "shop"}, revision="r2")
    flux.advance("7m")
    assert flux.properties(flux.configuration(flux.arc))["sourceSyncedCommitId"] == "main/r1"
    flux.advance("3m")
    assert flux.properties(flux.configuration(flux.arc))["sourceSyncedCommitId"] == "main/r2"
    assert ("Deployment", "shop", "shop") in applied(flux, flux.arc)
    assert kustomization(flux)[2] == "Applied revision: main/r2"


def test_g26_nothing_is_synced_more_often_than_once_a_minute(flux: Api) -> None:
    script(flux)
    flux.configure(flux.arc, gitRepository={**flux.git, "syncIntervalInSeconds": 10})
    flux.advance("45s")
    script(flux, revision="r2")
    flux.advance("50s")
    assert flux.properties(flux.configuration(flux.arc))["sourceSyncedCommitId"] == "main/r1"
    flux.advance("10s")
    assert flux.properties(flux.configuration(flux.arc))["sourceSyncedCommitId"] == "main/r2"


def test_g26_drift_is_corrected_at_the_next_interval(flux: Api) -> None:
    script(flux, WEB, {**WEB, "name": "shop"})
    flux.configure(flux.arc)
    flux.advance("2m")
    by_hand(flux, flux.arc, {**WEB, "immutable": "changed"})
    path = f"/_emulator/clusters{flux.arc}/objects"
    gone = flux.http.request("DELETE", path, params={"kind": "Deployment", "namespace": "shop", "name": "shop"})
    assert gone.status_code == 200
    assert applied(flux, flux.arc)["Deployment", "shop", "web"]["drifted"] is True
    flux.advance("8m")
    assert ("Deployment", "shop", "shop") not in applied(flux, flux.arc)
    flux.advance("2m")
    assert applied(flux, flux.arc)["Deployment", "shop", "web"]["drifted"] is False
    assert ("Deployment", "shop", "shop") in applied(flux, flux.arc)


def test_g26_a_failure_is_retried_at_the_retry_interval(flux: Api) -> None:
    script(flux, {**WEB, "failure": {"reason": "BuildFailed", "message": "no such base"}})
    flux.configure(flux.arc, kustomizations={"apps": {"retryIntervalInSeconds": 120, "syncIntervalInSeconds": 3600}})
    flux.advance("2m")
    assert kustomization(flux) == ("False", "BuildFailed", "no such base")
    script(flux, WEB)  # the same revision: only the kustomization's own interval finds out
    flux.advance("2m")
    assert kustomization(flux)[:2] == ("True", "ReconciliationSucceeded")


def test_g26_what_was_scripted_to_fail_at_the_source_recovers(flux: Api) -> None:
    script(flux, WEB, failure={"reason": "GitOperationFailed", "message": "connection refused"})
    flux.configure(flux.arc)
    flux.advance("2m")
    assert kustomization(flux)[:2] == ("False", "ArtifactFailed")
    script(flux, WEB, failure=None)
    flux.advance("11m")
    assert state(flux) == "Compliant"
    script(flux, WEB, failure={"reason": "GitOperationFailed", "message": "connection refused"})
    flux.advance("11m")
    assert ready(flux.objects(flux.arc)["GitRepository", "cfg"])[:2] == ("False", "GitOperationFailed")
    assert kustomization(flux)[0] == "True", "what was applied stays applied"
    assert state(flux) == "Non-Compliant"


def test_g26_what_another_configuration_brings_ends_a_failure(flux: Api) -> None:
    variables = {"postBuild": {"substituteFrom": [{"kind": "ConfigMap", "name": "vars"}]}}
    flux.configure(flux.arc, gitRepository={"url": "https://x/y"}, kustomizations={"apps": variables})
    flux.advance("30m")
    assert kustomization(flux)[:2] == ("False", "BuildFailed")
    script(flux, {"kind": "ConfigMap", "name": "vars", "data": {"city": "oslo"}})
    flux.configure(flux.arc, "shared")
    flux.advance("11m")
    assert kustomization(flux)[0] == "True"


def test_g26_a_cluster_that_cannot_reach_azure_still_reaches_its_repository(flux: Api) -> None:
    script(flux, WEB)
    flux.configure(flux.arc)
    flux.advance("2m")
    flux.emulator.disconnect(flux.arc)
    script(flux, {**WEB, "name": "shop"}, revision="r2")
    flux.advance("11m")
    assert ("Deployment", "shop", "shop") in applied(flux, flux.arc)
    assert flux.properties(flux.configuration(flux.arc))["sourceSyncedCommitId"] == "main/r1"


def test_g27_nothing_is_synced_while_suspended(flux: Api) -> None:
    script(flux, WEB)
    flux.configure(flux.arc)
    flux.advance("2m")
    flux.patch(flux.configuration(flux.arc), {"suspend": True})
    flux.advance("1m")
    script(flux, {**WEB, "name": "shop"}, revision="r2")
    flux.advance("1h")
    assert set(applied(flux, flux.arc)) == {("Deployment", "shop", "web")}
    flux.patch(flux.configuration(flux.arc), {"suspend": False})
    flux.advance("2m")
    assert ("Deployment", "shop", "shop") in applied(flux, flux.arc)


# What is applied (G28, G29, G30)


def test_g27_a_suspended_configuration_is_suspended_whatever_it_has_applied(flux: Api) -> None:
    broken = {"kind": "HelmRelease", "name": "shop", "failure": {"reason": "InstallFailed", "message": "no"}}
    script(flux, broken)
    flux.configure(flux.arc, kustomizations={"apps": {"wait": False}})
    flux.advance("3m")
    assert flux.properties(flux.configuration(flux.arc))["complianceState"] == "Non-Compliant"
    flux.patch(flux.configuration(flux.arc), {"suspend": True})
    flux.advance("1m")
    assert flux.properties(flux.configuration(flux.arc))["complianceState"] == "Suspended"


@pytest.mark.parametrize("prune", [True, False])
def test_g28_what_left_the_source_is_pruned_or_left(flux: Api, prune: bool) -> None:
    script(flux, WEB, {**WEB, "name": "old"})
    flux.configure(flux.arc, kustomizations={"apps": {"prune": prune}})
    flux.advance("2m")
    script(flux, WEB, revision="r2")
    flux.advance("11m")
    found = applied(flux, flux.arc)
    assert (("Deployment", "shop", "old") in found) is not prune
    assert prune or found["Deployment", "shop", "old"]["owner"] is None
    assert found["Deployment", "shop", "web"]["owner"] == {"kind": "Kustomization", "name": "cfg-apps"}


@pytest.mark.parametrize("prune", [True, False])
def test_g28_so_is_what_a_removed_kustomization_applied(flux: Api, prune: bool) -> None:
    script(flux, {**WEB, "path": "apps"}, {**WEB, "name": "base", "path": "infra"})
    flux.configure(flux.arc, kustomizations={"apps": {"path": "apps", "prune": prune}, "infra": {"path": "infra"}})
    flux.advance("2m")
    flux.patch(flux.configuration(flux.arc), {"kustomizations": {"apps": None}})
    flux.advance("2m")
    assert (("Deployment", "shop", "web") in applied(flux, flux.arc)) is not prune
    assert ("Deployment", "shop", "base") in applied(flux, flux.arc)


def test_g28_what_is_suspended_prunes_nothing(flux: Api) -> None:
    """Source: kustomize-controller, garbage collection."""
    script(flux, WEB)
    flux.configure(flux.arc, kustomizations={"apps": {"prune": True}})
    flux.advance("2m")
    flux.patch(flux.configuration(flux.arc), {"suspend": True})
    flux.advance("1m")
    flux.send("DELETE", flux.configuration(flux.arc))
    flux.advance("1m")
    assert flux.get(flux.configuration(flux.arc)).status_code == 404
    assert ("Deployment", "shop", "web") in applied(flux, flux.arc)


def test_g10_without_flux_what_it_applied_stays_and_is_nobodys(flux: Api) -> None:
    script(flux, WEB, REPOSITORY)
    flux.configure(flux.arc, kustomizations={"apps": {"prune": True}})
    flux.advance("2m")
    flux.send("DELETE", flux.extension(flux.arc))
    flux.advance("2m")
    found = applied(flux, flux.arc)
    assert list(found) == [("Deployment", "shop", "web")], "definitions go, and with them what is of their kinds"
    assert found["Deployment", "shop", "web"]["owner"] is None


@pytest.mark.parametrize("prune", [True, False])
def test_g32_a_deleted_configuration_takes_along_what_it_made_and_what_is_to_be_pruned(flux: Api, prune: bool) -> None:
    script(flux, WEB)
    flux.configure(
        flux.arc,
        gitRepository={**flux.git, "httpsUser": "me"},
        configurationProtectedSettings={"httpsKey": "c2VjcmV0"},
        kustomizations={"apps": {"prune": prune}},
    )
    flux.advance("2m")
    accepted = flux.send("DELETE", flux.configuration(flux.arc))
    assert ("Deployment", "shop", "web") in applied(flux, flux.arc), "nothing goes before the agent's next poll"
    flux.advance("30s")
    assert flux.operation(accepted)["status"] == "Succeeded"
    assert flux.objects(flux.arc) == {}
    assert flux.inside(flux.arc)["secrets"] == []
    assert (("Deployment", "shop", "web") in applied(flux, flux.arc)) is not prune


def test_g32_a_forced_deletion_leaves_the_cluster_to_the_agent(flux: Api) -> None:
    script(flux, WEB)
    flux.configure(flux.arc, kustomizations={"apps": {"prune": True}})
    flux.advance("2m")
    flux.emulator.disconnect(flux.arc)
    assert flux.send("DELETE", flux.configuration(flux.arc), forceDelete="true").status_code == 200
    assert flux.get(flux.configuration(flux.arc)).status_code == 404
    flux.advance("1d")
    assert ("Deployment", "shop", "web") in applied(flux, flux.arc)


def test_g29_an_immutable_field_stops_a_kustomization_without_force(flux: Api) -> None:
    script(flux, {**WEB, "immutable": "one"})
    flux.configure(flux.arc)
    flux.configure(flux.aks, kustomizations={"apps": {"force": True}})
    flux.advance("2m")
    created = applied(flux, flux.aks)["Deployment", "shop", "web"]["created"]
    script(flux, {**WEB, "immutable": "two"}, revision="r2")
    flux.advance("11m")
    assert kustomization(flux)[:2] == ("False", "ReconciliationFailed")
    assert "field is immutable" in kustomization(flux)[2]
    assert kustomization(flux, cluster=flux.aks)[0] == "True"
    assert applied(flux, flux.aks)["Deployment", "shop", "web"]["created"] > created


def test_g29_with_wait_it_is_ready_when_everything_is_healthy(flux: Api) -> None:
    script(flux, {**WEB, "healthyAfter": "3m"})
    flux.configure(flux.arc, kustomizations={"apps": {"wait": True}})
    flux.configure(flux.aks, kustomizations={"apps": {"wait": False}})
    flux.advance("2m")
    assert kustomization(flux)[:2] == ("Unknown", "Progressing")
    assert state(flux) == "Pending"
    assert kustomization(flux, cluster=flux.aks)[0] == "True"
    flux.advance("2m")
    assert kustomization(flux)[0] == "True"


def test_g29_what_is_not_healthy_in_time_fails_and_recovers_when_it_is(flux: Api) -> None:
    script(flux, {**WEB, "healthyAfter": "6m"})
    flux.configure(flux.arc, kustomizations={"apps": {"timeoutInSeconds": 180, "retryIntervalInSeconds": 60}})
    flux.advance("4m")
    assert kustomization(flux) == (
        "False",
        "HealthCheckFailed",
        "timeout waiting for: [Deployment/shop/web] after 180s",
    )
    flux.advance("5m")
    assert kustomization(flux)[0] == "True"


def test_g30_variables_are_replaced(flux: Api) -> None:
    by_hand(
        flux, flux.arc, {"kind": "ConfigMap", "namespace": "cluster-config", "name": "vars", "data": {"city": "oslo"}}
    )
    script(flux, {**WEB, "namespace": "${city}", "name": "web-${ring:=0}-${tier}"})
    post_build = {"substitute": {"tier": "gold"}, "substituteFrom": [{"kind": "ConfigMap", "name": "vars"}]}
    flux.configure(flux.arc, kustomizations={"apps": {"postBuild": post_build}})
    flux.advance("2m")
    assert ("Deployment", "oslo", "web-0-gold") in applied(flux, flux.arc)


def test_g30_what_is_said_in_place_wins_and_of_references_the_later(flux: Api) -> None:
    """A Secret serves like a ConfigMap. Source: kustomize-controller, post build variable substitution."""
    namespace = {"namespace": "cluster-config"}
    early = {"city": "oslo", "tier": "iron", "ring": "1"}
    by_hand(flux, flux.arc, {"kind": "ConfigMap", **namespace, "name": "early", "data": early})
    by_hand(flux, flux.arc, {"kind": "Secret", **namespace, "name": "late", "data": {"city": "bergen", "tier": "tin"}})
    script(flux, {**WEB, "name": "web-${city}-${tier}-${ring}"})
    references = [{"kind": "ConfigMap", "name": "early"}, {"kind": "Secret", "name": "late"}]
    post_build = {"substitute": {"tier": "gold"}, "substituteFrom": references}
    flux.configure(flux.arc, kustomizations={"apps": {"postBuild": post_build}})
    flux.advance("2m")
    assert ("Deployment", "shop", "web-bergen-gold-1") in applied(flux, flux.arc)


@pytest.mark.parametrize("kind", ["ConfigMap", "Secret"])
def test_g30_a_missing_reference_fails_unless_it_is_optional(flux: Api, kind: str) -> None:
    reference = {"kind": kind, "name": "vars"}
    flux.configure(flux.arc, kustomizations={"apps": {"postBuild": {"substituteFrom": [reference]}}})
    optional = {"postBuild": {"substituteFrom": [{**reference, "optional": True}]}}
    flux.configure(flux.arc, "lenient", kustomizations={"apps": optional})
    flux.advance("2m")
    assert kustomization(flux)[:2] == ("False", "BuildFailed")
    assert kustomization(flux, "lenient-apps")[0] == "True"

    by_hand(flux, flux.arc, {"kind": kind, "namespace": "cluster-config", "name": "vars"})
    flux.advance("11m")
    assert kustomization(flux)[0] == "True"


# References (G31)


def test_g31_a_changed_reference_takes_effect_after_poll_and_sync(flux: Api) -> None:
    script(flux, WEB)
    flux.http.post("/_emulator/sources", json={"url": URL, "heads": {"v2": "r2"}, "revisions": {"r2": []}})
    flux.configure(flux.arc)
    flux.advance("2m")
    path = flux.configuration(flux.arc)
    flux.patch(path, {"gitRepository": {"repositoryRef": {"branch": None, "tag": "v2"}}})
    assert flux.properties(path)["sourceSyncedCommitId"] == "main/r1"
    flux.advance("1m")
    assert flux.properties(path)["sourceSyncedCommitId"] == "v2/r2"


@pytest.mark.parametrize(
    ("reference", "head"),
    [
        ({"branch": "b", "tag": "t", "semver": "s", "commit": "c"}, "b/c"),
        ({"branch": "b", "tag": "t", "semver": "s"}, "s/3"),
        ({"branch": "b", "tag": "t"}, "t/2"),
        ({"branch": "b"}, "b/1"),
        (None, "master/0"),
    ],
)
def test_g31_commit_comes_before_semver_before_tag_before_branch(flux: Api, reference: Any, head: str) -> None:
    heads = {"master": "0", "b": "1", "t": "2", "s": "3"}
    flux.http.post("/_emulator/sources", json={"url": URL, "heads": heads})
    flux.configure(flux.arc, gitRepository={"url": URL, "repositoryRef": reference})
    flux.advance("2m")
    assert flux.properties(flux.configuration(flux.arc))["sourceSyncedCommitId"] == head


@pytest.mark.parametrize(
    ("reference", "head"),
    [
        ({"tag": "t", "semver": "s", "digest": "d"}, "d/3"),
        ({"tag": "t", "semver": "s"}, "s/2"),
        ({"tag": "t"}, "t/1"),
        (None, "latest/0"),
    ],
)
def test_g31_of_an_artifact_digest_comes_before_semver_before_tag(flux: Api, reference: Any, head: str) -> None:
    """Source: source-controller, OCIRepository."""
    url = "oci://ghcr.io/contoso/fleet"
    flux.http.post("/_emulator/sources", json={"url": url, "heads": {"latest": "0", "t": "1", "s": "2", "d": "3"}})
    oci = {"url": url, "repositoryRef": reference}
    flux.configure(flux.arc, sourceKind="OCIRepository", gitRepository=None, ociRepository=oci)
    flux.advance("2m")
    assert flux.properties(flux.configuration(flux.arc))["sourceSyncedCommitId"] == head


def test_g31_a_branch_that_is_not_there_fails_the_source(flux: Api) -> None:
    script(flux)
    flux.configure(flux.arc, gitRepository={"url": URL, "repositoryRef": {"branch": "mian"}})
    flux.advance("2m")
    status, reason, message = ready(flux.objects(flux.arc)["GitRepository", "cfg"])
    assert (status, reason) == ("False", "GitOperationFailed")
    assert "'mian'" in message


# States (G35, G36)


@pytest.mark.parametrize(
    ("status", "state"),
    [("True", "Compliant"), ("False", "Non-Compliant"), ("Unknown", "Pending"), (None, "Pending")],
)
def test_g35_an_object_without_a_settled_condition_is_pending(status: str | None, state: str) -> None:
    found = FluxObject("Kustomization", "ns", "cfg-apps", owner="cfg")
    if status is not None:
        found.set_ready(status, "Reason", "message", datetime(2026, 1, 1, tzinfo=UTC))
    assert found.compliance_state == state
    found.suspended = True
    assert found.compliance_state == "Suspended"


@pytest.mark.parametrize(
    ("states", "combined"),
    [
        (["Compliant", "Compliant"], "Compliant"),
        (["Compliant", "Pending", "Non-Compliant"], "Non-Compliant"),
        (["Compliant", "Suspended", "Pending"], "Pending"),
        (["Compliant", "Suspended"], "Suspended"),
        ([], "Unknown"),
    ],
)
def test_g36_the_state_of_a_configuration_is_made_of_its_objects(states: list[str], combined: str) -> None:
    assert combined_state(states) == combined


# Statuses (G34, G37)


def test_g34_what_a_kustomization_applied_is_in_statuses(flux: Api) -> None:
    script(flux, REPOSITORY, RELEASE, {**WEB, "namespace": "cluster-config"})
    flux.configure(flux.arc)
    flux.advance("2m")
    found = statuses(flux)
    assert set(found) == {
        ("GitRepository", "cfg"),
        ("Kustomization", "cfg-apps"),
        ("HelmRepository", "charts"),
        ("HelmRelease", "redis"),
    }
    by = {"name": "cfg-apps", "namespace": "cluster-config"}
    assert found["HelmRepository", "charts"]["appliedBy"] == by
    assert found["HelmRepository", "charts"]["helmReleaseProperties"] is None
    assert found["HelmRelease", "redis"]["appliedBy"] == by
    assert found["HelmRelease", "redis"]["helmReleaseProperties"] == {
        "lastRevisionApplied": 1,
        "helmChartRef": {"name": "cluster-config-redis", "namespace": "cluster-config"},
        "failureCount": 0,
        "installFailureCount": 0,
        "upgradeFailureCount": 0,
    }


def test_g34_failures_of_a_release_are_counted_and_fail_the_configuration(flux: Api) -> None:
    failing = {**RELEASE, "failure": {"reason": "InstallFailed", "message": "chart requires kubeVersion >= 1.30"}}
    script(flux, REPOSITORY, failing)
    flux.configure(flux.arc)
    flux.advance("2m")
    release = statuses(flux)["HelmRelease", "redis"]
    assert release["complianceState"] == "Non-Compliant"
    assert release["helmReleaseProperties"]["installFailureCount"] == 1
    assert state(flux) == "Non-Compliant"
    flux.advance("10m")
    assert kustomization(flux)[:2] == ("False", "HealthCheckFailed")


def test_g37_conditions_of_releases_use_the_words_of_flux(flux: Api) -> None:
    script(flux, REPOSITORY, RELEASE)
    flux.configure(flux.arc)
    flux.advance("2m")
    conditions = {c["type"]: c for c in statuses(flux)["HelmRelease", "redis"]["statusConditions"]}
    assert set(conditions) == {"Ready", "Released"}
    assert {c["reason"] for c in conditions.values()} == {"InstallSucceeded"}
    script(flux, REPOSITORY, {**RELEASE, "chartVersion": "18.0.0"}, revision="r2")
    flux.advance("11m")
    release = statuses(flux)["HelmRelease", "redis"]
    assert ready(release)[1] == "UpgradeSucceeded"
    assert release["helmReleaseProperties"]["lastRevisionApplied"] == 2


@pytest.mark.parametrize(
    ("reason", "released"), [("InstallFailed", {"Released", "Ready"}), ("ArtifactFailed", {"Ready"})]
)
def test_g37_a_release_that_helm_could_not_make_is_not_released(flux: Api, reason: str, released: set[str]) -> None:
    script(flux, REPOSITORY, {**RELEASE, "failure": {"reason": reason, "message": "no"}})
    flux.configure(flux.arc)
    flux.advance("2m")
    conditions = statuses(flux)["HelmRelease", "redis"]["statusConditions"]
    assert {(c["type"], c["status"], c["reason"]) for c in conditions} == {(t, "False", reason) for t in released}


def test_g37_a_failed_fetch_says_so_in_a_condition_of_its_own(flux: Api) -> None:
    script(flux, failure={"reason": "GitOperationFailed", "message": "connection refused"})
    flux.configure(flux.arc)
    flux.advance("2m")
    conditions = {c["type"]: c for c in statuses(flux)["GitRepository", "cfg"]["statusConditions"]}
    assert {t: (c["status"], c["reason"]) for t, c in conditions.items()} == {
        "FetchFailed": ("True", "GitOperationFailed"),
        "Reconciling": ("True", "ProgressingWithRetry"),
        "Ready": ("False", "GitOperationFailed"),
    }


def test_g37_an_attempt_that_failed_is_retried_and_a_wait_is_none(flux: Api) -> None:
    script(flux, {**WEB, "path": "apps", "failure": {"reason": "BuildFailed", "message": "no"}})
    flux.configure(flux.arc, kustomizations={"apps": {"path": "./apps"}, "infra": {"dependsOn": ["apps"]}})
    flux.advance("2m")
    found, names = statuses(flux), ("cfg-apps", "cfg-infra")
    said = {
        name: [(c["type"], c["reason"]) for c in found["Kustomization", name]["statusConditions"]] for name in names
    }
    assert said == {
        "cfg-apps": [("Reconciling", "ProgressingWithRetry"), ("Ready", "BuildFailed")],
        "cfg-infra": [("Ready", "DependencyNotReady")],
    }
    assert found["Kustomization", "cfg-apps"]["complianceState"] == "Non-Compliant"


def test_g37_a_path_that_is_not_in_the_artifact_is_an_artifact_failure(flux: Api) -> None:
    script(flux, {**WEB, "path": "apps"})
    flux.configure(flux.arc, kustomizations={"apps": {"path": "./aps"}})
    flux.advance("2m")
    assert kustomization(flux)[:2] == ("False", "ArtifactFailed")
