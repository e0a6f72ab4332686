"""`policyengine schema`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from policyengine.cli.context import Output, cli_of


def command(
    context: typer.Context,
    kind: Annotated[str | None, typer.Argument(help="PolicyDefinition, Assignment, Project, …")] = None,
    all_: Annotated[Path | None, typer.Option("--all", help="Write the schema of every kind into this folder.")] = None,
) -> None:
    """Print the JSON Schema of a kind of document.

    For editors: `# yaml-language-server: $schema=FILE` as the first line of a document.
    """
    from policyengine.cli.output import Column, Result, emit
    from policyengine.errors import UsageError
    from policyengine.workflows.schemas import schema_of, write_schemas

    cli = cli_of(context)
    if (kind is None) == (all_ is None):
        raise UsageError("name one kind of document, or `--all` with a folder", help="policyengine schema Assignment")
    if all_ is not None:
        rows = [{"kind": path.stem, "file": str(path)} for path in write_schemas(all_)]
        emit(cli, Result([Column("kind", "kind"), Column("file", "file")], rows, name="file"))
    elif kind is not None:
        if cli.output is Output.TABLE and cli.query is None:
            cli.output = Output.JSON  # a schema has no columns
        schema = schema_of(kind)
        emit(cli, Result([Column("title", "kind")], [schema], name="title", document=schema))
