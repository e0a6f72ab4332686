"""Extension types and versions, by cluster and by region."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.emulator.conftest import Api

NAMESPACE = "Microsoft.KubernetesConfiguration"


def by_cluster(api: Api) -> str:
    return f"{api.arc}/providers/{NAMESPACE}/extensionTypes"


def by_location(api: Api) -> str:
    return f"/subscriptions/{api.shops}/providers/{NAMESPACE}/locations/westeurope/extensionTypes"


def names(body: dict[str, list[dict[str, str]]]) -> list[str]:
    return [item["name"] for item in body["value"]]


def test_types_of_a_region_and_of_a_cluster_are_those_of_the_catalogue(api: Api) -> None:
    types = names(api.get(by_location(api)).json())
    assert {"microsoft.flux", "microsoft.policyinsights"} <= set(types)
    assert names(api.get(by_cluster(api)).json()) == types
    found = api.get(f"{by_cluster(api)}/Microsoft.Flux").json()
    assert (found["id"], found["type"]) == (f"{by_cluster(api)}/microsoft.flux", f"{NAMESPACE}/extensionTypes")
    assert found["properties"]["supportedClusterTypes"] == ["connectedClusters"]
    assert found["properties"]["supportedScopes"] == {
        "defaultScope": "cluster",
        "clusterScopeSettings": {
            "properties": {"allowMultipleInstances": False, "defaultReleaseNamespace": "flux-system"}
        },
    }


def test_versions_are_told_by_train_and_major_number(api: Api) -> None:
    versions = f"{by_location(api)}/microsoft.flux/versions"
    assert "1.20.0" not in names(api.get(versions).json())
    assert "1.20.0" in names(api.get(versions, releaseTrain="Preview").json())
    assert names(api.get(versions, showLatest="true").json()) == ["1.19.5"]
    assert names(api.get(versions, majorVersion="2").json()) == []
    assert names(api.get(versions, majorVersion="1", showLatest="true").json()) == ["1.19.5"]
    one = api.get(f"{versions}/1.19.5").json()
    assert (one["name"], one["type"]) == ("1.19.5", f"{NAMESPACE}/extensionTypes/versions")
    assert one["properties"]["version"] == "1.19.5"


def test_what_is_published_appears(api: Api) -> None:
    api.emulator.publish_version("contoso.agent", "Stable", "2.1.0")
    assert names(api.get(f"{by_cluster(api)}/contoso.agent/versions").json()) == ["2.1.0"]
    assert "contoso.agent" not in names(api.get(by_location(api), releaseTrain="Preview").json())


def test_types_are_asked_for_by_kind_of_cluster(api: Api) -> None:
    assert names(api.get(by_cluster(api), clusterType="managedClusters").json()) == []
    assert names(api.get(by_location(api), clusterType="managedclusters").json())


@pytest.mark.parametrize("name", ["publisherId", "offerId", "planId"])
def test_types_of_a_marketplace_plan_are_none(api: Api, name: str) -> None:
    assert names(api.get(by_location(api), **{name: "contoso"}).json()) == []
    assert names(api.get(by_cluster(api), **{name: "contoso"}).json()) == []


def test_unknown_types_and_versions_are_not_found(api: Api) -> None:
    assert api.error(api.get(f"{by_cluster(api)}/contoso.none")) == (404, "ResourceNotFound")
    assert api.error(api.get(f"{by_cluster(api)}/microsoft.flux/versions/9.9.9")) == (404, "ResourceNotFound")


def test_they_are_paged(start: Callable[..., Api]) -> None:
    api = start(page_size=1)
    seen, link = [], f"{by_location(api)}?api-version=2026-05-01"
    while link:
        body = api.http.get(link).json()
        seen += names(body)
        link = body.get("nextLink")
    assert seen == sorted(seen)
    assert len(seen) > 2


def test_g6_a_version_is_told_where_it_has_arrived(api: Api) -> None:
    """`osl-01` stands in norwayeast."""
    api.emulator.publish_version(
        "microsoft.flux", "Stable", "1.21.0", {"norwayeast": timedelta(days=2), "*": timedelta(0)}
    )
    api.emulator.publish_version("contoso.agent", "Stable", "1.0.0", {"westeurope": timedelta(0)})
    everywhere = [f"{by_location(api)}/microsoft.flux/versions", f"{by_cluster(api)}/microsoft.flux/versions"]
    assert [names(api.get(at, showLatest="true").json()) for at in everywhere] == [["1.21.0"], ["1.19.5"]]
    assert [api.get(f"{at}/1.21.0").status_code for at in everywhere] == [200, 404]
    assert "contoso.agent" in names(api.get(by_location(api)).json())
    assert "contoso.agent" not in names(api.get(by_cluster(api)).json())
    api.advance("2d")
    assert api.get(f"{everywhere[1]}/1.21.0").status_code == 200
