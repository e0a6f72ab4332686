"""`policyengine eval`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from policyengine.cli.context import Output, cli_of


def command(
    context: typer.Context,
    expression: Annotated[str, typer.Argument(metavar="EXPR", help="A field, a [template expression] or JMESPath.")],
    cluster: Annotated[str | None, typer.Option(help="A cluster of the inventory, by name or id.")] = None,
    resource: Annotated[Path | None, typer.Option(help="A file with one resource, as JSON or YAML.")] = None,
    policy: Annotated[str | None, typer.Option(help="A policy whose parameters are meant.")] = None,
    param: Annotated[list[str] | None, typer.Option(metavar="NAME=VALUE", help="A parameter; may be repeated.")] = None,
) -> None:
    """Evaluate one expression.

    Prints the value as JSON; where it is read, and what kind of nothing it is, on standard error.
    """
    from policyengine.cli.output import Column, Result, emit, notes
    from policyengine.clock import SystemClock
    from policyengine.text.writer import to_json
    from policyengine.workflows.evaluate import EvalRequest, evaluate_text

    cli = cli_of(context)
    found = evaluate_text(
        cli.settings, SystemClock(), EvalRequest(expression, cluster, resource, policy, tuple(param or ()))
    )
    if cli.output is Output.TABLE and cli.query is None:
        typer.echo(to_json(found.value), nl=False)
        told = (found.kind.value, found.path and f"reads {found.path}", found.note, found.presence.value)
        notes(cli).print(" · ".join(part for part in told if part))
        return
    row = {
        "expression": found.text,
        "kind": found.kind.value,
        "value": found.value,
        "presence": found.presence.value,
        "path": found.path,
        "note": found.note,
    }
    columns = [Column(key, key) for key in ("expression", "kind", "value", "presence", "path")]
    emit(cli, Result(columns, [row], name="value", document=row))
