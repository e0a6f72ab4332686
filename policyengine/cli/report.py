"""`policyengine report`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
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
    from policyengine.store.store import Store


class Format(StrEnum):
    HTML = "html"
    MARKDOWN = "markdown"
    JSON = "json"
    CSV = "csv"
    NDJSON = "ndjson"


LISTING = frozenset({Format.CSV, Format.NDJSON})
"""Formats that name findings or pairs one by one."""


def command(
    context: typer.Context,
    format: Annotated[Format | None, typer.Option(help="Default: by the ending of --out, or as -o says.")] = None,
    out: Annotated[Path | None, typer.Option(help="File to write; without it the report goes to stdout.")] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="With CSV and NDJSON: every pair, also those that comply or do not apply.")
    ] = False,
    fail_on: Annotated[FailOn, typer.Option(help="Answer 1 for findings of this severity or above.")] = FailOn.NEVER,
) -> None:
    """Write a report: HTML, Markdown or JSON; or list as CSV, NDJSON.

    By policy, by scope, cluster by policy, and findings with their reason, since when, and what mends them.
    """
    from policyengine.cli.output import notes
    from policyengine.cli.status import unfinished
    from policyengine.workflows.connect import open_store
    from policyengine.workflows.status import judging

    cli = cli_of(context)
    chosen = format or _by_ending(out) or _by_output(cli)
    if everything and chosen not in LISTING:
        raise UsageError("--all lists pairs one by one", help="use it with `--format csv` or `--format ndjson`")
    with open_store(cli.settings) as store:
        if out is None and chosen is None and (cli.output is not Output.TABLE or cli.query is not None):
            _emit(cli, json.loads("".join(_text(cli, store, Format.JSON))))
        else:
            write(out, _text(cli, store, chosen or Format.MARKDOWN, everything=everything))
        begun, counts = judging(store), store.policy_counts()
        failed = fails(fail_on, ((policy.severity, counts.get(policy.key, {})) for policy in store.policies()))
    if begun is not None:
        notes(cli).print(unfinished(begun))
    if out is not None:
        notes(cli).print(f"Report written: {out}")
    if failed:
        raise typer.Exit(ExitCode.NO)


def _text(cli: Cli, store: Store, format: Format, *, everything: bool = False) -> Iterable[str]:
    """The report, in pieces where it may be long."""
    from policyengine.clock import SystemClock
    from policyengine.reports import FORMATS, LISTS
    from policyengine.workflows.report import make_report
    from policyengine.workflows.report_list import list_pairs

    if format in LISTING:
        return LISTS[format.value](list_pairs(cli.settings, store, SystemClock(), everything=everything))
    return [FORMATS[format.value](make_report(cli.settings, store, SystemClock()))]


def _emit(cli: Cli, document: dict[str, JSON]) -> None:
    """The JSON report as any other result: its findings are the rows."""
    from policyengine.cli.output import Result, emit

    emit(cli, Result((), document["findings"], name="clusterName", document=document))


def write(out: Path | None, text: Iterable[str]) -> None:
    """To the file, else to standard output. Raises UsageError when the file cannot be written."""
    if out is None:
        sys.stdout.writelines(text)
        return
    try:
        with out.open("w", encoding="utf-8") as file:
            file.writelines(text)
    except OSError as error:
        raise UsageError(f"`{out}` cannot be written: {error.strerror}") from error


def _by_output(cli: Cli) -> Format | None:
    listing = {Output.CSV: Format.CSV, Output.NDJSON: Format.NDJSON}
    return listing.get(cli.output) if cli.query is None else None


def _by_ending(out: Path | None) -> Format | None:
    endings = {".html": Format.HTML, ".htm": Format.HTML, ".md": Format.MARKDOWN}
    endings |= {".json": Format.JSON, ".csv": Format.CSV, ".ndjson": Format.NDJSON}
    if out is None:
        return None
    found = endings.get(out.suffix.lower())
    if found is None:
        raise UsageError(f"`{out}` has no ending that names a format", help="add --format, or end it with .html")
    return found
