"""Our documents → Azure's JSON, for commands that print or write it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from policyengine.errors import PolicyError, UsageError
from policyengine.language.assignment_exporter import Surroundings, export_document
from policyengine.language.exporter import Losses, Manner
from policyengine.language.problems import Problems
from policyengine.model.diagnostic import Diagnostic
from policyengine.model.ids import ResourceId
from policyengine.model.values import JSON, get_folded
from policyengine.workflows.settings import Settings
from policyengine.workflows.shelf import is_file, parse_file, shelve

PARTS: Final[Mapping[str, str]] = {
    "rules": "policyRule",
    "params": "parameters",
    "definitions": "policyDefinitions",
    "groups": "policyDefinitionGroups",
}
"""What `az policy` takes one file each for → where it stands under `properties`."""


@dataclass(frozen=True)
class ExportRequest:
    """``name`` is a document's or a file's; ``typed`` is what came in on standard input, for the file `-`.

    ``scope`` is where in Azure our own definitions stand: a management group's id, or a subscription's.
    """

    name: str
    typed: str | None = None
    scope: str | None = None
    manner: Manner = Manner.REFUSE


@dataclass(frozen=True)
class Exported:
    """``documents`` are Azure's; ``notes`` say what was left out."""

    documents: tuple[dict[str, JSON], ...]
    notes: tuple[Diagnostic, ...] = ()


def export(settings: Settings, request: ExportRequest) -> Exported:
    """Raises PolicyError with everything that cannot be exported, UsageError for unknown names and places."""
    scope = _scope(request.scope)
    parsed = [parse_file(request.name, request.typed)] if is_file(request.name) else []
    shelf = shelve(settings, *parsed)
    chosen = [document for file in parsed for document in file.documents] or [shelf.named(request.name)]
    problems = Problems()
    around = Surroundings(shelf.library, shelf.nodes, scope)
    losses = Losses(problems, request.manner)
    documents = [written for document in chosen for written in export_document(document, around, losses)]
    if any(problem.is_error for problem in problems.found):
        raise PolicyError(problems.found)
    return Exported(tuple(documents), tuple(problems.found))


def part_of(documents: tuple[dict[str, JSON], ...], part: str) -> JSON:
    """What stands under one key of `properties`. Raises UsageError when there is none, or several documents."""
    if len(documents) != 1:
        raise UsageError(f"`--part {part}` is for one document, and here are {len(documents)}")
    found = get_folded(documents[0]["properties"], PARTS[part])
    if found is None and part != "params":
        raise UsageError(f"`{documents[0].get('name')}` has no `{PARTS[part]}`")
    return found if found is not None else {}


def _scope(text: str | None) -> ResourceId | None:
    if text is None:
        return None
    help = "name a management group (`/providers/Microsoft.Management/managementGroups/NAME`) or a subscription"
    try:
        scope = ResourceId(text)
    except ValueError as error:
        raise UsageError(f"`{text}` is not a place in Azure", help=help) from error
    if scope.management_group is None and (scope.subscription is None or len(scope.segments) != 2):
        raise UsageError(f"no definition can stand in `{text}`", help=help)
    return scope
