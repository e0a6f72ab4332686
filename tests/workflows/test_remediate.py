"""A stored plan and what may have happened since: other processes, other plans, and what people decided."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from policyengine.clock import SystemClock
from policyengine.emulator import Emulator, RunningEmulator
from policyengine.emulator import Settings as EmulatorSettings
from policyengine.errors import ArmThrottled, RemediationError, StoreError
from policyengine.execution import Event, StepAccepted, StepLeft, StepStarted, StepWaiting
from policyengine.model.fleet import parse_fleet
from policyengine.remediation.steps import Plan, StepState
from policyengine.store.owners import Owner
from policyengine.store.store import Store
from policyengine.workflows.connect import arm_client
from policyengine.workflows.lease import leased
from policyengine.workflows.plan import PlanRequest, make_plan
from policyengine.workflows.remediate import Remediated, remediate
from policyengine.workflows.scan import ScanRequest, scan
from policyengine.workflows.settings import ArmSettings, Budget, Settings
from policyengine.workflows.sync import unwatched

SUBSCRIPTION = "/subscriptions/00000000-0000-0000-0000-00000000000a"
CLUSTERS = ("osl-01", "osl-02")
ELSEWHERE = Owner("other-host", "0123", 7, "1", "a").text
DEFINITION = """
apiVersion: policyengine/v1
kind: PolicyDefinition
metadata: {{name: flux}}
spec:
  appliesTo: [arc]
  when: {{field: tags.gitops, notEquals: none}}
  parameters: {{effect: {{type: String, defaultValue: {effect}}}}}
  require: {{extension: {{extensionType: microsoft.flux, releaseTrain: {train}}}}}
"""
ASSIGNMENT = f"""
---
apiVersion: policyengine/v1
kind: Assignment
metadata: {{name: shops}}
spec:
  policy: flux
  scope: {SUBSCRIPTION}
