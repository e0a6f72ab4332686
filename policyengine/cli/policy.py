"""`policyengine policy …`: new, import, export, render."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from policyengine.cli.context import Cli, Output, cli_of
from policyengine.language.spelling import Form
from policyengine.workflows.starters import Draft, Target

if TYPE_CHECKING:
    from policyengine.model.diagnostic import Diagnostic
    from policyengine.model.values import JSON

app = typer.Typer(help="Policies written, taken over from Azure and given to it.", no_args_is_help=True)

Named = Annotated[str, typer.Argument(metavar="NAME|FILE", help="A document's name, or a file (`-`: standard input).")]


@app.command("new")
def new_command(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="What the policy is to be called.")],
    kind: Annotated[Draft, typer.Option(help="What it is about.")] = Draft.EXTENSION,
    target: Annotated[Target, typer.Option(help="Which clusters it is about.")] = Target.ALL,
    effect: Annotated[str | None, typer.Option(help="What it does unless an assignment says otherwise.")] = None,
    extension_type: Annotated[str, typer.Option(help="The extension, with `--kind extension`.")] = "microsoft.flux",
    out: Annotated[Path | None, typer.Option(help="A file or a folder (default: the project's policies).")] = None,
    force: Annotated[bool, typer.Option("--force", help="Write over files that are there.")] = False,
) -> None:
    """Write the first draft of a policy, and its test.

    Both are there to be changed; the test passes from the beginning.
    """
    from policyengine.cli.output import Column, Result, emit, notes
    from policyengine.workflows.drafting import NewRequest, draft
    from policyengine.workflows.files import write_new

    cli = cli_of(context)
    made = draft(cli.settings, NewRequest(name, kind, target, effect, extension_type, out))
    write_new({made.policy: made.policy_text, made.test: made.test_text}, force=force)
    rows = [{"file": str(made.policy), "kind": "PolicyDefinition"}, {"file": str(made.test), "kind": "PolicyTest"}]
    emit(cli, Result([Column("file", "file"), Column("kind", "kind")], rows, name="file"))
    notes(cli).print(f"Next: change them, then  policyengine validate {made.policy}")
    notes(cli).print(f"                         policyengine test {made.policy} {made.test}")
    notes(cli).print("and assign the policy to a scope with a document of `kind: Assignment`; see docs/authoring.md")


@app.command("export")
def export_command(
    context: typer.Context,
    name: Named,
    out: Annotated[Path | None, typer.Option(help="The file to write; `-` or nothing: standard output.")] = None,
    part: Annotated[str | None, typer.Option(help="rules, params, definitions or groups: one file for `az`.")] = None,
    scope: Annotated[str | None, typer.Option(help="Where in Azure our own definitions stand.")] = None,
    lossy: Annotated[bool, typer.Option("--lossy", help="Leave out what Azure cannot compare.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Write over a file that is there.")] = False,
) -> None:
    """Print a document as Azure's JSON.

    Definitions, initiatives, assignments, exemptions; what Azure has no words for is refused.
    """
    from policyengine.errors import UsageError
    from policyengine.language.exporter import Manner
    from policyengine.model.diagnostic import did_you_mean
    from policyengine.workflows.export import PARTS, ExportRequest, export, part_of

    cli = cli_of(context)
    if part is not None and part not in PARTS:
        listed = ", ".join(f"`{known}`" for known in PARTS)
        raise UsageError(f"`--part {part}` is not known", help=did_you_mean(part, PARTS) or f"choose one of {listed}")
    manner = Manner.LEAVE_OUT if lossy else Manner.REFUSE
    done = export(cli.settings, ExportRequest(name, _typed(name), scope, manner))
    documents = done.documents
    value = part_of(documents, part) if part is not None else documents[0] if len(documents) == 1 else list(documents)
    _tell(cli, done.notes)
    _print_or_write(cli, value, out, force=force, default=Output.JSON)


@app.command("import")
def import_command(
    context: typer.Context,
    names: Annotated[
        list[str], typer.Argument(metavar="FILE|NAME...", help="Azure's documents (`-`: standard input), or ours.")
    ],
    out: Annotated[
        Path | None, typer.Option(help="A file, a folder, or `-` (default: the project's policies).")
    ] = None,
    as_: Annotated[Form, typer.Option("--as", help="How definitions are written.")] = Form.AZURE,
    force: Annotated[bool, typer.Option("--force", help="Write over files that are there.")] = False,
) -> None:
    """Take documents of Azure's into the project.

    As az, REST and the azure-policy repository write them: one, a list, or one to a line. Or a copy from the library.
    """
    from policyengine.cli.output import Column, Result, emit
    from policyengine.workflows.files import write_new
    from policyengine.workflows.importing import ImportRequest, import_documents

    cli = cli_of(context)
    as_json = (out.suffix.lower() if out is not None else "") == ".json" or cli.output is Output.JSON
    request = ImportRequest(
        names=names,
        typed=_typed("-") if "-" in names else None,
        out=str(out) if out is not None else None,
        ending=".json" if as_json else ".yaml",
        form=as_,
    )
    done = import_documents(cli.settings, request)
    _tell(cli, done.notes)
    if request.out == "-":
        typer.echo(next(iter(done.texts.values())), nl=False)
        return
    write_new(done.texts, force=force)
    rows = [
        {"file": str(path), "kind": type(document).__name__, "name": document.name}
        for path, documents in done.documents.items()
        for document in documents
    ]
    emit(cli, Result([Column(key, key) for key in ("file", "kind", "name")], rows, name="file"))


@app.command("render")
def render_command(
    context: typer.Context,
    name: Named,
    as_: Annotated[Form, typer.Option("--as", help="The spelling: Azure's language, or the short form.")] = Form.AZURE,
) -> None:
    """Print a definition in the other spelling.

    What Azure has no words for stays in its place, and is named on standard error.
    """
    from policyengine.workflows.render import render

    cli = cli_of(context)
    done = render(cli.settings, name, as_, _typed(name))
    _tell(cli, done.notes)
    value = done.documents[0] if len(done.documents) == 1 else list(done.documents)
    _print_or_write(cli, value, None, force=False, default=Output.YAML)


def _typed(name: str) -> str | None:
    return sys.stdin.read() if name == "-" else None


def _tell(cli: Cli, found: Sequence[Diagnostic]) -> None:
    from policyengine.cli.output import notes
    from policyengine.model.diagnostic import render

    for diagnostic in found:
        notes(cli).print(render(diagnostic))


def _print_or_write(cli: Cli, value: JSON, out: Path | None, *, force: bool, default: Output) -> None:
    from policyengine.cli.output import Column, Result, emit, notes
    from policyengine.text.writer import to_json, to_yaml
    from policyengine.workflows.files import write_new

    if out is None or str(out) == "-":
        if cli.output is Output.TABLE and cli.query is None:
            cli.output = default  # a document has no columns
        rows = value if isinstance(value, list) else [value]
        emit(cli, Result([Column("name", "name")], rows, document=value))
        return
    as_yaml = out.suffix.lower() in {".yaml", ".yml"}
    write_new({out: to_yaml(value) if as_yaml else to_json(value)}, force=force)
    notes(cli).print(f"{out} written")
