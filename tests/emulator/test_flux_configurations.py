"""Flux configurations over the wire: what is accepted, completed, refused, merged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.emulator.conftest import Api


def test_a_new_configuration_is_created_with_every_default(api: Api) -> None:
    created = api.put(
        api.configuration(api.arc),
        {"properties": {"GitRepository": {"URL": "https://x/y"}, "kustomizations": {"apps": None, "infra": {}}}},
    )
    assert created.status_code == 201
    found = created.json()["properties"]
    assert (found["scope"], found["namespace"], found["sourceKind"]) == ("cluster", "default", "GitRepository")
    assert found["suspend"] is False
    assert found["gitRepository"] == {"url": "https://x/y", "timeoutInSeconds": 600, "syncIntervalInSeconds": 600}
    assert found["kustomizations"] == {
        "infra": {
            "name": "infra",
            "path": "",
            "dependsOn": None,
            "timeoutInSeconds": 600,
            "syncIntervalInSeconds": 600,
            "retryIntervalInSeconds": None,
            "prune": False,
            "force": False,
            "wait": True,
        }
    }
    assert (found["complianceState"], found["provisioningState"]) == ("Pending", "Creating")
    assert (found["errorMessage"], found["statuses"]) == ("", [])


def test_a_bucket_is_insecure_by_default_and_references_show_their_nulls(api: Api) -> None:
    bucket = {"url": "https://s3", "bucketName": "fleet"}
    found = api.configure(api.arc, sourceKind="bucket", bucket=bucket).json()["properties"]
    assert found["sourceKind"] == "Bucket"
    assert found["bucket"]["insecure"] is True
    assert found["gitRepository"]["repositoryRef"] == {"branch": "main", "tag": None, "semver": None, "commit": None}


@pytest.mark.parametrize(
    "properties",
    [
        {"namespace": "Not_A_Namespace"},
        {"scope": "galaxy"},
        {"sourceKind": "Carrier"},
        {"gitRepository": {"url": "ftp://x"}},
        {"gitRepository": {}},
        {"gitRepository": {"url": "https://x", "timeoutInSeconds": 0}},
        {"gitRepository": {"url": "https://x", "sshKnownHosts": "aGk="}},
        {"gitRepository": {"url": "https://x", "httpsUser": "me"}},
        {"configurationProtectedSettings": {"sshPrivateKey": "x"}},
        {"sourceKind": "Bucket", "bucket": {"url": "https://s3"}},
        {"sourceKind": "AzureBlob", "azureBlob": {"url": "https://b"}},
        {
            "sourceKind": "AzureBlob",
            "azureBlob": {"url": "https://b", "containerName": "c", "accountKey": "x", "sasToken": "y"},
        },
        {"sourceKind": "OCIRepository", "ociRepository": {"url": "https://x"}},
        {"kustomizations": {"Apps": {}}},
        {"kustomizations": {"a" * 60: {}}},
        {"kustomizations": {"a": {"dependsOn": ["b"]}}},
        {"kustomizations": {"a": {"dependsOn": ["b"]}, "b": {"dependsOn": ["a"]}}},
        {"reconciliationWaitDuration": "30 minutes"},
    ],
)
def test_what_the_service_would_not_take_is_refused(api: Api, properties: dict[str, Any]) -> None:
    refused = api.configure(api.arc, **properties)
    assert api.error(refused) == (400, "ValidationFailed")
    assert refused.headers["x-ms-failure-cause"] == "service"
    assert api.get(api.configuration(api.arc)).status_code == 404
    assert api.get(api.extension(api.arc)).status_code == 404


def test_a_source_kind_without_its_body_is_refused_in_the_service_s_words(api: Api) -> None:
    refused = api.configure(api.arc, gitRepository=None)
    assert refused.json()["error"]["message"] == (
        "Invalid source kind match. Config with specified source kind 'GitRepository' must contain corresponding body "
        "specified in the properties."
    )


@pytest.mark.parametrize("name", ["Upper", "-a", "a" * 64, "a_b"])
def test_a_name_that_is_no_dns_name_is_refused(api: Api, name: str) -> None:
    assert api.error(api.configure(api.arc, name)) == (400, "ValidationFailed")


@pytest.mark.parametrize("change", [{"scope": "namespace"}, {"namespace": "elsewhere"}])
def test_scope_and_namespace_cannot_be_changed(api: Api, change: dict[str, Any]) -> None:
    api.configure(api.arc)
    assert api.error(api.configure(api.arc, **change)) == (400, "ValidationFailed")
    assert api.error(api.patch(api.configuration(api.arc), change)) == (400, "ValidationFailed")


def test_a_put_returns_what_is_left_out_to_its_default_but_not_what_is_set_at_creation(flux: Api) -> None:
    flux.configure(flux.arc, suspend=True)
    flux.advance("1m")
    again = flux.put(flux.configuration(flux.arc), {"properties": {"gitRepository": flux.git}})
    assert again.status_code == 200
    found = again.json()["properties"]
    assert (found["suspend"], found["kustomizations"], found["namespace"]) == (False, {}, "cluster-config")
    assert found["provisioningState"] == "Updating"


def test_a_patch_merges_objects_by_field_and_kustomizations_by_key(flux: Api) -> None:
    flux.configure(
        flux.arc,
        kustomizations={"one": {"path": "./one"}, "two": {"path": "./two", "dependsOn": ["one"]}},
    )
    flux.advance("2m")
    patched = flux.patch(
        flux.configuration(flux.arc),
        {
            "gitRepository": {"syncIntervalInSeconds": 300},
            "kustomizations": {"one": None, "two": {"dependsOn": None, "prune": True}, "three": {"path": "./three"}},
        },
    )
    assert patched.status_code == 202
    found = patched.json()["properties"]
    assert found["gitRepository"]["url"] == flux.git["url"]
    assert found["gitRepository"]["syncIntervalInSeconds"] == 300
    assert found["gitRepository"]["repositoryRef"]["branch"] == "main"
    assert set(found["kustomizations"]) == {"two", "three"}
    assert found["kustomizations"]["two"]["path"] == "./two"
    assert found["kustomizations"]["two"]["dependsOn"] is None
    assert found["kustomizations"]["two"]["prune"] is True
    assert found["kustomizations"]["three"]["timeoutInSeconds"] == 600


def test_a_patch_that_would_break_it_changes_nothing(flux: Api) -> None:
    flux.configure(flux.arc)
    flux.advance("2m")
    before = flux.get(flux.configuration(flux.arc)).json()
    assert flux.patch(flux.configuration(flux.arc), {"gitRepository": {"url": "ftp://x"}}).status_code == 400
    assert flux.get(flux.configuration(flux.arc)).json() == before


def test_a_patch_that_changes_nothing_is_no_operation(flux: Api) -> None:
    flux.configure(flux.arc)
    flux.advance("2m")
    patched = flux.patch(flux.configuration(flux.arc), {"suspend": False, "kustomizations": {"apps": {}}})
    assert patched.status_code == 200
    assert "azure-asyncoperation" not in patched.headers


def test_starred_values_are_secrets_wherever_they_stand(flux: Api) -> None:
    blob = {
        "url": "https://b",
        "containerName": "c",
        "servicePrincipal": {"clientId": "me", "clientSecret": "c2VjcmV0", "tenantId": "t"},
    }
    created = flux.configure(flux.arc, sourceKind="AzureBlob", azureBlob=blob)
    assert created.status_code == 201
    shown = created.json()["properties"]["azureBlob"]["servicePrincipal"]
    assert shown == {"clientId": "me", "tenantId": "t", "clientCertificateSendChain": False}
    flux.advance("30s")
    assert flux.inside(flux.arc)["secrets"][0]["keys"] == ["clientId", "clientSecret", "tenantId"]
    assert "c2VjcmV0" not in flux.http.get("/_emulator/journal").text


def test_secrets_left_out_of_a_put_are_kept(flux: Api) -> None:
    git = {**flux.git, "httpsUser": "me"}
    flux.configure(flux.arc, gitRepository=git, configurationProtectedSettings={"httpsKey": "c2VjcmV0"})
    flux.advance("2m")
    assert flux.configure(flux.arc, gitRepository=git).status_code == 200


def test_properties_in_the_wrong_place_are_ignored_as_the_service_does(flux: Api) -> None:
    created = flux.configure(flux.arc, branch="main", provisioningState="Succeeded", complianceState="Compliant")
    found = created.json()["properties"]
    assert "branch" not in found
    assert (found["provisioningState"], found["complianceState"]) == ("Creating", "Pending")


def test_a_secret_in_the_wrong_place_is_not_journalled_either(flux: Api) -> None:
    flux.configure(flux.arc, gitRepository={**flux.git, "HttpsKey": "c2VjcmV0"}, sshPrivateKey="c2VjcmV0")
    assert "c2VjcmV0" not in flux.http.get("/_emulator/journal").text


def test_a_missing_one_is_named(api: Api) -> None:
    answer = api.get(api.configuration(api.arc))
    assert api.error(answer) == (404, "ResourceNotFound")
    assert "'cfg'" in answer.json()["error"]["message"]


def test_a_forced_deletion_leaves_the_objects_to_the_agent(flux: Api) -> None:
    flux.configure(flux.arc)
    flux.advance("2m")
    assert flux.send("DELETE", flux.configuration(flux.arc), forceDelete="true").status_code == 200
    assert flux.get(flux.configuration(flux.arc)).status_code == 404
    assert flux.objects(flux.arc) != {}
    flux.advance("30s")
    assert flux.objects(flux.arc) == {}


def test_the_revision_follows_the_reference_that_comes_first(flux: Api) -> None:
    path = flux.configuration(flux.arc)
    reference = {"branch": "main", "tag": "v1", "commit": "abc123"}
    flux.configure(flux.arc, gitRepository={"url": "https://x/y", "repositoryRef": reference})
    flux.advance("2m")
    assert flux.properties(path)["sourceSyncedCommitId"] == "main/abc123"
    flux.patch(path, {"gitRepository": {"repositoryRef": {"commit": None}}})
    flux.advance("2m")
    assert flux.properties(path)["sourceSyncedCommitId"].startswith("v1/")
    flux.patch(path, {"gitRepository": {"repositoryRef": None}})
    flux.advance("2m")
    assert flux.properties(path)["sourceSyncedCommitId"].startswith("master/")


def test_nulls_are_not_kept_in_maps_nor_in_references_of_oci(flux: Api) -> None:
    oci = {
        "url": "oci://ghcr.io/contoso/fleet",
        "repositoryRef": {"tag": "1"},
        "verify": {"verificationConfig": {"a": None}},
    }
    created = flux.configure(
        flux.arc,
        sourceKind="OCIRepository",
        gitRepository=None,
        ociRepository=oci,
        kustomizations={"apps": {"postBuild": {"substitute": {"a": None, "b": True}}}, "none": None},
    )
    found = created.json()["properties"]
    assert found["ociRepository"]["repositoryRef"] == {"tag": "1"}
    assert found["ociRepository"]["verify"] == {"verificationConfig": {}}
    assert list(found["kustomizations"]) == ["apps"]
    assert found["kustomizations"]["apps"]["postBuild"] == {"substitute": {"b": "true"}}


def test_a_secret_that_a_patch_nulls_is_done_without(flux: Api) -> None:
    blob = {"url": "https://contoso.blob.core.windows.net", "containerName": "fleet", "accountKey": "x"}
    flux.configure(flux.arc, sourceKind="AzureBlob", azureBlob=blob)
    flux.advance("2m")
    patched = flux.patch(flux.configuration(flux.arc), {"azureBlob": {"accountKey": None, "sasToken": "y"}})
    assert patched.status_code == 202
    flux.advance("2m")
    (secret,) = flux.inside(flux.arc)["secrets"]
    assert secret["keys"] == ["sasToken"]


def test_an_https_user_without_the_key_that_is_taken_away_is_refused(flux: Api) -> None:
    protected = {"httpsKey": "x"}
    flux.configure(flux.arc, gitRepository={**flux.git, "httpsUser": "me"}, configurationProtectedSettings=protected)
    answer = flux.patch(flux.configuration(flux.arc), {"configurationProtectedSettings": {"httpsKey": None}})
    assert flux.error(answer) == (400, "ValidationFailed")


def test_times_beyond_the_calendar_are_as_good_as_never(flux: Api) -> None:
    """The description allows any 64-bit number of seconds."""
    ages = 10**15
    times = {"syncIntervalInSeconds": ages, "timeoutInSeconds": ages}
    kustomizations = {"apps": {**times, "retryIntervalInSeconds": ages}}
    accepted = flux.configure(
        flux.arc,
        gitRepository={**flux.git, **times},
        kustomizations=kustomizations,
        waitForReconciliation=True,
        reconciliationWaitDuration="P2999999D",
    )
    assert accepted.status_code == 201
    flux.advance("1h")
    assert flux.operation(accepted)["status"] == "Succeeded"
    beyond = flux.configure(flux.arc, gitRepository={**flux.git, "timeoutInSeconds": 1 << 63})
    assert flux.error(beyond) == (400, "InvalidRequestContent")
    for duration in ("P99999999999D", "half an hour"):
        assert flux.error(flux.configure(flux.arc, reconciliationWaitDuration=duration)) == (400, "ValidationFailed")


def test_every_kind_of_source_gets_the_defaults_of_its_kind(api: Api) -> None:
    times = {"timeoutInSeconds": 600, "syncIntervalInSeconds": 600}
    blob = {"url": "https://b", "containerName": "c", "servicePrincipal": {"clientId": "me"}}
    oci = {"url": "oci://r/fleet"}
    found = api.configure(api.arc, sourceKind="AzureBlob", gitRepository=None, azureBlob=blob, ociRepository=oci)
    properties = found.json()["properties"]
    assert properties["azureBlob"] == {
        **times,
        **blob,
        "servicePrincipal": {"clientId": "me", "clientCertificateSendChain": False},
    }
    assert properties["ociRepository"] == {**times, **oci, "insecure": False, "useWorkloadIdentity": False}
    assert (properties["waitForReconciliation"], properties["reconciliationWaitDuration"]) == (None, None)
    assert (properties["repositoryPublicKey"], properties["sourceSyncedCommitId"]) == ("", "")
    assert (properties["sourceUpdatedAt"], properties["statusUpdatedAt"]) == (None, None)
    reference = {"name": "settings", "kind": "ConfigMap"}
    kustomizations = {"apps": {"postBuild": {"substituteFrom": [reference]}}}
    told = api.configure(api.arc, "other", kustomizations=kustomizations).json()["properties"]["kustomizations"]
    assert told["apps"]["postBuild"] == {"substituteFrom": [{**reference, "optional": False}]}


STARRED = {
    "AzureBlob.servicePrincipal": ("clientSecret", "clientCertificate", "clientCertificatePassword"),
    "AzureBlob.": ("accountKey", "sasToken"),
    "OCIRepository.tlsConfig": ("clientCertificate", "privateKey", "caCertificate"),
}


@pytest.mark.parametrize(("place", "names"), STARRED.items())
def test_no_starred_value_is_told_by_anybody(flux: Api, place: str, names: tuple[str, ...]) -> None:
    kind, _, inner = place.partition(".")
    for name in names:
        said = {name: "c2VjcmV0"} if not inner else {inner: {name: "c2VjcmV0"}}
        source = {"url": "https://b", "containerName": "c"} if kind == "AzureBlob" else {"url": "oci://r/fleet"}
        member = kind[0].lower() + kind[1:] if kind == "AzureBlob" else "ociRepository"
        properties: dict[str, Any] = {"sourceKind": kind, "gitRepository": None, member: {**source, **said}}
        answers = [flux.configure(flux.arc, name.casefold(), **properties)]
        assert answers[0].status_code == 201
        flux.advance("1m")
        answers.append(flux.get(flux.configuration(flux.arc, name.casefold())))
        answers.append(flux.get(flux.configuration(flux.arc, "")[:-1]))
        answers += [flux.http.get(f"/_emulator/{noun}") for noun in ("journal", f"clusters{flux.arc}")]
        assert [answer.text.count("c2VjcmV0") for answer in answers] == [0] * 5


@pytest.mark.parametrize(
    ("length", "properties", "status"),
    [
        (63, {"kustomizations": {}}, 201),
        (64, {"kustomizations": {}}, 400),
        (60, {"kustomizations": {"ab": {}}}, 201),
        (60, {"kustomizations": {"abc": {}}}, 400),
        (1, {"namespace": "a" * 253}, 201),
        (1, {"namespace": "a" * 254}, 400),
        (1, {"namespace": "0.a-b"}, 201),
        (1, {"namespace": ""}, 400),
    ],
)
def test_names_have_their_lengths(api: Api, length: int, properties: dict[str, Any], status: int) -> None:
    assert api.configure(api.arc, "c" * length, **properties).status_code == status


@pytest.mark.parametrize("url", ["http://x/y", "HTTPS://x/y", "ssh://git@x/y", "git@x:y"])
def test_git_is_reached_in_four_ways(api: Api, url: str) -> None:
    assert api.configure(api.arc, gitRepository={"url": url}).status_code == 201


HTTPS_USER = {"url": "https://x", "httpsUser": "me"}
HTTPS_KEY = {"configurationProtectedSettings": {"httpsKey": "k"}}


@pytest.mark.parametrize(
    ("properties", "status"),
    [
        ({"sourceKind": "Bucket", "bucket": {"url": "s3://x", "bucketName": "b"}}, 400),
        ({"sourceKind": "Bucket", "bucket": {"url": "http://x", "bucketName": "b"}}, 201),
        ({"sourceKind": "AzureBlob", "azureBlob": {"url": "x", "containerName": "c"}}, 400),
        ({"gitRepository": HTTPS_USER, **HTTPS_KEY}, 201),
        ({"gitRepository": {**HTTPS_USER, "url": "ssh://x"}, **HTTPS_KEY}, 400),
        ({"gitRepository": {"url": "ssh://x", "sshKnownHosts": "aGk="}}, 201),
        ({"gitRepository": {"url": "https://x", "provider": "azure"}}, 201),
        ({"gitRepository": {"url": "https://x", "provider": "Gitea"}}, 400),
        ({"kustomizations": {"a": {"retryIntervalInSeconds": -1}}}, 400),
        ({"kustomizations": {"a": {"syncIntervalInSeconds": 1.5}}}, 400),
        (
            {"sourceKind": "OCIRepository", "ociRepository": {"url": "oci://x", "layerSelector": {"operation": "?"}}},
            400,
        ),
    ],
)
def test_the_rules_of_a_source_are_kept(api: Api, properties: dict[str, Any], status: int) -> None:
    assert api.configure(api.arc, **properties).status_code == status


def test_the_source_tells_when_it_was_synced_and_the_agent_when_it_spoke(flux: Api) -> None:
    flux.configure(flux.arc)
    flux.advance("90s")
    first = flux.properties(flux.configuration(flux.arc))
    assert first["sourceSyncedCommitId"].startswith("main/")
    assert first["sourceUpdatedAt"] <= first["statusUpdatedAt"]
    flux.http.post("/_emulator/sources", json={"url": flux.git["url"], "heads": {"main": "r2"}})
    flux.advance("15m")
    later = flux.properties(flux.configuration(flux.arc))
    assert later["sourceSyncedCommitId"] == "main/r2"
    assert later["sourceUpdatedAt"] > first["sourceUpdatedAt"]
    assert later["statusUpdatedAt"] > first["statusUpdatedAt"]
