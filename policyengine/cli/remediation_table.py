"""What became of a plan, for people and for programs."""

from __future__ import annotations

from policyengine.cli.output import Column, Result
from policyengine.cli.remediation_progress import state_label
from policyengine.model.states import ComplianceState
from policyengine.model.values import JSON
from policyengine.remediation.steps import Step, StepState
from policyengine.reports.words import plural
from policyengine.workflows.remediate import Remediated

COLUMNS = (
    Column("id", "step"),
    Column("cluster", "cluster"),
    Column("action", "action"),
    Column("result", "result"),
    Column("now", "policy now"),
    Column("message", "why", wide=True),
)
WORDS = (
    ("succeeded", (StepState.SUCCEEDED,)),
    ("failed", (StepState.FAILED,)),
    ("stale", (StepState.STALE,)),
    ("not sent", (StepState.SKIPPED,)),
    ("unfinished", (StepState.PLANNED, StepState.INTENT, StepState.ACCEPTED)),
)


def remediation_result(result: Remediated, *, succeeded: bool) -> Result:
    """A row for each step, with its end, its cause, and the state of its policies now.

    Without ``succeeded`` the steps that did succeed are left to the summary.
    """
    states = {outcome.step_id: outcome.state for outcome in result.outcomes}
    steps = [s for s in result.plan.steps if succeeded or states.get(s.id) is not StepState.SUCCEEDED]
    rows = [_row(step, result) for step in steps]
    cells = {(n, "result"): state_label(states.get(step.id, StepState.PLANNED)) for n, step in enumerate(steps)}
    return Result(COLUMNS, rows, name="id", cells=cells, document={"plan": result.plan.id, "steps": rows})


def _row(step: Step, result: Remediated) -> dict[str, JSON]:
    outcome = next((o for o in result.outcomes if o.step_id == step.id), None)
    state = outcome.state if outcome is not None else StepState.PLANNED
    now = [j.state.value for j in result.judged if j.cluster == step.cluster and j.policy in step.policies]
    why = (outcome.message if outcome is not None else "") or step.reason
    return {
        "id": step.id,
        "cluster": step.cluster.name,
        "action": step.action,
        "result": state.value,
        "now": ", ".join(dict.fromkeys(now)),
        "message": "" if state is StepState.SUCCEEDED else why,
        "resource": step.write.id.text,
    }


def summary(result: Remediated) -> str:
    """``plan p-1a2b3c4d: 37 succeeded, 1 failed · 37 of 38 findings mended``."""
    counts = ", ".join(f"{n} {word}" for word, states in WORDS if (n := result.in_state(*states)))
    compliant = sum(judged.state is ComplianceState.COMPLIANT for judged in result.judged)
    after = f" · {compliant} of {plural(len(result.judged), 'finding')} mended" if result.judged else ""
    return f"plan {result.plan.id}: {counts}{after}"
