"""`policyengine emulator`: serves one; with a subcommand, tells one that runs what to do (`emulator_control`)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from policyengine.cli.context import cli_of
from policyengine.cli.emulator_control import app


@app.callback(invoke_without_command=True)
def command(
    context: typer.Context,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 picks a free one.")] = 8765,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    https: Annotated[
        bool, typer.Option("--https", help="Serve https, with a certificate authority of its own.")
    ] = False,
    fleet: Annotated[
        str | None, typer.Option(help="Fleet file, exported resources, or synthetic:SIZE (default: the Contoso fleet).")
    ] = None,
    state: Annotated[Path | None, typer.Option(help="File to keep everything in, encrypted.")] = None,
    clock: Annotated[str | None, typer.Option(help="real, xN (N times faster) or frozen (default: x60).")] = None,
    strict: Annotated[
        bool | None,
        typer.Option("--strict/--loose", help="Refuse or take what sources differ about (default: as documented)."),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Another one: other polls, ids, and faults by probability (default: 0).")
    ] = None,
) -> None:
    """Serve a local stand-in for Resource Manager.

    With the clusters behind it and a clock of its own, until interrupted. Its subcommands steer one that runs.
    """
    if context.invoked_subcommand is not None:
        return
    from threading import Event

    from policyengine.cli.emulator_serve import Serving, serving
    from policyengine.cli.output import notes

    cli = cli_of(context)
    with serving(Serving(host, port, https, fleet, state, clock, strict, seed)) as told:
        notes(cli).print(told, soft_wrap=True)
        Event().wait()


__all__ = ["app", "command"]
