from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from policyengine.errors import ConfigError, InventoryError
from policyengine.inventory import SOURCES, read
from policyengine.inventory.reconcile import told_apart
from policyengine.model.fleet import Fleet
from policyengine.model.ids import ResourceId

SUBSCRIPTION = "/subscriptions/5b0c1e6a-0000-4000-8000-000000000001"
ARC_CLUSTER = f"{SUBSCRIPTION}/resourceGroups/shops/providers/Microsoft.Kubernetes/connectedClusters/osl-03"
AKS_CLUSTER = f"{SUBSCRIPTION}/resourceGroups/web/providers/Microsoft.ContainerService/managedClusters/web-01"
KC = "providers/Microsoft.KubernetesConfiguration"
DOCUMENTS = [
    {"id": f"{ARC_CLUSTER.lower()}/{KC}/extensions/flux", "properties": {"extensionType": "microsoft.flux"}},
    {"id": AKS_CLUSTER, "location": "westeurope", "properties": {}},
    {"id": f"{SUBSCRIPTION}/resourceGroups/shops", "location": "norwayeast", "tags": {"site": "osl"}},
    {"id": ARC_CLUSTER, "location": "norwayeast", "properties": {"connectivityStatus": "Connected"}},
    {
        "id": SUBSCRIPTION,
        "subscriptionId": SUBSCRIPTION.rpartition("/")[2],
        "name": "edge-nordics",
        "properties": {
            "managementGroupAncestorsChain": [
                {"name": "mg-edge", "displayName": "Edge"},
                {"name": "root", "displayName": "Root"},
            ]
        },
    },
    {"id": f"{ARC_CLUSTER}/{KC}/fluxConfigurations/apps", "properties": {"scope": "cluster"}},
    {"id": f"{SUBSCRIPTION}/resourceGroups/web/providers/Microsoft.Compute/virtualMachines/vm", "properties": {}},
]
FLEET = """\
apiVersion: policyengine/v1
kind: Fleet
tenantId: 0d4f2b8c-0000-4000-8000-000000000000
subscriptions:
  - {subscriptionId: 5b0c1e6a-0000-4000-8000-000000000001, displayName: edge-nordics}
resourceGroups:
  - {subscription: edge-nordics, name: shops, location: norwayeast}
clusters:
  - {name: osl-03, kind: arc, subscription: edge-nordics, resourceGroup: shops}
"""


def reading(path: Path, text: str) -> Fleet:
    path.write_text(text, encoding="utf-8")
    return asyncio.run(read(f"file:{path}"))


def refusal(path: Path, text: str) -> InventoryError:
    with pytest.raises(InventoryError) as refused:
        reading(path, text)
    return refused.value


FORMS = {
    "fleet.ndjson": "\n".join(json.dumps(document) for document in DOCUMENTS),
    "fleet.json": json.dumps(DOCUMENTS),
    "export.json": json.dumps({"value": DOCUMENTS, "nextLink": None}, indent=2),
    "lines.txt": "\ufeff" + "\r\n".join(json.dumps(document) for document in DOCUMENTS) + "\n\n",
}


@pytest.mark.parametrize("name", FORMS)
def test_every_form_of_the_same_documents_gives_the_same_fleet(tmp_path: Path, name: str) -> None:
    fleet = reading(tmp_path / name, FORMS[name])
    arc, aks = fleet.clusters

    assert fleet.complete
    assert (arc.name, aks.name) == ("osl-03", "web-01")
    assert [e.name for e in arc.extensions] == ["flux"]
    assert [c.name for c in arc.flux_configurations] == ["apps"]
    assert not aks.children
    subscription = fleet.tree.subscription(arc.id.subscription)
    assert subscription is not None
    assert (subscription.display_name, subscription.management_group) == ("edge-nordics", "mg-edge")
    assert [(g.name, g.parent) for g in fleet.tree.management_groups] == [("mg-edge", "root"), ("root", None)]
    assert [g.name for g in fleet.tree.resource_groups] == ["shops", "web"]
    assert fleet.tree.resource_groups[0].tags == {"site": "osl"}


