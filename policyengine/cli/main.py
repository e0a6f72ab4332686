"""The command line's front door: the table of commands, the options every command takes, and how errors end.

Kept light: heavy imports happen inside the commands, so that `policyengine --help` answers at once.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from policyengine import __version__
from policyengine.cli import (
    aliases,
    check,
    demo,
    emulator,
    explain,
    fmt,
    inventory,
    plan,
    policy,
    remediate,
    report,
    scan,
    schema,
    serve,
    status,
    test,
    validate,
    version,
)
from policyengine.cli import eval as evaluate
from policyengine.cli.context import Cli, Color, LogFormat, Output
from policyengine.cli.exit_codes import ExitCode, for_error
from policyengine.cli.running import STOPS, leave
from policyengine.errors import PolicyEngineError

app = typer.Typer(
    name="policyengine",
    help="Find the clusters that miss a required extension or Flux configuration, say why, show the change, make it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)

COMMANDS = (
    ("demo", demo.command),
    ("validate", validate.command),
    ("fmt", fmt.command),
    ("test", test.command),
    ("eval", evaluate.command),
    ("schema", schema.command),
    ("check", check.command),
    ("scan", scan.command),
    ("status", status.command),
    ("explain", explain.command),
    ("plan", plan.command),
    ("remediate", remediate.command),
    ("report", report.command),
    ("serve", serve.command),
    ("version", version.command),
)
for _name, _command in COMMANDS:
    app.command(_name)(_command)
app.add_typer(inventory.app, name="inventory")
app.add_typer(aliases.app, name="aliases")
app.add_typer(policy.app, name="policy")
app.add_typer(emulator.app, name="emulator")


def _print_version(value: bool) -> None:
    if value:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def globals_(
    context: typer.Context,
    project: Annotated[Path | None, typer.Option(help="Folder of the project (default: here, then upwards).")] = None,
    env: Annotated[str | None, typer.Option(help="Section of `environments` in the project file.")] = None,
    config: Annotated[Path | None, typer.Option(help="One more settings file, above the project's.")] = None,
    db: Annotated[str | None, typer.Option(help="Database URL: sqlite:///FILE or postgresql://…")] = None,
    output: Annotated[Output, typer.Option("-o", "--output", help="How results are printed.")] = Output.TABLE,
    query: Annotated[str | None, typer.Option(help="JMESPath over the result.")] = None,
    color: Annotated[Color, typer.Option(help="Colour on the terminal.")] = Color.AUTO,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Results only.")] = False,
    verbose: Annotated[
        int, typer.Option("-v", "--verbose", count=True, show_default=False, help="Log every request.")
    ] = 0,
    log_format: Annotated[LogFormat, typer.Option(help="How log lines look.")] = LogFormat.TEXT,
    no_progress: Annotated[bool, typer.Option("--no-progress", help="No progress bars.")] = False,
    version: Annotated[  # noqa: ARG001  eager: its callback has ended the run
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Options here may stand before or after the command."""
    context.obj = Cli(
        project=project,
        environment=env,
        config=config,
        database=db,
        output=Output.TABLE if output is Output.TEXT else output,
        query=query,
        color=color,
        quiet=quiet,
        verbosity=verbose,
        log_format=log_format,
        progress=not no_progress,
    )
    if verbose:
        from policyengine.cli.logs import configure

        configure(log_format, verbose)


GLOBAL_OPTIONS = {"--project", "--env", "--config", "--db", "-o", "--output", "--query", "--color", "--log-format"}
GLOBAL_FLAGS = {"-q", "--quiet", "-v", "-vv", "-vvv", "--verbose", "--no-progress"}


def hoist(arguments: Sequence[str]) -> list[str]:
    """Move the options every command takes to the front, so that they may stand anywhere.

    ``-oyaml`` and ``-o=yaml`` are ``-o yaml``. What follows ``--`` stays where it is.
    """
    front: list[str] = []
    rest: list[str] = []
    remaining = iter(arguments)
    for argument in remaining:
        name, given, _ = argument.partition("=")
        if argument == "--":
            rest += [argument, *remaining]
        elif argument.startswith("-o") and argument != "-o":
            front += ["-o", argument.removeprefix("-o").removeprefix("=")]
        elif argument in GLOBAL_FLAGS or (given and name in GLOBAL_OPTIONS):
            front.append(argument)
        elif argument in GLOBAL_OPTIONS:
            value = next(remaining, None)
            if value is None:
                return [*front, argument]  # alone, so that it is the one complained about
            front += [argument, value]
        else:
            rest.append(argument)
    return front + rest


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run a command line (by default the process's own) and end the process with its exit code."""
    for number in STOPS:
        signal.signal(number, leave)
    try:
        app(args=hoist(sys.argv[1:] if arguments is None else arguments), prog_name="policyengine")
    except PolicyEngineError as error:
        _print_error(error)
        sys.exit(for_error(error))
    sys.exit(ExitCode.OK)


def _print_error(error: PolicyEngineError) -> None:
    from policyengine.cli.output import print_error

    print_error(error)


if __name__ == "__main__":
    main()
