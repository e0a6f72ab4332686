"""`inventory`: what is known, from a file and from a served fleet."""

from __future__ import annotations

import json

import pytest
import yaml

from policyengine.cli.exit_codes import ExitCode
from policyengine.workflows.demo import sample_fleet
from tests.cli.conftest import Place, Shell

FLEET = str(sample_fleet())


@pytest.fixture
def imported(shell: Shell) -> Shell:
    ran = shell.run("inventory", "import", FLEET)
    assert ran.code == 0, ran.err
    return shell


def test_a_file_is_imported_and_then_known(shell: Shell) -> None:
    first = shell.run("inventory", "import", FLEET, "-o", "json").json()
    again = shell.run("inventory", "import", FLEET, "-o", "json").json()

    assert first == {
        "source": f"file:{FLEET}",
        "clusters": 48,
        "added": 48,
        "changed": 0,
        "unchanged": 0,
        "removed": 0,
        "complete": True,
        "failures": [],
        "notes": [],
    }
    assert (again["added"], again["unchanged"]) == (0, 48)


def test_a_served_fleet_is_synced(place: Place) -> None:
    ran = place.run("inventory", "sync")

    assert ran.code == 0
    assert ran.lines[0].split() == ["SOURCE", "CLUSTERS", "ADDED", "CHANGED", "UNCHANGED", "REMOVED", "COMPLETE"]
    assert ran.lines[1].split() == ["arm:", "48", "48", "0", "0", "0", "yes"]


def test_a_listing_that_is_cut_short_is_incomplete_and_removes_nothing(place: Place) -> None:
    place.run("inventory", "sync")
    path = "/subscriptions/77aa31c2-5e0f-4a68-8b1d-2f9c40d7e302/providers/Microsoft.ContainerService/managedClusters"
    place.emulator.add_fault({"method": "POST", "path": "*/Microsoft.ResourceGraph/*", "status": 403, "times": 9})
    place.emulator.add_fault({"method": "GET", "path": path, "status": 403, "times": 1})
    ran = place.run("inventory", "sync", "-o", "json")

    assert ran.code == ExitCode.INCOMPLETE
    assert (ran.json()["complete"], ran.json()["removed"]) == (False, 0)
    assert "not read: /subscriptions/77aa31c2" in ran.err
    assert place.run("inventory", "list", "--query", "length(@)").out == "48\n"


def test_clusters_are_listed(imported: Shell) -> None:
    ran = imported.run("inventory", "list")
    rows = imported.run("inventory", "list", "-o", "json").json()

    assert ran.lines[0].split()[:7] == ["NAME", "KIND", "SUBSCRIPTION", "GROUP", "LOCATION", "EXT", "FLUX"]
    assert len(ran.lines) == 49
    (stopped,) = [line for line in ran.lines if line.startswith("dr-neu-01 ")]
    assert stopped.endswith("cluster is stopped")
    (found,) = [row for row in rows if row["name"] == "edge-got-02"]
    assert (found["reachable"], found["subscription"]) == (False, "edge-nordics")
    assert found["unreachableReason"].startswith("agent offline")


@pytest.mark.parametrize(
    ("where", "names"),
    [
        ("tags.ring == 'canary'", ["edge-osl-01"]),
        ("location == 'eastus' && length(fluxConfigurations) == `0`", ["web-eus-02"]),
        ("extensions[?properties.releaseTrain=='Preview']", ["web-eus-03"]),
        ("`false`", []),
    ],
)
def test_clusters_are_picked_by_what_their_document_says(imported: Shell, where: str, names: list[str]) -> None:
    assert imported.run("inventory", "list", "--where", where, "-o", "name").lines == names


def test_a_where_that_is_no_jmespath_is_wrong_usage(imported: Shell) -> None:
    assert imported.run("inventory", "list", "--where", "tags[").code == ExitCode.USAGE


def test_a_cluster_is_shown_as_its_document(imported: Shell) -> None:
    ran = imported.run("inventory", "show", "edge-osl-03")
    document = yaml.safe_load(ran.out)

    assert document["id"].endswith("/connectedClusters/edge-osl-03")
    assert {e["name"] for e in document["extensions"]} == {"flux", "azurepolicy", "microsoft.azuredefender.kubernetes"}
    assert json.loads(imported.run("inventory", "show", "edge-osl-03", "-o", "json").out) == document
    assert imported.run("inventory", "show", "edge-osl-03", "-o", "name").out == "edge-osl-03\n"
    assert imported.run("inventory", "show", "edge-osl-03", "--query", "location").out == "norwayeast\n"


def test_a_cluster_nobody_knows_is_wrong_usage(imported: Shell) -> None:
    ran = imported.run("inventory", "show", "edge-osl-3")

    assert ran.code == ExitCode.USAGE
    assert "did you mean `edge-osl-03`?" in ran.err


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("missing.yaml", None, "missing.yaml"),
        ("fleet.yaml", "kind: Fleet\nclusters: {}\n", "fleet"),
        ("fleet.json", '{"value": [', "fleet.json"),
        ("fleet.txt", "hello", "fleet.txt"),
    ],
)
def test_a_file_that_cannot_be_used_is_told(shell: Shell, name: str, text: str | None, told: str) -> None:
    if text is not None:
        shell.write(name, text)
    ran = shell.run("inventory", "import", name)

    assert ran.code == ExitCode.INVALID
    assert told in ran.err
    assert ran.out == ""


def test_an_inventory_from_nowhere_is_told(shell: Shell) -> None:
    shell.variables["POLICYENGINE_INVENTORY"] = "ftp://x"

    assert shell.run("inventory", "sync").code == ExitCode.INVALID
