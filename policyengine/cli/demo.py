"""`policyengine demo`: the whole job in under a minute, offline, each step with the command that does it by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from policyengine.cli.context import cli_of
from policyengine.cli.running import run


def command(
    context: typer.Context,
    out: Annotated[Path, typer.Option(help="Where the report goes.")] = Path("report.html"),
) -> None:
    """Tell the whole story on a sample fleet, offline, in a minute.

    Scan, explain, plan, remediate, scan again, report. Needs no account and leaves nothing running.
    """
    from policyengine.cli.demo_story import Teller
    from policyengine.cli.output import console
    from policyengine.workflows.connect import open_store
    from policyengine.workflows.demo import stage

    cli = cli_of(context)
    say = console(cli).print
    say("Starting an emulator of Resource Manager with the Contoso sample fleet…")
    with stage() as found, open_store(found.settings) as store:
        fleet = found.fleet.fleet
        say(
            f"ready on {found.url}: {len(fleet.clusters)} clusters in {len(fleet.tree.subscriptions)} subscriptions, "
            "its clock runs 60 times faster",
        )
        run(Teller(cli, found.settings, store, out).tell())
    say(
        "\nNothing is left running. Your turn, in any folder:\n"
        "  policyengine emulator &\n"
        "  export POLICYENGINE_POLICIES=library:,samples: POLICYENGINE_ARM__CREDENTIAL=emulator\n"
        "  export POLICYENGINE_ARM__ENDPOINT=http://127.0.0.1:8765\n"
        "  policyengine scan",
    )
