"""Why a finding is still there after, or in spite of, a plan."""

from __future__ import annotations

from collections.abc import Mapping

from policyengine.model.ids import ResourceId
from policyengine.remediation.steps import Plan, Step, StepOutcome, StepState


def why_unmended(plan: Plan, outcomes: Mapping[str, StepOutcome]) -> dict[tuple[ResourceId, str], str]:
    """(cluster, policy key) → reason, for each pair the plan was about and did not mend; ``outcomes`` by step id."""
    reasons = {(unmended.cluster, unmended.policy): unmended.reason for unmended in plan.unmended}
    for step in plan.steps:
        if words := _words(step, outcomes.get(step.id)):
            reasons |= {(step.cluster, key): words for key in step.policies}
    return reasons


def _words(step: Step, outcome: StepOutcome | None) -> str:
    if not step.will_run:
        return f"{step.preflight.value}: {step.reason}"
    if outcome is None or outcome.state is StepState.SUCCEEDED:
        return ""
    if not outcome.state.is_final:
        return "not finished"
    words = "not sent" if outcome.state is StepState.SKIPPED else outcome.state.value
    return f"{words}: {outcome.message}"
