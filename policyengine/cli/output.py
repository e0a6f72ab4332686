"""Results on stdout, everything else on stderr; one place decides about format, colour and width."""

from __future__ import annotations

import csv
import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import IO

from rich.console import Console
from rich.text import Text

from policyengine.cli.context import Cli, Color, Output
from policyengine.cli.tables import Heading, Row, Table
from policyengine.errors import ArmError, PolicyEngineError, PolicyError, UsageError
from policyengine.model.diagnostic import render
from policyengine.model.states import ComplianceState
from policyengine.model.values import JSON
from policyengine.text.writer import to_yaml
from policyengine.workflows.query import apply_query

UNLIMITED = 10_000
"""Columns; no line of ours is longer."""

FOR_PROBLEMS = frozenset({Output.SARIF, Output.GITHUB})
"""Formats that tell where in a file something is wrong."""

STYLES = {
    ComplianceState.COMPLIANT: "blue",
    ComplianceState.NON_COMPLIANT: "dark_orange3",
    ComplianceState.ERROR: "red",
    ComplianceState.CONFLICT: "magenta",
    ComplianceState.EXEMPT: "dim",
    ComplianceState.UNKNOWN: "yellow",
}


@dataclass(frozen=True)
class Column:
    """A column of a table: ``key`` in each row, ``title`` above it. Only the last may be ``wide``: prose that wraps."""

    key: str
    title: str
    align: str = "left"
    wide: bool = False


@dataclass(frozen=True)
class Result:
    """Rows for people and for programs. ``rows`` are JSON; ``name`` is the key that `-o name` prints.

    Tables show ``columns``, and in place of a row's value what ``cells`` has: (row number, column key) → styled text.
    ``document`` is what JSON and YAML print instead of the rows, when there is more to say.
    """

    columns: Sequence[Column]
    rows: Sequence[Mapping[str, JSON]]
    name: str = "name"
    cells: Mapping[tuple[int, str], Text] = field(default_factory=dict)
    document: JSON = None


def console(cli: Cli, stream: IO[str] | None = None, *, page: int = UNLIMITED) -> Console:
    """A console for results.

    ``page`` is the width where there is no terminal: by default lines are never broken for a program that reads them.
    """
    stream = stream or sys.stdout
    terminal = stream.isatty()
    styled = _is_styled(cli.color, terminal=terminal)
    return Console(
        file=stream,
        width=None if terminal else page,
        force_terminal=True if styled else None,
        color_system=None if not styled else "auto" if terminal else "256",
        no_color=False,
        highlight=False,
        markup=False,  # texts of users and services may hold brackets
    )


def notes(cli: Cli) -> Console:
    """A console for what accompanies a result."""
    made = console(cli, sys.stderr)
    made.quiet = cli.quiet
    return made


def _is_styled(color: Color, *, terminal: bool) -> bool:
    """``--color`` wins over the environment, NO_COLOR over FORCE_COLOR. Source: no-color.org, force-color.org."""
    if color is not Color.AUTO:
        return color is Color.ALWAYS
    return not os.environ.get("NO_COLOR") and (bool(os.environ.get("FORCE_COLOR")) or terminal)


def emit(cli: Cli, result: Result) -> None:
    """Print a result the way it was asked for. Raises UsageError for a format that is for problems in files only."""
    if cli.output in FOR_PROBLEMS:
        raise UsageError(f"`-o {cli.output.value}` is for `validate`", help="choose table, json, ndjson, yaml or csv")
    document = result.document if result.document is not None else list(result.rows)
    if cli.query is not None:
        _print_answer(cli, apply_query(cli.query, document))
    elif cli.output in {Output.JSON, Output.YAML}:
        _print_document(cli, document)
    else:
        _print_rows(cli, result)


def _print_rows(cli: Cli, result: Result) -> None:
    if cli.output is Output.TABLE:
        console(cli).print(table(result))
    elif cli.output is Output.CSV:
        _write_csv(result)
    elif cli.output is Output.NAME:
        sys.stdout.writelines(f"{_cell(row.get(result.name))}\n" for row in result.rows)
    else:
        sys.stdout.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in result.rows)


def _print_document(cli: Cli, document: JSON) -> None:
    if cli.output is Output.YAML:
        sys.stdout.write(to_yaml(document))
    else:
        sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=False) + "\n")


def _print_answer(cli: Cli, answer: JSON) -> None:
    """What a query found: rows where it is a list of objects, lines where it is plain values, else a document."""
    items = answer if isinstance(answer, list) else [answer]
    if cli.output in {Output.JSON, Output.YAML} or not all(_is_flat(item) for item in items):
        _print_document(cli, answer)
    elif items and all(isinstance(item, Mapping) for item in items):
        keys = list(dict.fromkeys(key for item in items for key in item))
        _print_rows(cli, Result([Column(key, key) for key in keys], items, name=next(iter(keys), "")))
    elif cli.output is Output.NDJSON:
        sys.stdout.writelines(json.dumps(item, ensure_ascii=False) + "\n" for item in items)
    else:
        sys.stdout.writelines(f"{_cell(item)}\n" for item in items)


def _is_flat(item: JSON) -> bool:
    members = item.values() if isinstance(item, Mapping) else [item]
    return all(_is_plain(member) for member in members)


def _is_plain(value: JSON) -> bool:
    """A scalar, or a list of them: what fits into a cell."""
    items = value if isinstance(value, list | tuple) else [value]
    return not any(isinstance(item, Mapping | list | tuple) for item in items)


def table(result: Result) -> Table:
    wide = next((column for column in result.columns if column.wide), None)
    narrow = [column for column in result.columns if column is not wide]

    def cell(number: int, key: str) -> Text:
        return result.cells.get((number, key)) or Text(_cell(result.rows[number].get(key)))

    return Table(
        headings=[Heading(column.title, column.align) for column in narrow],
        rows=[
            Row([cell(number, column.key) for column in narrow], cell(number, wide.key) if wide else Text())
            for number in range(len(result.rows))
        ],
        prose=wide.title if wide else "",
    )


def _cell(value: JSON) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, list | tuple) and _is_plain(value):
        return ", ".join(map(_cell, value))
    return json.dumps(value, ensure_ascii=False)


def _write_csv(result: Result) -> None:
    """Every member of the rows that fits into a cell, also those that the table has no room for."""
    keys = list(dict.fromkeys(key for row in result.rows for key in row)) or [column.key for column in result.columns]
    plain = [key for key in keys if all(_is_plain(row.get(key)) for row in result.rows)]
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(plain)
    writer.writerows([_cell(row.get(key)) for key in plain] for row in result.rows)


def state_text(state: ComplianceState) -> Text:
    """Symbol and word; colour only underlines them."""
    return Text(f"{state.symbol} {state.value}", style=STYLES.get(state, ""))


def bar(share: float, width: int = 10) -> str:
    filled = int(share * width + 1e-9)  # full means all of them
    return "█" * filled + "░" * (width - filled)


def print_error(error: PolicyEngineError) -> None:
    """What is wrong and how to mend it, on stderr."""
    if isinstance(error, PolicyError):
        for diagnostic in error.diagnostics:
            sys.stderr.write(render(diagnostic) + "\n")
    sys.stderr.write(f"error: {error.message}\n")
    if error.help:
        sys.stderr.write(f"  = help: {error.help}\n")
    if isinstance(error, ArmError) and error.correlation_id:
        sys.stderr.write(f"  = correlation id: {error.correlation_id}\n")
