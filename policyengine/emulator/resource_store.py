"""Resources of types that have no rules here: kept as written, by id, and found by type and scope.

Knows nothing of any type. Ids and types are compared without case.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator, Mapping

from policyengine.model.ids import ResourceId
from policyengine.model.values import JSON


class ResourceStore:
    """ARM documents by id."""

    def __init__(self) -> None:
        self._by_id: dict[str, dict[str, JSON]] = {}
        self._order: list[str] = []
        self._types: dict[str, dict[str, dict[str, JSON]]] = {}

    def put(self, id: ResourceId, document: dict[str, JSON]) -> None:
        if id.key not in self._by_id:
            insort(self._order, id.key)
        self._by_id[id.key] = document
        self._types.setdefault(id.type.casefold(), {})[id.key] = document

    def get(self, id: ResourceId) -> dict[str, JSON] | None:
        return self._by_id.get(id.key)

    def remove(self, id: ResourceId) -> bool:
        """Take the resource away, and everything below it; False when it was not there."""
        if id.key not in self._by_id:
            return False
        gone = [str(document["id"]).casefold() for document in self.below(id)]
        for key in gone:
            del self._by_id[key]
            self._order.pop(bisect_left(self._order, key))
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

    def below(self, scope: ResourceId, after: str | None = None) -> Iterator[Mapping[str, JSON]]:
        """At or under ``scope`` and, when given, behind a folded id; in id order."""
        prefix = scope.key.rstrip("/")
        start = prefix if after is None else max(prefix, f"{after}\0")
        first, last = bisect_left(self._order, start), bisect_left(self._order, f"{prefix}/\U0010ffff")
        for key in self._order[first:last]:
            if key == prefix or key.startswith(f"{prefix}/"):
                yield self._by_id[key]
