"""The demo's story, told with the same tables that the commands print."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from rich.console import RenderableType
from rich.rule import Rule
from rich.text import Text

from policyengine.cli.compliance_table import compliance_result, fleet_line
from policyengine.cli.context import Cli
from policyengine.cli.explain_text import explanation_lines, head
from policyengine.cli.output import STYLES, console, state_text, table
from policyengine.cli.plan_table import plan_lines
from policyengine.cli.progress import progress, progress_of
from policyengine.cli.remediation_progress import is_refusal, watching
from policyengine.cli.remediation_table import remediation_result, summary
from policyengine.cli.report import write
from policyengine.cli.tables import Heading, Row, Table
from policyengine.clock import SystemClock
from policyengine.execution import Event, StepWaiting
from policyengine.model.states import ComplianceState, compliance_ratio
from policyengine.remediation.remains import why_unmended
from policyengine.remediation.steps import Plan, Step
from policyengine.reports import FORMATS, words
from policyengine.store.store import Store
from policyengine.workflows.explain import explain_cluster
from policyengine.workflows.plan import Planned, PlanRequest, make_plan
from policyengine.workflows.remediate import Remediated, remediate
from policyengine.workflows.report import make_report
from policyengine.workflows.scan import ScanRequest, ScanResult, scan, total_counts
from policyengine.workflows.settings import Settings

UNRECONCILED = "edge-cph-01"
"""Its configuration is declared just as it should be, and the cluster has not applied it for days."""
FOLD_AT = 14
PAGE = 120


@dataclass
class Teller:
    """Walks through the job on one stage; ``out`` is where the report goes."""

    cli: Cli
    settings: Settings
    store: Store
    out: Path
    clock: SystemClock = field(default_factory=SystemClock)

    async def tell(self) -> None:
        before = await self._scan("1 · Where does the fleet stand?")
        self._explain()
        planned = await self._plan()
        done = await self._remediate(planned)
        after = await self._scan("5 · And now?")
        self._remains(before, after, planned, done)
        self._report()

    async def _scan(self, title: str) -> ScanResult:
        self._step(title, "policyengine scan")
        with progress_of(self.cli, "reading the inventory", "evaluating") as (on_sync, on_scan):
            result = await scan(self.settings, self.store, self.clock, ScanRequest(), on_sync=on_sync, on_scan=on_scan)
        self._say(table(compliance_result(result.lines)))
        self._say(Text(f"\n{fleet_line(total_counts(result.lines))}", style="bold"))
        return result

    def _explain(self) -> None:
        self._step("2 · Why is one of them not compliant?", f"policyengine explain {UNRECONCILED}")
        found = explain_cluster(self.settings, self.store, self.clock, UNRECONCILED)
        self._say(head(found))
        for line in explanation_lines(found, full=False):
            self._say(line)

    async def _plan(self) -> Planned:
        self._step("3 · What exactly would be changed?", "policyengine plan")
        with progress(self.cli, "reading live objects") as on_progress:
            planned = await make_plan(self.settings, self.store, self.clock, PlanRequest(), on_progress)
        for line in plan_lines(planned, limit=FOLD_AT, steps=_telling(planned.plan)):
            self._say(line)
        self._say("\nNothing was changed yet.")
        return planned

    async def _remediate(self, planned: Planned) -> Remediated:
        plan = planned.plan
        self._step("4 · Do it", f"policyengine remediate --plan {plan.id}")
        retried: dict[str, str] = {}
        with watching(self.cli, plan) as on_event:

            def hear(event: Event) -> None:
                on_event(event)
                if isinstance(event, StepWaiting) and is_refusal(event):
                    retried[event.step.cluster.name] = event.reason

            done = await remediate(self.settings, self.store, self.clock, plan.id, on_event=hear)
        self._say(table(remediation_result(done, succeeded=False)))
        self._say(Text(f"\n{summary(done)}"))
        for cluster, reason in retried.items():
            self._say(Text(f"sent again: {cluster}: {reason}"))
        return done

    def _remains(self, before: ScanResult, after: ScanResult, planned: Planned, done: Remediated) -> None:
        self._step("6 · What remains, and why", "policyengine status --by cluster")
        was, now = (compliance_ratio(total_counts(result.lines)) or 0.0 for result in (before, after))
        self._say(Text(f"{words.percent(was)} → {words.percent(now)} compliant\n", style="bold"))
        why = why_unmended(planned.plan, {outcome.step_id: outcome for outcome in done.outcomes})
        rows = [
            Row(
                [Text(finding.cluster.name), Text(finding.policy), state_text(finding.state)],
                Text(why.get((finding.cluster, finding.policy)) or finding.reason.message),
            )
            for finding in self.store.findings()
        ]
        self._say(Table([Heading("cluster"), Heading("policy"), Heading("state")], rows, prose="why it remains"))

    def _report(self) -> None:
        self._step("7 · Tell everybody", f"policyengine report --out {self.out}")
        write(self.out, [FORMATS["html"](make_report(self.settings, self.store, self.clock))])
        self._say(Text(f"Report written: {self.out.resolve()}"))

    def _step(self, title: str, command: str) -> None:
        self._say("")
        self._say(Rule(Text(title, style="bold"), align="left", style="dim"))
        self._say(Text(f"$ {command}\n", style=STYLES[ComplianceState.COMPLIANT]))

    def _say(self, what: RenderableType) -> None:
        console(self.cli, page=PAGE).print(what)


def _telling(plan: Plan) -> list[Step]:
    """What is worth showing of a long plan: what will not be sent, what changes a field, then creations."""
    by_interest = sorted(plan.steps, key=lambda step: (step.will_run, step.before is None, step.id))
    return sorted(by_interest[:FOLD_AT], key=lambda step: step.id)
