"""`policyengine status`."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from policyengine.cli.context import Output, cli_of
from policyengine.errors import UsageError

if TYPE_CHECKING:
    from rich.text import Text

    from policyengine.cli.output import Result
    from policyengine.model.values import JSON
    from policyengine.store.records import ScanRecord
    from policyengine.workflows.status import Status


class By(StrEnum):
    POLICY = "policy"
    SCOPE = "scope"
    CLUSTER = "cluster"


class State(StrEnum):
    """The states that `--state` picks from findings."""

    NON_COMPLIANT = "NonCompliant"
    EXEMPT = "Exempt"
    UNKNOWN = "Unknown"
    ERROR = "Error"
    CONFLICT = "Conflict"


def command(
    context: typer.Context,
    by: Annotated[By | None, typer.Option(help="What a row is (default: policy; with --state cluster).")] = None,
    state: Annotated[list[State] | None, typer.Option(help="Only findings in these states.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="Findings shown at most.")] = 1000,
) -> None:
    """Show where the fleet stood at the last scan.

    By policy, by scope, or finding by finding.
    """
    from policyengine.cli.compliance_table import compliance_result, fleet_line
    from policyengine.cli.output import console, emit, notes
    from policyengine.model.states import ComplianceState
    from policyengine.workflows.connect import open_store
    from policyengine.workflows.scan import total_counts
    from policyengine.workflows.status import read_status

    cli = cli_of(context)
    by = by or (By.CLUSTER if state else By.POLICY)
    if state and by is not By.CLUSTER:
        raise UsageError("--state picks findings", help="use it with `--by cluster`")
    with open_store(cli.settings) as store:
        states = [ComplianceState(s.value) for s in state] if state else None
        status = read_status(store, states=states, findings=limit if by is By.CLUSTER else 0)
    if status.begun is not None:
        notes(cli).print(unfinished(status.begun))
    if by is By.POLICY:
        emit(cli, compliance_result(status.policies))
    else:
        emit(cli, _scopes(status) if by is By.SCOPE else _findings(status))
    if status.in_all > len(status.findings) and by is By.CLUSTER:
        notes(cli).print(_rest(status))
    if cli.output is Output.TABLE and cli.query is None:
        fleet = fleet_line(total_counts(status.policies))
        console(cli).print(f"\n{fleet}   scan {status.scan.id} of {status.scan.finished:%Y-%m-%d %H:%M} UTC")


def unfinished(scan: ScanRecord) -> str:
    """That some states are newer than the last scan that was finished."""
    return (
        f"scan {scan.id} of {scan.started:%Y-%m-%d %H:%M} UTC is not finished: the {scan.evaluated:,} pairs that it has"
        " judged are shown as it found them; if it was stopped, the next `policyengine scan` goes on from there"
    )


def _rest(status: Status) -> str:
    return (
        f"{len(status.findings):,} of {status.in_all:,} findings are shown; "
        "all of them: `policyengine report --format csv`, or a larger --limit"
    )


def _scopes(status: Status) -> Result:
    from rich.text import Text

    from policyengine.cli.compliance_table import COUNT_COLUMNS, count_cells, count_members, shown
    from policyengine.cli.output import Column, Result

    rows = [
        {"scope": line.name, "depth": line.depth, "id": line.id.text, **count_members(line.counts)}
        for line in status.scopes
    ]
    names = {(n, "scope"): Text("  " * line.depth + line.name) for n, line in enumerate(status.scopes)}
    cells = count_cells([line.counts for line in status.scopes])
    return Result(shown([Column("scope", "scope"), *COUNT_COLUMNS], rows), rows, name="id", cells={**cells, **names})


def _findings(status: Status) -> Result:
    from rich.text import Text

    from policyengine.cli.output import Column, Result, state_text

    rows = [
        {
            "cluster": finding.cluster.name,
            "policy": finding.policy,
            "state": finding.state.value,
            "since": finding.since.isoformat(),
            "reason": finding.reason.message,
            "message": status.message_of(finding) or None,
            "observedAt": observed.isoformat() if (observed := status.observed.get(finding.cluster)) else None,
            "id": finding.cluster.text,
        }
        for finding in status.findings
    ]
    columns = [
        Column("cluster", "cluster"),
        Column("policy", "policy"),
        Column("state", "state"),
        Column("since", "since (UTC)"),
        Column("reason", "reason", wide=True),
    ]
    states = {(n, "state"): state_text(f.state) for n, f in enumerate(status.findings)}
    since = {(n, "since"): Text(f"{f.since:%Y-%m-%d %H:%M}") for n, f in enumerate(status.findings)}
    said = {(n, "reason"): _said(row["reason"], row["message"]) for n, row in enumerate(rows)}
    return Result(columns, rows, name="cluster", cells={**states, **since, **said})


def _said(reason: JSON, message: JSON) -> Text:
    """The reason, and what the policy's author says."""
    from rich.text import Text

    return Text.assemble(str(reason), (f" · {message}", "italic") if message else "")
