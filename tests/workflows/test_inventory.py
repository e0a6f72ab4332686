from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pytest

from policyengine.errors import ExpressionError, UsageError
from policyengine.workflows.inventory import cluster_document, list_clusters, one_cluster
from policyengine.workflows.sync import SyncResult, sync, unwatched

if TYPE_CHECKING:
    from tests.workflows.conftest import Project


def synced(project: Project) -> SyncResult:
    return asyncio.run(sync(project.settings, project.store, project.clock, unwatched))


@pytest.fixture
def fleet(project: Project, flux: Mapping[str, Any], aks: str) -> Project:
    """Three clusters, two of one name."""
    project.put("edge-osl-03", tags={"ring": "canary"}, extensions=flux)
    project.put("web-weu-01", group="web", type=aks)
    head = project.documents["web-weu-01"][0]
    project.documents["twin"] = [{**head, "id": head["id"].replace("/web/", "/dr/")}]
    project.put("edge-osl-03", tags={"ring": "canary"}, extensions=flux)
    synced(project)
    return project


class TestOneCluster:
    def test_it_is_found_by_name_or_id_without_case(self, fleet: Project) -> None:
        found = one_cluster(fleet.store, "EDGE-osl-03")

        assert one_cluster(fleet.store, found.id.text.upper()) == found

    def test_a_name_that_two_have_is_not_enough(self, fleet: Project) -> None:
        with pytest.raises(UsageError) as refused:
            one_cluster(fleet.store, "web-weu-01")

        assert refused.value.message == "2 clusters are called `web-weu-01`"
        assert refused.value.help is not None
        assert refused.value.help.startswith("use the full id:\n")
        assert "/resourceGroups/dr/" in refused.value.help
        assert "/resourceGroups/web/" in refused.value.help

    @pytest.mark.parametrize(
        ("name", "help"), [("edge-ols-03", "did you mean `edge-osl-03`?"), ("x", "see `policyengine inventory list`")]
    )
    def test_a_name_that_nobody_has_is_a_wrong_use(self, fleet: Project, name: str, help: str) -> None:
        with pytest.raises(UsageError) as refused:
            one_cluster(fleet.store, name)

        assert refused.value.message == f"no cluster in the inventory is called `{name}`"
        assert refused.value.help == help


class TestListClusters:
    def test_all_of_them_in_order_of_id(self, fleet: Project) -> None:
        assert [c.id.resource_group for c in list_clusters(fleet.store, None)] == ["dr", "stores-no", "web"]

    @pytest.mark.parametrize(
        ("where", "names"),
        [
            ("get_tag(@, 'ring') == 'canary'", ["edge-osl-03"]),
            ("length(extensions) == `0`", ["web-weu-01", "web-weu-01"]),
            ("extensions[?properties.extensionType == 'microsoft.flux']", ["edge-osl-03"]),
            ("nothing", []),
        ],
    )
    def test_those_that_an_expression_is_true_for(self, fleet: Project, where: str, names: list[str]) -> None:
        assert [c.name for c in list_clusters(fleet.store, where)] == names

    def test_an_expression_must_be_jmespath(self, fleet: Project) -> None:
        with pytest.raises(ExpressionError):
            list_clusters(fleet.store, "a ==")

    def test_a_document_holds_what_is_on_the_cluster(self, fleet: Project) -> None:
        document = cluster_document(one_cluster(fleet.store, "edge-osl-03"))

        assert document["location"] == "norwayeast"
        assert [e["properties"]["extensionType"] for e in document["extensions"]] == ["microsoft.flux"]
        assert document["fluxConfigurations"] == []


class TestSync:
    def test_it_tells_what_changed(self, fleet: Project) -> None:
        fleet.put("edge-osl-03", tags={"ring": "early"})
        fleet.put("edge-new-01")
        del fleet.documents["twin"]
        fleet.put("edge-new-02")

        result = synced(fleet)

        assert (result.added, result.changed, result.unchanged, result.removed) == (2, 1, 1, 1)
        assert result.complete
        assert result.clusters == 4

    def test_a_second_reading_of_the_same_changes_nothing(self, fleet: Project) -> None:
        result = synced(fleet)

        assert (result.added, result.changed, result.unchanged, result.removed) == (0, 0, 3, 0)
