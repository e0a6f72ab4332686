"""`policyengine report`."""

from __future__ import annotations

import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from policyengine.cli.context import Cli, Output, cli_of
from policyengine.cli.exit_codes import ExitCode
from policyengine.cli.fail_on import FailOn, fails
from policyengine.errors import UsageError

if TYPE_CHECKING:
    from policyengine.model.values import JSON


class Format(StrEnum):
    HTML = "html"
    MARKDOWN = "markdown"
    JSON = "json"
    CSV = "csv"


def command(
    context: typer.Context,
    format: Annotated[Format | None, typer.Option(help="Default: by the ending of --out, or as -o says.")] = None,
    out: Annotated[Path | None, typer.Option(help="File to write; without it the report goes to stdout.")] = None,
    fail_on: Annotated[FailOn, typer.Option(help="Answer 1 for findings of this severity or above.")] = FailOn.NEVER,
) -> None:
    """Write a compliance report: HTML, Markdown, CSV or JSON.

    By policy, by scope, cluster by policy, and each finding with its reason, since when, and what mends it.
    """
    from policyengine.cli.output import notes
    from policyengine.clock import SystemClock
    from policyengine.reports import FORMATS
    from policyengine.workflows.connect import open_store
    from policyengine.workflows.report import make_report

    cli = cli_of(context)
    as_csv = Format.CSV if cli.output is Output.CSV and cli.query is None else None
    chosen = format or _by_ending(out) or as_csv
    with open_store(cli.settings) as store:
        report = make_report(cli.settings, store, SystemClock())
    if out is not None and chosen is not None:
        write(out, FORMATS[chosen.value](report))
        notes(cli).print(f"Report written: {out}")
    elif chosen is None and (cli.output is not Output.TABLE or cli.query is not None):
        _emit(cli, json.loads(FORMATS["json"](report)))
    else:
        sys.stdout.write(FORMATS[(chosen or Format.MARKDOWN).value](report))
    if fails(fail_on, ((policy.severity, policy.counts) for policy in report.policies)):
        raise typer.Exit(ExitCode.NO)


def _emit(cli: Cli, document: dict[str, JSON]) -> None:
    """The JSON report as any other result: its findings are the rows."""
    from policyengine.cli.output import Result, emit

    emit(cli, Result((), document["findings"], name="clusterName", document=document))


def write(out: Path, text: str) -> None:
    """Raises UsageError when the file cannot be written."""
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"`{out}` cannot be written: {error.strerror}") from error


def _by_ending(out: Path | None) -> Format | None:
    endings = {".html": Format.HTML, ".htm": Format.HTML, ".md": Format.MARKDOWN}
    endings |= {".json": Format.JSON, ".csv": Format.CSV}
    if out is None:
        return None
    found = endings.get(out.suffix.lower())
    if found is None:
        raise UsageError(f"`{out}` has no ending that names a format", help="add --format, or end it with .html")
    return found
