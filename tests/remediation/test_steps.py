from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from policyengine.model.ids import ResourceId
from policyengine.model.resource import AKS, EXTENSIONS, FLUX_CONFIGURATIONS, ResourceWrite
from policyengine.remediation.steps import TRANSITIONS, FieldChange, Plan, Preflight, Step, StepState

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
CLUSTER = ResourceId(f"/subscriptions/s/resourceGroups/g/providers/{AKS}/web-weu-01")
WRITE = ResourceWrite(CLUSTER.extension(EXTENSIONS, "flux"), "2025-03-01", {"properties": {"a": 1, "b": 2}})
STEP = Step("s001", CLUSTER, ("flux",), WRITE, None, ())


def test_every_state_can_be_reached_and_some_are_final() -> None:
    assert set(TRANSITIONS) == set(StepState)
    assert set().union(*TRANSITIONS.values()) == set(StepState)
    assert {state for state in StepState if state.is_final} == {
        StepState.SUCCEEDED,
        StepState.FAILED,
        StepState.STALE,
        StepState.SKIPPED,
    }


def test_nothing_is_sent_without_an_intent() -> None:
    assert [state for state in StepState if StepState.ACCEPTED in TRANSITIONS[state]] == [StepState.INTENT]


def test_what_was_accepted_is_never_planned_again() -> None:
    assert TRANSITIONS[StepState.ACCEPTED] == {StepState.SUCCEEDED, StepState.FAILED}


@pytest.mark.parametrize(
    ("id", "before", "action"),
    [
        (CLUSTER.extension(EXTENSIONS, "flux"), None, "create extension flux"),
        (CLUSTER.extension(FLUX_CONFIGURATIONS, "apps"), "f1", "update fluxConfiguration apps"),
        (
            CLUSTER.extension("Microsoft.Insights/diagnosticSettings", "logs"),
            None,
            "create Microsoft.Insights/diagnosticSettings logs",
        ),
    ],
)
def test_a_step_says_what_it_does(id: ResourceId, before: str | None, action: str) -> None:
    assert replace(STEP, write=replace(WRITE, id=id), before=before).action == action


@pytest.mark.parametrize(
    ("preflight", "runs"),
    [
        (Preflight.READY, True),
        (Preflight.WAITS, True),
        (Preflight.PARKED, False),
        (Preflight.REFUSED, False),
    ],
)
def test_a_step_runs_unless_something_stands_in_its_way(preflight: Preflight, runs: bool) -> None:
    step = replace(STEP, preflight=preflight)

    assert step.will_run is runs
    assert Plan(NOON, (step,)).runnable == ((step,) if runs else ())


@pytest.mark.parametrize(
    "same",
    [
        replace(STEP, write=replace(WRITE, body={"properties": {"b": 2, "a": 1}})),
        replace(STEP, write=replace(WRITE, id=ResourceId(WRITE.id.text.upper()))),
        replace(STEP, reason="other words"),
        replace(STEP, changes=(FieldChange("a", None, 1),)),
    ],
)
def test_the_hash_is_that_of_the_requests(same: Step) -> None:
    assert Plan(NOON, (same,)).hash == Plan(NOON, (STEP,)).hash


@pytest.mark.parametrize(
    "other",
    [
        replace(STEP, write=replace(WRITE, method="PATCH")),
        replace(STEP, write=replace(WRITE, body={"properties": {"a": 1, "b": True}})),
        replace(STEP, write=replace(WRITE, api_version="2024-11-01")),
        replace(STEP, before="changed"),
        replace(STEP, preflight=Preflight.PARKED),
        replace(STEP, after_steps=("s000",)),
    ],
)
def test_another_request_is_another_plan(other: Step) -> None:
    assert Plan(NOON, (other,)).hash != Plan(NOON, (STEP,)).hash


def test_the_order_of_requests_is_part_of_the_plan() -> None:
    other = replace(STEP, write=replace(WRITE, id=CLUSTER.extension(EXTENSIONS, "policy")))

    assert Plan(NOON, (STEP, other)).hash != Plan(NOON, (other, STEP)).hash


def test_the_id_also_tells_when_the_plan_was_made() -> None:
    plan, later = Plan(NOON, (STEP,)), Plan(NOON.replace(hour=13), (STEP,))

    assert plan.hash == later.hash
    assert plan.id != later.id
    assert plan.id.startswith("p-")
    assert len(plan.id) == len("p-") + 8
