"""Documents by name, with the text they were read from: what commands for authors take from and put beside."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from policyengine.errors import PolicyError, UsageError
from policyengine.language.aliases import AliasCatalogue
from policyengine.language.documents import Reference
from policyengine.language.library import PolicyLibrary
from policyengine.language.parser import Document, ParsedFile, parse_documents
from policyengine.model.diagnostic import did_you_mean
from policyengine.text.nodes import MappingNode
from policyengine.workflows.data import SHIPPED
from policyengine.workflows.files import read_text
from policyengine.workflows.load import SUFFIXES, policy_files
from policyengine.workflows.settings import Settings

STANDARD_INPUT: Final = "-"
"""In place of a file."""


@dataclass(frozen=True)
class Shelf:
    """What the project and the shipped library hold; files with errors are passed over."""

    library: PolicyLibrary
    nodes: Mapping[Document, MappingNode]

    def named(self, name: str) -> Document:
        """A definition, an initiative, or any other document of that name, in this order. Raises UsageError."""
        base, _, version = name.partition("@")
        reference = Reference(base, version or None)
        found = self.library.definition(reference) or self.library.initiative(reference)
        others = [d for d in self.nodes if d.name.casefold() == name.casefold()]
        if found is None and not others:
            known = {document.name for document in self.nodes}
            help = did_you_mean(name, known) or "name a document of the project or of the library, or a file"
            raise UsageError(f"there is no document `{name}`", help=help)
        return found or others[0]


def shelve(settings: Settings, *first: ParsedFile, besides: Sequence[str] = ("library:",)) -> Shelf:
    """``first`` comes before the project's files, and those before ``besides``."""
    aliases = AliasCatalogue.packaged()
    parsed = [*first, *_read(settings.policies, aliases), *_read(besides, aliases)]
    nodes = {document: node for file in parsed for document, node in zip(file.documents, file.nodes, strict=True)}
    library, _ = PolicyLibrary.build(nodes)
    return Shelf(library, nodes)


def _read(paths: Sequence[str], aliases: AliasCatalogue) -> Iterator[ParsedFile]:
    for file in policy_files([path for path in paths if path in SHIPPED or Path(path).exists()]):
        try:
            parsed = parse_documents(read_text(file), str(file), aliases)
        except OSError:
            continue
        if not any(diagnostic.is_error for diagnostic in parsed.diagnostics):
            yield parsed


def is_file(name: str) -> bool:
    """Whether a person who writes ``name`` means a file rather than a document."""
    return name == STANDARD_INPUT or Path(name).suffix.lower() in SUFFIXES or Path(name).is_file()


def text_of(name: str, typed: str | None) -> str:
    """The text of a file, or what was ``typed`` for `-`. Raises UsageError for a file that cannot be read."""
    if name == STANDARD_INPUT:
        return typed or ""
    try:
        return read_text(Path(name))
    except OSError as error:
        raise UsageError(f"`{name}` cannot be read: {error.strerror}") from error


def parse_file(name: str, typed: str | None) -> ParsedFile:
    """The documents of one file. Raises PolicyError when anything in it is wrong, or when it holds none."""
    parsed = parse_documents(text_of(name, typed), shown(name), AliasCatalogue.packaged())
    if any(diagnostic.is_error for diagnostic in parsed.diagnostics):
        raise PolicyError(parsed.diagnostics)
    if not parsed.documents:
        raise UsageError(f"`{shown(name)}` holds no policy document")
    return parsed


def shown(name: str) -> str:
    return "<stdin>" if name == STANDARD_INPUT else name
