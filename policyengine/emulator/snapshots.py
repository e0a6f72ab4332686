"""Snapshots: the whole emulator at an instant, under a name, to go back to and to compare with.

They are kept in memory, for as long as the emulator runs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from policyengine.emulator.clock import stamp
from policyengine.emulator.generic_rules import shown
from policyengine.emulator.state import State
from policyengine.errors import UsageError
from policyengine.model.ids import ResourceId
from policyengine.model.values import JSON


@dataclass(frozen=True, slots=True)
class Snapshot:
    """``content`` is frozen, and may hold secrets."""

    name: str
    at: datetime
    content: bytes

    def document(self) -> dict[str, JSON]:
        return {"name": self.name, "time": stamp(self.at), "bytes": len(self.content)}


class Snapshots:
    def __init__(self) -> None:
        self._by_name: dict[str, Snapshot] = {}

    def put(self, snapshot: Snapshot) -> None:
        """One of the same name is replaced."""
        self._by_name[snapshot.name] = snapshot

    def get(self, name: str) -> Snapshot:
        """Raises UsageError."""
        if name not in self._by_name:
            known = ", ".join(f"`{known}`" for known in self._by_name) or "none"
            raise UsageError(f"there is no snapshot `{name}`: there are {known}")
        return self._by_name[name]

    def remove(self, name: str) -> None:
        """Raises UsageError."""
        del self._by_name[self.get(name).name]

    def all(self) -> tuple[Snapshot, ...]:
        """In the order of their names."""
        return tuple(self._by_name[name] for name in sorted(self._by_name))


def difference(before: State, after: State) -> list[dict[str, JSON]]:
    """What was added, removed and changed, by id; of a change every path with its two values. Never a secret."""
    found = _changes(dict(_others(before)), dict(_others(after)))
    for key in before.clusters.touched_beside(after.clusters):  # one by one: not all of a fleet may fit
        found += _changes(dict(_on_cluster(before, key)), dict(_on_cluster(after, key)))
    return sorted(found, key=lambda change: str(change["id"]))


def _changes(old: Mapping[str, JSON], new: Mapping[str, JSON]) -> list[dict[str, JSON]]:
    found: list[dict[str, JSON]] = []
    for id in {**old, **new}:
        if id not in old or id not in new:
            found.append({"id": id, "change": "added" if id in new else "removed"})
        elif paths := list(_paths(old[id], new[id], "")):
            found.append({"id": id, "change": "changed", "paths": paths})
    return found


def _on_cluster(state: State, key: str) -> Iterator[tuple[str, JSON]]:
    """Documents by id; what is on the cluster stands under `{id}#cluster`."""
    cluster = state.clusters.get(key)
    if cluster is not None:
        yield cluster.id.text, cluster.document
        yield f"{cluster.id}#cluster", {"connected": cluster.connected, **cluster.objects.document()}
        yield from ((record.id.text, record.document()) for record in cluster.records.values())


def _others(state: State) -> Iterator[tuple[str, JSON]]:
    for document in state.resources.below(ResourceId("/")):
        yield str(document["id"]), shown(document)
    for deployment in state.deployments.values():
        yield deployment.id.text, deployment.document()


def _paths(old: JSON, new: JSON, path: str) -> Iterator[dict[str, JSON]]:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for name in (*old, *(name for name in new if name not in old)):
            yield from _paths(old.get(name), new.get(name), f"{path}.{name}" if path else name)
    elif old != new:
        yield {"path": path, "before": old, "after": new}
