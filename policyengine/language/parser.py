"""Text → documents: the one loader for everything people write about policies.

Which shape a document has is decided here; each shape is read in a module of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from policyengine.language.aliases import AliasCatalogue
from policyengine.language.assignments import parse_assignment
from policyengine.language.attestations import parse_attestation
from policyengine.language.azure import is_azure, parse_azure
from policyengine.language.azure_children import azure_child_type, parse_azure_child
from policyengine.language.definitions import parse_definition
from policyengine.language.documents import (
    Assignment,
    Attestation,
    Cloud,
    Enrollment,
    Exemption,
    Initiative,
    PolicyDefinition,
)
from policyengine.language.exemptions import parse_enrollment, parse_exemption
from policyengine.language.fields import Fields, first_line, one_of
from policyengine.language.initiatives import parse_initiative
from policyengine.language.problems import MAX_PROBLEMS, Problems, TooMany
from policyengine.model.diagnostic import Diagnostic, did_you_mean
from policyengine.text.nodes import MappingNode, Node, ScalarNode, SequenceNode, describe
from policyengine.text.reader import read_leniently

API_VERSION: Final = "policyengine/v1"

Document: TypeAlias = PolicyDefinition | Initiative | Assignment | Exemption | Attestation | Enrollment

_KINDS: Final[Mapping[str, Callable[[Fields, AliasCatalogue], Document]]] = {
    "PolicyDefinition": parse_definition,
    "Initiative": lambda document, _aliases: parse_initiative(document),
    "Assignment": lambda document, _aliases: parse_assignment(document),
    "Exemption": lambda document, _aliases: parse_exemption(document),
    "Attestation": lambda document, _aliases: parse_attestation(document),
    "Enrollment": lambda document, _aliases: parse_enrollment(document),
}
_READ_ELSEWHERE: Final = ("PolicyTest", "Project", "Fleet", "AliasCatalogue")
DOCUMENT_KINDS: Final = (*_KINDS, *_READ_ELSEWHERE)
"""Every kind of document there is."""
_GOVERNMENT_FOLDERS: Final = frozenset({"government", "azure government"})


@dataclass(frozen=True, slots=True)
class ParsedFile:
    """What a text holds, and what is wrong with it.

    A document with errors is still there, as far as it could be read, so that references to it are not reported as
    missing. Use the documents only when no diagnostic is an error.
    """

    documents: tuple[Document, ...]
    diagnostics: tuple[Diagnostic, ...]
    nodes: tuple[MappingNode, ...] = ()
    """What each document was read from, in the order of ``documents``."""


def parse_documents(text: str, name: str, aliases: AliasCatalogue, *, cloud: Cloud | None = None) -> ParsedFile:
    """Every document of the text, which people know as ``name``; whatever is wrong is a diagnostic, never raised.

    ``cloud`` is told by the folders of ``name`` when it is not given.
    """
    nodes, unreadable = read_leniently(text, name)
    return parse_nodes(nodes, name, aliases, Problems(list(unreadable), most=MAX_PROBLEMS), cloud=cloud)


def parse_nodes(
    nodes: Iterable[Node], name: str, aliases: AliasCatalogue, problems: Problems, *, cloud: Cloud | None = None
) -> ParsedFile:
    """Like `parse_documents`, of what has been read already; ``problems`` are those found so far."""
    documents: list[Document] = []
    read: list[MappingNode] = []
    try:
        for node in _each(nodes):
            document = _parse(node, problems, aliases, _stem(name, len(documents)))
            if document is not None and isinstance(node, MappingNode):
                documents.append(_placed(document, cloud or cloud_of(name)))
                read.append(node)
    except TooMany:
        help = "mend these, then look again"
        problems.found[-1] = Diagnostic(
            "too-many", "there are more problems in this file", problems.found[-1].span, help
        )
    diagnostics = tuple(sorted(problems.found, key=lambda d: d.sort_key))
    return ParsedFile(tuple(documents), diagnostics, tuple(read))


def cloud_of(name: str) -> Cloud:
    """Government for a file below a folder called `government` or `Azure Government`, else public."""
    folders = name.replace("\\", "/").casefold().split("/")[:-1]
    return Cloud.GOVERNMENT if _GOVERNMENT_FOLDERS.intersection(folders) else Cloud.PUBLIC


def _placed(document: Document, cloud: Cloud) -> Document:
    """Exemptions, attestations and enrollments name an assignment, which has a cloud of its own."""
    if cloud is Cloud.PUBLIC or isinstance(document, Exemption | Attestation | Enrollment):
        return document
    return replace(document, cloud=cloud)


def _each(nodes: Iterable[Node]) -> Iterator[Node]:
    """A list at the top holds several documents, as Azure's tools export them."""
    for node in nodes:
        if isinstance(node, SequenceNode):
            yield from node.items
        else:
            yield node


def _stem(name: str, number: int) -> str:
    """What to call a document without a name: after its file, numbered from the second on."""
    stem = name.replace("\\", "/").rpartition("/")[2].partition(".")[0] or "policy"
    return stem if number == 0 else f"{stem}-{number + 1}"


def _parse(node: Node, problems: Problems, aliases: AliasCatalogue, fallback_name: str) -> Document | None:
    if not isinstance(node, MappingNode):
        problems.error("unknown-document", f"a document must be a mapping, got {describe(node)}", first_line(node))
        return None
    if node.get("apiVersion") is not None or (node.get("kind") is not None and node.get("spec") is not None):
        return _parse_ours(Fields(node, "the document", problems), aliases)
    if is_azure(node):
        return parse_azure(node, problems, fallback_name=fallback_name)
    if _is_json_schema(node):
        return None
    if (type := azure_child_type(node)) is not None:
        return parse_azure_child(node, type, problems, fallback_name=fallback_name)
    help = f"begin with `apiVersion: {API_VERSION}` and a `kind`, or give an Azure definition with a `policyRule`"
    problems.error("unknown-document", "this is not a policy document", first_line(node), help)
    return None


def _is_json_schema(node: MappingNode) -> bool:
    """Schemas may lie beside the documents that name them; editors read them."""
    dialect = node.get("$schema")
    return isinstance(dialect, ScalarNode) and str(dialect.value).startswith("https://json-schema.org/")


def _parse_ours(document: Fields, aliases: AliasCatalogue) -> Document | None:
    problems = document.problems
    version, kind = document.take("apiVersion"), document.take("kind")
    if version is None:
        document.missing("apiVersion", f"write `apiVersion: {API_VERSION}`")
    elif not isinstance(version, ScalarNode) or version.value != API_VERSION:
        message = "this is not a document of this program, or of a version it does not know"
        problems.error("unknown-document", message, first_line(version), f"the `apiVersion` must be `{API_VERSION}`")
        return None
    word = kind.value if isinstance(kind, ScalarNode) else None
    if not isinstance(word, str):
        document.missing("kind", one_of(_KINDS))
        return None
    if word.casefold() in {name.casefold() for name in _READ_ELSEWHERE}:
        return None
    for name, parse in _KINDS.items():
        if name.casefold() == word.casefold():
            parsed = parse(document, aliases)
            document.close()
            return parsed
    assert kind is not None
    help = did_you_mean(word, DOCUMENT_KINDS)
    problems.error("unknown-document", f"`{word}` is not a kind of document", kind.span, help)
    return None
