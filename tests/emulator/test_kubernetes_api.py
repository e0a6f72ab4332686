"""The Kubernetes API of a simulated cluster: discovery, lists, objects, failures."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    import httpx

    from tests.emulator.conftest import Api

URL = "https://github.com/contoso/fleet"
OBJECTS = [
    {"kind": "Deployment", "namespace": "shop", "name": "web"},
    {"kind": "ConfigMap", "namespace": "shop", "name": "settings", "data": {"city": "oslo"}},
    {"kind": "Secret", "namespace": "shop", "name": "token", "data": {"password": "c2VjcmV0"}},
    {"kind": "Till", "apiVersion": "shop.contoso.com/v1", "namespace": "shop", "name": "one"},
    {"kind": "HelmRelease", "namespace": "cluster-config", "name": "redis", "chart": "redis"},
]


def read(api: Api, path: str, **query: str) -> httpx.Response:
    return api.http.get(f"/_emulator/clusters{api.arc}/kubernetes{path}", params=query)


def items(api: Api, path: str, **query: str) -> dict[str, dict[str, Any]]:
    answer = read(api, path, **query)
    assert answer.status_code == 200, answer.text
    return {item["metadata"]["name"]: item for item in answer.json()["items"]}


@pytest.fixture
def cluster(flux: Api) -> Api:
    """With a configuration that has applied something."""
    body = {"url": URL, "heads": {"main": "r1"}, "revisions": {"r1": OBJECTS}}
    flux.http.post("/_emulator/sources", json=body)
    flux.configure(
        flux.arc,
        gitRepository={**flux.git, "httpsUser": "me"},
        configurationProtectedSettings={"httpsKey": "c2VjcmV0"},
        kustomizations={"infra": {}, "apps": {"dependsOn": ["infra"], "prune": True, "path": "./apps"}},
    )
    other = {"url": "https://x/y"}
    flux.configure(flux.arc, "tenant", scope="namespace", namespace="tenant", kustomizations={}, gitRepository=other)
    flux.advance("3m")
    return flux


def test_discovery_names_groups_versions_and_resources(cluster: Api) -> None:
    assert read(cluster, "/api").json()["versions"] == ["v1"]
    assert read(cluster, "/version").json()["major"] == "1"
    groups = {g["name"]: g for g in read(cluster, "/apis").json()["groups"]}
    assert {"apps", "clusterconfig.azure.com", "source.toolkit.fluxcd.io", "shop.contoso.com"} <= set(groups)
    for name, group in groups.items():
        assert read(cluster, f"/apis/{name}").json()["versions"] == group["versions"]
        for version in group["versions"]:
            listed = read(cluster, f"/apis/{version['groupVersion']}").json()
            assert (listed["kind"], listed["groupVersion"]) == ("APIResourceList", version["groupVersion"])
            for resource in listed["resources"]:
                many = read(cluster, f"/apis/{version['groupVersion']}/{resource['name']}").json()
                assert many["kind"] == f"{resource['kind']}List"
    core = {r["name"]: r["namespaced"] for r in read(cluster, "/api/v1").json()["resources"]}
    assert (core["secrets"], core["namespaces"]) == (True, False)


def test_flux_configs_and_what_is_made_from_them_are_listed(cluster: Api) -> None:
    configs = read(cluster, "/apis/clusterconfig.azure.com/v1beta1/fluxconfigs").json()
    assert (configs["kind"], configs["apiVersion"]) == ("FluxConfigList", "clusterconfig.azure.com/v1beta1")
    assert [c["metadata"]["name"] for c in configs["items"]] == ["cfg", "tenant"]
    assert configs["items"][0]["status"]["complianceState"] == "Compliant"

    base = "/apis/source.toolkit.fluxcd.io/v1/namespaces/cluster-config/gitrepositories"
    source = read(cluster, f"{base}/cfg").json()
    assert source["spec"] == {
        "interval": "10m0s",
        "url": URL,
        "ref": {"branch": "main"},
        "secretRef": {"name": "cfg-auth"},
        "timeout": "10m0s",
    }
    assert source["status"]["artifact"]["revision"] == "main/r1"
    assert source["metadata"]["ownerReferences"][0]["uid"] == configs["items"][0]["metadata"]["uid"]

    found = items(cluster, "/apis/kustomize.toolkit.fluxcd.io/v1/namespaces/cluster-config/kustomizations")
    assert set(found) == {"cfg-infra", "cfg-apps"}
    apps = found["cfg-apps"]
    assert apps["spec"]["dependsOn"] == [{"name": "cfg-infra", "namespace": "cluster-config"}]
    assert (apps["spec"]["path"], apps["spec"]["prune"]) == ("./apps", True)
    assert apps["spec"]["serviceAccountName"] == "flux-applier"
    ready = apps["status"]["conditions"][-1]
    assert (ready["type"], ready["status"], ready["reason"]) == ("Ready", "True", "ReconciliationSucceeded")
    assert re.fullmatch(r"2026-11-23T08:0\d:\d\dZ", ready["lastTransitionTime"])
    assert {"id": "shop_web_apps_Deployment", "v": "v1"} in apps["status"]["inventory"]["entries"]


def test_g19_secrets_are_told_by_name_and_keys_without_values(cluster: Api) -> None:
    own = items(cluster, "/api/v1/namespaces/cluster-config/secrets")
    assert own["cfg-auth"]["data"] == {"password": "", "username": ""}
    everywhere = items(cluster, "/api/v1/secrets")
    assert everywhere["token"]["data"] == {"password": ""}
    assert "c2VjcmV0" not in json.dumps(everywhere)
    assert items(cluster, "/api/v1/namespaces/shop/configmaps")["settings"]["data"] == {"city": "oslo"}


def test_g20_the_service_account_is_bound_by_the_scope(cluster: Api) -> None:
    accounts = read(cluster, "/api/v1/serviceaccounts").json()["items"]
    assert {(a["metadata"]["namespace"], a["metadata"]["name"]) for a in accounts} == {
        ("cluster-config", "flux-applier"),
        ("tenant", "flux-applier"),
    }
    rbac = "/apis/rbac.authorization.k8s.io/v1"
    (wide,) = items(cluster, f"{rbac}/clusterrolebindings").values()
    assert wide["subjects"] == [{"kind": "ServiceAccount", "name": "flux-applier", "namespace": "cluster-config"}]
    (narrow,) = items(cluster, f"{rbac}/rolebindings").values()
    assert narrow["metadata"]["namespace"] == "tenant"


def test_g9_thirteen_definitions_of_flux_and_the_one_of_azure_are_there(cluster: Api) -> None:
    names = set(items(cluster, "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"))
    assert len(names) == 14
    assert sum(name.endswith(".toolkit.fluxcd.io") for name in names) == 13
    assert {"fluxconfigs.clusterconfig.azure.com", "imagepolicies.image.toolkit.fluxcd.io"} <= names


def test_g8_limits_and_log_levels_are_those_of_the_settings(cluster: Api) -> None:
    settings = {"source-controller.resources.limits.memory": "2Gi", "source-controller.log-level": "debug"}
    cluster.patch(cluster.extension(cluster.arc), {"configurationSettings": settings})
    cluster.advance("2m")
    found = items(cluster, "/apis/apps/v1/namespaces/flux-system/deployments")["source-controller"]
    (container,) = found["spec"]["template"]["spec"]["containers"]
    assert container["resources"] == {"limits": {"memory": "2Gi"}}
    assert container["args"] == ["--log-level=debug"]


def test_applied_objects_name_their_kustomization(cluster: Api) -> None:
    web = read(cluster, "/apis/apps/v1/namespaces/shop/deployments/web").json()
    assert web["metadata"]["labels"]["kustomize.toolkit.fluxcd.io/name"] in {"cfg-apps", "cfg-infra"}
    assert set(items(cluster, "/apis/shop.contoso.com/v1/tills")) == {"one"}
    release = items(cluster, "/apis/helm.toolkit.fluxcd.io/v2/helmreleases")["redis"]
    assert release["spec"]["chart"]["spec"]["chart"] == "redis"
    assert {c["type"] for c in release["status"]["conditions"]} == {"Ready", "Released"}


def test_lists_are_narrowed_by_selectors(cluster: Api) -> None:
    path = "/apis/apps/v1/deployments"
    assert set(items(cluster, path, fieldSelector="metadata.namespace=shop")) == {"web"}
    assert set(items(cluster, path, fieldSelector="metadata.name!=web,metadata.namespace==shop")) == set()
    assert set(items(cluster, path, labelSelector="kustomize.toolkit.fluxcd.io/name")) == {"web"}
    assert items(cluster, path, labelSelector="kustomize.toolkit.fluxcd.io/name=other") == {}


@pytest.mark.parametrize(
    ("selector", "found"),
    [
        ("KEY in (cfg-apps, other)", True),
        ("KEY notin (cfg-apps,other)", False),
        ("KEY!=other", True),
        ("KEY==cfg-apps,!nothing", True),
        ("!KEY", False),
        ("nothing notin (a)", True),
        ("nothing!=a", True),
    ],
)
def test_labels_are_selected_as_sets_too(cluster: Api, selector: str, found: bool) -> None:
    said = selector.replace("KEY", "kustomize.toolkit.fluxcd.io/name")
    assert ("web" in items(cluster, "/apis/apps/v1/deployments", labelSelector=said)) is found


@pytest.mark.parametrize(
    "query", [{"labelSelector": "a in b"}, {"labelSelector": "a=b=c"}, {"fieldSelector": "status.phase=Active"}]
)
def test_a_selector_that_cannot_be_followed_is_a_status_of_400(cluster: Api, query: dict[str, str]) -> None:
    answer = read(cluster, "/apis/batch/v1/jobs", **query)
    assert (answer.status_code, answer.json()["kind"], answer.json()["reason"]) == (400, "Status", "BadRequest")


def test_an_object_that_is_not_there_is_a_status_of_404(cluster: Api) -> None:
    answer = read(cluster, "/apis/kustomize.toolkit.fluxcd.io/v1/namespaces/cluster-config/kustomizations/none")
    assert answer.status_code == 404
    body = answer.json()
    assert (body["kind"], body["apiVersion"], body["reason"], body["code"]) == ("Status", "v1", "NotFound", 404)
    assert body["message"] == 'kustomizations.kustomize.toolkit.fluxcd.io "none" not found'
    assert body["details"] == {"name": "none", "group": "kustomize.toolkit.fluxcd.io", "kind": "kustomizations"}


@pytest.mark.parametrize(
    "path",
    ["/", "/apis/nobody.io", "/apis/nobody.io/v1", "/api/v2", "/api/v1/nothings", "/api/v1/a/b/c/d", "/healthz"],
)
def test_a_path_that_means_nothing_is_a_status_of_404(cluster: Api, path: str) -> None:
    answer = read(cluster, path)
    assert (answer.status_code, answer.json()["kind"]) == (404, "Status")


def test_flux_kinds_are_unknown_where_flux_is_not_installed(api: Api) -> None:
    assert read(api, "/apis/clusterconfig.azure.com/v1beta1/fluxconfigs").status_code == 404
    assert items(api, "/api/v1/namespaces").keys() == {"default", "kube-system"}


def test_it_is_for_reading_only(cluster: Api) -> None:
    path = f"/_emulator/clusters{cluster.arc}/kubernetes/api/v1/namespaces"
    assert cluster.http.post(path, json={}).json()["reason"] == "MethodNotAllowed"
    assert read(cluster, "/api/v1/namespaces", watch="true").status_code == 405


def test_g17_every_kind_of_source_is_told_in_the_words_of_flux(flux: Api) -> None:
    def made(kind: str, plural: str, member: str, source: dict[str, Any]) -> dict[str, Any]:
        properties: dict[str, Any] = {"sourceKind": kind, "gitRepository": None, member: source}
        flux.configure(flux.arc, **properties)
        flux.advance("1m")
        (found,) = items(flux, f"/apis/source.toolkit.fluxcd.io/v1/{plural}").values()
        flux.send("DELETE", flux.configuration(flux.arc))
        flux.advance("1m")
        times = {"interval", "timeout"}
        return {name: value for name, value in found["spec"].items() if name not in times}

    blob = {"url": "https://x.blob.core.windows.net", "containerName": "fleet", "managedIdentity": {}}
    assert made("AzureBlob", "buckets", "azureBlob", blob) == {
        "bucketName": "fleet",
        "endpoint": "https://x.blob.core.windows.net",
        "provider": "azure",
    }
    bucket = {"url": "https://minio.contoso.com:9000", "bucketName": "fleet", "localAuthRef": "minio"}
    assert made("Bucket", "buckets", "bucket", bucket) == {
        "bucketName": "fleet",
        "endpoint": "minio.contoso.com:9000",
        "insecure": True,
        "secretRef": {"name": "minio"},
    }
    oci = {"url": "oci://x.azurecr.io/fleet", "repositoryRef": {"tag": "1"}, "useWorkloadIdentity": True}
    assert made("OCIRepository", "ocirepositories", "ociRepository", oci) == {
        "url": "oci://x.azurecr.io/fleet",
        "ref": {"tag": "1"},
        "provider": "azure",
    }


def test_additional_configurations_go_through_to_the_objects_of_flux(flux: Api) -> None:
    """The newest preview has them. Source: the description of fluxConfigurations 2026-07-01-preview."""
    git = {**flux.git, "sparseCheckout": ["apps"], "additionalConfigurations": {"recurseSubmodules": True}}
    decryption = {"provider": "sops"}
    kustomizations = {"apps": {"additionalConfigurations": {"decryption": decryption}}}
    flux.configure(flux.arc, gitRepository=git, kustomizations=kustomizations)
    flux.advance("1m")
    source = items(flux, "/apis/source.toolkit.fluxcd.io/v1/gitrepositories")["cfg"]["spec"]
    assert (source["recurseSubmodules"], source["sparseCheckout"]) == (True, ["apps"])
    made = items(flux, "/apis/kustomize.toolkit.fluxcd.io/v1/kustomizations")["cfg-apps"]["spec"]
    assert made["decryption"] == decryption
