"""`policyengine emulator`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from policyengine.cli.context import cli_of


def command(
    context: typer.Context,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 picks a free one.")] = 8765,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    fleet: Annotated[Path | None, typer.Option(help="Fleet file (default: the shipped Contoso fleet).")] = None,
    clock: Annotated[str, typer.Option(help="real, xN (N times faster) or frozen.")] = "x60",
    strict: Annotated[
        bool | None,
        typer.Option("--strict/--loose", help="Refuse or take what sources differ about (default: as documented)."),
    ] = None,
) -> None:
    """Serve a local stand-in for Resource Manager.

    With the clusters behind it and a clock of its own, until interrupted.
    """
    from threading import Event

    from policyengine.cli.output import notes
    from policyengine.emulator import Emulator, RunningEmulator, Settings
    from policyengine.workflows.demo import load_fleet, sample_fleet

    cli = cli_of(context)
    settings = Settings() if strict is None else Settings.strict() if strict else Settings.loose()
    emulator = Emulator(load_fleet(fleet or sample_fleet()), clock=clock, settings=settings)
    with RunningEmulator(emulator, host=host, port=port) as running:
        notes(cli).print(
            f"Resource Manager emulator on {running.url}, clock {clock}\n"
            f"  use it:   export POLICYENGINE_ARM__ENDPOINT={running.url} POLICYENGINE_ARM__CREDENTIAL=emulator\n"
            f"  watch it: curl {running.url}/_emulator/journal\n"
            "  stop it:  Ctrl-C",
            soft_wrap=True,
        )
        Event().wait()
