"""What to do after this answer, or after none. Pure: the attempt and the jitter are passed in.

INVARIANT: a write is sent again from here only when the service cannot have acted on it: it said so
(429, 503, 409 while something else is under way) or the connection was never made. After any other
failure the outcome of a write is unknown, and only its caller can find out, by reading.
Source: Azure Resource Manager request limits and throttling; configuration API §5 and §6.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from policyengine.arm.answer import Answer, retry_after_s
from policyengine.errors import ArmTransportError

READS: Final = frozenset({"GET", "HEAD"})

LONGEST_WAIT_S: Final = 900.0
"""A service that asks for more than this is not waited for."""

_BUSY_CODES: Final = frozenset(
    {"operationinprogress", "anotheroperationinprogress", "operationnotallowed", "conflict", "resourcebusy", ""}
)
_UNDER_WAY: Final = re.compile(
    r"in progress|another operation|been modified|being \w+ed|try again|retry", re.IGNORECASE
)
_HOPELESS: Final = re.compile(
    r"already exists|already installed|only one|lock|immutable|cannot be changed", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Retry:
    """Ask again after ``after_s`` seconds. ``reason`` is for people: ``429 TooManyRequests``."""

    after_s: float
    reason: str


@dataclass(frozen=True, slots=True)
class GiveUp:
    """The answer stands."""


@dataclass(frozen=True, slots=True)
class _Patience:
    """How often to try in all, and the first and longest back-off in seconds."""

    attempts: int
    first_s: float
    longest_s: float


_THROTTLED: Final = _Patience(attempts=10, first_s=2, longest_s=60)
_BUSY: Final = _Patience(attempts=10, first_s=5, longest_s=60)
_UNAVAILABLE: Final = _Patience(attempts=6, first_s=1, longest_s=30)
_SILENT: Final = _Patience(attempts=5, first_s=1, longest_s=15)


def decide(answer: Answer, *, is_read: bool, attempt: int, jitter: float) -> Retry | GiveUp:
    """Whether to send the same request again after ``answer``.

    A read changes nothing, so it may be sent again whatever became of it. ``attempt`` counts from 1. ``jitter``
    lies in [0, 1) and is drawn by the caller. A wait that the service names wins over our back-off.
    """
    patience = _patience(answer, is_read=is_read)
    if patience is None or attempt >= patience.attempts:
        return GiveUp()
    asked = retry_after_s(answer)
    if asked is not None and asked > LONGEST_WAIT_S:
        return GiveUp()
    after = _back_off(patience, attempt, jitter) if asked is None else asked
    # Who is told to come back later, without a time, must not be back at once.
    return Retry(max(1.0, after) if asked is not None or answer.status == 429 else after, _reason(answer))


def after_silence(error: ArmTransportError, *, is_read: bool, attempt: int, jitter: float) -> Retry | GiveUp:
    """Whether to try again when no usable answer came."""
    if attempt >= _SILENT.attempts or error.lasts or (error.sent and not is_read):
        return GiveUp()
    return Retry(_back_off(_SILENT, attempt, jitter), "no answer" if error.sent else "no connection")


def is_outcome_unknown(status: int | None) -> bool:
    """True when a write answered with this status may or may not have been applied."""
    return status in {408, 500, 502, 504}


def is_busy(answer: Answer) -> bool:
    """True for a 409 that will pass by itself: something else is changing the resource just now."""
    if answer.status != 409 or answer.code.casefold() not in _BUSY_CODES:
        return False
    if _HOPELESS.search(answer.message):
        return False
    return answer.code.casefold() != "operationnotallowed" or _UNDER_WAY.search(answer.message) is not None


def _patience(answer: Answer, *, is_read: bool) -> _Patience | None:
    if answer.status == 429:
        return _THROTTLED
    if is_busy(answer):
        return _BUSY
    if answer.status == 503 or (is_outcome_unknown(answer.status) and is_read):
        return _UNAVAILABLE
    return None


def _back_off(patience: _Patience, attempt: int, jitter: float) -> float:
    """Exponential, full jitter."""
    return jitter * min(patience.longest_s, patience.first_s * 2.0 ** (attempt - 1))


def _reason(answer: Answer) -> str:
    if answer.status == 409:
        return "409 another operation is in progress"
    return f"{answer.status} {answer.code}".rstrip()
