from __future__ import annotations

from datetime import UTC, datetime

import pytest

from policyengine.model.ids import ResourceId
from policyengine.model.resource import ARC, EXTENSIONS, ResourceWrite
from policyengine.remediation.budget import Estimate, estimate
from policyengine.remediation.steps import Plan, Preflight, Step


def step(subscription: str, preflight: Preflight = Preflight.READY) -> Step:
    cluster = ResourceId(f"/subscriptions/{subscription}/resourceGroups/g/providers/{ARC}/c")
    write = ResourceWrite(cluster.extension(EXTENSIONS, "flux"), "2025-03-01", {})
    return Step("s001", cluster, ("flux",), write, None, (), preflight)


def plan(*steps: Step) -> Plan:
    return Plan(datetime(2026, 11, 22, tzinfo=UTC), steps)


def test_the_busiest_subscription_sets_the_pace() -> None:
    """Each has a budget of its own."""
    assert estimate(plan(*[step("a")] * 12, *[step("b")] * 4), writes_per_second=8, reads_per_second=100) == Estimate(
        writes=16, reads=48, seconds=1.5, binding_subscription="a"
    )


def test_reads_take_longer_where_they_are_scarcer() -> None:
    """Each write is looked at before and after."""
    assert estimate(plan(*[step("a")] * 8), writes_per_second=8, reads_per_second=20).seconds == pytest.approx(1.2)


def test_one_subscription_is_one_however_it_is_spelt() -> None:
    found = estimate(plan(step("5B0C"), step("b"), step("5b0c")), writes_per_second=1, reads_per_second=100)

    assert (found.binding_subscription, found.seconds) == ("5B0C", 2.0)


@pytest.mark.parametrize("preflight", [Preflight.PARKED, Preflight.REFUSED])
def test_steps_that_do_not_run_cost_nothing(preflight: Preflight) -> None:
    found = estimate(plan(step("a", preflight), step("a", Preflight.WAITS)), writes_per_second=8, reads_per_second=20)

    assert found.writes == 1


def test_an_empty_plan_costs_nothing() -> None:
    assert estimate(plan(), writes_per_second=8, reads_per_second=20) == Estimate(0, 0, 0.0, None)
