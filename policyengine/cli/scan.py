"""`policyengine scan`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from policyengine.cli.context import Cli, Output, cli_of
from policyengine.cli.exit_codes import ExitCode
from policyengine.cli.fail_on import FailOn, fails
from policyengine.cli.running import run

if TYPE_CHECKING:
    from policyengine.model.values import JSON
    from policyengine.workflows.scan import ScanRequest, ScanResult
    from policyengine.workflows.verify import Verified


def command(
    context: typer.Context,
    assignment: Annotated[str | None, typer.Option(help="Only this assignment.")] = None,
    policy: Annotated[str | None, typer.Option(help="Only this policy.")] = None,
    sync: Annotated[bool, typer.Option("--sync/--no-sync", help="Read the inventory first.")] = True,
    full: Annotated[bool, typer.Option("--full", help="Judge everything, changed or not.")] = False,
    verify: Annotated[bool, typer.Option("--verify", help="Compare all with what is stored; write nothing.")] = False,
    executor: Annotated[
        str, typer.Option(help="Where clusters are judged: auto, inline, processes, dask://HOST:PORT.")
    ] = "auto",
    workers: Annotated[int | None, typer.Option(min=1, help="How many at once.")] = None,
    profile: Annotated[bool, typer.Option("--profile", help="Say where the time went, policy by policy.")] = False,
    fail_on: Annotated[FailOn, typer.Option(help="Answer 1 for findings of this severity or above.")] = FailOn.NEVER,
) -> None:
    """Evaluate the policies where something changed.

    Remembers the states and what changed. Writes to no cluster.
    """
    from policyengine.workflows.scan import ScanRequest

    cli = cli_of(context)
    request = ScanRequest(assignment, policy, sync, full, executor, workers, profile)
    if verify:
        _tell_differences(cli, run(_verify(cli, request)))
        return
    result = run(_scan(cli, request))
    show(cli, result, profile=profile)
    if not result.complete:
        raise typer.Exit(ExitCode.INCOMPLETE)
    if fails(fail_on, ((line.policy.severity, line.counts) for line in result.lines)):
        raise typer.Exit(ExitCode.NO)


async def _scan(cli: Cli, request: ScanRequest) -> ScanResult:
    from asyncio import CancelledError

    from policyengine.cli.output import notes

    try:
        return await _scanned(cli, request)
    except CancelledError:
        notes(cli).print("stopped: what was read and judged is kept, the next `policyengine scan` goes on from there")
        raise


async def _scanned(cli: Cli, request: ScanRequest) -> ScanResult:
    from policyengine.cli.progress import progress_of
    from policyengine.clock import SystemClock
    from policyengine.workflows.connect import open_store
    from policyengine.workflows.scan import scan

    with (
        open_store(cli.settings) as store,
        progress_of(cli, "reading the inventory", "evaluating") as (on_sync, on_scan),
    ):
        return await scan(cli.settings, store, SystemClock(), request, on_sync=on_sync, on_scan=on_scan)


async def _verify(cli: Cli, request: ScanRequest) -> Verified:
    from policyengine.cli.progress import progress
    from policyengine.clock import SystemClock
    from policyengine.workflows.connect import open_store
    from policyengine.workflows.verify import verify

    with open_store(cli.settings) as store, progress(cli, "verifying") as on_scan:
        return await verify(
            cli.settings,
            store,
            SystemClock(),
            assignment=request.assignment,
            policy=request.policy,
            executor=request.executor,
            workers=request.workers,
            on_scan=on_scan,
        )


def _tell_differences(cli: Cli, verified: Verified) -> None:
    """Nothing but differences on stdout; answers 1 when there are any."""
    from policyengine.cli.output import Column, Result, emit, notes

    rows: list[dict[str, JSON]] = [
        {"policy": one.policy, "cluster": one.cluster, "found": one.found} for one in verified.shown
    ]
    columns = (Column("policy", "policy"), Column("cluster", "cluster"), Column("found", "would be"))
    document: JSON = {
        "pairs": verified.pairs,
        "due": verified.due,
        "differences": verified.differences,
        "shown": rows,
    }
    if rows or cli.output is not Output.TABLE or cli.query is not None:
        emit(cli, Result(columns, rows, name="cluster", document=document))
    due = f"; {verified.due} are due and were left out" if verified.due else ""
    notes(cli).print(f"{verified.pairs} pairs compared, {verified.differences} differ from what is stored{due}")
    if verified.differences:
        raise typer.Exit(ExitCode.NO)


def show(cli: Cli, result: ScanResult, *, profile: bool = False) -> None:
    """The table of policies, the fleet's line, and what to do next."""
    from policyengine.cli.compliance_table import compliance_result, fleet_line
    from policyengine.cli.effort import profiled, was_judged, why
    from policyengine.cli.output import console, emit, notes
    from policyengine.reports.words import number, plural
    from policyengine.workflows.scan import total_counts

    kinds = ", ".join(f"{number(count)} {kind}" for kind, count in sorted(result.clusters.items()))
    clusters = plural(sum(result.clusters.values()), "cluster")
    notes(cli).print(f"{clusters} ({kinds}), {plural(len(result.lines), 'policy', 'policies')}\n")
    for note in result.sync.notes if result.sync is not None else ():
        notes(cli).print(note)
    for failure in result.failures:
        notes(cli).print(f"not read: {failure.scope}: {failure.reason}")
    if not result.whole:
        notes(cli).print("the inventory is incomplete: it was never read to its end; run `policyengine inventory sync`")
    for name in result.idle:
        notes(cli).print(f"assignment {name}: no known cluster is in its scope")
    notes(cli).print(was_judged(result.effort))
    emit(cli, compliance_result(result.lines, why(result, profile=profile)))
    if profile:
        for line in profiled(result):
            notes(cli).print(line)
    if cli.output is Output.TABLE and cli.query is None:
        took = (result.scan.finished - result.scan.started).total_seconds()
        fleet = fleet_line(total_counts(result.lines))
        console(cli).print(f"\n{fleet}   scan {result.scan.id}, took {took:.1f} s")
        notes(cli).print("\nNext: policyengine status · policyengine explain CLUSTER · policyengine plan")
