"""What a plan costs: requests per subscription, and the time the budget needs for them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from policyengine.model.ids import ResourceId
from policyengine.remediation.steps import Plan

READS_PER_STEP = 3
"""The object before, with its share of reading the clusters, and mostly one or two looks until it is as written."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """``seconds`` is the time the slower of the two budgets takes; the agents' own work comes on top."""

    writes: int
    reads: int
    seconds: float
    binding_subscription: str | None


def estimate(plan: Plan, *, writes_per_second: float, reads_per_second: float) -> Estimate:
    """The busiest subscription sets the pace: each has a budget of its own."""
    per_subscription = Counter(ResourceId.for_subscription(step.write.id.subscription or "") for step in plan.runnable)
    busiest = per_subscription.most_common(1)
    step_s = max(1 / writes_per_second, READS_PER_STEP / reads_per_second)
    return Estimate(
        writes=len(plan.runnable),
        reads=len(plan.runnable) * READS_PER_STEP,
        seconds=busiest[0][1] * step_s if busiest else 0.0,
        binding_subscription=busiest[0][0].name if busiest else None,
    )
