import copy
from typing import Any

import pytest

from policyengine.errors import InventoryError
from policyengine.model.fleet import Fleet, FleetFile, ScopeFailure, assemble, parse_fleet
from policyengine.model.ids import ResourceId
from policyengine.model.resource import AKS, ARC, Cluster
from policyengine.model.scope import ScopeTree

BASE: dict[str, Any] = {
    "apiVersion": "policyengine/v1",
    "kind": "Fleet",
    "tenantId": "tenant",
    "managementGroups": [{"name": "contoso"}, {"name": "mg-edge", "displayName": "Edge", "parent": "contoso"}],
    "subscriptions": [{"subscriptionId": "9e27", "displayName": "edge-nordics", "managementGroup": "mg-edge"}],
    "resourceGroups": [{"subscription": "edge-nordics", "name": "stores-no", "location": "norwayeast"}],
    "clusters": [{"name": "osl", "kind": "arc", "subscription": "edge-nordics", "resourceGroup": "stores-no"}],
}
FLUX = {"name": "flux", "properties": {"extensionType": "microsoft.flux", "currentVersion": "1.19.5"}}
CONFIG = {"name": "cluster-config", "properties": {"gitRepository": {"url": "https://git.example/fleet"}}}


def with_clusters(*clusters: dict[str, Any], **sections: Any) -> dict[str, Any]:
    value = copy.deepcopy(BASE) | sections
    head = value["clusters"][0]
    return value | {"clusters": [head | cluster for cluster in clusters]}


def only(file: FleetFile) -> Cluster:
    (cluster,) = file.fleet.clusters
    return cluster


def test_the_tree_is_read_whole() -> None:
    tree = parse_fleet(BASE).fleet.tree
    (subscription,), (group,) = tree.subscriptions, tree.resource_groups

    assert [(g.name, g.display_name, g.parent) for g in tree.management_groups] == [
        ("contoso", "contoso", None),
        ("mg-edge", "Edge", "contoso"),
    ]
    assert (subscription.subscription_id, subscription.management_group, subscription.tenant_id) == (
        "9e27",
        "mg-edge",
        "tenant",
    )
    assert group.id == ResourceId("/subscriptions/9e27/resourceGroups/stores-no")


def test_a_short_arc_cluster_becomes_a_whole_document() -> None:
    document = only(parse_fleet(BASE)).resource.document

    assert document["id"] == f"/subscriptions/9e27/resourceGroups/stores-no/providers/{ARC}/osl"
    assert (document["name"], document["type"], document["location"]) == ("osl", ARC, "norwayeast")
    assert document["identity"]["type"] == "SystemAssigned"
    assert document["identity"]["tenantId"] == "tenant"
    assert document["properties"]["provisioningState"] == "Succeeded"
    assert document["properties"]["connectivityStatus"] == "Connected"


def test_a_short_aks_cluster_becomes_a_whole_document() -> None:
    file = parse_fleet(
        with_clusters({"kind": "aks", "location": "norwaywest", "properties": {"kubernetesVersion": "1.32.1"}})
    )
    document = only(file).resource.document

    assert (document["type"], document["location"]) == (AKS, "norwaywest")
    assert document["properties"]["powerState"] == {"code": "Running"}
    assert document["properties"]["currentKubernetesVersion"] == "1.32.1"
    assert document["properties"]["nodeResourceGroup"] == "MC_stores-no_osl_norwaywest"
    assert "connectivityStatus" not in document["properties"]


def test_what_is_written_beats_every_default_null_included() -> None:
    file = parse_fleet(with_clusters({"properties": {"connectivityStatus": "Offline", "agentVersion": None}}))
    properties = only(file).resource.document["properties"]

    assert properties["connectivityStatus"] == "Offline"
    assert properties["agentVersion"] is None


def test_a_subscription_is_named_by_its_id_as_well() -> None:
    assert only(parse_fleet(with_clusters({"subscription": "9E27"}))).name == "osl"


def test_an_extension_on_arc_gets_an_identity_and_on_aks_none() -> None:
    arc = only(parse_fleet(with_clusters({"extensions": [FLUX]})))
    aks = only(parse_fleet(with_clusters({"kind": "aks", "extensions": [FLUX]})))

    assert arc.extensions[0].document["identity"]["type"] == "SystemAssigned"
    assert "identity" not in aks.extensions[0].document


def test_an_extension_is_completed_with_what_the_service_would_say() -> None:
    (flux,) = only(parse_fleet(with_clusters({"extensions": [FLUX]}))).extensions

    assert flux.property("provisioningState") == "Succeeded"
    assert flux.property("releaseTrain") == "Stable"
    assert flux.property("scope") == {"cluster": {"releaseNamespace": "flux-system"}}
    assert flux.property("version") is None


def test_a_pinned_extension_runs_its_pinned_version() -> None:
    pinned = {"name": "flux", "properties": {"extensionType": "microsoft.flux", "version": "1.15.3"}}
    (flux,) = only(parse_fleet(with_clusters({"extensions": [pinned]}))).extensions

    assert flux.property("currentVersion") == "1.15.3"


