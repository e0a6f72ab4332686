"""`policyengine remediate`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from policyengine.cli.context import Cli, Output, cli_of
from policyengine.cli.exit_codes import ExitCode
from policyengine.cli.running import run
from policyengine.errors import RemediationError, UsageError

if TYPE_CHECKING:
    from policyengine.remediation.steps import Plan
    from policyengine.store.store import Store
    from policyengine.workflows.remediate import Remediated
    from policyengine.workflows.settings import Settings


def command(
    context: typer.Context,
    plan: Annotated[str | None, typer.Option(help="Id of a stored plan; a unique beginning will do.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Finish a remediation that was interrupted.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    parallel: Annotated[int | None, typer.Option(min=1, max=2000, help="Clusters being sent to at a time.")] = None,
) -> None:
    """Send exactly what a plan showed.

    Refuses what changed since, and never sends an accepted request twice.
    """
    from policyengine.workflows.connect import open_store
    from policyengine.workflows.remediate import guard, plan_to_resume

    cli = cli_of(context)
    if plan is None and not resume:
        raise UsageError("which plan?", help="make one with `policyengine plan`, then name it with --plan")
    settings = cli.settings
    if parallel is not None:
        changed = settings.remediation.model_copy(update={"parallel": parallel})
        settings = settings.model_copy(update={"remediation": changed})
    with open_store(settings) as store:
        stored = store.plan(plan or plan_to_resume(store))
        guard(settings, store, stored, resume=resume)
        if not resume and not yes:
            _ask(stored)
        result = _carry_out(cli, settings, store, stored, resume=resume)
    show(cli, result)
    code = exit_code(result)
    if code:
        raise typer.Exit(code)


def _ask(plan: Plan) -> None:
    """Consent, from the person at the terminal or from --yes; nobody to ask means no."""
    from policyengine.reports.words import plural

    if not sys.stdin.isatty():
        raise RemediationError(f"plan {plan.id} was not agreed to", help="add --yes, or run it at a terminal")
    clusters = plural(len({step.cluster for step in plan.runnable}), "cluster")
    if not typer.confirm(f"Send {plural(len(plan.runnable), 'request')} to {clusters}?", err=True):
        raise RemediationError(f"plan {plan.id} was not agreed to: nothing was sent")


def _carry_out(cli: Cli, settings: Settings, store: Store, plan: Plan, *, resume: bool) -> Remediated:
    from policyengine.cli.output import notes
    from policyengine.cli.remediation_progress import watching
    from policyengine.clock import SystemClock
    from policyengine.workflows.remediate import remediate

    try:
        with watching(cli, plan) as on_event:
            return run(remediate(settings, store, SystemClock(), plan.id, on_event=on_event, resume=resume))
    except SystemExit:
        notes(cli).print(f"stopped; finish it with `policyengine remediate --plan {plan.id} --resume`")
        raise


def exit_code(result: Remediated) -> ExitCode:
    """INCOMPLETE when a step failed, REFUSED when one was stale, else OK: what was parked was known before."""
    from policyengine.remediation.steps import StepState

    planned = {step.id for step in result.plan.runnable}
    ran = [outcome for outcome in result.outcomes if outcome.step_id in planned]
    if any(outcome.state not in {StepState.SUCCEEDED, StepState.STALE} for outcome in ran):
        return ExitCode.INCOMPLETE
    return ExitCode.REFUSED if any(outcome.state is StepState.STALE for outcome in ran) else ExitCode.OK


def show(cli: Cli, result: Remediated, *, succeeded: bool = True) -> None:
    """Each step's end with its cause, then the summary; without ``succeeded`` only what did not succeed."""
    from policyengine.cli.output import console, emit, notes
    from policyengine.cli.remediation_table import remediation_result, summary

    table = remediation_result(result, succeeded=succeeded)
    if table.rows or cli.output is not Output.TABLE:
        emit(cli, table)
    if cli.output is Output.TABLE and cli.query is None:
        console(cli).print(f"\n{summary(result)}")
    if result.note:
        notes(cli).print(result.note)
