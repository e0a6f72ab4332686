"""Fleets from files: our ``kind: Fleet``, or what Azure's own tools export.

A JSON array, ``{"value": […]}``, ``{"data": […]}`` or one document per line (NDJSON) may hold clusters, extensions,
fluxConfigurations, subscriptions, resource groups and management groups in any order, as Resource Manager or
Resource Graph return them. Documents of other types are left aside. NDJSON alone may be larger than the memory.
INVARIANT: an export that says it is one page of several makes no fleet that looks whole.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Final

from policyengine.errors import InventoryError
from policyengine.inventory.containers import is_container, read_tree
from policyengine.inventory.documents import HELP, Document, cluster_key, orphaned, problem_of
from policyengine.inventory.fleet_text import fleet_of, read_one
from policyengine.inventory.lines import Lines, read_lines
from policyengine.inventory.reading import Reading, Told, batched, collected, whole
from policyengine.model.fleet import Fleet, ScopeFailure, assemble
from policyengine.model.ids import ResourceId
from policyengine.model.values import JSON, get_folded
from policyengine.text.nodes import to_value
from policyengine.text.paths import place_of

_TOTALS: Final = ("total_records", "totalRecords")
_MORE: Final = ("skip_token", "$skipToken", "nextLink")
_BY_LINES: Final = frozenset({".ndjson", ".jsonl"})


async def read_file(path: str) -> Fleet:
    """The fleet that the file holds.

    Raises InventoryError naming file and line. An extension or configuration whose cluster is not in the file
    makes the fleet incomplete.
    """
    return await collected(await open_file(path))


async def open_file(path: str, told: Told | None = None) -> Reading:
    """The same, batch after batch. What is wrong with the file is told before the first."""
    found = await asyncio.to_thread(_open, Path(path))
    if isinstance(found, Lines):
        return Reading(batched(found.clusters(), found.groups, told), found.rest)
    return whole(found, told)


def _open(path: Path) -> Fleet | Lines:
    try:
        found = read_lines(path) if _is_by_lines(path) else _from_one(path.read_text(encoding="utf-8-sig"), path)
    except OSError as error:
        raise InventoryError(f"inventory file `{path}` cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InventoryError(f"inventory file `{path}` is not UTF-8: byte {error.start + 1}") from error
    empty = not found.groups if isinstance(found, Lines) else found.complete and not found.clusters
    if empty:
        help = "give it a `kind: Fleet`, or documents of AKS and Arc clusters as Resource Manager lists them"
        raise InventoryError(f"inventory file `{path}` holds no cluster", help=help)
    return found


def _is_by_lines(path: Path) -> bool:
    """True when the first line alone is a JSON object and another follows, whatever the file is called."""
    if path.suffix.casefold() in _BY_LINES:
        return True
    with path.open(encoding="utf-8-sig") as file:
        filled = (line for line in file if line.strip())
        first, second = next(filled, ""), next(filled, "")
    if not first.lstrip().startswith("{") or not second.lstrip().startswith("{"):
        return False
    return isinstance(_fast(first), dict)


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
        if (problem := problem_of(document)) is not None:
            place = place_of(node or read_one(text, str(path)), (*steps, at))
            raise InventoryError(f"{place}: document {at + 1}: {problem}", help=HELP)
    fleet = _from_documents(listed)
    lacking = _lacking(value, len(listed)) if isinstance(value, dict) else None
    return replace(fleet, failures=(*fleet.failures, ScopeFailure(ResourceId("/"), lacking))) if lacking else fleet


def _lacking(page: Document, held: int) -> str | None:
    """What an export says is not in it: it may be the first of several pages. None when it is whole."""
    total = next((page[name] for name in _TOTALS if isinstance(page.get(name), int)), held)
    if total > held:
        return f"the file holds {held} of {total} rows: export all pages, one row to a line"
    if any(page.get(name) for name in _MORE) or str(page.get("resultTruncated")).casefold() == "true":
        return f"the file holds a page of {held} rows, and more follow: export all pages, one row to a line"
    return None


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
        elif cluster_key(id) is not None:
            resources.append(document)
    clusters, orphans = assemble(resources)
    tree = read_tree(containers, [cluster.id for cluster in clusters])
    return Fleet(tree, clusters, tuple(orphaned(orphans)))
