"""Documents without an id as resources: they tell their type and name themselves, and are given a place to stand.

Pure. A made-up place is never shown: `written_id` of such a resource is None.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from policyengine.effects.existence import is_underneath
from policyengine.language.syntax import ExistenceDetails
from policyengine.model.ids import ResourceId
from policyengine.model.resource import LooseResource, Resource
from policyengine.model.values import JSON, get_folded


def placed(document: Mapping[str, JSON], group: ResourceId) -> LooseResource:
    """The document where its `id` says, else in ``group``."""
    return LooseResource(_written_id(document) or _child(group, document), document)


def _written_id(document: Mapping[str, JSON]) -> ResourceId | None:
    text = get_folded(document, "id")
    try:
        return ResourceId(text) if isinstance(text, str) and text.strip("/") else None
    except ValueError:
        return None


def _child(parent: ResourceId, document: Mapping[str, JSON]) -> ResourceId:
    """A place for a document without an id: its type and name below ``parent``, as far as they are told."""
    type, name = get_folded(document, "type"), get_folded(document, "name")
    last = str(name).rpartition("/")[2] if isinstance(name, str) else ""
    kind = "-".join(str(type).split("/")) if isinstance(type, str) and type.strip("/") else "-"
    return parent.extension(f"-/{kind}", last or "-")


def beside(
    root: Resource, documents: Iterable[Mapping[str, JSON]], details: ExistenceDetails | None
) -> tuple[LooseResource, ...]:
    """The related documents as resources, each in its place."""
    wanted = details.type.constant if details is not None and details.type.is_constant else None
    found = []
    for document in documents:
        id, type = _written_id(document), get_folded(document, "type")
        if type is None and id is None and isinstance(wanted, str):
            document, type = {**document, "type": wanted}, wanted
        group = root.id if is_underneath(str(type or ""), root.type) else root.id.parent or root.id
        found.append(LooseResource(id or _child(group, document), document))
    return tuple(found)