def test_a_flux_configuration_is_completed_with_what_the_service_would_say() -> None:
    written = copy.deepcopy(CONFIG)
    written["properties"]["kustomizations"] = {"infra": {"path": "./infra"}, "apps": None}  # type: ignore[index]
    (config,) = only(parse_fleet(with_clusters({"fluxConfigurations": [written]}))).flux_configurations

    assert config.property("sourceKind") == "GitRepository"
    assert config.property("gitRepository", "syncIntervalInSeconds") == 600
    assert config.property("complianceState") == "Compliant"
    assert config.property("kustomizations", "infra", "prune") is False
    assert config.property("kustomizations", "apps", "name") == "apps"


@pytest.mark.parametrize(
    ("source", "kind"),
    [("bucket", "Bucket"), ("azureBlob", "AzureBlob"), ("ociRepository", "OCIRepository")],
)
def test_the_source_kind_follows_from_the_source(source: str, kind: str) -> None:
    written = {"name": "c", "properties": {source: {"url": "https://x.example"}}}
    (config,) = only(parse_fleet(with_clusters({"fluxConfigurations": [written]}))).flux_configurations

    assert config.property("sourceKind") == kind


def test_system_data_is_kept_when_written() -> None:
    stamped = FLUX | {"systemData": {"createdAt": "2026-01-01T00:00:00Z"}}
    (flux,) = only(parse_fleet(with_clusters({"extensions": [stamped]}))).extensions

    assert flux.document["systemData"] == {"createdAt": "2026-01-01T00:00:00Z"}


def test_templates_are_laid_under_what_uses_them() -> None:
    templates = {
        "shop": {"tags": {"env": "prod", "site": "?"}, "extensions": [{"use": "flux"}]},
        "flux": FLUX,
    }
    preview = {"use": "flux", "properties": {"releaseTrain": "Preview"}}
    file = parse_fleet(
        with_clusters(
            {"use": "shop", "tags": {"site": "osl"}},
            {"use": "shop", "name": "bgo", "extensions": [preview]},
            {"use": "shop", "name": "trd", "extensions": []},
            templates=templates,
        )
    )
    bgo, osl, trd = file.fleet.clusters

    assert osl.resource.tags == {"env": "prod", "site": "osl"}
    assert osl.extensions[0].property("currentVersion") == "1.19.5"
    assert bgo.extensions[0].property("releaseTrain") == "Preview"
    assert bgo.extensions[0].property("extensionType") == "microsoft.flux"
    assert trd.extensions == ()


def test_clusters_come_in_id_order_and_reading_twice_gives_the_same() -> None:
    value = with_clusters({"name": "osl"}, {"name": "Bgo"}, {"name": "aar"})

    assert [c.name for c in parse_fleet(value).fleet.clusters] == ["aar", "Bgo", "osl"]
    assert parse_fleet(value).fleet == parse_fleet(copy.deepcopy(value)).fleet


def test_simulations_and_faults_are_handed_on_as_written() -> None:
    simulation = {
        "offlineFor": "3d",
        "pollInterval": "1h30m",
        "installFailures": {"microsoft.flux": "no"},
        "reconcileFailures": {"*": {"reason": "HealthCheckFailed", "message": "m", "since": "9d"}},
    }
    fault = {"method": "PUT", "path": "*/osl/*", "status": 409, "code": "Conflict", "times": 1}
    file = parse_fleet(with_clusters({"simulation": simulation}, {"name": "bgo"}, faults=[fault]))

    assert file.simulations == {file.fleet.clusters[1].id: simulation}
    assert file.faults == (fault,)


def test_a_fleet_is_complete_until_a_scope_fails() -> None:
    failure = ScopeFailure(ResourceId("/subscriptions/9e27"), "not permitted")

    assert parse_fleet(BASE).fleet.complete
    assert not Fleet(ScopeTree(), (), (failure,)).complete


def edit(path: str, value: Any) -> dict[str, Any]:
    """BASE with one thing changed; ``path`` is dotted, numbers index lists."""
    changed = copy.deepcopy(BASE)
    at: Any = changed
    *parents, leaf = [int(p) if p.isdigit() else p for p in path.split(".")]
    for step in parents:
        at = at[step]
    at[leaf] = value
    return changed


