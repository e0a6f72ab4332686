"""`policyengine inventory …`: sync, import, list, show."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from policyengine.cli.context import Cli, Output, cli_of
from policyengine.cli.exit_codes import ExitCode
from policyengine.cli.running import run

if TYPE_CHECKING:
    from policyengine.workflows.settings import Settings
    from policyengine.workflows.sync import SyncResult

app = typer.Typer(help="The clusters that are known, and where they come from.", no_args_is_help=True)


@app.command("sync")
def sync_command(context: typer.Context) -> None:
    """Read the inventory and remember what changed.

    From its source, `inventory:` in the settings.
    """
    cli = cli_of(context)
    _finish(cli, run(_sync(cli, cli.settings)))


@app.command("import")
def import_command(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="A fleet file, or ARM documents as JSON or NDJSON.")],
) -> None:
    """Read the inventory from a file instead of its source."""
    cli = cli_of(context)
    settings = cli.settings.model_copy(update={"inventory": f"file:{file}"})
    _finish(cli, run(_sync(cli, settings)))


@app.command("list")
def list_command(
    context: typer.Context,
    where: Annotated[str | None, typer.Option(help="JMESPath over the cluster's ARM document.")] = None,
) -> None:
    """List the clusters."""
    from rich.text import Text

    from policyengine.cli.output import Column, Result, emit
    from policyengine.workflows.connect import open_store
    from policyengine.workflows.inventory import list_clusters

    cli = cli_of(context)
    with open_store(cli.settings) as store:
        tree = store.tree()
        clusters = list_clusters(store, where)
        observed = store.observed()
    rows = []
    for cluster in clusters:
        subscription = tree.subscription(cluster.id.subscription)
        rows.append(
            {
                "name": cluster.name,
                "kind": cluster.kind,
                "subscription": subscription.display_name if subscription else cluster.id.subscription,
                "resourceGroup": cluster.id.resource_group,
                "location": cluster.resource.location,
                "extensions": len(cluster.extensions),
                "fluxConfigurations": len(cluster.flux_configurations),
                "reachable": cluster.unreachable_reason is None,
                "unreachableReason": cluster.unreachable_reason,
                "observedAt": at.isoformat() if (at := observed.get(cluster.id)) else None,
                "id": cluster.id.text,
            }
        )
    columns = [
        Column("name", "name"),
        Column("kind", "kind"),
        Column("subscription", "subscription"),
        Column("resourceGroup", "group"),
        Column("location", "location"),
        Column("extensions", "ext", align="right"),
        Column("fluxConfigurations", "flux", align="right"),
        Column("unreachableReason", "cannot be reached", wide=True),
        Column("observedAt", "read (UTC)", wide=True),
    ]
    cells = {
        (n, "observedAt"): Text(f"{at:%Y-%m-%d %H:%M}")
        for n, cluster in enumerate(clusters)
        if (at := observed.get(cluster.id))
    }
    emit(cli, Result(columns, rows, cells=cells))


@app.command("show")
def show_command(context: typer.Context, name: Annotated[str, typer.Argument(help="Name or id.")]) -> None:
    """Show one cluster and what is on it.

    Its ARM document, with its extensions and Flux configurations.
    """
    from policyengine.cli.output import Column, Result, emit
    from policyengine.workflows.connect import open_store
    from policyengine.workflows.inventory import cluster_document, one_cluster

    cli = cli_of(context)
    with open_store(cli.settings) as store:
        document = cluster_document(one_cluster(store, name))
    if cli.output is Output.TABLE and cli.query is None:
        cli.output = Output.YAML  # a document has no columns
    emit(cli, Result([Column("id", "id")], [document], document=document))


async def _sync(cli: Cli, settings: Settings) -> SyncResult:
    from policyengine.cli.progress import progress
    from policyengine.clock import SystemClock
    from policyengine.workflows.connect import open_store
    from policyengine.workflows.looking import wanted_in
    from policyengine.workflows.sync import sync

    clock = SystemClock()
    wanted = wanted_in(settings, clock)
    with open_store(settings) as store, progress(cli, "reading the inventory") as on_progress:
        return await sync(settings, store, clock, on_progress, wanted)


def _finish(cli: Cli, result: SyncResult) -> None:
    from rich.text import Text

    from policyengine.cli.output import Column, Result, emit, notes

    row = {
        "source": result.source,
        "clusters": result.clusters,
        "added": result.added,
        "changed": result.changed,
        "unchanged": result.unchanged,
        "removed": result.removed,
        "complete": result.complete,
        "failures": [{"scope": f.scope.text, "reason": f.reason} for f in result.failures],
        "notes": list(result.notes),
    }
    keys = ("source", "clusters", "added", "changed", "unchanged", "removed", "complete")
    cells = {(0, "complete"): Text("yes" if result.complete else "no")}
    emit(cli, Result([Column(key, key) for key in keys], [row], name="source", cells=cells, document=row))
    for note in result.notes:
        notes(cli).print(note)
    for failure in result.failures:
        notes(cli).print(f"not read: {failure.scope}: {failure.reason}")
    if not result.complete:
        raise typer.Exit(ExitCode.INCOMPLETE)
