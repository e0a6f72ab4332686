"""One fire, start to end, against a served fleet: what it writes, what it leaves, and how it stops."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread
from typing import Any

import httpx
import pytest
import structlog

from policyengine.clock import SystemClock
from policyengine.emulator import Emulator, RunningEmulator
from policyengine.model.fleet import parse_fleet
from policyengine.remediation.steps import StepState
from policyengine.scheduler.runner import resume_all, run_due
from policyengine.store.owners import Owner
from policyengine.store.scanning import Scanning
from policyengine.store.store import Store
from policyengine.workflows.data import data_root
from policyengine.workflows.plan import PlanRequest, make_plan
from policyengine.workflows.scan import ScanRequest, scan
from policyengine.workflows.scheduled import SERVICE
from policyengine.workflows.settings import ArmSettings, Settings
from policyengine.workflows.sync import unwatched

SUBSCRIPTION = "00000000-0000-0000-0000-00000000000a"
ASSIGNMENT = """
apiVersion: policyengine/v1
kind: Assignment
metadata: {name: shops}
spec:
  policy: flux-extension-required
  scope: /subscriptions/00000000-0000-0000-0000-00000000000a
"""
FLUX = data_root() / "policies" / "definitions" / "flux-extension-required.yaml"
CONTINUOUS = "  remediation: {mode: continuous}\n"


@dataclass(frozen=True)
class Place:
    """A fleet with nothing on it, and a project whose only assignment can be written anew."""

    emulator: Emulator
    settings: Settings
    policies: Path

    def assign(self, text: str) -> None:
        (self.policies / "assignment.yaml").write_text(text, encoding="utf-8")

    def accepted_writes(self) -> Counter[str]:
        entries = self.emulator.journal.entries("PUT")
        return Counter(entry.path.rsplit("connectedClusters/", 1)[-1] for entry in entries if entry.status < 300)


def fleet() -> dict[str, Any]:
    names = ("osl-01", "osl-02", "osl-03")
    return {
        "apiVersion": "policyengine/v1",
        "kind": "Fleet",
        "tenantId": "00000000-0000-0000-0000-00000000000f",
        "subscriptions": [{"subscriptionId": SUBSCRIPTION, "displayName": "shops"}],
        "resourceGroups": [{"subscription": "shops", "name": "stores", "location": "norwayeast"}],
        "clusters": [{"name": n, "kind": "arc", "subscription": "shops", "resourceGroup": "stores"} for n in names],
    }


@pytest.fixture(scope="module")
def stopper() -> Iterator[ThreadPoolExecutor]:
    """Stops servers while the next test runs already."""
    with ThreadPoolExecutor() as pool:
        yield pool


@pytest.fixture
def place(tmp_path: Path, url: str, stopper: ThreadPoolExecutor) -> Iterator[Place]:
    policies = tmp_path / "policies"
    policies.mkdir()
    emulator = Emulator(parse_fleet(fleet()), clock="x600")
    running = RunningEmulator(emulator).start()
    settings = Settings(
        policies=[str(FLUX), str(policies)],
        database=url,
        arm=ArmSettings(endpoint=running.url, credential="emulator"),
    )
    yield Place(emulator, settings, policies)
    stopper.submit(running.stop)


def fire(place: Place, store: Store, stopping: Event | None = None) -> list[tuple[str, dict[str, Any]]]:
    """What one fire logged: event and the rest."""
    with structlog.testing.capture_logs() as told:
        run_due(place.settings, store, "shops", stopping or Event())
    return [(str(line.pop("event")), dict(line)) for line in told]


def test_it_scans_and_writes_nothing_unless_told_to(place: Place, store: Store) -> None:
    place.assign(ASSIGNMENT)
    told = dict(fire(place, store))

    assert told["run finished"]["states"] == {"NonCompliant": 3}
    assert told["run finished"]["plan"] is None
    assert store.last_scan() is not None
    assert not place.accepted_writes()


def test_it_remediates_what_is_assigned_continuously(place: Place, store: Store) -> None:
    place.assign(ASSIGNMENT + CONTINUOUS)
    told = dict(fire(place, store))

    assert told["run finished"]["succeeded"] == 3
    assert sum(place.accepted_writes().values()) == 3
    assert store.findings() == []


def test_it_remediates_nothing_that_is_not_enforced(place: Place, store: Store) -> None:
    place.assign(ASSIGNMENT + CONTINUOUS + "  enforcementMode: DoNotEnforce\n")
    fire(place, store)

    assert len(store.findings()) == 3
    assert not place.accepted_writes()


def test_it_has_nothing_to_do_the_second_time(place: Place, store: Store) -> None:
    place.assign(ASSIGNMENT + CONTINUOUS)
    fire(place, store)
    told = dict(fire(place, store))

    assert told["run finished"]["states"] == {"Compliant": 3}
    assert told["run finished"]["plan"] is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (ASSIGNMENT.replace("shops", "others"), "no assignment is called `shops`"),
        (ASSIGNMENT.replace("kind", "kinds"), "1 error in policy files"),
    ],
)
def test_it_logs_what_went_wrong_and_does_not_raise(place: Place, store: Store, text: str, reason: str) -> None:
    place.assign(text)
    told = dict(fire(place, store))

    assert told["run failed"]["reason"] == reason
    assert told["run failed"]["log_level"] == "error"


def test_it_stops_when_told_to_and_is_finished_by_the_next_start(place: Place, store: Store) -> None:
    place.assign(ASSIGNMENT + CONTINUOUS)
    stopping = Event()
    run = Thread(target=run_due, args=(place.settings, store, "shops", stopping))
    with structlog.testing.capture_logs() as told:
        run.start()
        while run.is_alive() and not place.accepted_writes():
            run.join(0.01)
        stopping.set()
        run.join(60)
    assert "run interrupted" in str(told[-1]["event"])
    (plan_id,) = store.unfinished_plans()

    with structlog.testing.capture_logs() as told:
        resume_all(place.settings, store, Event())
    assert [line["event"] for line in told] == ["resuming", "resumed and finished"]
    assert {outcome.state for outcome in store.progress(plan_id).values()} == {StepState.SUCCEEDED}
    assert set(place.accepted_writes().values()) == {1}
    assert sum(place.accepted_writes().values()) == 3


def test_an_incomplete_scan_is_followed_by_no_remediation(place: Place, store: Store) -> None:
    place.assign(ASSIGNMENT + CONTINUOUS)
    for method, path in (("POST", "*/Microsoft.ResourceGraph/resources"), ("GET", "*/osl-03/*")):
        fault = {"method": method, "path": path, "status": 403, "times": 1000}
        assert httpx.post(f"{place.settings.arm.endpoint}/_emulator/faults", json=fault).is_success
    told = dict(fire(place, store))

    assert told["run finished"]["plan"] is None
    assert not place.accepted_writes()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (ASSIGNMENT, "its assignment is not remediated continuously"),
        (ASSIGNMENT + CONTINUOUS + "  enforcementMode: DoNotEnforce\n", "its assignment is not enforced"),
        (ASSIGNMENT.replace("name: shops", "name: others"), "it is not assigned any more"),
    ],
    ids=["manual", "DoNotEnforce", "gone"],
)
def test_what_was_interrupted_goes_on_only_as_far_as_it_is_still_wanted(
    place: Place, store: Store, text: str, reason: str
) -> None:
    place.assign(ASSIGNMENT + CONTINUOUS)
    plan_id = asyncio.run(begin(place.settings, store, SERVICE))
    place.assign(text)
    resume_all(place.settings, store, Event())

    outcomes = store.progress(plan_id).values()
    assert {outcome.state for outcome in outcomes} == {StepState.SKIPPED}
    assert all(outcome.message.endswith(reason) for outcome in outcomes)
    assert not place.accepted_writes()
    assert store.unfinished_plans() == []


def test_what_is_decided_during_the_scan_counts(place: Place, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    place.assign(ASSIGNMENT + CONTINUOUS)
    finished = Scanning.finish

    def finish(*scan: Any, **facts: Any) -> Any:
        place.assign(ASSIGNMENT + CONTINUOUS + "  enforcementMode: DoNotEnforce\n")
        return finished(*scan, **facts)

    monkeypatch.setattr(Scanning, "finish", finish)
    told = dict(fire(place, store))

    assert told["run finished"]["plan"] is None
    assert not place.accepted_writes()


def test_what_another_service_left_behind_is_finished_at_the_next_fire(place: Place, store: Store) -> None:
    """Its lease had not run out when this service started."""
    place.assign(ASSIGNMENT + CONTINUOUS)
    plan_id = asyncio.run(begin(place.settings, store, SERVICE))
    elsewhere = Owner("other-host", "0123", 7, "1", "a").text
    store.take_lease(plan_id, elsewhere, SystemClock().now())
    with structlog.testing.capture_logs() as told:
        resume_all(place.settings, store, Event())
    assert told == []
    assert store.unfinished_plans() == [plan_id]

    store.take_lease(plan_id, elsewhere, SystemClock().now(), seconds=0)
    assert ("resumed and finished", {"plan": plan_id, "log_level": "info"}) in fire(place, store)
    assert sum(place.accepted_writes().values()) == 3


def test_it_leaves_to_people_what_people_began(place: Place, store: Store) -> None:
    place.assign(ASSIGNMENT + CONTINUOUS)
    plan_id = asyncio.run(begin(place.settings, store, "anna"))

    with structlog.testing.capture_logs() as told:
        resume_all(place.settings, store, Event())

    assert told == []
    assert store.unfinished_plans() == [plan_id]


async def begin(settings: Settings, store: Store, by: str) -> str:
    """Start a remediation, and come no further."""
    clock = SystemClock()
    await scan(settings, store, clock, ScanRequest(), on_sync=unwatched, on_scan=unwatched)
    planned = await make_plan(settings, store, clock, PlanRequest(), unwatched)
    store.start_remediation(planned.plan.id, clock.now(), by)
    return planned.plan.id
