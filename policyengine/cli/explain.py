"""`policyengine explain`."""

from __future__ import annotations

from typing import Annotated

import typer

from policyengine.cli.context import Output, cli_of


def command(
    context: typer.Context,
    cluster: Annotated[str, typer.Argument(help="Name or id of a cluster.")],
    policy: Annotated[str | None, typer.Option(help="Only this policy, also when the cluster satisfies it.")] = None,
    full: Annotated[bool, typer.Option("--full", help="Every policy and every clause.")] = False,
) -> None:
    """Say why a cluster is not compliant.

    Conditions, actual and wanted values, the nearest object, and the line of the policy that says so.
    """
    from policyengine.cli.explain_text import explanation_document, explanation_lines, head
    from policyengine.cli.output import Column, Result, console, emit, notes
    from policyengine.clock import SystemClock
    from policyengine.workflows.connect import open_store
    from policyengine.workflows.explain import explain_cluster

    cli = cli_of(context)
    with open_store(cli.settings) as store:
        found = explain_cluster(cli.settings, store, SystemClock(), cluster, policy=policy, everything=full)
    if cli.output is not Output.TABLE or cli.query is not None:
        document = explanation_document(found)
        columns = [Column(key, key) for key in ("policy", "state", "reason", "fix")]
        emit(cli, Result(columns, document["policies"], name="policy", document=document))
        return
    out = console(cli)
    out.print(head(found))
    for line in explanation_lines(found, full=full):
        out.print(line)
    if not found.applicable and not found.explanations:
        out.print(
            "\nNo policy that was looked at applies to it:" if found.not_applicable else "\nNo policy is assigned."
        )
    elif not found.explanations:
        out.print("\nNothing to explain: it satisfies every policy that applies (--full shows them).")
    if full or not found.applicable:
        for key, why in found.not_applicable.items():
            out.print(f"· NotApplicable  {key}  {why}")
    if any(explanation.is_mendable for explanation in found.explanations):
        notes(cli).print(f"\nNext: policyengine plan --cluster {found.cluster.name}")
