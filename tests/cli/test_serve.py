"""`serve` as the process it is: it scans when it is due, mends what may be mended, and stops cleanly."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from queue import Queue
from threading import Thread
from typing import Any

import pytest

from policyengine.cli.exit_codes import ExitCode
from policyengine.model.fleet import FleetFile, parse_fleet
from tests.cli.conftest import DEFINITIONS, Place, Shell

SHOPS = "00000000-0000-0000-0000-00000000000a"
PLANTS = "00000000-0000-0000-0000-00000000000b"
SHOPS_COUNT = 4
SOON_S = 60
ASSIGNMENT = """
apiVersion: policyengine/v1
kind: Assignment
metadata: {name: %s}
spec:
  policy: flux-extension-required
  scope: /subscriptions/%s
  schedule: {interval: 36500d}
  remediation: {mode: %s}
"""


@pytest.fixture(scope="module")
def fleet() -> FleetFile:
    def cluster(name: str, subscription: str) -> dict[str, Any]:
        return {"name": name, "kind": "arc", "subscription": subscription, "resourceGroup": subscription}

    return parse_fleet(
        {
            "apiVersion": "policyengine/v1",
            "kind": "Fleet",
            "tenantId": "00000000-0000-0000-0000-00000000000f",
            "subscriptions": [
                {"subscriptionId": SHOPS, "displayName": "shops"},
                {"subscriptionId": PLANTS, "displayName": "plants"},
            ],
            "resourceGroups": [
                {"subscription": "shops", "name": "shops", "location": "norwayeast"},
                {"subscription": "plants", "name": "plants", "location": "norwayeast"},
            ],
            "clusters": [*(cluster(f"shop-{n}", "shops") for n in range(SHOPS_COUNT)), cluster("plant-1", "plants")],
        }
    )


@pytest.fixture(scope="module")
def policies() -> str:
    return f"{DEFINITIONS}/flux-extension-required.yaml, policies"


@pytest.fixture(scope="module")
def place(place: Place) -> Place:
    """One write a second, so that there is a middle to stop in."""
    place.variables["POLICYENGINE_REMEDIATION__PARALLEL"] = "1"
    place.variables["POLICYENGINE_ARM__BUDGET__WRITES_PER_SECOND"] = "1"
    place.variables["POLICYENGINE_ARM__BUDGET__WRITES_AT_ONCE"] = "1"
    return place


@dataclass
class Service:
    """A running `serve`, and the lines it logged."""

    process: subprocess.Popen[str]
    lines: Queue[str] = field(default_factory=Queue)
    told: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.put(line)

    def hear(self, event: str, **of: str) -> dict[str, Any]:
        """The next line that tells of ``event``."""
        while True:
            line = json.loads(self.lines.get(timeout=SOON_S))
            self.told.append(line)
            if line["event"] == event and line.items() >= of.items():
                return dict(line)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(timeout=SOON_S)


@contextlib.contextmanager
def serving(place: Shell) -> Iterator[Service]:
    process = place.start("serve", "--port", "0", "--log-format", "json")
    try:
        yield Service(process)
    finally:
        process.kill()
        process.communicate()


def ask(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=SOON_S) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def test_it_runs_what_is_due_is_stopped_and_goes_on_where_it_was(place: Place) -> None:
    """Only what is assigned continuously is written for; a restart finishes that, and fires nothing again."""
    place.write("policies/shops.yaml", ASSIGNMENT % ("shops", SHOPS, "continuous"))
    place.write("policies/plants.yaml", ASSIGNMENT % ("plants", PLANTS, "plan"))
    with serving(place) as service:
        url = service.hear("listening")["url"]
        assert ask(f"{url}/healthz") == 200
        assert ask(f"{url}/readyz") == 200
        plants = service.hear("run finished", assignment="plants")
        while not place.accepted_writes():
            assert service.process.poll() is None
        assert service.stop() == ExitCode.TERMINATED
        service.hear("run interrupted; what was begun is resumed at the next start", assignment="shops")
        service.hear("stopped")
    assert plants["plan"] is None
    assert len(place.accepted_writes()) < SHOPS_COUNT

    with serving(place) as service:
        service.hear("listening")
        for name in ("plants", "shops"):
            assert service.hear("scheduled", assignment=name)["next"] > plants["timestamp"]
        service.hear("resumed and finished")
        assert service.stop(signal.SIGINT) == ExitCode.INTERRUPTED
        service.hear("stopped")
    assert {line["event"] for line in service.told} & {"run started", "run failed"} == set()
    assert sorted(place.accepted_writes()) == [f"PUT shop-{n} flux" for n in range(SHOPS_COUNT)]
    with place.store() as store:
        assert [finding.cluster.name for finding in store.findings()] == ["plant-1"]


def test_nothing_to_run_is_wrong_usage(shell: Shell) -> None:
    shell.variables["POLICYENGINE_POLICIES"] = "library:"
    ran = shell.run("serve")

    assert ran.code == ExitCode.USAGE
    assert "no assignment has a schedule" in ran.err


def test_a_port_that_is_taken_is_told(place: Place) -> None:
    place.write("policies/shops.yaml", ASSIGNMENT % ("shops", SHOPS, "plan"))
    ran = place.run("serve", "--port", place.url.rpartition(":")[2])

    assert ran.code == ExitCode.INVALID
    assert "cannot listen on 127.0.0.1:" in ran.err


def test_a_schedule_that_cannot_be_used_stops_it_before_anything_runs(shell: Shell) -> None:
    shell.variables["POLICYENGINE_POLICIES"] = "library:,policies"
    text = ASSIGNMENT % ("shops", SHOPS, "plan")
    shell.write("policies/a.yaml", text.replace("interval: 36500d", "cron: '0 6 30 2 *'"))
    ran = shell.run("serve", "--port", "0")

    assert ran.code == ExitCode.INVALID
    assert "never fires" in ran.err
