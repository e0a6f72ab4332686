"""`policyengine fmt`."""

from __future__ import annotations

from typing import Annotated

import typer

from policyengine.cli.context import cli_of
from policyengine.cli.exit_codes import ExitCode


def command(
    context: typer.Context,
    paths: Annotated[list[str] | None, typer.Argument(help="Files or folders (default: the project's).")] = None,
    check: Annotated[bool, typer.Option("--check", help="Write nothing; answer 1 when a file would change.")] = False,
) -> None:
    """Lay out policy files in one way.

    Order of keys and indentation; comments stay, and so does the meaning.
    """
    from policyengine.cli.output import Column, Result, emit, notes
    from policyengine.workflows.formatting import format_files

    cli = cli_of(context)
    done = format_files(paths or cli.settings.policies, write=not check)
    word = "would change" if check else "changed"
    rows = [{"file": str(file), "result": word} for file in done.changed]
    rows += [{"file": str(file), "result": "left alone: it cannot be laid out safely"} for file in done.refused]
    if rows:
        emit(cli, Result([Column("file", "file"), Column("result", "result")], rows, name="file"))
    notes(cli).print(f"{len(done.files)} files, {len(done.changed)} {word}")
    if check and done.changed:
        raise typer.Exit(ExitCode.NO)
