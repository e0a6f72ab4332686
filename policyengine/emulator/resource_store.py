"""Resources of types that have no rules here: kept as written, by id, and found by type and scope.

Knows nothing of any type. Ids and types are compared without case.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from policyengine.model.ids import ResourceId
from policyengine.model.values import JSON


class ResourceStore:
    """ARM documents by id."""

    def __init__(self) -> None:
        self._by_id: dict[str, dict[str, JSON]] = {}
        self._types: dict[str, dict[str, dict[str, JSON]]] = {}

    def put(self, id: ResourceId, document: dict[str, JSON]) -> None:
        self._by_id[id.key] = document
        self._types.setdefault(id.type.casefold(), {})[id.key] = document

    def get(self, id: ResourceId) -> dict[str, JSON] | None:
        return self._by_id.get(id.key)

    def remove(self, id: ResourceId) -> bool:
        """Take the resource away, and everything below it; False when it was not there."""
        if id.key not in self._by_id:
            return False
        for key in [key for key in self._by_id if key == id.key or key.startswith(id.key + "/")]:
            del self._by_id[key]
            for documents in self._types.values():
                documents.pop(key, None)
        return True

    def knows_type(self, type: str) -> bool:
        """True once a resource of ``type`` was ever written."""
        return type.casefold() in self._types

    def of_type(self, type: str) -> tuple[Mapping[str, JSON], ...]:
        """In id order."""
        found = self._types.get(type.casefold())
        return tuple(found[key] for key in sorted(found)) if found else ()

    def below(self, scope: ResourceId) -> Iterator[Mapping[str, JSON]]:
        """At or under ``scope``, in id order."""
        for key in sorted(self._by_id):
            if scope.contains(ResourceId(key)):
                yield self._by_id[key]
