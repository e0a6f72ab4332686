"""`emulator`: served as the process it is, kept on disk, and steered by its subcommands."""

from __future__ import annotations

import contextlib
import json
import signal
import ssl
import subprocess
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from policyengine.cli.exit_codes import ExitCode
from policyengine.emulator import Emulator, RunningEmulator
from policyengine.model.fleet import FleetFile, parse_fleet
from policyengine.model.ids import ResourceId
from tests.cli.conftest import Place, Ran, Shell

SOON_S = 60
GIT = "https://github.com/contoso/fleet"
SUBSCRIPTION = "00000000-0000-0000-0000-00000000000a"
FLEET: dict[str, Any] = {
    "apiVersion": "policyengine/v1",
    "kind": "Fleet",
    "tenantId": "t",
    "subscriptions": [{"subscriptionId": SUBSCRIPTION, "displayName": "shops"}],
    "resourceGroups": [{"subscription": "shops", "name": "shops", "location": "norwayeast"}],
    "clusters": [{"name": "osl-01", "kind": "arc", "subscription": "shops", "resourceGroup": "shops"}],
}
EXTENSION = (
    f"/subscriptions/{SUBSCRIPTION}/resourceGroups/shops/providers/Microsoft.Kubernetes/connectedClusters/osl-01"
    "/providers/Microsoft.KubernetesConfiguration/extensions/flux?api-version=2023-05-01"
)


@pytest.fixture(scope="module")
def fleet() -> FleetFile:
    return parse_fleet(FLEET)


@pytest.fixture(scope="module")
def served(fleet: FleetFile) -> Iterator[tuple[Emulator, str]]:
    emulator = Emulator(fleet, clock="frozen")
    with RunningEmulator(emulator) as running:
        yield emulator, running.url


@pytest.fixture
def steer(place: Place) -> Any:
    """Runs a subcommand against the served fleet, which begins anew for each test."""
    place.variables["POLICYENGINE_EMULATOR_URL"] = place.url
    place.emulator.reset()

    def run(*arguments: str) -> Any:
        ran = place.run("-o", "json", "emulator", *arguments)
        assert ran.code == 0, ran.err
        return ran.json()

    return run


# Served


@dataclass
class Served:
    """A process, and what it said when it began."""

    process: subprocess.Popen[str]
    told: list[str]

    @property
    def url(self) -> str:
        return self.told[0].split(" on ")[1].partition(",")[0]

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(timeout=SOON_S)


@contextlib.contextmanager
def serving(shell: Shell, *options: str) -> Iterator[Served]:
    process = shell.start("emulator", "--port", "0", *options)
    assert process.stderr is not None
    told: list[str] = []
    try:
        while not told or "stop it" not in told[-1]:
            line = process.stderr.readline()
            assert line, "\n".join(told)
            told.append(line.rstrip("\n"))
        yield Served(process, told)
    finally:
        process.kill()
        process.communicate()


