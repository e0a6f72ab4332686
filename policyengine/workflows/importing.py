"""Azure's documents → policy files of a project, which mean the same; documents of ours → copies, comments and all.

Azure's stay in Azure's shape, as YAML: what reads them back reads the same value. In the short form, where that is
asked for, they judge the same. What cannot run here is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from policyengine.errors import PolicyError, UsageError
from policyengine.language.aliases import AliasCatalogue
from policyengine.language.azure import is_azure
from policyengine.language.azure_children import azure_child_type
from policyengine.language.checker import check
from policyengine.language.documents import Cloud, PolicyDefinition
from policyengine.language.library import PolicyLibrary
from policyengine.language.parser import Document, ParsedFile, parse_nodes
from policyengine.language.problems import Problems
from policyengine.language.shortener import shorten
from policyengine.language.spelling import Form
from policyengine.model.diagnostic import Diagnostic
from policyengine.model.values import JSON, canonical_json
from policyengine.text.json_lines import is_json_lines, read_json_lines
from policyengine.text.nodes import MappingNode, Node, SequenceNode, to_value
from policyengine.text.reader import read, read_leniently
from policyengine.text.writer import to_json, to_yaml
from policyengine.workflows.data import SHIPPED
from policyengine.workflows.formatting import format_text
from policyengine.workflows.settings import Settings
from policyengine.workflows.shelf import STANDARD_INPUT, is_file, shelve, shown, text_of

_GUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_PLAIN: Final = re.compile(r"[^A-Za-z0-9._-]+")
_LONGEST_STEM: Final = 80


@dataclass(frozen=True)
class ImportRequest:
    """``names`` are files (`-`: what was ``typed``) or documents of the shipped library.

    ``out`` is a file, a folder, or `-`; without it, the project's first folder of policies. ``ending`` is what files
    get whose names are not given: `.yaml` or `.json`.
    """

    names: Sequence[str]
    typed: str | None = None
    out: str | None = None
    ending: str = ".yaml"
    form: Form = Form.AZURE


@dataclass(frozen=True)
class Imported:
    """``texts`` by the file each is for (`-` for standard output); ``documents`` are what was found, file by file."""

    texts: Mapping[Path, str]
    documents: Mapping[Path, tuple[Document, ...]]
    notes: tuple[Diagnostic, ...] = ()


@dataclass(frozen=True)
class _Piece:
    """One file to be: its name without ending, its text, and what it holds. ``ending`` is that of a copied file."""

    stem: str
    text: str
    parsed: ParsedFile
    ending: str = ""


def import_documents(settings: Settings, request: ImportRequest) -> Imported:
    """What is to be written where; writes nothing.

    Raises PolicyError when a document has errors, cannot run here, names something that is not at hand or is there
    already; UsageError for unknown names and places.
    """
    problems = Problems()
    pieces = [piece for name in request.names for piece in _pieces(settings, name, request, problems)]
    if any(problem.is_error for problem in problems.found):
        raise PolicyError(problems.found)
    targets = _targets(pieces, request, settings)
    documents = {path: piece.parsed.documents for path, piece in targets.items()}
    if request.out != STANDARD_INPUT:
        _check_fits(settings, targets)
    warnings = check(PolicyLibrary.build([d for found in documents.values() for d in found])[0], _aliases())
    return Imported({path: piece.text for path, piece in targets.items()}, documents, (*problems.found, *warnings))


def _aliases() -> AliasCatalogue:
    return AliasCatalogue.packaged()


def _pieces(settings: Settings, name: str, request: ImportRequest, problems: Problems) -> Iterator[_Piece]:
    if name.casefold().startswith(("http://", "https://")):
        help = f"fetch it, and hand it over: curl -sL {name} | policyengine policy import -"
        raise UsageError("addresses are not read", help=help)
    if not is_file(name):
        name = _shipped(settings, name)
    text = text_of(name, request.typed)
    nodes = _nodes(text, shown(name), problems)
    parsed = parse_nodes(nodes, shown(name), _aliases(), problems)
    if not parsed.documents and not problems.found:
        raise UsageError(f"`{shown(name)}` holds no policy document")
    if any(not _is_azures(node) for node in parsed.nodes):
        yield _Piece(
            _stem_of(name, parsed.documents), text, parsed, "" if name == STANDARD_INPUT else Path(name).suffix
        )
        return
    for document, node in zip(parsed.documents, parsed.nodes, strict=True):
        one = ParsedFile((document,), (), (node,))
        stem = _stem_of(name, parsed.documents) if len(parsed.documents) == 1 else _stem(document)
        yield _Piece(stem, _azure_text(document, node, request, problems), one)


def _shipped(settings: Settings, name: str) -> str:
    """The file of a document that is named. Raises UsageError for a name that nothing has."""
    span = shelve(settings).named(name).span
    assert span is not None, "what was read from a file knows its place"
    return span.source.name


def _nodes(text: str, name: str, problems: Problems) -> list[Node]:
    """Of a text, of a text with one JSON document to a line, or of the `value` that a listing has."""
    nodes, diagnostics = read_json_lines(text, name) if is_json_lines(text) else read_leniently(text, name)
    problems.found += diagnostics
    if len(nodes) == 1 and isinstance(nodes[0], MappingNode) and set(_keys(nodes[0])) <= {"value", "nextlink"}:
        listed = nodes[0].get("value")
        return list(listed.items) if isinstance(listed, SequenceNode) else nodes
    return nodes


def _keys(node: MappingNode) -> Iterator[str]:
    return (entry.name.casefold() for entry in node)


def _is_azures(node: MappingNode) -> bool:
    is_ours = node.get("apiVersion") is not None and node.get("kind") is not None
    return not is_ours and (is_azure(node) or azure_child_type(node) is not None)


def _azure_text(document: Document, node: MappingNode, request: ImportRequest, problems: Problems) -> str:
    """The document as YAML or JSON that reads back as the same value; empty, with an error, when there is none."""
    if isinstance(document, PolicyDefinition) and document.policy_type == "Static":
        message = f"`{document.name}` is of the type Static, which only Microsoft evaluates, on its own machines"
        problems.error("handled-elsewhere", message, document.span)
        return ""
    value = to_value(node)
    if request.form is Form.SHORT and isinstance(document, PolicyDefinition):
        value = shorten(document, node, _aliases(), problems)
        if value is None:
            return ""
    text = written(value, request.ending)
    if text is None:
        message = (
            f"`{document.name}` cannot be written as {request.ending[1:].upper()}: it would not read back the same"
        )
        problems.error("invalid-value", message, document.span, "try `-o json`, or look for a key called `<<`")
    return text or ""


def written(value: JSON, ending: str) -> str | None:
    """A text of the value, laid out as `fmt` does where that is safe; None when none reads back as the same."""
    text = to_json(value) if ending == ".json" else to_yaml(value)
    name = f"document{ending}"
    try:
        text.encode()
        text = format_text(text, name) or text
        nodes = read(text, name)
    except (PolicyError, UnicodeError):
        return None
    return text if [canonical_json(to_value(node)) for node in nodes] == [canonical_json(value)] else None


def _stem_of(name: str, documents: Sequence[Document]) -> str:
    return _stem(documents[0]) if name == STANDARD_INPUT else Path(name).stem


def _stem(document: Document) -> str:
    """The name, or the display name's words when the name is a GUID."""
    title = getattr(document, "display_name", "")
    text = title if title and _GUID.fullmatch(document.name) else document.name
    return _PLAIN.sub("-", text)[:_LONGEST_STEM].strip("-.") or "policy"


