"""The generic list of tracked resources: clusters, and what was stored with a location.

Source: configuration API §10.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from heapq import merge
from typing import Final

from policyengine.emulator.answers import Answer, ArmRequest, Refusal
from policyengine.emulator.emulator import Emulator
from policyengine.emulator.paging import folded_id, page_of
from policyengine.emulator.routes.resource_groups import find_resource_group
from policyengine.emulator.routes.subscriptions import find_subscription
from policyengine.emulator.routing import Route
from policyengine.emulator.state import State
from policyengine.model.ids import ResourceId
from policyengine.model.values import JSON, get_folded, walk

_CLAUSE: Final = re.compile(r"\s*(\w+)\s+(eq|ne)\s+'((?:[^']|'')*)'\s*", re.IGNORECASE)
_AND: Final = re.compile(r"\s+and\s+", re.IGNORECASE)
_FIELDS: Final = frozenset({"resourcetype", "name", "location", "resourcegroup", "tagname", "tagvalue"})
_SHOWN: Final[tuple[str, ...]] = (
    "id",
    "name",
    "type",
    "kind",
    "location",
    "tags",
    "identity",
    "sku",
    "plan",
    "managedBy",
)
_EXPANDED: Final = {
    "createdTime": ("systemData", "createdAt"),
    "changedTime": ("systemData", "lastModifiedAt"),
    "provisioningState": ("properties", "provisioningState"),
}
"""What `$expand` adds, and where it comes from."""


def _list(emulator: Emulator, request: ArmRequest) -> Answer:
    scope = find_subscription(emulator, request).id
    return _page(emulator, request, scope)


def _list_in_group(emulator: Emulator, request: ArmRequest) -> Answer:
    return _page(emulator, request, find_resource_group(emulator, request).id)


def _page(emulator: Emulator, request: ArmRequest, scope: ResourceId) -> Answer:
    clauses = _read_filter(request.query.get("$filter"))
    wanted = {word.strip().casefold() for word in request.query.get("$expand", "").split(",")}
    type = next((value for name, equal, value in clauses if name == "resourcetype" and equal), None)

    def later(after: str | None) -> Iterator[Mapping[str, JSON]]:
        found = _tracked(emulator.state, scope, type, after)
        return (_shown(d, wanted) for d in found if all(_holds(c, d) for c in clauses) and _has_tag(clauses, d))

    return page_of(request, later, emulator.settings.page_size)


def _tracked(state: State, scope: ResourceId, type: str | None, after: str | None) -> Iterator[Mapping[str, JSON]]:
    """Every document with a location at or under ``scope`` and behind a folded id, in id order.

    Of the clusters only those of ``type``, when given.
    """
    stored = (d for d in state.resources.below(scope, after) if "location" in d)
    clusters = (head.document for head in state.clusters.heads(scope, type, after))
    return merge(clusters, stored, key=folded_id)


def _shown(document: Mapping[str, JSON], wanted: set[str]) -> dict[str, JSON]:
    shown = {name: document[name] for name in _SHOWN if name in document}
    for name, path in _EXPANDED.items():
        value = walk(document, *path)
        if name.casefold() in wanted and value is not None:
            shown[name] = value
    return shown


def _read_filter(text: str | None) -> list[tuple[str, bool, str]]:
    """(folded field, equal, value) per clause; only `eq` and `ne` joined by `and` are known."""
    clauses = []
    for part in _AND.split(text) if text else ():
        match = _CLAUSE.fullmatch(part)
        if match is None or match.group(1).casefold() not in _FIELDS:
            raise Refusal(400, "InvalidFilterInQueryString", f"Invalid $filter '{text}' specified in the query string.")
        name, operator, value = match.groups()
        clauses.append((name.casefold(), operator.casefold() == "eq", value.replace("''", "'")))
    return clauses


def _has_tag(clauses: list[tuple[str, bool, str]], document: Mapping[str, JSON]) -> bool:
    """Name and value are asked of one and the same tag."""
    said = {name: value.casefold() for name, equal, value in clauses if equal}
    if not {"tagname", "tagvalue"} <= set(said):
        return True
    tags = {name.casefold(): str(value).casefold() for name, value in (document.get("tags") or {}).items()}
    return tags.get(said["tagname"]) == said["tagvalue"]


def _holds(clause: tuple[str, bool, str], document: Mapping[str, JSON]) -> bool:
    name, equal, value = clause
    return any(value.casefold() == known.casefold() for known in _values(name, document)) == equal


def _values(name: str, document: Mapping[str, JSON]) -> list[str]:
    tags = document.get("tags") or {}
    if name == "tagname":
        return list(tags)
    if name == "tagvalue":
        return [str(value) for value in tags.values()]
    if name == "resourcegroup":
        return [ResourceId(document["id"]).resource_group or ""]
    return [str(get_folded(document, "type" if name == "resourcetype" else name, ""))]


ROUTES: Final = (
    Route("/subscriptions/{subscription}/resources", {"GET": _list}, since="2016-02-01"),
    Route(
        "/subscriptions/{subscription}/resourceGroups/{group}/resources", {"GET": _list_in_group}, since="2016-02-01"
    ),
)
