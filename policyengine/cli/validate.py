"""`policyengine validate`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Annotated

import typer

from policyengine.cli.context import Cli, Output, cli_of
from policyengine.cli.exit_codes import ExitCode

if TYPE_CHECKING:
    from policyengine.workflows.load import Checked

KEYS = ("file", "line", "column", "severity", "code", "message", "help")


def command(
    context: typer.Context,
    paths: Annotated[list[str] | None, typer.Argument(help="Files or folders (default: the project's).")] = None,
    select: Annotated[list[str] | None, typer.Option(help="Only these warnings: codes, by commas.")] = None,
    ignore: Annotated[list[str] | None, typer.Option(help="All warnings but these: codes, by commas.")] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Warnings count as errors.")] = False,
) -> None:
    """Check policy files.

    Needs no cluster and no account. Answers 1 when something is wrong.
    """
    from policyengine.clock import SystemClock
    from policyengine.workflows.load import check_files

    cli = cli_of(context)
    started = perf_counter()
    checked = check_files(paths or cli.settings.policies, cli.settings.aliases, at=SystemClock().now())
    checked = checked.choosing(_codes(select), _codes(ignore))
    _show(cli, checked, perf_counter() - started)
    if checked.errors or (strict and checked.diagnostics):
        raise typer.Exit(ExitCode.NO)


def _codes(given: list[str] | None) -> set[str]:
    return {code.strip() for text in given or () for code in text.split(",") if code.strip()}


def _show(cli: Cli, checked: Checked, elapsed_s: float) -> None:
    from policyengine.cli.output import FOR_PROBLEMS, Column, Result, console, emit
    from policyengine.cli.problems import github, rows, sarif
    from policyengine.model.diagnostic import render
    from policyengine.reports.words import plural

    if cli.output is Output.TABLE and cli.query is None:
        for diagnostic in checked.diagnostics:
            console(cli).print(render(diagnostic), soft_wrap=True)
        warnings = len(checked.diagnostics) - checked.errors
        told = (plural(len(checked.files), "file"), plural(checked.errors, "error"), plural(warnings, "warning"))
        console(cli).print(f"{', '.join(told)}, {elapsed_s:.2f} s")
    elif cli.output in FOR_PROBLEMS and cli.query is None:
        here = Path.cwd()
        if cli.output is Output.SARIF:
            sys.stdout.write(json.dumps(sarif(checked.diagnostics, here), indent=2, ensure_ascii=False) + "\n")
        else:
            sys.stdout.writelines(f"{line}\n" for line in github(checked.diagnostics, here))
    else:
        emit(cli, Result([Column(key, key) for key in KEYS], rows(checked.diagnostics), name="code"))
