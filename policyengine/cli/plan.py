"""`policyengine plan`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from policyengine.cli.context import Cli, Output, cli_of
from policyengine.cli.exit_codes import ExitCode
from policyengine.cli.running import run

if TYPE_CHECKING:
    from policyengine.workflows.plan import Planned, PlanRequest

FOLD_AT = 50


def command(
    context: typer.Context,
    assignment: Annotated[str | None, typer.Option(help="Only this assignment.")] = None,
    policy: Annotated[str | None, typer.Option(help="Only this policy.")] = None,
    scope: Annotated[str | None, typer.Option(help="Only clusters at or under this id.")] = None,
    cluster: Annotated[str | None, typer.Option(help="Only this cluster, by name or id.")] = None,
    max: Annotated[int | None, typer.Option(min=1, help="At most so many clusters.")] = None,
    full: Annotated[bool, typer.Option("--full", help=f"Show every step, also beyond {FOLD_AT}.")] = False,
    exit_code: Annotated[bool, typer.Option("--exit-code", help="Answer 1 when there is something to do.")] = False,
) -> None:
    """Show exactly what remediation would send, field by field.

    Keeps it as a plan, and changes nothing. The live objects are read again.
    """
    from policyengine.workflows.plan import PlanRequest

    cli = cli_of(context)
    planned = run(_plan(cli, PlanRequest(assignment, policy, scope, cluster, max, unenforced=assignment is not None)))
    show(cli, planned, full=full)
    if planned.failures:
        raise typer.Exit(ExitCode.INCOMPLETE)
    if exit_code and planned.plan.runnable:
        raise typer.Exit(ExitCode.NO)


async def _plan(cli: Cli, request: PlanRequest) -> Planned:
    from policyengine.cli.progress import progress
    from policyengine.clock import SystemClock
    from policyengine.workflows.connect import open_store
    from policyengine.workflows.plan import make_plan

    with open_store(cli.settings) as store, progress(cli, "reading live objects") as on_progress:
        return await make_plan(cli.settings, store, SystemClock(), request, on_progress)


def show(cli: Cli, planned: Planned, *, full: bool) -> None:
    """The steps with their changes, what no step mends, the budget, and how to apply it."""
    from policyengine.cli.output import Result, console, emit, notes
    from policyengine.cli.plan_table import COLUMNS, plan_document, plan_lines

    plan = planned.plan
    for failure in planned.failures:
        notes(cli).print(f"not read, so not planned: {failure.scope}: {failure.reason}")
    if cli.output is Output.NAME and cli.query is None:
        console(cli).print(plan.id)
        return
    if cli.output is not Output.TABLE or cli.query is not None:
        document = plan_document(planned)
        emit(cli, Result(COLUMNS, document["steps"], name="id", document=document))
        return
    out = console(cli)
    for line in plan_lines(planned, limit=None if full else FOLD_AT):
        out.print(line)
    if plan.runnable and not cli.settings.inventory.startswith("arm:"):
        out.print("\nNothing was changed, and nothing can be: plans are applied where `inventory: arm:` is read.")
    elif plan.runnable:
        out.print(f"\nNothing was changed. Apply: policyengine remediate --plan {plan.id}")
    else:
        out.print("\nNothing to do: no request is ready to be sent.")
