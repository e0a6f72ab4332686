"""What a field name reads on one resource: a built-in field, a tag, an alias, or a path from the document's root.

Source: policy language §4.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from policyengine.evaluation.paths import NO_PINS, Pins, Selection, is_pinned, select
from policyengine.evaluation.places import api_version
from policyengine.language.aliases import (
    AliasCatalogue,
    FieldKind,
    Step,
    begins_in_envelope,
    classify_field,
    parse_path,
)
from policyengine.model.resource import Resource
from policyengine.model.values import JSON, UNDEFINED, get_folded

NO_LOCATION: Final = "global"
"""The location of a resource that has none. Source: policy language §4.1."""

_LOCATION_CALL = re.compile(r"\bfield\s*\(\s*'location'\s*\)", re.IGNORECASE)


def read(name: str, resource: Resource, aliases: AliasCatalogue, pins: Pins = NO_PINS) -> Selection:
    """Everything ``name`` selects on ``resource``; an alias the resource's type does not have selects nothing."""
    field = classify_field(name)
    if field.kind is FieldKind.BUILT_IN:
        own = _built_in(field.name, resource)
        if own is not UNDEFINED:
            return Selection((own,))
    path = steps(name, resource, aliases)
    if path is not None:
        return select(resource.document, path, pins)
    return Selection((), each=True, complete=False) if "[*]" in name else Selection((UNDEFINED,))


def read_current(name: str, resource: Resource, aliases: AliasCatalogue, pins: Pins) -> JSON:
    """What `current('counted[*].x')` gives: the bare value of the member that counts. Source: §5.2."""
    path = steps(name, resource, aliases) or ()
    selection = select(resource.document, path, pins)
    if is_pinned(path, pins):
        return None if selection.values[0] is UNDEFINED else selection.values[0]
    return as_value(selection)


def steps(name: str, resource: Resource, aliases: AliasCatalogue) -> tuple[Step, ...] | None:
    """The walk ``name`` means on ``resource``; None for an alias its type does not have, and for no field at all."""
    field = classify_field(name)
    if field.kind is FieldKind.ALIAS:
        path = aliases.path_for(resource.type, field.name, api_version(resource))
        if path is not None:
            return path.steps
        return parse_path(name) if aliases.raw_paths and not aliases.is_known_type(resource.type) else None
    if field.kind is FieldKind.PATH and not aliases.raw_paths and not begins_in_envelope(field.steps):
        return None
    return field.steps


def every_walk(name: str, resource: Resource, aliases: AliasCatalogue) -> frozenset[tuple[Step, ...]]:
    """All walks that ``name`` may mean on documents of that type, and what decides between them."""
    field = classify_field(name)
    alias = aliases.alias(resource.type, field.name) if field.kind is FieldKind.ALIAS else None
    versions = alias.versions if alias is not None else {}
    versioned = [replace(resource, document={"apiVersion": version}) for version in versions]
    walks = {steps(name, one, aliases) for one in (resource, *versioned)}
    return frozenset(walk for walk in (*walks, ("apiVersion",) if versions else None) if walk)


def as_value(selection: Selection) -> JSON:
    """The selection as `field()` returns it: a list for ``[*]`` without the members that lack the property. §4.5."""
    if selection.each:
        return [value for value in selection.values if value is not UNDEFINED]
    value = selection.values[0]
    return None if value is UNDEFINED else value


def short_name(name: str) -> str:
    """The name as people say it: an alias without its type, a path without the leading ``properties``."""
    head, bracket, rest = name.partition("[")
    if "/" in head:
        return head.rpartition("/")[2] + bracket + rest
    return name.removeprefix("properties.")


def reads_location(source: JSON) -> bool:
    """True when an expression asks for ``field('location')``."""
    return isinstance(source, str) and _LOCATION_CALL.search(source) is not None


def _built_in(name: str, resource: Resource) -> JSON:
    """The fields that are not simply read from the document; UNDEFINED for those that are."""
    if name == "name":
        return resource.name
    if name == "fullName":
        return resource.full_name
    if name == "type":
        return resource.type
    if name == "id":
        return resource.written_id
    if name == "location":
        return get_folded(resource.document, "location") or NO_LOCATION
    return api_version(resource) if name == "apiVersion" else UNDEFINED
