"""Every request Resource Manager was asked, so that a test can say in one line what was, and was not, written."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from policyengine.emulator.clock import stamp
from policyengine.model.values import JSON

MASK: Final = "***"


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """``at`` is simulated, ``wall`` is real time. Secrets are masked before they get here."""

    number: int
    method: str
    path: str
    query: str
    status: int
    principal: str
    at: datetime
    wall: datetime
    request_id: str
    correlation_id: str
    body: JSON = None

    def document(self) -> dict[str, JSON]:
        return {
            "number": self.number,
            "method": self.method,
            "path": self.path,
            "query": self.query,
            "status": self.status,
            "principal": self.principal,
            "time": stamp(self.at),
            "wallTime": stamp(self.wall),
            "requestId": self.request_id,
            "correlationId": self.correlation_id,
            "body": self.body,
        }


class Journal:
    """Keeps the newest ``size`` entries, oldest first. May be read while requests are being answered."""

    def __init__(self, size: int) -> None:
        self._lock = threading.Lock()
        self._entries: deque[JournalEntry] = deque(maxlen=size)
        self._count = 0

    def next_number(self) -> int:
        self._count += 1
        return self._count

    def add(self, entry: JournalEntry) -> None:
        with self._lock:
            self._entries.append(entry)

    def entries(self, method: str | None = None) -> tuple[JournalEntry, ...]:
        wanted = method.upper() if method else None
        with self._lock:
            return tuple(entry for entry in self._entries if wanted in {None, entry.method})

    def clear(self) -> None:
        with self._lock:
            self._entries.clear()


def masked(body: JSON, secret_names: frozenset[str]) -> JSON:
    """A copy in which every property of a secret name, at any depth, keeps its keys and loses its values."""
    if isinstance(body, Mapping):
        return {
            name: _hidden(value) if name.casefold() in secret_names else masked(value, secret_names)
            for name, value in body.items()
        }
    return [masked(item, secret_names) for item in body] if isinstance(body, list) else body


def _hidden(value: JSON) -> JSON:
    if isinstance(value, Mapping):
        return {name: _hidden(member) for name, member in value.items()}
    return None if value is None else MASK
