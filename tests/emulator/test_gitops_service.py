"""What Azure promises around Flux, statement by statement: versions, obstacles, connectivity, secrets, residency."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from policyengine.emulator import Emulator
from policyengine.emulator.residency import stored_in
from policyengine.emulator.source_control_rules import SOURCE_CONTROL_CONFIGURATIONS
from policyengine.errors import ConfigError
from policyengine.model.fleet import Fleet, FleetFile
from policyengine.model.resource import Cluster, Resource
from policyengine.model.scope import ScopeTree

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.emulator.conftest import Api

URL = "https://github.com/contoso/fleet"
HTTPS: dict[str, Any] = {
    "gitRepository": {"url": URL, "httpsUser": "me"},
    "configurationProtectedSettings": {"httpsKey": "c2VjcmV0"},
}


def publish(api: Api, version: str, **locations: str) -> None:
    body = {"version": version, "locations": locations}
    assert api.http.post("/_emulator/versions", json=body).status_code == 200


def current(api: Api, cluster: str) -> str:
    found: str = api.properties(api.extension(cluster))["currentVersion"]
    return found


def failed(api: Api, cluster: str, name: str = "flux") -> str:
    """Why the installation of an extension failed."""
    found = api.properties(api.extension(cluster, name))
    assert found["provisioningState"] == "Failed"
    assert [s["code"] for s in found["statuses"]] == ["InstallationFailed"]
    message: str = found["errorInfo"]["message"]
    return message


def source(api: Api, cluster: str, name: str = "cfg") -> tuple[str, str]:
    ready = next(c for c in api.objects(cluster)["GitRepository", name]["conditions"] if c["type"] == "Ready")
    return ready["status"], ready["reason"]


def simulate(api: Api, cluster: str, **changes: Any) -> None:
    assert api.http.post(f"/_emulator/clusters{cluster}/simulation", json=changes).status_code == 200


def hide(api: Api, **changes: Any) -> None:
    """The Arc cluster is behind a private link, and lets through what ``changes`` say."""
    api.emulator.cluster(api.arc).document["properties"]["privateLinkState"] = "Enabled"
    simulate(api, api.arc, **changes)


def flux_v1(cluster: str) -> str:
    return f"{cluster}/providers/{SOURCE_CONTROL_CONFIGURATIONS}/old"


def add_flux_v1(api: Api, cluster: str) -> None:
    body = {"properties": {"repositoryUrl": URL}}
    assert api.put(flux_v1(cluster), body).status_code == 201


# Versions (G5, G6)


def test_g5_the_newest_version_and_the_two_before_it_are_supported(api: Api) -> None:
    for name, version in (("osl-01", "1.17.3"), ("web-01", "1.16.9")):
        cluster = api.emulator.cluster(name).id.text
        api.install(cluster, autoUpgradeMinorVersion=False, version=version)
    api.advance("2m")
    assert api.properties(api.extension(api.arc))["statuses"] == []
    (warning,) = api.properties(api.extension(api.aks))["statuses"]
    assert (warning["level"], warning["code"]) == ("Warning", "UnsupportedVersion")
    assert "1.19.5" in warning["message"]


def test_g6_a_version_reaches_regions_at_different_times(flux: Api) -> None:
    publish(flux, "1.20.0", norwayeast="2d", **{"*": "0s"})
    flux.advance("1m")
    assert (current(flux, flux.arc), current(flux, flux.aks)) == ("1.19.5", "1.20.0")
    flux.advance("47h")
    assert current(flux, flux.arc) == "1.19.5"
    flux.advance("1h")
    assert current(flux, flux.arc) == "1.20.0"


def test_g6_regions_are_known_by_either_name_and_those_not_named_wait(flux: Api) -> None:
    publish(flux, "1.20.0", **{"West Europe": "0s"})
    flux.advance("30d")
    assert (current(flux, flux.arc), current(flux, flux.aks)) == ("1.19.5", "1.20.0")
    told = flux.http.get("/_emulator/versions").json()
    assert set(told["arrivals"]["1.20.0"]) == {"westeurope"}


@pytest.mark.parametrize(("mode", "version"), [("none", "1.19.5"), ("patch", "1.19.6"), ("compatible", "1.20.0")])
def test_g6_the_mode_narrows_what_auto_upgrade_follows(api: Api, mode: str, version: str) -> None:
    api.install(api.arc, autoUpgradeMode=mode)
    api.advance("2m")
    for newer in ("1.19.6", "1.20.0", "2.0.0"):
        publish(api, newer)
    api.advance("1m")
    assert current(api, api.arc) == version


def test_g6_without_auto_upgrade_nothing_is_followed(api: Api) -> None:
    api.install(api.arc, autoUpgradeMinorVersion=False)
    api.advance("2m")
    publish(api, "1.20.0")
    api.advance("1m")
    assert current(api, api.arc) == "1.19.5"


def test_g6_an_agent_that_is_away_follows_when_it_is_back(flux: Api) -> None:
    flux.emulator.disconnect(flux.arc)
    publish(flux, "1.20.0")
    flux.advance("1d")
    assert current(flux, flux.arc) == "1.19.5"
    flux.emulator.connect(flux.arc)
    flux.advance("30s")
    assert current(flux, flux.arc) == "1.20.0"


# The extension and what is in its way (G9 - G14)


def test_g9_definitions_of_controllers_that_are_off_are_there_too(flux: Api) -> None:
    inside = flux.inside(flux.arc)
    assert "image-reflector-controller" not in {d["name"] for d in inside["deployments"]}
    assert "imagerepositories.image.toolkit.fluxcd.io" in inside["customResourceDefinitions"]
    assert len(inside["customResourceDefinitions"]) == 14


def test_g10_offline_the_resource_and_its_release_go_apart(flux: Api) -> None:
    flux.emulator.disconnect(flux.arc)
    flux.send("DELETE", flux.extension(flux.arc), forceDelete="true")
    flux.advance("1d")
    assert flux.get(flux.extension(flux.arc)).status_code == 404
    assert flux.inside(flux.arc)["deployments"] != []
    flux.emulator.connect(flux.arc)
    flux.advance("1m")
    assert flux.inside(flux.arc)["deployments"] == []


def test_g11_flux_v1_configurations_keep_the_extension_from_installing(start: Callable[..., Api]) -> None:
    api = start(allow_flux_v1=True)
    add_flux_v1(api, api.arc)
    accepted = api.install(api.arc)
    api.advance("2m")
    assert api.operation(accepted)["status"] == "Failed"
    assert "sourceControlConfigurations old" in failed(api, api.arc)
    assert api.inside(api.arc)["deployments"] == []

    assert api.send("DELETE", flux_v1(api.arc)).status_code == 200
    api.install(api.arc)
    api.advance("2m")
    assert api.properties(api.extension(api.arc))["provisioningState"] == "Succeeded"


def test_g11_other_extensions_do_not_mind_and_flux_may_not_either(start: Callable[..., Api]) -> None:
    api = start(allow_flux_v1=True, flux_v1_blocks_install=False)
    add_flux_v1(api, api.arc)
    api.install(api.arc)
    api.install(api.arc, "monitor", extensionType="microsoft.azuremonitor.containers")
    api.advance("2m")
    for name in ("flux", "monitor"):
        assert api.properties(api.extension(api.arc, name))["provisioningState"] == "Succeeded"


def test_g12_a_failing_installation_can_be_scripted_and_mended(api: Api) -> None:
    simulate(api, api.arc, installFailures={"microsoft.flux": "failed to install chart"})
    api.install(api.arc)
    api.advance("2m")
    message = "Error: {failed to install chart} occurred while doing the operation : {Installing the extension}"
    assert failed(api, api.arc).startswith(message)
    simulate(api, api.arc, installFailures=None)
    api.install(api.arc)
    api.advance("2m")
    assert api.properties(api.extension(api.arc))["provisioningState"] == "Succeeded"


@pytest.mark.parametrize("by", ["simulation", "document"])
def test_g13_a_cluster_with_a_service_principal_cannot_install_it(api: Api, by: str) -> None:
    if by == "simulation":
        simulate(api, api.aks, servicePrincipal=True)
    else:
        profile = {"clientId": "0d4f2b8c-9e15-4a7b-83c6-f1a25e7d9111"}
        api.emulator.cluster(api.aks).document["properties"]["servicePrincipalProfile"] = profile
    api.install(api.aks)
    api.advance("2m")
    assert "managed identity" in failed(api, api.aks)


def test_g13_a_managed_identity_is_no_service_principal(api: Api) -> None:
    api.emulator.cluster(api.aks).document["properties"]["servicePrincipalProfile"] = {"clientId": "msi"}
    api.install(api.aks)
    api.advance("2m")
    assert api.properties(api.extension(api.aks))["provisioningState"] == "Succeeded"


def test_g13_aks_needs_the_extension_manager(start: Callable[..., Api]) -> None:
    api = start(aks_extension_manager=False)
    api.install(api.aks)
    api.install(api.arc)
    api.advance("2m")
    assert "AKS-ExtensionManager" in failed(api, api.aks)
    assert api.properties(api.extension(api.arc))["provisioningState"] == "Succeeded"


def test_g14_an_extension_whose_cluster_stays_away_fails_and_is_created_afresh(api: Api) -> None:
    accepted = api.install(api.offline, configurationProtectedSettings={"token": "c2VjcmV0"})
    api.advance("47h59m59s")
    assert api.properties(api.extension(api.offline))["provisioningState"] == "Creating"
    api.advance("1s")
    assert api.operation(accepted)["status"] == "Failed"
    assert "48 hours" in failed(api, api.offline)

    api.emulator.connect(api.offline)
    api.advance("1h")
    assert api.inside(api.offline)["deployments"] == []
    api.install(api.offline)
    api.advance("2m")
    assert api.properties(api.extension(api.offline))["provisioningState"] == "Succeeded"


def test_g38_installed_and_failed_are_words_of_flux_v1(start: Callable[..., Api]) -> None:
    api = start(allow_flux_v1=True)
    add_flux_v1(api, api.arc)
    assert api.properties(flux_v1(api.arc))["complianceStatus"]["complianceState"] == "Pending"
    api.advance("30s")
    assert api.properties(flux_v1(api.arc))["complianceStatus"]["complianceState"] == "Installed"


def test_g38_they_are_not_those_of_flux_v2(flux: Api) -> None:
    flux.configure(flux.arc)
    seen = set()
    for _ in range(12):
        seen.add(flux.properties(flux.configuration(flux.arc))["complianceState"])
        flux.advance("10s")
    assert seen == {"Pending", "Compliant"}


# Connectivity (G39)


def test_g39_an_agent_never_heard_of_is_connecting() -> None:
    id = "/subscriptions/s1/resourceGroups/rg/providers/Microsoft.Kubernetes/connectedClusters/new"
    document = {"id": id, "location": "norwayeast", "properties": {"connectivityStatus": "Connecting"}}
    cluster = Cluster(Resource.from_document(document))
    emulator = Emulator(FleetFile(Fleet(ScopeTree(), (cluster,)), {}), clock="frozen")
    found, now = emulator.cluster("new"), emulator.settle()
    assert emulator.agents.connectivity(found, now)["connectivityStatus"] == "Connecting"
    emulator.connect("new")
    assert emulator.agents.connectivity(found, now)["connectivityStatus"] == "Connected"
    emulator.disconnect("new")
    later = emulator.advance(timedelta(minutes=15))
    assert emulator.agents.connectivity(found, later)["connectivityStatus"] == "Offline"


def test_g39_after_90_days_of_silence_the_identity_has_expired_for_good(api: Api) -> None:
    api.emulator.disconnect(api.arc)
    api.advance("89d")
    assert api.properties(api.arc)["connectivityStatus"] == "Offline"
    api.advance("1d")
    assert api.properties(api.arc)["connectivityStatus"] == "Expired"
    refused = api.http.post(f"/_emulator/clusters{api.arc}/connect")
    assert refused.status_code == 400
    assert "expired" in refused.json()["error"]["message"]
    with pytest.raises(ConfigError):
        api.emulator.connect(api.arc)
    assert api.properties(api.arc)["connectivityStatus"] == "Expired"


def test_g39_a_certificate_runs_out_when_its_cluster_says_so(api: Api) -> None:
    """Those who are connected get a new one in time."""
    told = "managedIdentityCertificateExpirationTime"
    for cluster in (api.arc, api.offline):
        api.emulator.cluster(cluster).document["properties"][told] = "2026-11-25T08:00:00Z"
    api.advance("48h")
    assert api.properties(api.offline)["connectivityStatus"] == "Expired"
    assert api.properties(api.arc)["connectivityStatus"] == "Connected"
    assert api.properties(api.arc)[told] > "2027-02"
    api.emulator.disconnect(api.arc)
    api.advance("89d")
    assert api.properties(api.arc)["connectivityStatus"] == "Offline"
    api.advance("1d")
    assert api.properties(api.arc)["connectivityStatus"] == "Expired"


def test_g39_the_identity_of_a_connected_agent_is_renewed(api: Api) -> None:
    api.advance("200d")
    assert api.properties(api.arc)["connectivityStatus"] == "Connected"


# Secrets (G42, G43)


def test_g42_a_cluster_rebuilt_after_delivery_lacks_the_secret(flux: Api) -> None:
    flux.configure(flux.arc, **HTTPS)
    flux.advance("2m")
    assert source(flux, flux.arc) == ("True", "Succeeded")
    assert flux.http.post(f"/_emulator/clusters{flux.arc}/rebuild").status_code == 200
    assert flux.inside(flux.arc)["deployments"] == []
    flux.advance("5m")
    assert "source-controller" in {d["name"] for d in flux.inside(flux.arc)["deployments"]}
    assert source(flux, flux.arc) == ("False", "AuthenticationFailed")
    assert flux.inside(flux.arc)["secrets"] == []

    flux.configure(flux.arc, **HTTPS)
    flux.advance("2m")
    assert source(flux, flux.arc) == ("True", "Succeeded")


def test_g42_one_deleted_and_made_again_without_the_secret_lacks_it(flux: Api) -> None:
    flux.http.post("/_emulator/sources", json={"url": URL, "private": True})
    flux.configure(flux.arc, **HTTPS)
    flux.advance("2m")
    flux.send("DELETE", flux.configuration(flux.arc))
    flux.advance("1m")
    flux.configure(flux.arc)
    flux.advance("2m")
    assert source(flux, flux.arc) == ("False", "AuthenticationFailed")


def test_g42_nothing_anybody_can_read_has_the_value(flux: Api) -> None:
    flux.configure(flux.arc, **HTTPS)
    kubernetes = f"/_emulator/clusters{flux.arc}/kubernetes"
    for _ in range(4):
        shown = [
            flux.get(flux.configuration(flux.arc)).text,
            flux.http.get("/_emulator/journal").text,
            json.dumps(flux.inside(flux.arc)),
            flux.http.get(f"{kubernetes}/api/v1/secrets").text,
            repr(flux.emulator.cluster(flux.arc)),
        ]
        assert not any("c2VjcmV0" in text for text in shown)
        flux.advance("30s")


@pytest.mark.parametrize(
    ("keep", "after_put", "after_patch"),
    [("always", "True", "True"), ("patch", "False", "True"), ("never", "False", "False")],
)
def test_g43_a_change_of_other_properties_needs_the_secret_again_or_not(
    start: Callable[..., Api], keep: str, after_put: str, after_patch: str
) -> None:
    api = start(keep_secrets=keep)
    for name in ("put", "patched"):
        api.configure(api.arc, name, **HTTPS)
    api.advance("4m")
    api.patch(api.configuration(api.arc, "patched"), {"kustomizations": {"more": {}}})
    api.configure(api.arc, "put", gitRepository=HTTPS["gitRepository"], suspend=False)
    api.advance("2m")
    assert source(api, api.arc, "put")[0] == after_put
    assert source(api, api.arc, "patched")[0] == after_patch


# Private link (G45)


def test_g45_behind_a_private_link_the_agent_works_and_sources_must_be_allowed(flux: Api) -> None:
    hide(flux, allowedHosts=["*.contoso.com"])
    flux.configure(flux.arc)
    flux.configure(flux.arc, "own", gitRepository={"url": "git@git.contoso.com:fleet"})
    flux.advance("2m")
    assert flux.properties(flux.configuration(flux.arc))["provisioningState"] == "Succeeded"
    conditions = {c["type"]: c for c in flux.objects(flux.arc)["GitRepository", "cfg"]["conditions"]}
    assert conditions["FetchFailed"]["reason"] == "GitOperationFailed"
    assert "'github.com' is not reachable" in conditions["Ready"]["message"]
    assert source(flux, flux.arc, "own") == ("True", "Succeeded")

    simulate(flux, flux.arc, allowedHosts=["github.com"])
    flux.advance("11m")
    assert source(flux, flux.arc) == ("True", "Succeeded")
    assert source(flux, flux.arc, "own")[0] == "False"


def test_g45_charts_come_from_allowed_hosts_only(flux: Api) -> None:
    hide(flux, allowedHosts=["github.com"])
    repository = {
        "kind": "HelmRepository",
        "namespace": "cluster-config",
        "name": "charts",
        "url": "https://charts.example.com",
    }
    flux.http.post("/_emulator/sources", json={"url": URL, "revisions": {"*": [repository]}})
    flux.configure(flux.arc)
    flux.advance("2m")
    statuses = {s["name"]: s for s in flux.properties(flux.configuration(flux.arc))["statuses"]}
    assert "not reachable" in statuses["charts"]["statusConditions"][-1]["message"]


def test_g45_without_a_private_link_the_list_means_nothing(flux: Api) -> None:
    simulate(flux, flux.arc, allowedHosts=[])
    flux.configure(flux.arc)
    flux.advance("2m")
    assert source(flux, flux.arc) == ("True", "Succeeded")


def test_g45_other_extension_types_are_not_supported_end_to_end(start: Callable[..., Api]) -> None:
    for refuses in (False, True):
        api = start(private_link_refuses=refuses)
        hide(api)
        for type in ("microsoft.flux", "microsoft.azuremonitor.containers", "microsoft.azuredefender.kubernetes"):
            api.install(api.arc, type.rpartition(".")[2], extensionType=type)
        api.advance("2m")
        for name in ("flux", "containers"):
            assert api.properties(api.extension(api.arc, name))["statuses"] == []
        if refuses:
            assert "private link" in failed(api, api.arc, "kubernetes")
        else:
            (warning,) = api.properties(api.extension(api.arc, "kubernetes"))["statuses"]
            assert (warning["level"], warning["code"]) == ("Warning", "PrivateLinkNotSupported")


def private_link_scope(api: Api, location: str) -> str:
    path = f"/subscriptions/{api.shops}/resourceGroups/Stores/providers/Microsoft.HybridCompute/privateLinkScopes/edge"
    created = api.put(path, {"location": location, "properties": {}})
    assert created.status_code in {200, 201}
    assert created.json()["properties"]["privateLinkScopeId"]
    return path


def test_g45_a_cluster_joins_a_scope_of_its_own_region_and_leaves_it(flux: Api) -> None:
    scope = private_link_scope(flux, "Norway East")
    link = f"/_emulator/clusters{flux.arc}/private-link"
    assert flux.http.post(link, json={"scope": scope.upper()}).status_code == 200
    found = flux.properties(flux.arc)
    assert (found["privateLinkState"], found["privateLinkScopeResourceId"]) == ("Enabled", scope)
    simulate(flux, flux.arc, allowedHosts=["git.contoso.com"])
    accepted = flux.configure(flux.arc)
    flux.advance("2m")
    assert flux.operation(accepted)["status"] == "Succeeded"
    assert source(flux, flux.arc)[0] == "False"

    assert flux.http.post(link, json={"scope": None}).status_code == 200
    assert flux.properties(flux.arc)["privateLinkState"] == "Disabled"
    assert "privateLinkScopeResourceId" not in flux.properties(flux.arc)
    flux.advance("11m")
    assert source(flux, flux.arc) == ("True", "Succeeded")


def test_g45_a_scope_of_another_region_is_refused_and_changes_nothing(flux: Api) -> None:
    scope, before = private_link_scope(flux, "westeurope"), flux.properties(flux.arc)

    def join(cluster: str, body: dict[str, Any]) -> tuple[int, str]:
        answer = flux.http.post(f"/_emulator/clusters{cluster}/private-link", json=body)
        return answer.status_code, answer.json()["error"]["message"]

    status, message = join(flux.arc, {"scope": scope})
    assert (status, "`westeurope`" in message, "`norwayeast`" in message) == (400, True, True)
    assert join(flux.aks, {"scope": scope})[0] == 400
    assert join(flux.arc, {"scope": flux.aks})[0] == 404
    assert join(flux.arc, {"scope": "edge"})[0] == 404
    assert join(flux.arc, {})[0] == 400
    assert flux.properties(flux.arc) == before


# Residency (G46)


@pytest.mark.parametrize(
    ("location", "regions"),
    [
        ("norwayeast", ["norwayeast", "norwaywest"]),
        ("Norway West", ["norwaywest", "norwayeast"]),
        ("westus3", ["westus3", "eastus"]),
        ("southeastasia", ["southeastasia"]),
        ("Southeast Asia", ["southeastasia"]),
        ("eastasia", ["eastasia"]),
        ("East Asia", ["eastasia"]),
        ("brazilsouth", ["brazilsouth"]),
        ("Brazil South", ["brazilsouth"]),
        ("qatarcentral", ["qatarcentral"]),
    ],
)
def test_g46_data_are_kept_in_the_region_and_its_pair_but_for_three(location: str, regions: list[str]) -> None:
    assert stored_in(location) == regions


def test_g46_every_record_says_where_it_is_stored(flux: Api) -> None:
    flux.configure(flux.arc)
    flux.configure(flux.aks)
    for cluster, regions in ((flux.arc, ["norwayeast", "norwaywest"]), (flux.aks, ["westeurope", "northeurope"])):
        records = flux.inside(cluster)["records"]
        wanted = {cluster, flux.extension(cluster), flux.configuration(cluster)}
        assert {record["id"] for record in records} == wanted
        assert all(record["storedIn"] == regions for record in records)
