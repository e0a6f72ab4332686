"""Scripted faults: what goes wrong, for which requests, how often.

    {"method": "PUT", "path": "*/edge-osl-01/*", "status": 409, "code": "Conflict", "message": "...", "times": 1}
    {"status": 503, "after": true, "probability": 0.1}      applied, but answered with an error
    {"drop": true}   {"delay": "2s"}                        no answer at all; one that takes its time
    {"install": "microsoft.flux", "message": "no nodes"}    the agent cannot install it; ``path`` is the cluster's
    {"lag": "2m"}                                           the next query of Resource Graph sees the past

``path`` is a glob over the whole path without regard to case, in which `*` also spans slashes. Which requests a
``probability`` strikes depends on the seed, the path and how often it was asked for, not on what happens in between.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import timedelta
from fnmatch import fnmatchcase
from http import HTTPStatus
from typing import Final

from policyengine.emulator.answers import Answer, Refusal
from policyengine.emulator.identifiers import fraction_of
from policyengine.emulator.written import length, whole_number, yes_or_no
from policyengine.errors import InventoryError
from policyengine.model.diagnostic import did_you_mean
from policyengine.model.ids import ResourceId
from policyengine.model.values import JSON


@dataclass(slots=True)
class Fault:
    """``times`` is how often it will still strike; None: always. ``delay`` is wall-clock time, ``lag`` simulated.

    ``after`` lets the request be carried out first. ``status`` is 0 where the fault is none of an answer's.
    """

    path: str = "*"
    status: int = 0
    code: str = ""
    message: str = ""
    method: str | None = None
    times: int | None = 1
    retry_after_s: int | None = None
    probability: float = 1.0
    after: bool = False
    drop: bool = False
    delay: timedelta = timedelta(0)
    install: str | None = None
    lag: timedelta = timedelta(0)

    @classmethod
    def read(cls, value: Mapping[str, JSON]) -> Fault:
        """Raises InventoryError for a fault that could never strike."""
        for key in value:
            if key not in KEYS:
                help = did_you_mean(str(key), KEYS) or f"there are {', '.join(KEYS)}"
                raise InventoryError(f"a fault has no `{key}`", help=help)
        if not any(value.get(key) for key in _CONSEQUENCES):
            help = "say what goes wrong, for example `status: 503`"
            raise InventoryError(f"a fault needs one of `{'`, `'.join(_CONSEQUENCES)}`", help=help)
        status = _status(value.get("status"))
        phrase = HTTPStatus(status).phrase if status in set(HTTPStatus) else "Error"
        retry_after = value.get("retryAfter")
        drop = yes_or_no(value.get("drop"), "`drop` of a fault")
        if drop and status:
            raise InventoryError("a fault with `drop` gives no answer, so it has no `status`", help="leave one out")
        return cls(
            path=str(value.get("path") or "*").casefold(),
            status=status,
            code=str(value.get("code") or phrase.replace(" ", "")) if status else "",
            message=str(value.get("message") or (f"{phrase} (scripted fault)." if status else "scripted fault")),
            method=_method(value.get("method")),
            times=_times(value),
            retry_after_s=None
            if retry_after is None
            else whole_number(retry_after, "`retryAfter` of a fault", least=0),
            probability=_probability(value.get("probability", 1.0)),
            after=yes_or_no(value.get("after"), "`after` of a fault"),
            drop=drop,
            delay=_length(value, "delay"),
            install=str(value["install"]).casefold() if value.get("install") else None,
            lag=_length(value, "lag"),
        )

    @property
    def is_answer(self) -> bool:
        """True for one that concerns the answer to a request."""
        return bool(self.status or self.drop or self.delay)

    @property
    def only_delays(self) -> bool:
        return not self.status and not self.drop

    @property
    def pending(self) -> bool:
        return self.times is None or self.times > 0

    def matches(self, method: str, path: str) -> bool:
        return self.pending and self.method in {None, method} and fnmatchcase(path.casefold(), self.path)

    def answer(self) -> Answer:
        """What is answered instead."""
        if self.drop:
            return Answer(0, dropped=True)
        headers = {} if self.retry_after_s is None else {"Retry-After": str(self.retry_after_s)}
        return Refusal(self.status, self.code, self.message, cause="service", headers=headers).answer

    def document(self) -> dict[str, JSON]:
        lengths = {key: f"{length.total_seconds():g}s" for key, length in (("delay", self.delay), ("lag", self.lag))}
        shown: dict[str, JSON] = {_key(f.name): getattr(self, f.name) for f in fields(self)}
        plain: dict[str, JSON] = {"probability": 1.0, "after": False, "drop": False, "delay": "0s", "lag": "0s"}
        return {
            key: value
            for key, value in {**shown, **lengths}.items()
            if value not in (None, "") and plain.get(key) != value and (key, value) != ("status", 0)
        }


def _key(name: str) -> str:
    head, *rest = name.removesuffix("_s").split("_")
    return head + "".join(word.capitalize() for word in rest)


KEYS: Final = tuple(_key(f.name) for f in fields(Fault))
_METHODS: Final = ("GET", "HEAD", "PUT", "PATCH", "POST", "DELETE", "INSTALL")
_CONSEQUENCES: Final = ("status", "drop", "delay", "install", "lag")


class Faults:
    """Those still to strike, the first that matches before all others."""

    def __init__(self, written: Iterable[Mapping[str, JSON]] = (), seed: int = 0) -> None:
        self._faults = [Fault.read(value) for value in written]
        self._seed = str(seed)
        self._asked: dict[tuple[int, str, str], int] = {}

    def add(self, value: Mapping[str, JSON]) -> Fault:
        fault = Fault.read(value)
        self._faults.append(fault)
        return fault

    def clear(self) -> None:
        self._faults.clear()
        self._asked.clear()

    def pending(self) -> tuple[Fault, ...]:
        return tuple(fault for fault in self._faults if fault.pending)

    def next(self, method: str, path: str) -> Fault | None:
        """The fault that strikes this request, counted down."""
        return self._strike(method, path, lambda fault: fault.is_answer)

    def check(self, method: str, path: str) -> None:
        """The same for a request that has no wire: only an error can strike it. Raises Refusal."""
        fault = self._strike(method, path, lambda fault: bool(fault.status) and not fault.after)
        if fault is not None:
            raise Refusal(fault.status, fault.code, fault.message, cause="service")

    def install_failure(self, cluster: ResourceId, extension_type: str) -> str | None:
        """What the agent of the cluster will report; None when the installation works."""
        type = extension_type.casefold()
        fault = self._strike(
            "INSTALL", cluster.text, lambda fault: fault.install is not None and fnmatchcase(type, fault.install)
        )
        return fault.message if fault is not None else None

    def lag(self, method: str, path: str) -> timedelta:
        """How far back a query looks."""
        fault = self._strike(method, path, lambda fault: bool(fault.lag))
        return fault.lag if fault is not None else timedelta(0)

    def longest_lag(self) -> timedelta:
        return max((fault.lag for fault in self.pending()), default=timedelta(0))

    def _strike(self, method: str, path: str, concerns: Callable[[Fault], bool]) -> Fault | None:
        for number, fault in enumerate(self._faults):
            if concerns(fault) and fault.matches(method, path) and self._hits(number, fault, method, path):
                if fault.times is not None:
                    fault.times -= 1
                return fault
        return None

    def _hits(self, number: int, fault: Fault, method: str, path: str) -> bool:
        if fault.probability >= 1:
            return True
        key = (number, method, path.casefold())
        self._asked[key] = self._asked.get(key, 0) + 1
        return fraction_of(self._seed, *map(str, key), str(self._asked[key])) < fault.probability


def _status(value: JSON) -> int:
    if value is None:
        return 0
    if not isinstance(value, int) or isinstance(value, bool) or not 400 <= value <= 599:
        raise InventoryError(f"a fault needs a `status` from 400 to 599, got `{value}`")
    return value


def _times(value: Mapping[str, JSON]) -> int | None:
    """Once unless said; with a probability, for good."""
    if value.get("times") is not None:
        return whole_number(value["times"], "`times` of a fault", least=1)
    return None if "probability" in value else 1


def _probability(value: JSON) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 1:
        raise InventoryError(f"the `probability` of a fault is above 0 and at most 1, got `{value}`")
    return float(value)


def _method(value: JSON) -> str | None:
    if not value:
        return None
    if str(value).upper() not in _METHODS:
        help = did_you_mean(str(value).upper(), _METHODS) or f"there are {', '.join(_METHODS)}"
        raise InventoryError(f"no request ever has the `method` of this fault: `{value}`", help=help)
    return str(value).upper()


def _length(value: Mapping[str, JSON], key: str) -> timedelta:
    return length(value.get(key) or 0, f"`{key}` of a fault")
