"""What an emulator begins with: files, synthetic fleets, and what Resource Graph exported."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from policyengine.emulator import Emulator
from policyengine.errors import InventoryError
from policyengine.model.fleet import FleetFile
from policyengine.model.synthetic import SyntheticFleet
from policyengine.workflows.demo import load_fleet, sample_fleet
from policyengine.workflows.emulator_fleet import read_emulator_fleet

ID = "/subscriptions/00000000-0000-4000-8000-000000000001/resourcegroups/stores"
ARC = f"{ID}/providers/Microsoft.Kubernetes/connectedClusters/osl-01"
ROWS: list[dict[str, Any]] = [
    {
        "id": ARC,
        "name": "osl-01",
        "type": "microsoft.kubernetes/connectedclusters",
        "tenantId": "t",
        "kind": "",
        "location": "norwayeast",
        "resourceGroup": "stores",
        "subscriptionId": "00000000-0000-4000-8000-000000000001",
        "managedBy": "",
        "sku": None,
        "properties": {"ConnectivityStatus": "Connected"},
        "tags": {"ring": "1"},
    },
    {
        "id": f"{ARC}/providers/Microsoft.KubernetesConfiguration/extensions/flux",
        "name": "flux",
        "type": "microsoft.kubernetesconfiguration/extensions",
        "resourceGroup": "stores",
        "properties": {
            "ExtensionType": "microsoft.flux",
            "ProvisioningState": "Failed",
            "CurrentVersion": "1.18.4",
            "AutoUpgradeMinorVersion": True,
            "ReleaseTrain": "Stable",
            "Statuses": [{"Code": "InstallationFailed", "Message": "no room"}],
        },
    },
]


def read(path: Path, text: str) -> FleetFile:
    path.write_text(text, encoding="utf-8")
    found = read_emulator_fleet(str(path))
    assert isinstance(found, FleetFile)
    return found


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("rows.json", json.dumps({"count": 2, "data": ROWS, "skip_token": None, "total_records": 2})),
        ("rows.json", json.dumps(ROWS)),
        ("rows.ndjson", "\n".join(json.dumps(row) for row in ROWS)),
        ("rows", json.dumps(ROWS)),
        ("rows.txt", "\n".join(json.dumps(row) for row in ROWS)),
    ],
)
def test_rows_of_resource_graph_become_the_resources_they_stand_for(tmp_path: Path, name: str, text: str) -> None:
    cluster = Emulator(read(tmp_path / name, text), clock="frozen").cluster("osl-01")
    assert cluster.document["type"] == "Microsoft.Kubernetes/connectedClusters"
    assert not {"resourceGroup", "subscriptionId", "tenantId", "sku", "managedBy"} & set(cluster.document)
    (record,) = cluster.records.values()
    told: Mapping[str, Any] = record.document()["properties"]
    assert (told["extensionType"], told["provisioningState"], told["currentVersion"]) == (
        "microsoft.flux",
        "Failed",
        "1.18.4",
    )
    assert told["statuses"] == [{"code": "InstallationFailed", "message": "no room"}]
    assert "ProvisioningState" not in told
    assert cluster.document["properties"] == {"connectivityStatus": "Connected"}


def test_rows_without_their_cluster_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InventoryError, match="whole fleet"):
        read(tmp_path / "rows.json", json.dumps(ROWS[1:]))


def test_a_fleet_file_may_be_json(tmp_path: Path) -> None:
    sample = {
        "apiVersion": "policyengine/v1",
        "kind": "Fleet",
        "tenantId": "t",
        "subscriptions": [{"subscriptionId": "s"}],
        "resourceGroups": [{"subscription": "s", "name": "g", "location": "norwayeast"}],
        "clusters": [
            {"name": "c", "kind": "arc", "subscription": "s", "resourceGroup": "g", "simulation": {"offlineFor": "1d"}}
        ],
    }
    assert len(read(tmp_path / "fleet.json", json.dumps(sample)).simulations) == 1
    assert len(read(tmp_path / "fleet.yaml", json.dumps(sample).replace('"apiVersion"', "apiVersion")).simulations) == 1


def test_without_a_word_it_is_the_sample() -> None:
    found = read_emulator_fleet(None)
    assert isinstance(found, FleetFile)
    assert len(found.fleet.clusters) == len(load_fleet(sample_fleet()).fleet.clusters)


def test_a_synthetic_fleet_is_a_size_and_a_seed() -> None:
    assert read_emulator_fleet("synthetic:100?seed=3") == SyntheticFleet(100, 3)