@pytest.mark.parametrize("name", ["fleet.yaml", "fleet.yml"])
def test_a_fleet_in_our_own_words_is_read(tmp_path: Path, name: str) -> None:
    fleet = reading(tmp_path / name, FLEET)

    assert [c.name for c in fleet.clusters] == ["osl-03"]
    assert fleet.complete


def test_the_order_of_documents_does_not_matter(tmp_path: Path) -> None:
    forwards = reading(tmp_path / "a.json", json.dumps(DOCUMENTS))
    backwards = reading(tmp_path / "b.json", json.dumps(DOCUMENTS[::-1]))

    assert [c.content_hash for c in forwards.clusters] == [c.content_hash for c in backwards.clusters]
    assert forwards.tree == backwards.tree


@pytest.mark.parametrize(
    "page",
    [
        {"count": 2, "data": DOCUMENTS, "skip_token": "x", "total_records": 2},
        {"count": 2, "data": DOCUMENTS, "skip_token": None, "total_records": 5000},
        {"totalRecords": 2, "data": DOCUMENTS, "$skipToken": "x"},
        {"totalRecords": 2, "data": DOCUMENTS, "resultTruncated": "true"},
        {"value": DOCUMENTS, "nextLink": "https://management.azure.com/next"},
    ],
)
def test_one_page_of_several_is_no_whole_fleet(tmp_path: Path, page: object) -> None:
    """Else the clusters of the other pages would seem to be gone."""
    fleet = reading(tmp_path / "rows.json", json.dumps(page))

    assert fleet.clusters
    assert not fleet.complete
    assert told_apart([ResourceId(ARC_CLUSTER.replace("osl-03", "osl-04"))], fleet)[0] == ()


def test_an_export_that_says_it_is_whole_is_whole(tmp_path: Path) -> None:
    page = {"count": len(DOCUMENTS), "data": DOCUMENTS, "skip_token": None, "total_records": len(DOCUMENTS)}

    assert reading(tmp_path / "rows.json", json.dumps(page)).complete
    assert reading(tmp_path / "list.json", json.dumps({"value": DOCUMENTS, "nextLink": None})).complete


def test_an_orphan_makes_the_fleet_incomplete(tmp_path: Path) -> None:
    fleet = reading(tmp_path / "f.ndjson", json.dumps(DOCUMENTS[0]))

    assert not fleet.complete
    assert fleet.failures[0].scope.text == ARC_CLUSTER.lower()
    assert fleet.failures[0].reason == "`flux` is listed, but its cluster `osl-03` is not"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"id": "/subscriptions/a"}\n{"id": }\n', "f.ndjson:2: this line is not JSON"),
        ('{"id": "/subscriptions/a"}\n\n[1]\n', "f.ndjson:3: not an ARM document but a list"),
        ('{"id": "/subscriptions/a"}\n{"name": "x"}', "f.ndjson:2: a resource needs an `id`"),
        ('{"id": "not-an-id"}', "f.ndjson:1: `not-an-id` is not a resource id"),
        (
            f'{{"id": "{SUBSCRIPTION}", "tags": {"[" * 100_000}{"]" * 100_000}}}',
            "f.ndjson:1: this line is not JSON: it is nested",
        ),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, text: str, message: str) -> None:
    assert message in refusal(tmp_path / "f.ndjson", text).message


def test_bad_json_and_yaml_are_named_with_their_place(tmp_path: Path) -> None:
    assert "fleet.json:2:10: a JSON value" in refusal(tmp_path / "fleet.json", '[\n  {"id": ,}\n]').message
    assert "fleet.yaml:2:" in refusal(tmp_path / "fleet.yaml", "kind: Fleet\nkind: Fleet\n").message


