"""What the options in front of every command say, and the settings that follow from them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from policyengine.workflows.settings import Settings


class Output(StrEnum):
    """How a result is printed; every command that has rows takes all but those that are for problems in files."""

    TABLE = "table"
    JSON = "json"
    NDJSON = "ndjson"
    YAML = "yaml"
    CSV = "csv"
    NAME = "name"
    TEXT = "text"
    SARIF = "sarif"
    GITHUB = "github"


class Color(StrEnum):
    AUTO = "auto"
    ALWAYS = "always"
    NEVER = "never"


class LogFormat(StrEnum):
    TEXT = "text"
    JSON = "json"


@dataclass
class Cli:
    """One run of the command line."""

    project: Path | None = None
    environment: str | None = None
    config: Path | None = None
    database: str | None = None
    output: Output = Output.TABLE
    query: str | None = None
    color: Color = Color.AUTO
    quiet: bool = False
    verbosity: int = 0
    log_format: LogFormat = LogFormat.TEXT
    progress: bool = True

    @cached_property
    def settings(self) -> Settings:
        from policyengine.workflows.settings import load_settings

        return load_settings(
            project=self.project,
            config=self.config,
            environment=self.environment,
            options={"database": self.database} if self.database else {},
        )


def cli_of(context: typer.Context) -> Cli:
    """The run this command belongs to."""
    cli = context.find_object(Cli)
    assert cli is not None, "the callback in main.py makes one before any command"
    return cli
