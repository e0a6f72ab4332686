"""`policyengine check`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from policyengine.cli.context import Output, cli_of
from policyengine.cli.exit_codes import ExitCode


def command(
    context: typer.Context,
    resource: Annotated[Path, typer.Argument(help="A resource as JSON or YAML, with its `id`.", metavar="RESOURCE")],
) -> None:
    """Say what assigned policies would do to a request.

    Which would refuse it (deny), change it (append, modify), or remark on it (audit). Answers 1 when it is refused.
    """
    from policyengine.cli.check_text import check_document, check_lines
    from policyengine.cli.output import Column, Result, console, emit
    from policyengine.clock import SystemClock
    from policyengine.compliance.admission import Answer
    from policyengine.workflows.check import check_request
    from policyengine.workflows.connect import open_store

    cli = cli_of(context)
    with open_store(cli.settings) as store:
        checked = check_request(cli.settings, store, SystemClock(), resource)
    if cli.output is not Output.TABLE or cli.query is not None:
        document = check_document(checked)
        columns = [Column(key, key) for key in ("policy", "effect", "act", "reason")]
        emit(cli, Result(columns, document["policies"], name="policy", document=document))
    else:
        for line in check_lines(checked):
            console(cli).print(line)
    if checked.admission.answer is Answer.DENIED:
        raise typer.Exit(ExitCode.NO)