def _targets(pieces: Sequence[_Piece], request: ImportRequest, settings: Settings) -> dict[Path, _Piece]:
    out = Path(request.out) if request.out is not None else own_folder(settings)
    if request.out is not None and (request.out == STANDARD_INPUT or out.suffix.lower() in {".yaml", ".yml", ".json"}):
        if len(pieces) != 1:
            help = "name a folder" if request.out != STANDARD_INPUT else "name a folder, or import them one by one"
            raise UsageError(f"{len(pieces)} documents do not go into `{request.out}`", help=help)
        (piece,) = pieces
        if piece.ending and out.suffix and (piece.ending == ".json") is not (out.suffix == ".json"):
            help = f"give the copy the ending `{piece.ending}`"
            raise UsageError("a document of ours is copied as it stands", help=help)
        return {out: piece}
    targets: dict[Path, _Piece] = {}
    for piece in pieces:
        number = 1
        folder = out / "government" if _is_government(piece) else out
        path = folder / f"{piece.stem}{piece.ending or request.ending}"
        while path in targets:
            number += 1
            path = folder / f"{piece.stem}-{number}{piece.ending or request.ending}"
        targets[path] = piece
    return targets


def _is_government(piece: _Piece) -> bool:
    """Documents of Azure Government are known by their folder, and may have the ids of public ones."""
    return any(getattr(document, "cloud", Cloud.PUBLIC) is Cloud.GOVERNMENT for document in piece.parsed.documents)


def own_folder(settings: Settings) -> Path:
    """Where a project's own policies go. Raises UsageError when only files and shipped folders are named."""
    for text in settings.policies:
        if text not in SHIPPED and not Path(text).is_file():
            return Path(text)
    raise UsageError("the project has no folder of policies", help="say where with `--out`")


def _check_fits(settings: Settings, targets: Mapping[Path, _Piece]) -> None:
    """Every reference must lead somewhere, and no name may be taken in the project. Raises PolicyError."""
    replaced = {path.resolve() for path in targets}
    project = [d for d in shelve(settings, besides=()).nodes if not _is_from(d, replaced)]
    _, before = PolicyLibrary.build(project)
    _, after = PolicyLibrary.build([*project, *(d for piece in targets.values() for d in piece.parsed.documents)])
    apart = not any(_is_below(path, settings) for path in replaced)
    errors = [d for d in after if d.is_error and d not in before and not (apart and d.code == "duplicate-name")]
    if errors:
        raise PolicyError(errors)


def _is_from(document: Document, files: set[Path]) -> bool:
    return document.span is not None and Path(document.span.source.name).resolve() in files


def _is_below(path: Path, settings: Settings) -> bool:
    return any(path.is_relative_to(Path(folder).resolve()) for folder in settings.policies)
