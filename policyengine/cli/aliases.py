"""`policyengine aliases …`: import, list, show."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from policyengine.cli.context import cli_of

if TYPE_CHECKING:
    from policyengine.language.aliases import Alias
    from policyengine.model.values import JSON

app = typer.Typer(help="The field names Azure gives to properties, and what they read.", no_args_is_help=True)


@app.command("import")
def import_command(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="What `az provider list --expand resourceTypes/aliases` printed.")],
    out: Annotated[Path | None, typer.Option(help="File to write (default: the one `aliases:` names).")] = None,
) -> None:
    """Make a catalogue of Azure's aliases.

    `aliases:` in the settings names the file that policies are then read with.
    """
    from policyengine.cli.output import Column, Result, emit, notes
    from policyengine.workflows.aliases import DEFAULT_FILE, import_catalogue

    cli = cli_of(context)
    named = cli.settings.aliases
    done = import_catalogue(file, out or Path(named or DEFAULT_FILE))
    row = {"file": str(done.file), "types": done.types, "aliases": done.aliases}
    emit(cli, Result([Column(key, key) for key in row], [row], name="file", document=row))
    if not named:
        notes(cli).print(f"add `aliases: {done.file}` to policyengine.yaml to read policies with it")


@app.command("list")
def list_command(
    context: typer.Context,
    type: Annotated[str | None, typer.Argument(help="Resource type (default: all).")] = None,
    contains: Annotated[str | None, typer.Option(help="Only names with this part.")] = None,
) -> None:
    """List aliases and the paths they read."""
    from policyengine.cli.output import Column, Result, emit
    from policyengine.workflows.aliases import list_aliases, load_catalogue

    cli = cli_of(context)
    found = list_aliases(load_catalogue(cli.settings.aliases), type, contains)
    columns = [Column("alias", "alias"), Column("path", "path"), Column("modifiable", "modifiable")]
    emit(cli, Result(columns, [_row(type, alias) for type, alias in found], name="alias"))


@app.command("show")
def show_command(context: typer.Context, name: Annotated[str, typer.Argument(help="The full alias.")]) -> None:
    """Show one alias: its types, its path in each API version."""
    from policyengine.cli.output import Column, Result, emit
    from policyengine.workflows.aliases import find_alias, load_catalogue

    cli = cli_of(context)
    rows: list[dict[str, JSON]] = []
    for type, alias in find_alias(load_catalogue(cli.settings.aliases), name):
        rows.append({**_row(type, alias), "apiVersion": "default"})
        own = sorted({*alias.versions, *alias.modifiable_in})
        rows += [{**_row(type, alias, version), "apiVersion": version} for version in own]
    emit(cli, Result([Column(key, key) for key in ("type", "apiVersion", "path", "modifiable")], rows, name="alias"))


def _row(type: str, alias: Alias, version: str | None = None) -> dict[str, JSON]:
    from policyengine.language.aliases import format_path

    modifiable = {True: "yes", False: "no", None: None}[alias.is_modifiable(version)]
    return {"type": type, "alias": alias.name, "path": format_path(alias.steps(version)), "modifiable": modifiable}
