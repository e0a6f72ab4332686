"""One definition in the other spelling: in Azure's language, or in the short form."""

from __future__ import annotations

from dataclasses import dataclass

from policyengine.errors import PolicyError, UsageError
from policyengine.language.aliases import AliasCatalogue
from policyengine.language.documents import PolicyDefinition
from policyengine.language.exporter import Manner
from policyengine.language.problems import Problems
from policyengine.language.shortener import shorten
from policyengine.language.spelling import Form
from policyengine.model.diagnostic import Diagnostic
from policyengine.model.values import JSON
from policyengine.workflows.export import ExportRequest, export
from policyengine.workflows.settings import Settings
from policyengine.workflows.shelf import is_file, parse_file, shelve


@dataclass(frozen=True)
class Rendered:
    """``documents`` in the form that was asked for; ``notes`` say what of them has no words there."""

    documents: tuple[dict[str, JSON], ...]
    notes: tuple[Diagnostic, ...]


def render(settings: Settings, name: str, form: Form, typed: str | None = None) -> Rendered:
    """``name`` is a document's or a file's. For reading: what Azure has no words for stays in its place.

    Raises PolicyError for a definition without a short form, UsageError for unknown names and other documents.
    """
    if form is Form.AZURE:
        shown = export(settings, ExportRequest(name, typed, manner=Manner.SHOW))
        return Rendered(shown.documents, shown.notes)
    parsed = [parse_file(name, typed)] if is_file(name) else []
    shelf = shelve(settings, *parsed)
    chosen = [document for file in parsed for document in file.documents] or [shelf.named(name)]
    problems = Problems()
    documents = []
    for document in chosen:
        if not isinstance(document, PolicyDefinition):
            raise UsageError(f"`{document.name}` is no definition", help="only definitions have a short form")
        short = shorten(document, shelf.nodes[document], AliasCatalogue.packaged(), problems)
        documents += [] if short is None else [short]
    if any(problem.is_error for problem in problems.found):
        raise PolicyError(problems.found)
    return Rendered(tuple(documents), tuple(problems.found))