def test_a_bad_document_in_a_list_is_counted(tmp_path: Path) -> None:
    error = refusal(tmp_path / "f.json", json.dumps([DOCUMENTS[1], {"name": "x"}]))

    assert "f.json:1:" in error.message
    assert ": document 2: a resource needs an `id`" in error.message
    assert error.help


@pytest.mark.parametrize("wrapped", [False, True])
def test_a_bad_document_of_an_indented_list_is_named_with_its_line(tmp_path: Path, wrapped: bool) -> None:
    documents = [{"id": SUBSCRIPTION}, {"name": "x"}]
    error = refusal(tmp_path / "f.json", json.dumps({"value": documents} if wrapped else documents, indent=1))

    assert f"f.json:{7 if wrapped else 6}:" in error.message


def test_a_bad_fleet_names_the_file(tmp_path: Path) -> None:
    error = refusal(tmp_path / "fleet.yaml", FLEET.replace("resourceGroup: shops", "resourceGroup: shop"))

    line = FLEET[: FLEET.index("resourceGroup: shops")].count("\n") + 1
    assert f"fleet.yaml:{line}:" in error.message
    assert "`clusters[0]` names resource group `shop`" in error.message


@pytest.mark.parametrize("text", ["", "a: 1\n---\nb: 2\n"])
def test_a_file_without_one_document_is_refused(tmp_path: Path, text: str) -> None:
    assert "documents instead of one" in refusal(tmp_path / "f.yaml", text).message


@pytest.mark.parametrize(
    "text", ["[]", '{"value": []}', json.dumps([{"id": SUBSCRIPTION}]), FLEET[: FLEET.index("clusters:")]]
)
def test_a_file_in_which_nothing_is_a_cluster_is_refused(tmp_path: Path, text: str) -> None:
    """An empty fleet would be believed, and everything known be forgotten."""
    error = refusal(tmp_path / "f.yaml", text)

    assert "holds no cluster" in error.message
    assert "kind: Fleet" in (error.help or "")


def test_a_missing_file_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(InventoryError, match="cannot be read: No such file"):
        asyncio.run(read(f"file:{tmp_path / 'none.yaml'}"))
    with pytest.raises(InventoryError, match="cannot be read: Is a directory"):
        asyncio.run(read(f"file:{tmp_path}"))
    (tmp_path / "latin.json").write_bytes(b'{"id": "\xff"}')
    with pytest.raises(InventoryError, match="not UTF-8"):
        asyncio.run(read(f"file:{tmp_path / 'latin.json'}"))


def test_an_unknown_source_says_what_there_is() -> None:
    with pytest.raises(ConfigError, match="`arm:`, `file:`, `synthetic:`") as refused:
        asyncio.run(read("flie:fleet.yaml"))
    assert refused.value.help == "did you mean `file`?"
    with pytest.raises(InventoryError, match="names no file"):
        asyncio.run(read("file:"))
    with pytest.raises(ConfigError, match="needs an endpoint"):
        asyncio.run(read("arm:"))
    assert set(SOURCES) == {"arm", "file", "synthetic"}


def test_progress_is_told_once_for_a_file(tmp_path: Path) -> None:
    (tmp_path / "fleet.yaml").write_text(FLEET)
    heard: list[tuple[int, int]] = []
    asyncio.run(read(f"file:{tmp_path / 'fleet.yaml'}", on_progress=lambda *told: heard.append(told)))

    assert heard == [(1, 1)]


def test_a_subscription_without_management_groups_is_read(tmp_path: Path) -> None:
    """Not every listing tells what is above a subscription."""
    lines = [{"id": SUBSCRIPTION, "subscriptionId": SUBSCRIPTION.rpartition("/")[2]}, {"id": AKS_CLUSTER}]
    fleet = reading(tmp_path / "rows.ndjson", "\n".join(json.dumps(line) for line in lines))

    assert [s.subscription_id for s in fleet.tree.subscriptions] == [SUBSCRIPTION.rpartition("/")[2]]
    assert fleet.tree.management_groups == ()
