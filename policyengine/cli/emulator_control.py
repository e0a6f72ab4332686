"""`policyengine emulator …`: what the control API does, as commands for an emulator that runs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from policyengine.cli.context import Cli, Output, cli_of

app = typer.Typer()

Url = Annotated[str | None, typer.Option("--url", help="The emulator (default: POLICYENGINE_EMULATOR_URL, or here).")]
_FAULT = ("method", "path", "status", "drop", "delay", "install", "lag", "after", "times", "probability", "message")
Cluster = Annotated[str, typer.Argument(help="Name or resource id.")]


@app.command("clock")
def clock_command(
    context: typer.Context,
    mode: Annotated[str | None, typer.Argument(help="real, xN or frozen.")] = None,
    url: Url = None,
) -> None:
    """Show the simulated time, or make it run otherwise."""
    body = None if mode is None else {"mode": mode}
    _show(context, _ask(url, "GET" if body is None else "POST", "clock", body=body), "now", "mode", "wallTime")


@app.command("advance")
def advance_command(
    context: typer.Context, by: Annotated[str, typer.Argument(help="Such as 90s, 15m, 48h.")], url: Url = None
) -> None:
    """Move the simulated time forward.

    Whatever falls due on the way happens, each thing at its own instant.
    """
    _show(context, _ask(url, "POST", "clock", body={"advance": by}), "now", "mode", "wallTime")


@app.command("clusters")
def clusters_command(
    context: typer.Context,
    cluster: Annotated[str | None, typer.Argument(help="Name or resource id: everything on this one.")] = None,
    url: Url = None,
) -> None:
    """List the clusters and their connections, or show one from within."""
    if cluster is None:
        _show(context, _ask(url, "GET", "clusters"), "id", "connected")
    else:
        _show(context, _ask(url, "GET", "clusters", cluster))


@app.command("connect")
def connect_command(context: typer.Context, cluster: Cluster, url: Url = None) -> None:
    """Bring the agent of a cluster back."""
    _show(context, _ask(url, "POST", "clusters", cluster, "connect", body={}), "id", "connected", "nextPoll")


@app.command("disconnect")
def disconnect_command(context: typer.Context, cluster: Cluster, url: Url = None) -> None:
    """Cut a cluster off, until it is connected again."""
    _show(context, _ask(url, "POST", "clusters", cluster, "disconnect", body={}), "id", "connected", "lastSeen")


@app.command("rebuild")
def rebuild_command(context: typer.Context, cluster: Cluster, url: Url = None) -> None:
    """Put an empty cluster behind the same resource."""
    _show(context, _ask(url, "POST", "clusters", cluster, "rebuild", body={}), "id", "connected", "nextPoll")


@app.command("private-link")
def private_link_command(
    context: typer.Context,
    cluster: Cluster,
    scope: Annotated[str | None, typer.Argument(help="Resource id of a private link scope (default: none).")] = None,
    url: Url = None,
) -> None:
    """Put an Arc cluster behind a private link scope of its region, or out of it."""
    body = {"scope": scope}
    _show(context, _ask(url, "POST", "clusters", cluster, "private-link", body=body), "id", "connected", "nextPoll")


@app.command("simulate")
def simulate_command(
    context: typer.Context,
    cluster: Cluster,
    file: Annotated[Path, typer.Argument(help="YAML or JSON: keys as in a fleet file's simulation.")],
    url: Url = None,
) -> None:
    """Change how a cluster behaves."""
    body = _document(file)
    _show(context, _ask(url, "POST", "clusters", cluster, "simulation", body=body), "id", "connected", "nextPoll")


@app.command("publish")
def publish_command(
    context: typer.Context,
    version: str,
    type: Annotated[str, typer.Option(help="Extension type.")] = "microsoft.flux",
    train: Annotated[str, typer.Option(help="Release train.")] = "Stable",
    location: Annotated[
        list[str] | None, typer.Option(help="REGION=DELAY, * for all others: when it arrives there.")
    ] = None,
    url: Url = None,
) -> None:
    """Publish a version of an extension type."""
    body: dict[str, Any] = {"type": type, "train": train, "version": version}
    if location:
        body["locations"] = dict(_pair(text) for text in location)
    _show(context, _ask(url, "POST", "versions", body=body), "type", "train", "versions")


@app.command("sources")
def sources_command(context: typer.Context, url: Url = None) -> None:
    """List the scripted sources."""
    _show(context, _ask(url, "GET", "sources"), "url", "heads", "private")


@app.command("script")
def script_command(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="YAML or JSON: url, heads, revisions, failure.")],
    url: Url = None,
) -> None:
    """Say what a repository holds, and whether it answers."""
    _show(context, _ask(url, "POST", "sources", body=_document(file)), "url", "heads", "private")


@app.command("move")
def move_command(
    context: typer.Context,
    repository: Annotated[str, typer.Argument(help="URL of the repository.")],
    head: Annotated[str, typer.Argument(help="Branch, tag or semver range.")],
    revision: Annotated[str, typer.Argument(help="Where it points from now on.")],
    url: Url = None,
) -> None:
    """Move a head of a repository to another revision."""
    body = {"url": repository, "heads": {head: revision}}
    _show(context, _ask(url, "POST", "sources", body=body), "url", "heads", "private")


@app.command("forget")
def forget_command(context: typer.Context, repository: str, url: Url = None) -> None:
    """Make a repository one that holds nothing again."""
    _show(context, _ask(url, "DELETE", "sources", query={"url": repository}), "url", "heads", "private")


@app.command("fault")
def fault_command(
    context: typer.Context,
    file: Annotated[Path | None, typer.Argument(help="YAML or JSON: keys as below, instead of the options.")] = None,
    status: Annotated[int | None, typer.Option(help="Answer with this HTTP status.")] = None,
    code: Annotated[str | None, typer.Option(help="error.code of the answer.")] = None,
    message: Annotated[str | None, typer.Option(help="error.message, or why an installation fails.")] = None,
    retry_after: Annotated[int | None, typer.Option(help="Retry-After, in seconds.")] = None,
    drop: Annotated[bool, typer.Option("--drop", help="End the connection without an answer.")] = False,
    delay: Annotated[str | None, typer.Option(help="Answer that much later, in real time.")] = None,
    install: Annotated[str | None, typer.Option(help="Fail to install this extension type.")] = None,
    lag: Annotated[str | None, typer.Option(help="Let Resource Graph show the past.")] = None,
    after: Annotated[bool, typer.Option("--after", help="Carry the request out first.")] = False,
    method: Annotated[str | None, typer.Option(help="Only requests with this method.")] = None,
    path: Annotated[str | None, typer.Option(help="Only paths like this, * allowed.")] = None,
    times: Annotated[int | None, typer.Option(help="How often (default: once; with --probability, always).")] = None,
    probability: Annotated[float | None, typer.Option(help="How many of them, 0 to 1.")] = None,
    url: Url = None,
) -> None:
    """Let requests go wrong."""
    said: dict[str, Any] = {
        "status": status,
        "code": code,
        "message": message,
        "retryAfter": retry_after,
        "drop": drop or None,
        "delay": delay,
        "install": install,
        "lag": lag,
        "after": after or None,
        "method": method,
        "path": path,
        "times": times,
        "probability": probability,
    }
    given = {**(_document(file) if file is not None else {}), **{k: v for k, v in said.items() if v is not None}}
    _show(context, _ask(url, "POST", "faults", body=given))


@app.command("faults")
def faults_command(
    context: typer.Context,
    clear: Annotated[bool, typer.Option("--clear", help="Take all back.")] = False,
    url: Url = None,
) -> None:
    """List the faults still to come."""
    document = _ask(url, "DELETE" if clear else "GET", "faults")
    _show(context, document, *_FAULT)


@app.command("journal")
def journal_command(
    context: typer.Context,
    method: Annotated[str | None, typer.Option(help="Only requests with this method.")] = None,
    clear: Annotated[bool, typer.Option("--clear", help="Empty it.")] = False,
    url: Url = None,
) -> None:
    """List the requests so far."""
    document = _ask(url, "DELETE" if clear else "GET", "journal", query={"method": method})
    _show(context, document, "number", "time", "method", "status", "principal", "path")


@app.command("snapshots")
def snapshots_command(
    context: typer.Context,
    remove: Annotated[str | None, typer.Option(help="Forget the one of this name.")] = None,
    url: Url = None,
) -> None:
    """List the snapshots."""
    document = _ask(url, "GET" if remove is None else "DELETE", "snapshots", query={"name": remove})
    _show(context, document, "name", "time", "bytes")


@app.command("save")
def save_command(context: typer.Context, name: str, url: Url = None) -> None:
    """Remember everything under a name."""
    _show(context, _ask(url, "POST", "snapshots", body={"save": name}), "name", "time", "bytes")


@app.command("load")
def load_command(context: typer.Context, name: str, url: Url = None) -> None:
    """Go back to a snapshot, its time included."""
    _show(context, _ask(url, "POST", "snapshots", body={"load": name}), "name", "time", "bytes")


@app.command("diff")
def diff_command(
    context: typer.Context,
    before: Annotated[str, typer.Argument(help="A snapshot.")],
    after: Annotated[str | None, typer.Argument(help="Another (default: as it is now).")] = None,
    url: Url = None,
) -> None:
    """List what changed between two snapshots."""
    document = _ask(url, "GET", "snapshots", "diff", query={"from": before, "to": after})
    _show(context, document, "change", "id", "paths")


@app.command("reset")
def reset_command(context: typer.Context, url: Url = None) -> None:
    """Begin anew: fleet, settings and clock as in the beginning."""
    _show(context, _ask(url, "POST", "reset", body={}), "status", "clusters", "time")


def _pair(text: str) -> tuple[str, str]:
    name, _, delay = text.partition("=")
    if not name or not delay:
        raise typer.BadParameter(f"write REGION=DELAY, as in norwayeast=2d, not {text}")
    return name, delay


def _ask(url: str | None, method: str, noun: str, *path: str, **sent: Any) -> Any:
    from policyengine.workflows.control import control

    return control(url, method, noun, *path, **sent)


def _document(file: Path) -> Mapping[str, Any]:
    from policyengine.workflows.control import read_document

    return read_document(file)


def _show(context: typer.Context, document: Any, *keys: str) -> None:
    """A list as rows, an object as one; without ``keys`` as a document, for it has no columns."""
    from policyengine.cli.output import Column, Result, emit

    cli: Cli = cli_of(context)
    if not keys and cli.output is Output.TABLE and cli.query is None:
        cli.output = Output.YAML
    rows = document["value"] if isinstance(document.get("value"), list) else [document]
    columns = [Column(key, key) for key in keys] or [Column("id", "id")]
    shown = document if rows == [document] else None
    emit(cli, Result(columns, rows, name=columns[0].key, document=shown))
