"""Fleets from files: our ``kind: Fleet``, or what Azure's own tools export.

A JSON array, ``{"value": […]}``, ``{"data": […]}`` or one document per line (NDJSON) may hold clusters, extensions,
fluxConfigurations, subscriptions, resource groups and management groups in any order, as Resource Manager or
Resource Graph return them. Documents of other types are left aside.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

from policyengine.errors import InventoryError
from policyengine.inventory.containers import is_container, read_tree
from policyengine.inventory.fleet_text import fleet_of, read_one
from policyengine.model.fleet import Fleet, ScopeFailure, assemble
from policyengine.model.ids import ResourceId
from policyengine.model.resource import AKS, ARC, EXTENSIONS, FLUX_CONFIGURATIONS, Resource
from policyengine.model.values import JSON, get_folded
from policyengine.text.nodes import to_value
from policyengine.text.paths import place_of

Document = Mapping[str, JSON]

_CLUSTER_PATHS: Final = tuple(f"/providers/{type}/".casefold() for type in (AKS, ARC))
_HELP: Final = "give it its full Azure resource id"
_ON_CLUSTERS: Final = frozenset({EXTENSIONS.casefold(), FLUX_CONFIGURATIONS.casefold()})


async def read_file(path: str) -> Fleet:
    """The fleet that the file holds.

    Raises InventoryError naming file and line. An extension or configuration whose cluster is not in the file
    makes the fleet incomplete.
    """
    return await asyncio.to_thread(_read, Path(path))


def _read(path: Path) -> Fleet:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InventoryError(f"inventory file `{path}` cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InventoryError(f"inventory file `{path}` is not UTF-8: byte {error.start + 1}") from error
    if path.suffix.casefold() in {".ndjson", ".jsonl"} or _looks_like_lines(text):
        fleet = _from_documents(_lines(text, path))
    else:
        fleet = _from_one(text, path)
    if fleet.complete and not fleet.clusters:
        help = "give it a `kind: Fleet`, or documents of AKS and Arc clusters as Resource Manager lists them"
        raise InventoryError(f"inventory file `{path}` holds no cluster", help=help)
    return fleet


def _looks_like_lines(text: str) -> bool:
    """True when the first line alone is a JSON object and another follows, whatever the file is called."""
    first, _, rest = text.lstrip().partition("\n")
    if not first.startswith("{") or not rest.lstrip().startswith("{"):
        return False
    try:
        return isinstance(json.loads(first), dict)
    except ValueError:
        return False


def _lines(text: str, path: Path) -> Iterator[Document]:
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            document = json.loads(line)
        except (ValueError, RecursionError) as error:
            why = error.msg if isinstance(error, json.JSONDecodeError) else "it is nested too deeply"
            raise InventoryError(
                f"{path}:{number}: this line is not JSON: {why.lower()}", help="write one whole document on each line"
            ) from error
        if (problem := _problem(document)) is not None:
            raise InventoryError(f"{path}:{number}: {problem}", help=_HELP)
        yield document


def _problem(document: JSON) -> str | None:
    """Why this is no object with a usable id; None when it is."""
    if not isinstance(document, dict):
        return f"not an ARM document but {_noun(document)}"
    try:
        Resource.from_document(document)
    except ValueError as error:
        return str(error)
    return None


def _noun(value: JSON) -> str:
    return "a list" if isinstance(value, list) else "null" if value is None else f"`{value}`"


def _from_one(text: str, path: Path) -> Fleet:
    """The file's one document. JSON goes through the fast reader; what is wrong is read again, with places."""
    value = _fast(text)
    node = read_one(text, str(path)) if value is None else None
    value = to_value(node) if node is not None else value
    member = "data" if isinstance(value, dict) and "data" in value else "value"  # as `az graph query` and as lists
    listed = value.get(member) if isinstance(value, dict) else value
    if not isinstance(listed, list):
        return fleet_of(node or read_one(text, str(path))).fleet
    steps = (member,) if isinstance(value, dict) else ()
    for at, document in enumerate(listed):
        if (problem := _problem(document)) is not None:
            place = place_of(node or read_one(text, str(path)), (*steps, at))
            raise InventoryError(f"{place}: document {at + 1}: {problem}", help=_HELP)
    return _from_documents(listed)


def _fast(text: str) -> JSON:
    """The value of JSON text; None when there is another, slower, way to read it."""
    if text.lstrip()[:1] in {"{", "["}:
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            pass
    return None


def _from_documents(documents: Iterable[Document]) -> Fleet:
    containers: list[Document] = []
    resources: list[Document] = []
    for document in documents:
        id = ResourceId(str(get_folded(document, "id")))
        if is_container(id):
            containers.append(document)
        elif any(path in id.key + "/" for path in _CLUSTER_PATHS):
            resources.append(document)
    clusters, orphans = assemble(resources)
    tree = read_tree(containers, [cluster.id for cluster in clusters])
    return Fleet(tree, clusters, tuple(_orphaned(orphan) for orphan in orphans if _belongs_to_a_cluster(orphan)))


def _belongs_to_a_cluster(resource: Resource) -> bool:
    return resource.type.casefold() in _ON_CLUSTERS


def _orphaned(resource: Resource) -> ScopeFailure:
    cluster = resource.id.parent or resource.id
    return ScopeFailure(cluster, f"`{resource.name}` is listed, but its cluster `{cluster.name}` is not")
