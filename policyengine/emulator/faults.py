"""Scripted errors: the next so many requests that match are answered with this instead.

    {"method": "PUT", "path": "*/edge-osl-01/*", "status": 409, "code": "Conflict", "message": "...", "times": 1}

``path`` is a glob over the whole path without regard to case, in which `*` also spans slashes. ``method`` may be
left out (any), ``times`` is 1 unless said, ``retryAfter`` adds the header.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from http import HTTPStatus
from typing import Final

from policyengine.emulator.answers import Refusal
from policyengine.errors import InventoryError
from policyengine.model.diagnostic import did_you_mean
from policyengine.model.values import JSON

_KEYS: Final = ("method", "path", "status", "code", "message", "times", "retryAfter")


@dataclass(slots=True)
class Fault:
    path: str
    status: int
    code: str
    message: str
    method: str | None = None
    times: int = 1
    retry_after_s: int | None = None

    @classmethod
    def read(cls, value: Mapping[str, JSON]) -> Fault:
        """Raises InventoryError for a fault that could never be answered."""
        for key in value:
            if key not in _KEYS:
                raise InventoryError(f"a fault has no `{key}`", help=did_you_mean(key, _KEYS))
        status = value.get("status")
        if not isinstance(status, int) or not 400 <= status <= 599:
            raise InventoryError(f"a fault needs a `status` from 400 to 599, got `{status}`")
        phrase = HTTPStatus(status).phrase if status in set(HTTPStatus) else "Error"
        return cls(
            path=str(value.get("path") or "*").casefold(),
            status=status,
            code=str(value.get("code") or phrase.replace(" ", "")),
            message=str(value.get("message") or f"{phrase} (scripted fault)."),
            method=str(value["method"]).upper() if value.get("method") else None,
            times=int(value.get("times", 1)),
            retry_after_s=int(value["retryAfter"]) if value.get("retryAfter") is not None else None,
        )

    def matches(self, method: str, path: str) -> bool:
        return self.times > 0 and self.method in {None, method} and fnmatchcase(path.casefold(), self.path)

    def document(self) -> dict[str, JSON]:
        shown: dict[str, JSON] = {
            "method": self.method,
            "path": self.path,
            "status": self.status,
            "code": self.code,
            "message": self.message,
            "times": self.times,
            "retryAfter": self.retry_after_s,
        }
        return {key: value for key, value in shown.items() if value is not None}


class Faults:
    def __init__(self, written: Iterable[Mapping[str, JSON]] = ()) -> None:
        self._faults = [Fault.read(value) for value in written]

    def add(self, value: Mapping[str, JSON]) -> Fault:
        fault = Fault.read(value)
        self._faults.append(fault)
        return fault

    def pending(self) -> tuple[Fault, ...]:
        return tuple(fault for fault in self._faults if fault.times > 0)

    def check(self, method: str, path: str) -> None:
        """Raises the first fault that matches, and counts it down."""
        for fault in self._faults:
            if fault.matches(method, path):
                fault.times -= 1
                headers = {} if fault.retry_after_s is None else {"Retry-After": str(fault.retry_after_s)}
                raise Refusal(fault.status, fault.code, fault.message, cause="service", headers=headers)
