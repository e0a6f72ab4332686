"""`policyengine validate`."""

from __future__ import annotations

from time import perf_counter
from typing import Annotated

import typer

from policyengine.cli.context import Output, cli_of
from policyengine.cli.exit_codes import ExitCode


def command(
    context: typer.Context,
    paths: Annotated[list[str] | None, typer.Argument(help="Files or folders (default: the project's).")] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Warnings count as errors.")] = False,
) -> None:
    """Check policy files.

    Needs no cluster and no account. Answers 1 when something is wrong.
    """
    from policyengine.cli.output import Column, Result, console, emit
    from policyengine.model.diagnostic import render
    from policyengine.reports.words import plural
    from policyengine.workflows.load import check_files

    cli = cli_of(context)
    started = perf_counter()
    checked = check_files(paths or cli.settings.policies, cli.settings.aliases)
    warnings = len(checked.diagnostics) - checked.errors
    if cli.output is Output.TABLE and cli.query is None:
        for diagnostic in checked.diagnostics:
            console(cli).print(render(diagnostic), soft_wrap=True)
        told = (plural(len(checked.files), "file"), plural(checked.errors, "error"), plural(warnings, "warning"))
        console(cli).print(f"{', '.join(told)}, {perf_counter() - started:.2f} s")
    else:
        rows = [
            {
                "file": d.span.source.name if d.span else None,
                "line": d.span.line if d.span else None,
                "column": d.span.column if d.span else None,
                "severity": d.severity.value,
                "code": d.code,
                "message": d.message,
                "help": d.help,
            }
            for d in checked.diagnostics
        ]
        keys = ("file", "line", "column", "severity", "code", "message", "help")
        emit(cli, Result([Column(key, key) for key in keys], rows, name="code"))
    if checked.errors or (strict and warnings):
        raise typer.Exit(ExitCode.NO)