def send(url: str, method: str = "GET", body: Any = None, trust: Path | None = None) -> Any:
    headers = {"Authorization": "Bearer x", "Content-Type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, headers=headers, method=method)
    context = ssl.create_default_context(cafile=str(trust)) if trust is not None else None
    with urllib.request.urlopen(request, timeout=SOON_S, context=context) as answer:
        return json.load(answer)


def test_it_serves_https_and_tells_each_client_how_to_trust_it(shell: Shell) -> None:
    with serving(shell, "--https", "--fleet", "synthetic:5") as served:
        authority = shell.folder / ".local/state/policyengine/ca.pem"
        assert send(f"{served.url}/_emulator/health", trust=authority)["clusters"] == 5
        told = "\n".join(served.told)
        assert all(
            word in told
            for word in (str(authority), "curl", "az cloud", "az login", "azure-identity", "httpx", "Terraform")
        )
        shell.variables["SSL_CERT_FILE"] = str(authority)
        assert shell.process("emulator", "clock", "--url", served.url).code == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_what_it_held_is_there_again_after_a_stop(shell: Shell, number: signal.Signals) -> None:
    """The operation that was under way when it stopped comes to its end in the next process."""
    shell.write("fleet.yaml", json.dumps(FLEET))
    options = ("--state", "kept/emulator.state", "--clock", "frozen")
    with serving(shell, *options, "--fleet", "fleet.yaml") as first:
        body = {"properties": {"extensionType": "microsoft.flux"}}
        made = send(f"{first.url}{EXTENSION}", "PUT", body)
        assert made["properties"]["provisioningState"] == "Creating"
        at = send(f"{first.url}/_emulator/clock")["now"]
        assert first.stop(number) in {ExitCode.TERMINATED, ExitCode.INTERRUPTED}
    with serving(shell, *options) as second:
        assert any("goes on from" in line for line in second.told)
        assert send(f"{second.url}/_emulator/clock")["now"] == at
        send(f"{second.url}/_emulator/clock", "POST", {"advance": "5m"})
        assert send(f"{second.url}{EXTENSION}")["properties"]["provisioningState"] == "Succeeded"
    assert sorted(p.name for p in (shell.folder / "kept").iterdir()) == ["emulator.state", "emulator.state.key"]


def refused(shell: Shell, *options: str) -> Ran:
    return shell.process("emulator", "--port", "0", *options)


def test_a_folder_for_a_state_is_refused(shell: Shell) -> None:
    ran = refused(shell, "--state", ".")
    assert ran.code == ExitCode.INVALID
    assert "is a folder" in ran.err


def test_with_another_key_it_does_not_start(shell: Shell) -> None:
    with serving(shell, "--state", "s", "--fleet", "synthetic:2") as served:
        served.stop()
    shell.variables["POLICYENGINE_EMULATOR_KEY"] = "A" * 43 + "="
    ran = refused(shell, "--state", "s")
    assert ran.code == ExitCode.INVALID
    assert "wrong key" in ran.err


def test_the_same_seed_makes_the_same_and_another_another(shell: Shell) -> None:
    def first_id(*options: str) -> str:
        with serving(shell, "--fleet", "synthetic:1", "--clock", "frozen", *options) as served:
            request = urllib.request.Request(f"{served.url}/tenants?api-version=2022-12-01")
            request.add_header("Authorization", "Bearer x")
            with urllib.request.urlopen(request, timeout=SOON_S) as answer:
                return str(answer.headers["x-ms-request-id"])

    assert first_id("--seed", "7") == first_id("--seed", "7") != first_id()


def test_a_fleet_for_a_state_that_has_one_is_refused(shell: Shell) -> None:
    with serving(shell, "--state", "s", "--fleet", "synthetic:2") as served:
        served.stop()
    assert "holds a fleet" in refused(shell, "--state", "s", "--fleet", "synthetic:3").err


@pytest.mark.parametrize(
    ("fleet", "said"),
    [("synthetic:many", "synthetic fleet"), ("none.yaml", "cannot be read"), ("none.ndjson", "cannot be read")],
)
def test_a_fleet_that_cannot_be_used_is_refused(shell: Shell, fleet: str, said: str) -> None:
    ran = refused(shell, "--fleet", fleet)
    assert ran.code == ExitCode.INVALID
    assert said in ran.err


# Steered


def test_the_clock_is_shown_set_and_advanced(steer: Any) -> None:
    before = steer("clock")
    assert steer("clock", "x2")["mode"] == "x2"
    assert steer("clock", "frozen")["mode"] == "frozen"
    assert steer("advance", "48h")["now"] > before["now"]


def test_a_cluster_is_looked_into_cut_off_and_brought_back(steer: Any) -> None:
    assert steer("disconnect", "osl-01")["connected"] is False
    assert [c["connected"] for c in steer("clusters")] == [False]
    assert steer("connect", "osl-01")["connected"] is True
    assert steer("clusters", "OSL-01")["namespaces"] == ["default", "kube-system"]
    assert steer("rebuild", "osl-01")["connected"] is True


def test_a_cluster_is_made_to_behave_otherwise(steer: Any, place: Place) -> None:
    place.write("sim.yaml", "pollInterval: 5m\n")
    steer("simulate", "osl-01", "sim.yaml")
    assert place.emulator.cluster("osl-01").simulation.poll_interval.total_seconds() == 300


def test_a_cluster_is_put_behind_a_private_link_and_out_of_it(steer: Any, place: Place) -> None:
    cluster = place.emulator.cluster("osl-01")
    scope = f"{cluster.id.parent}/providers/Microsoft.HybridCompute/privateLinkScopes/edge"
    document = {"id": scope, "type": "Microsoft.HybridCompute/privateLinkScopes", "location": cluster.location}
    place.emulator.state.resources.put(ResourceId(scope), document)
    assert steer("private-link", "osl-01", scope)["id"] == cluster.id.text
    assert cluster.document["properties"]["privateLinkState"] == "Enabled"
    steer("private-link", "osl-01")
    assert cluster.document["properties"]["privateLinkState"] == "Disabled"


def test_a_version_is_published_by_region(steer: Any) -> None:
    told = steer("publish", "1.21.0", "--location", "norwayeast=2d", "--location", "*=0s")
    assert told["versions"][-1] == "1.21.0"
    assert set(told["arrivals"]["1.21.0"]) == {"norwayeast", "*"}


def test_a_source_is_scripted_moved_and_forgotten(steer: Any, place: Place) -> None:
    place.write("source.yaml", f"url: {GIT}\nheads: {{main: r1}}\nrevisions: {{r1: [], r2: []}}\n")
    assert steer("script", "source.yaml")["heads"] == {"main": "r1"}
    assert steer("move", GIT, "main", "r2")["heads"] == {"main": "r2"}
    assert [s["url"] for s in steer("sources")] == [GIT]
    assert steer("forget", GIT) == []


def test_faults_are_added_by_options_or_from_a_file_and_taken_back(steer: Any, place: Place) -> None:
    place.write("fault.yaml", "status: 429\nretryAfter: 5\n")
    assert steer("fault", "--status", "503", "--method", "PUT", "--after", "--times", "2")["after"] is True
    assert steer("fault", "fault.yaml", "--probability", "0.5")["retryAfter"] == 5
    assert [f["status"] for f in steer("faults")] == [503, 429]
    steer("fault", "--drop", "--path", "*/extensions/*")
    assert place.run("emulator", "faults").lines[-1].split() == ["*/extensions/*", "true", "1", "scripted", "fault"]
    assert steer("faults", "--clear") == []


def test_the_journal_is_read_and_emptied(steer: Any, place: Place) -> None:
    send(f"{place.url}/subscriptions?api-version=2022-12-01")
    assert [entry["path"] for entry in steer("journal", "--method", "GET")] == ["/subscriptions"]
    assert steer("journal", "--clear") == []


def test_snapshots_are_saved_compared_loaded_and_removed(steer: Any, place: Place) -> None:
    steer("save", "a")
    send(f"{place.url}{EXTENSION}", "PUT", {"properties": {"extensionType": "microsoft.flux"}})
    assert [change["change"] for change in steer("diff", "a")] == ["added"]
    steer("load", "a")
    assert steer("diff", "a", "a") == steer("diff", "a") == []
    assert [s["name"] for s in steer("snapshots")] == ["a"]
    assert steer("snapshots", "--remove", "a") == []
    assert steer("reset")["status"] == "ok"


def test_tables_are_for_people_and_documents_are_yaml(place: Place, steer: Any) -> None:
    assert place.run("emulator", "clusters").lines[0].split() == ["ID", "CONNECTED"]
    assert "namespaces:" in place.run("emulator", "clusters", "osl-01").lines


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("connect", "nobody"), "is not a cluster of this emulator"),
        (("advance", "soon"), "soon"),
        (("load", "nothing"), "there is no snapshot"),
        (("publish", "1.2.3", "--location", "norwayeast"), "REGION=DELAY"),
        (("clock", "slow"), "`frozen`"),
        (("fault", "--status", "503", "--times", "0"), "`times`"),
        (("forget", "https://nowhere/x"), "nobody scripted"),
        (("clock", "--url", "emulator"), "http://127.0.0.1:8765"),
    ],
)
def test_what_cannot_be_done_is_told_as_usage(place: Place, steer: Any, arguments: tuple[str, ...], said: str) -> None:
    ran = place.run("emulator", *arguments)
    assert ran.code == ExitCode.USAGE
    assert said in ran.err


def test_without_an_emulator_it_says_how_to_start_one(shell: Shell) -> None:
    ran = shell.run("emulator", "clock", "--url", "http://127.0.0.1:1")
    assert ran.code == ExitCode.UNAVAILABLE
    assert "start `policyengine emulator`" in ran.err


def test_what_is_no_emulator_is_said_to_be_none(place: Place, steer: Any) -> None:
    ran = place.run("emulator", "clock", "--url", f"{place.url}/below")
    assert ran.code == ExitCode.UNAVAILABLE
    assert "no emulator" in ran.err