@pytest.mark.parametrize(
    ("value", "message", "help"),
    [
        ([], "the document must be an object", "key: value"),
        (edit("kind", "Project"), "is not a fleet", "kind: Fleet"),
        (edit("cluster", []), "unknown key `cluster`", "did you mean `clusters`?"),
        (edit("clusters", {"a": 1}), "needs `clusters` to be a list", "- "),
        (edit("clusters.0", "osl"), "`clusters[0]` must be an object", "key: value"),
        (
            edit("clusters.0.extension", []),
            "`clusters[0]` has an unknown key `extension`",
            "did you mean `extensions`?",
        ),
        (edit("clusters.0.kind", "eks"), "`clusters[0]` has the unknown kind `eks`", "`aks` or `arc`"),
        (edit("clusters.0.name", ""), "`clusters[0]` needs `name`", "add `name: …`"),
        (edit("clusters.0.subscription", "edge-nordic"), "unknown subscription `edge-nordic`", "`edge-nordics`"),
        (edit("clusters.0.resourceGroup", "x"), "resource group `x`, unknown in subscription `edge-nordics`", "add it"),
        (edit("clusters.0.use", "shop"), "unknown template `shop`", "add it to `templates`"),
        (edit("clusters.0.tags", ["a"]), "`clusters[0].tags` must be an object", "key: value"),
        (
            edit("clusters.0.extensions", [{"name": "flux"}]),
            "`clusters[0].extensions[0].properties` needs `extensionType`",
            "add",
        ),
        (edit("clusters.0.extensions", [FLUX, FLUX]), "two children of one type and name", "of its own"),
        (
            edit("clusters.0.fluxConfigurations", [{"name": "c"}]),
            "`clusters[0].fluxConfigurations[0]` has no source",
            "bucket",
        ),
        (edit("clusters", BASE["clusters"] * 2), "`clusters[1]` repeats cluster `osl`", "remove"),
        (edit("clusters.0.simulation", {"offlineFor": "soon"}), "`offlineFor: soon`, no duration", "`3d`"),
        (edit("clusters.0.simulation", {"ofline": "3d"}), "unknown key `ofline`", "`offlineFor`"),
        (
            edit("clusters.0.simulation", {"reconcileFailures": {"*": {"since": "x"}}}),
            "`clusters[0].simulation.reconcileFailures.*` has `since: x`",
            "`30s`",
        ),
        (
            edit("managementGroups", [{"name": "a", "parent": "b"}]),
            "`managementGroups[0]` has the unknown parent `b`",
            "before",
        ),
        (edit("managementGroups", [{"name": "a"}, {"name": "A"}]), "`managementGroups[1]` repeats `A`", "remove"),
        (edit("subscriptions.0.managementGroup", "mg-edg"), "unknown management group `mg-edg`", "`mg-edge`"),
        (edit("subscriptions", BASE["subscriptions"] * 2), "`subscriptions[1]` repeats `9e27`", "remove"),
        (edit("resourceGroups", BASE["resourceGroups"] * 2), "`resourceGroups[1]` repeats", "remove"),
        (edit("tenantId", None), "the document needs `tenantId`", "add"),
        (edit("faults", [{"path": "*"}]), "`faults[0]` needs `status`", "409"),
        (edit("sources", [{"heads": {}}]), "`sources[0]` needs `url`", "add"),
    ],
)
def test_a_bad_file_is_refused_with_the_place_and_the_way_out(value: Any, message: str, help: str) -> None:
    with pytest.raises(InventoryError) as refused:
        parse_fleet(value)

    assert message in refused.value.message
    assert help in (refused.value.help or "")


def documents(file: FleetFile) -> list[dict[str, Any]]:
    return [dict(r.document) for c in file.fleet.clusters for r in (c.resource, *c.children)]


def test_loose_documents_are_put_together_whatever_their_order_and_case() -> None:
    file = parse_fleet(with_clusters({"extensions": [FLUX], "fluxConfigurations": [CONFIG]}, {"name": "bgo"}))
    loose = documents(file)[::-1]
    for document in loose:
        document["type"] = document["type"].lower()
    loose[0]["id"] = loose[0]["id"].replace("connectedClusters", "connectedclusters").replace("/osl/", "/OSL/")

    clusters, orphans = assemble(loose)

    assert [c.id for c in clusters] == [c.id for c in file.fleet.clusters]
    assert [[r.name for r in c.children] for c in clusters] == [[], ["flux", "cluster-config"]]
    assert orphans == ()


def test_children_of_a_cluster_that_is_not_there_are_orphans() -> None:
    file = parse_fleet(with_clusters({"extensions": [FLUX]}))
    _, flux = documents(file)

    clusters, orphans = assemble([flux])

    assert clusters == ()
    assert [r.name for r in orphans] == ["flux"]


def test_other_resources_below_a_cluster_stay_with_it() -> None:
    (head,) = documents(parse_fleet(BASE))
    pool, deep = {"id": f"{head['id']}/agentPools/system"}, {"id": f"{head['id']}/agentPools/system/machines/m0"}

    (cluster,), orphans = assemble([deep, pool, head])

    assert [r.name for r in cluster.others] == ["system", "m0"]
    assert orphans == ()


def test_of_two_documents_with_one_id_the_later_wins() -> None:
    (head,) = documents(parse_fleet(BASE))
    newer = head | {"id": head["id"].upper(), "tags": {"seen": "twice"}}

    (cluster,), _ = assemble([head, newer])

    assert cluster.resource.tags == {"seen": "twice"}


def test_a_document_without_an_id_is_refused_by_its_number() -> None:
    with pytest.raises(InventoryError, match="document 2: a resource needs an `id`"):
        assemble([{"id": "/subscriptions/a"}, {"name": "x"}])
