from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeAlias

import pytest

from policyengine.compliance.bind import BoundPolicy
from policyengine.model.resource import Cluster
from policyengine.remediation.remains import why_unmended
from policyengine.remediation.steps import Plan, StepOutcome, StepState

Bound: TypeAlias = Callable[..., tuple[BoundPolicy, ...]]
MakeCluster: TypeAlias = Callable[..., Cluster]

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
NEEDS_FLUX = "{extension: {extensionType: microsoft.flux}}"


@pytest.fixture
def policies(bound: Bound, required: Callable[..., str]) -> tuple[BoundPolicy, ...]:
    return bound(required("flux", NEEDS_FLUX))


def outcome(state: StepState, message: str = "") -> dict[str, StepOutcome]:
    return {"s001": StepOutcome("s001", state, NOON, message)}


@pytest.mark.parametrize(
    ("state", "message", "told"),
    [
        (StepState.FAILED, "helm could not install", "failed: helm could not install"),
        (StepState.STALE, "`flux` has appeared: plan again", "stale: `flux` has appeared: plan again"),
        (StepState.SKIPPED, "agent offline", "not sent: agent offline"),
        (StepState.ACCEPTED, "", "not finished"),
        (StepState.INTENT, "sending; nothing was there", "not finished"),
    ],
)
def test_a_step_that_did_not_succeed_says_why(
    policies: tuple[BoundPolicy, ...],
    cluster: MakeCluster,
    planned: Callable[..., Plan],
    state: StepState,
    message: str,
    told: str,
) -> None:
    assert why_unmended(planned(policies, cluster()), outcome(state, message)) == {(cluster().id, "flux"): told}


def test_nothing_remains_of_what_succeeded_or_has_not_begun(
    policies: tuple[BoundPolicy, ...], cluster: MakeCluster, planned: Callable[..., Plan]
) -> None:
    plan = planned(policies, cluster())

    assert why_unmended(plan, outcome(StepState.SUCCEEDED)) == {}
    assert why_unmended(plan, {}) == {}


@pytest.mark.parametrize("outcomes", [{}, outcome(StepState.SKIPPED, "parked")])
def test_a_step_that_may_not_run_says_what_stands_in_its_way(
    policies: tuple[BoundPolicy, ...],
    cluster: MakeCluster,
    planned: Callable[..., Plan],
    outcomes: dict[str, StepOutcome],
) -> None:
    plan = planned(policies, cluster(connectivityStatus="Offline"))

    assert why_unmended(plan, outcomes) == {(cluster().id, "flux"): "parked: agent offline"}


def test_what_no_step_mends_keeps_its_reason(
    policies: tuple[BoundPolicy, ...], cluster: MakeCluster, planned: Callable[..., Plan]
) -> None:
    creating = {"extensionType": "microsoft.flux", "provisioningState": "Creating"}

    plan = planned(policies, cluster(extensions={"flux": creating}))

    assert why_unmended(plan, {}) == {(cluster().id, "flux"): "`flux` is Creating; plan again when that has finished"}


def test_a_step_of_several_policies_speaks_for_all_of_them(
    bound: Bound, required: Callable[..., str], cluster: MakeCluster, planned: Callable[..., Plan]
) -> None:
    plan = planned(bound(required("one", NEEDS_FLUX), required("two", NEEDS_FLUX)), cluster())

    reasons = why_unmended(plan, outcome(StepState.FAILED, "no"))

    assert reasons == {(cluster().id, "one"): "failed: no", (cluster().id, "two"): "failed: no"}
