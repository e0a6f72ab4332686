"""`policyengine scan`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from policyengine.cli.context import Cli, Output, cli_of
from policyengine.cli.exit_codes import ExitCode
from policyengine.cli.fail_on import FailOn, fails
from policyengine.cli.running import run

if TYPE_CHECKING:
    from policyengine.workflows.scan import ScanRequest, ScanResult


def command(
    context: typer.Context,
    assignment: Annotated[str | None, typer.Option(help="Only this assignment.")] = None,
    policy: Annotated[str | None, typer.Option(help="Only this policy.")] = None,
    sync: Annotated[bool, typer.Option("--sync/--no-sync", help="Read the inventory first.")] = True,
    fail_on: Annotated[FailOn, typer.Option(help="Answer 1 for findings of this severity or above.")] = FailOn.NEVER,
) -> None:
    """Evaluate the policies on every cluster.

    Remembers the states and what changed. Writes to no cluster.
    """
    from policyengine.workflows.scan import ScanRequest

    cli = cli_of(context)
    result = run(_scan(cli, ScanRequest(assignment, policy, sync)))
    show(cli, result)
    if not result.complete:
        raise typer.Exit(ExitCode.INCOMPLETE)
    if fails(fail_on, ((line.policy.severity, line.counts) for line in result.lines)):
        raise typer.Exit(ExitCode.NO)


async def _scan(cli: Cli, request: ScanRequest) -> ScanResult:
    from policyengine.cli.progress import progress
    from policyengine.clock import SystemClock
    from policyengine.workflows.connect import open_store
    from policyengine.workflows.scan import scan

    with (
        open_store(cli.settings) as store,
        progress(cli, "reading the inventory") as on_sync,
        progress(cli, "evaluating") as on_scan,
    ):
        return await scan(cli.settings, store, SystemClock(), request, on_sync=on_sync, on_scan=on_scan)


def show(cli: Cli, result: ScanResult) -> None:
    """The table of policies, the fleet's line, and what to do next."""
    from policyengine.cli.compliance_table import compliance_result, fleet_line
    from policyengine.cli.output import console, emit, notes
    from policyengine.workflows.scan import total_counts

    kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(result.clusters.items()))
    notes(cli).print(f"{sum(result.clusters.values())} clusters ({kinds}), {len(result.lines)} policies\n")
    for note in result.sync.notes if result.sync is not None else ():
        notes(cli).print(note)
    for failure in result.failures:
        notes(cli).print(f"not read: {failure.scope}: {failure.reason}")
    for name in result.idle:
        notes(cli).print(f"assignment {name}: no known cluster is in its scope")
    emit(cli, compliance_result(result.lines))
    if cli.output is Output.TABLE and cli.query is None:
        took = (result.scan.finished - result.scan.started).total_seconds()
        fleet = fleet_line(total_counts(result.lines))
        console(cli).print(f"\n{fleet}   scan {result.scan.id}, took {took:.1f} s")
        notes(cli).print("\nNext: policyengine status · policyengine explain CLUSTER · policyengine plan")
