"""A plan for people (lines of text) and for programs (one document)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import ceil

from rich.console import RenderableType
from rich.text import Text

from policyengine.cli.output import Column
from policyengine.cli.tables import Heading, Row, Table
from policyengine.model.values import JSON, canonical_json
from policyengine.remediation.steps import FieldChange, Plan, Preflight, Step
from policyengine.reports.words import plural
from policyengine.workflows.plan import Planned

COLUMNS = (
    Column("id", "id"),
    Column("cluster", "cluster"),
    Column("action", "action"),
    Column("method", "method"),
    Column("preflight", "preflight"),
    Column("reason", "reason", wide=True),
)
SIGNS = {
    Preflight.READY: ("✔ ready", "blue"),
    Preflight.WAITS: ("… waits", "cyan"),
    Preflight.PARKED: ("⏸ parked", "yellow"),
    Preflight.REFUSED: ("✘ refused", "red"),
}
CREATED_FIELDS = 6
"""How many fields of a new object are shown before the rest is counted; a change shows all of them."""


def plan_lines(planned: Planned, *, limit: int | None, steps: Sequence[Step] | None = None) -> Iterator[RenderableType]:
    """Head, steps, unmended findings and budget; what is beyond ``limit`` is counted.

    ``steps`` picks the ones to show; by default the first.
    """
    plan = planned.plan
    clusters = plural(len({step.cluster for step in plan.steps}), "cluster")
    requests = f"{plural(len(plan.steps), 'request')} on {clusters}, {len(plan.runnable)} will be sent"
    yield Text(f"Plan {plan.id} · {requests} · for {plan.scope}\n", style="bold")
    if plan.steps:
        shown = plan.steps[:limit] if steps is None else steps
        yield _steps(shown, full=limit is None)
        if len(plan.steps) > len(shown):
            yield Text(f"  … {len(plan.steps) - len(shown)} more (--full)")
    if plan.unmended:
        yield Text("\nFindings that no request of this plan mends:", style="bold")
        yield _unmended(plan, limit)
    yield Text("\n" + _budget(planned))


def _steps(steps: Sequence[Step], *, full: bool) -> Table:
    """A line for each step, its changes indented below, so that long values have the whole width."""
    rows = []
    last = None
    for step in steps:
        sign, style = SIGNS[step.preflight]
        cells = [Text(step.id), Text(step.cluster.name if step.cluster != last else ""), Text(step.action, "bold")]
        preflight = Text(f"{sign}: {step.reason}" if step.reason else sign, style)
        rows.append(Row(cells, preflight, below=list(change_lines(step, full=full))))
        last = step.cluster
    headings = [Heading("step"), Heading("cluster"), Heading("action")]
    return Table(headings, rows, prose="preflight", indent=max(len(step.cluster.name) for step in steps) + 8)


def change_lines(step: Step, *, full: bool) -> Iterator[Text]:
    """`+` for a field that will be there, `~` for one that changes, `-` for one that goes.

    Unless ``full``, a new object shows its first fields, and none when it is not going to be created.
    """
    if step.before is not None and not step.changes:
        yield Text("↻ as it is, once more: it had not succeeded", style="yellow")
    creating = CREATED_FIELDS if step.will_run else 0
    shown = step.changes if full or step.before is not None else step.changes[:creating]
    for change in shown:
        yield change_text(change)
    if len(step.changes) > len(shown):
        yield Text(f"… {len(step.changes) - len(shown)} {'more ' if shown else ''}fields (--full)", style="dim")


def change_text(change: FieldChange) -> Text:
    """One field, such as `~ suspend   true → false`."""
    path = change.path.removeprefix("properties.")
    if change.old is None:
        return Text(f"+ {path}   {canonical_json(change.new)}", style="green")
    if change.new is None:
        return Text(f"- {path}   {canonical_json(change.old)}", style="red")
    return Text(f"~ {path}   {canonical_json(change.old)} → {canonical_json(change.new)}", style="yellow")


def _unmended(plan: Plan, limit: int | None) -> Table:
    rows = [Row([Text(f"  {u.cluster.name}"), Text(u.policy)], Text(u.reason, "dim")) for u in plan.unmended[:limit]]
    if len(plan.unmended) > len(rows):
        rows.append(Row([Text(f"  … {len(plan.unmended) - len(rows)} more (--full)"), Text()]))
    return Table([Heading(""), Heading("")], rows)


def _budget(planned: Planned) -> str:
    plan, cost = planned.plan, planned.estimate
    writes, reads = plural(cost.writes, "write"), plural(cost.reads, "read")
    parts = [f"API budget  {writes}, about {reads} · {ceil(cost.seconds)} s of budget"]
    for state, word in ((Preflight.PARKED, "parked"), (Preflight.REFUSED, "refused")):
        count = sum(step.preflight is state for step in plan.steps)
        if count:
            parts.append(f"{count} {word}")
    touched = len({step.cluster for step in plan.runnable})
    parts.append(f"touches {touched} of {plural(planned.clusters_in_fleet, 'cluster')}")
    return " · ".join(parts)


def plan_document(planned: Planned) -> dict[str, JSON]:
    """Everything a program needs to review a plan; secrets stand as references or masks."""
    plan = planned.plan
    return {
        "apiVersion": "policyengine/v1",
        "kind": "Plan",
        "id": plan.id,
        "hash": plan.hash,
        "createdAt": plan.created_at.isoformat(),
        "scope": plan.scope,
        "budget": {"writes": planned.estimate.writes, "reads": planned.estimate.reads},
        "steps": [step_document(step) for step in plan.steps],
        "unmended": [{"cluster": u.cluster.text, "policy": u.policy, "reason": u.reason} for u in plan.unmended],
    }


def step_document(step: Step) -> dict[str, JSON]:
    return {
        "id": step.id,
        "cluster": step.cluster.name,
        "clusterId": step.cluster.text,
        "policies": list(step.policies),
        "action": step.action,
        "method": step.write.method,
        "resource": step.write.id.text,
        "apiVersion": step.write.api_version,
        "body": dict(step.write.body),
        "changes": [{"path": c.path, "old": c.old, "new": c.new} for c in step.changes],
        "preflight": step.preflight.value,
        "reason": step.reason,
        "after": list(step.after_steps),
    }
