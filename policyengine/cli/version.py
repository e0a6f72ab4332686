"""`policyengine version`."""

from __future__ import annotations

import platform

import typer

from policyengine import __version__
from policyengine.cli.context import cli_of


def command(context: typer.Context) -> None:
    """Print the versions of policyengine and of Python."""
    from policyengine.cli.output import Column, Result, emit

    row = {"policyengine": __version__, "python": platform.python_version(), "platform": platform.platform()}
    columns = [Column(key, key) for key in row]
    emit(cli_of(context), Result(columns, [row], name="policyengine", document=row))