"""


@dataclass
class Place:
    """A served fleet with nothing on it, and a project of one policy."""

    emulator: Emulator
    settings: Settings
    folder: Path

    def write(self, more: str = "", *, effect: str = "deployIfNotExists", train: str = "Stable") -> None:
        text = DEFINITION.format(effect=effect, train=train) + ASSIGNMENT + more
        (self.folder / "policies.yaml").write_text(text, encoding="utf-8")

    def open(self) -> Store:
        return Store.open(self.settings.database)

    def control(self, noun: str, **body: Any) -> None:
        assert httpx.post(f"{self.settings.arm.endpoint}/_emulator/{noun}", json=body).is_success

    def accepted_writes(self) -> int:
        entries = self.emulator.journal.entries("PUT") + self.emulator.journal.entries("PATCH")
        return sum(entry.status < 300 and "/extensions/" in entry.path for entry in entries)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    fleet = {
        "apiVersion": "policyengine/v1",
        "kind": "Fleet",
        "tenantId": "00000000-0000-0000-0000-00000000000f",
        "subscriptions": [{"subscriptionId": SUBSCRIPTION.rpartition("/")[2], "displayName": "shops"}],
        "resourceGroups": [{"subscription": "shops", "name": "stores", "location": "norwayeast"}],
        "clusters": [{"name": n, "kind": "arc", "subscription": "shops", "resourceGroup": "stores"} for n in CLUSTERS],
    }
    emulator = Emulator(parse_fleet(fleet), clock="x600", settings=EmulatorSettings(throttling=False))
    with RunningEmulator(emulator) as running:
        settings = Settings(
            policies=[str(tmp_path / "policies.yaml")],
            database=f"sqlite:///{tmp_path}/policyengine.db",
            arm=ArmSettings(
                endpoint=running.url, credential="emulator", budget=Budget(writesPerSecond=500, readsPerSecond=500)
            ),
        )
        place = Place(emulator, settings, tmp_path)
        place.write()
        yield place


@pytest.fixture
def store(place: Place) -> Iterator[Store]:
    with place.open() as opened:
        asyncio.run(scan(place.settings, opened, SystemClock(), ScanRequest(), on_sync=unwatched, on_scan=unwatched))
        yield opened


def planned(place: Place, store: Store, **request: Any) -> Plan:
    made = asyncio.run(make_plan(place.settings, store, SystemClock(), PlanRequest(**request), unwatched))
    assert len(made.plan.runnable) == len(CLUSTERS)
    return made.plan


def carry_out(place: Place, store: Store, plan: Plan, **more: Any) -> Remediated:
    return asyncio.run(remediate(place.settings, store, SystemClock(), plan.id, **more))


def finished(place: Place, plan: Plan) -> str | None:
    with sqlite3.connect(place.settings.database.removeprefix("sqlite:///")) as database:
        found: str | None = database.execute("SELECT finished FROM plan WHERE id = ?", [plan.id]).fetchone()[0]
    database.close()
    return found


class TestTwoProcesses:
    def test_a_plan_in_progress_is_refused_to_others_and_free_afterwards(self, place: Place, store: Store) -> None:
        """At each request of the first, another tries to begin the plan, and to resume it."""
        plan = planned(place, store)
        refused: list[str] = []

        def another(resume: bool) -> None:
            with place.open() as other, pytest.raises(RemediationError) as error:
                carry_out(place, other, plan, resume=resume)
            refused.append(error.value.message)

        def interfere(event: Event) -> None:
            if isinstance(event, StepStarted | StepAccepted):
                with ThreadPoolExecutor() as pool:
                    for resume in (False, True):
                        pool.submit(another, resume).result()

        done = carry_out(place, store, plan, on_event=interfere)

        assert done.in_state(StepState.SUCCEEDED) == len(CLUSTERS)
        assert len(refused) == 4 * len(CLUSTERS)
        assert all(f"plan {plan.id} is being carried out by process" in message for message in refused)
        assert place.accepted_writes() == len(CLUSTERS)
        assert store.leased_plans(SystemClock().now()) == set()

    def test_two_at_once_end_as_one_and_leave_nothing_in_doubt(self, place: Place, store: Store) -> None:
        plan = planned(place, store)
        with place.open() as other, ThreadPoolExecutor(2) as pool:
            runs = [pool.submit(carry_out, place, one, plan) for one in (store, other)]
            errors = [run.exception() for run in runs]

        assert [type(error) for error in errors if error is not None] == [RemediationError]
        assert {o.state for o in store.progress(plan.id).values()} == {StepState.SUCCEEDED}
        assert place.accepted_writes() == len(CLUSTERS)

    def test_one_that_is_refused_has_begun_nothing(self, place: Place, store: Store) -> None:
        plan = planned(place, store)
        store.take_lease(plan.id, ELSEWHERE, SystemClock().now())

        with pytest.raises(RemediationError, match="process 7 on other-host"):
            carry_out(place, store, plan)
        assert store.unfinished_plans() == []
        assert store.leased_plans(SystemClock().now()) == {plan.id}

    def test_one_whose_plan_is_taken_over_sends_nothing_more(self, place: Place, store: Store) -> None:
        plan = planned(place, store)

        def take_over(event: Event) -> None:
            if isinstance(event, StepAccepted):
                with sqlite3.connect(place.settings.database.removeprefix("sqlite:///")) as database:
                    database.execute("UPDATE lease SET owner = ?", [ELSEWHERE])
                database.close()

        one_by_one = place.settings.model_copy(
            update={"remediation": place.settings.remediation.model_copy(update={"parallel": 1})}
        )
        with pytest.raises(StoreError, match="another process took plan"):
            carry_out(replace(place, settings=one_by_one), store, plan, on_event=take_over)
        assert place.accepted_writes() == 1

    def test_a_lease_is_renewed_while_it_is_needed(self, place: Place, store: Store) -> None:
        class Ahead:
            """Each look at the clock is twenty seconds later."""

            at = SystemClock().now()
            looks = 0
            enough = asyncio.Event()

            def now(self) -> datetime:
                self.at += timedelta(seconds=20)
                self.looks += 1
                if self.looks == 10:
                    self.enough.set()
                return self.at

        plan, clock = planned(place, store), Ahead()

        async def work() -> None:
            async with leased(store, clock, plan.id, on_processes=unheard, every_s=0.001):
                async with asyncio.timeout(10):
                    await clock.enough.wait()
                store.take_lease(plan.id, ELSEWHERE, clock.at)

        with pytest.raises(RemediationError):
            asyncio.run(work())
        store.take_lease(plan.id, ELSEWHERE, clock.at)

    def test_a_lost_lease_ends_what_goes_on_under_it(self, place: Place, store: Store) -> None:
        plan = planned(place, store)

        async def work() -> None:
            async with leased(store, SystemClock(), plan.id, on_processes=unheard, every_s=0.001) as progress:
                store.release_lease(plan.id, progress.owner)
                await asyncio.sleep(5)

        with pytest.raises(StoreError, match="another process took plan"):
            asyncio.run(work())


def unheard(_processes: int) -> None:
    """Nobody shares a budget."""


def test_processes_that_write_at_once_are_counted_while_they_do(place: Place, store: Store) -> None:
    plan, heard = planned(place, store), list[int]()
    place.write(train="Preview")
    other = planned(place, store)

    async def work() -> None:
        both = asyncio.Event()

        def hear(processes: int) -> None:
            heard.append(processes)
            if processes == 2:
                both.set()

        async with leased(store, SystemClock(), plan.id, on_processes=hear, every_s=0.001), asyncio.timeout(10):
            store.take_lease(other.id, ELSEWHERE, SystemClock().now())
            await both.wait()
            store.release_lease(other.id, ELSEWHERE)

    asyncio.run(work())
    assert (heard[0], max(heard), heard[-1]) == (1, 2, 0)


def test_two_plans_for_one_object_do_not_both_write(place: Place, store: Store) -> None:
    first = planned(place, store)
    place.write(train="Preview")
    second = planned(place, store)
    place.control("faults", method="PUT", path="*/osl-01/*", status=429, retryAfter=1)
    left: list[str] = []

    def other(event: Event) -> None:
        left.extend([event.reason] if isinstance(event, StepLeft) else [])

    def interfere(event: Event) -> None:
        if isinstance(event, StepWaiting) and event.reason.startswith("429"):  # begun, and not there yet
            with place.open() as own, ThreadPoolExecutor() as pool:
                pool.submit(carry_out, place, own, first, on_event=other).result()

    one = place.settings.model_copy(
        update={"remediation": place.settings.remediation.model_copy(update={"parallel": 1})}
    )
    done = carry_out(replace(place, settings=one), store, second, on_event=interfere)
    again = carry_out(place, store, first, resume=True)

    assert left == [f"plan {second.id} is writing to the same object now"]
    states = [outcome.state for outcome in (*done.outcomes, *again.outcomes)]
    assert states.count(StepState.SUCCEEDED) == len(CLUSTERS), "each object has one plan that wrote to it"
    assert states.count(StepState.STALE) == len(CLUSTERS)
    assert place.accepted_writes() == len(CLUSTERS)


EXEMPTION = f"""
---
apiVersion: policyengine/v1
kind: Exemption
metadata: {{name: pilot, owner: anna}}
spec: {{assignment: shops, scopes: [{SUBSCRIPTION}], category: Waiver, reason: a pilot}}
"""


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda place: place.write(f"  notScopes: [{SUBSCRIPTION}/resourceGroups/stores]\n"), "it does not apply"),
        (lambda place: place.write(EXEMPTION), "exempt by `pilot`"),
        (lambda place: place.write(effect="disabled"), "it does not apply"),
        (lambda place: place.write("  enforcementMode: DoNotEnforce\n"), "its assignment is not enforced"),
        (lambda place: (place.folder / "policies.yaml").write_text(""), "it is not assigned any more"),
    ],
    ids=["notScopes", "exemption", "disabled", "DoNotEnforce", "gone"],
)
def test_what_people_decide_after_planning_counts(
    place: Place, store: Store, change: Callable[[Place], object], reason: str
) -> None:
    plan = planned(place, store)
    change(place)
    done = carry_out(place, store, plan)

    assert done.in_state(StepState.SKIPPED) == len(CLUSTERS)
    assert all(f"policy `shops` no longer asks for it: {reason}" in outcome.message for outcome in done.outcomes)
    assert place.accepted_writes() == 0


def test_a_cluster_that_opted_out_by_a_tag_is_left_alone(place: Place, store: Store) -> None:
    plan = planned(place, store)
    cluster = f"{place.settings.arm.endpoint}{plan.steps[0].cluster}?api-version=2024-01-01"
    tagged = httpx.patch(cluster, headers={"Authorization": "Bearer t"}, json={"tags": {"gitops": "none"}})
    assert tagged.is_success, tagged.text
    done = carry_out(place, store, plan)

    assert [outcome.state for outcome in done.outcomes] == [StepState.SKIPPED, StepState.SUCCEEDED]
    assert place.accepted_writes() == 1


def test_what_was_asked_for_by_its_name_need_not_be_enforced(place: Place, store: Store) -> None:
    place.write("  enforcementMode: DoNotEnforce\n")
    plan = planned(place, store, assignment="shops", unenforced=True)

    assert carry_out(place, store, plan).in_state(StepState.SUCCEEDED) == len(CLUSTERS)


def test_without_a_person_only_what_is_continuous_is_written(place: Place, store: Store) -> None:
    plan = planned(place, store, assignment="shops", unenforced=True)
    done = carry_out(place, store, plan, unattended=True)

    assert {outcome.state for outcome in done.outcomes} == {StepState.SKIPPED}
    assert "not remediated continuously" in done.outcomes[0].message


def test_a_plan_is_carried_out_once(place: Place, store: Store) -> None:
    plan = planned(place, store)
    carry_out(place, store, plan)
    assert finished(place, plan) is not None

    for resume in (False, True):
        with pytest.raises(RemediationError, match="was applied already"):
            carry_out(place, store, plan, resume=resume)


def test_a_plan_with_steps_left_is_not_finished(place: Place, store: Store) -> None:
    plan = planned(place, store)
    place.control("faults", method="PUT", path="*/osl-01/*", status=429, retryAfter=3600)
    one = place.settings.model_copy(
        update={"remediation": place.settings.remediation.model_copy(update={"parallel": 1})}
    )
    carry_out(replace(place, settings=one), store, plan)

    assert finished(place, plan) is None
    assert store.unfinished_plans() == [plan.id]


def test_clients_of_one_endpoint_share_one_budget(place: Place, store: Store) -> None:
    """What one assignment's run was told holds for the next one, in whatever thread."""
    plan = planned(place, store)
    target = plan.steps[0].write.id.text
    place.control("faults", method="PUT", path="*/osl-01/*", status=429, retryAfter=3600)
    carry_out(place, store, plan)

    async def ask(settings: Settings) -> None:
        async with arm_client(settings) as client:
            client.demand_open("PUT", target)

    with ThreadPoolExecutor() as pool, pytest.raises(ArmThrottled):
        pool.submit(asyncio.run, ask(place.settings)).result()
    other = place.settings.arm.model_copy(update={"budget": Budget(writesPerSecond=7)})
    asyncio.run(ask(place.settings.model_copy(update={"arm": other})))
