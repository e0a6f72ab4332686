from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from policyengine.model.resource import AKS, ARC, EXTENSIONS, FLUX_CONFIGURATIONS, Cluster, Resource, Sought

GROUP = "/subscriptions/a/resourceGroups/g"


def make_cluster(kind: str = ARC, *children: Resource, **properties: Any) -> Cluster:
    head = Resource.from_document({"id": f"{GROUP}/providers/{kind}/c", "properties": properties})
    extensions = tuple(c for c in children if c.type == EXTENSIONS)
    return Cluster(head, extensions, tuple(c for c in children if c.type == FLUX_CONFIGURATIONS))


def child(kind: str, name: str, **properties: Any) -> Resource:
    return Resource.from_document(
        {"id": f"{GROUP}/providers/{ARC}/c/providers/{kind}/{name}", "properties": properties}
    )


@pytest.mark.parametrize("document", [{}, {"id": None}, {"id": 7}, {"id": "not an id"}])
def test_a_document_without_a_usable_id_is_refused(document: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"needs an `id`|is not a resource id"):
        Resource.from_document(document)


def test_a_resource_reads_its_document_without_case() -> None:
    resource = Resource.from_document(
        {"ID": f"{GROUP}/providers/{AKS}/c", "Location": "westeurope", "Tags": {"env": "prod"}, "Properties": {"A": 1}}
    )

    assert (resource.name, resource.type, resource.location) == ("c", AKS, "westeurope")
    assert resource.tags == {"env": "prod"}
    assert resource.property("a") == 1


def test_tags_that_are_no_object_are_none() -> None:
    assert Resource.from_document({"id": GROUP, "tags": None}).tags == {}


def test_related_resources_are_found_by_type_without_case() -> None:
    flux, config = child(EXTENSIONS, "flux"), child(FLUX_CONFIGURATIONS, "cluster-config")
    cluster = make_cluster(ARC, flux, config)

    assert cluster.related(EXTENSIONS.upper()) == (flux,)
    assert cluster.related(FLUX_CONFIGURATIONS) == (config,)
    assert cluster.related("Microsoft.Insights/diagnosticSettings") == ()
    assert cluster.children == (flux, config)


def test_the_kind_is_told_for_people() -> None:
    assert make_cluster(ARC).kind == "Arc"
    assert make_cluster(AKS).kind == "AKS"
    assert make_cluster(ARC.lower()).kind == "Arc"


@pytest.mark.parametrize(
    ("kind", "properties", "reason"),
    [
        (ARC, {"connectivityStatus": "Connected"}, None),
        (ARC, {}, None),
        (ARC, {"connectivityStatus": "Offline"}, "agent offline"),
        (
            ARC,
            {"connectivityStatus": "Expired", "lastConnectivityTime": "2026-11-20T01:08:00Z"},
            "agent expired, last seen 2026-11-20 01:08 UTC",
        ),
        (AKS, {"powerState": {"code": "Running"}}, None),
        (AKS, {}, None),
        (AKS, {"powerState": {"code": "stopped"}}, "cluster is stopped"),
        (AKS, {"connectivityStatus": "Offline"}, None),  # a word that AKS does not have
    ],
)
def test_a_cluster_that_cannot_act_says_why(kind: str, properties: dict[str, Any], reason: str | None) -> None:
    assert make_cluster(kind, **properties).unreachable_reason == reason


def test_the_hash_of_a_cluster_covers_what_stands_on_it() -> None:
    stable, preview = (
        child(EXTENSIONS, "flux", releaseTrain="Stable"),
        child(EXTENSIONS, "flux", releaseTrain="Preview"),
    )

    assert make_cluster(ARC, stable).content_hash == make_cluster(ARC, stable).content_hash
    assert (
        len({c.content_hash for c in (make_cluster(ARC), make_cluster(ARC, stable), make_cluster(ARC, preview))}) == 3
    )


def test_the_order_of_children_does_not_change_the_hash() -> None:
    one, two = child(EXTENSIONS, "flux"), child(EXTENSIONS, "dapr")

    assert make_cluster(ARC, one, two).content_hash == make_cluster(ARC, two, one).content_hash


def test_the_tag_of_a_version_is_no_content() -> None:
    """Not every way of reading tells it."""
    plain = make_cluster(AKS)
    tagged = Cluster(Resource(plain.id, {**plain.resource.document, "eTag": "5f"}))

    assert tagged.content_hash == plain.content_hash


def test_what_more_is_known_of_a_cluster_changes_its_hash() -> None:
    """Else a scan would not learn that it may say now that there is none."""
    told: list[Mapping[str, str | None]] = [{}, {"a.b/c": None}, {"a.b/c": "refused"}, {"a.b/c:d": None}]

    assert len({replace(make_cluster(), looked_for=looked_for).content_hash for looked_for in told}) == len(told)


def test_what_is_sought_has_a_key_without_case() -> None:
    assert Sought("A.B/C").key == "a.b/c"
    assert Sought("A.B/C", "Default").key == "a.b/c:default"
