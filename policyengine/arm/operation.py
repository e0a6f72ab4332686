"""A long-running operation as a pure state machine: an answer in, what to do next out.

One rule serves all three forms (``Azure-AsyncOperation`` documents, ``Location`` answers, the resource's
own ``provisioningState``), because a stored operation URL must be followed after a restart without
knowing which header it came from.
Source: configuration API §4.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from policyengine.arm.answer import Answer, retry_after_s
from policyengine.arm.causes import Cause, cause_in_resource, innermost_cause
from policyengine.arm.retry import LONGEST_WAIT_S
from policyengine.model.values import JSON, get_folded, walk

LONGEST_POLL_S: Final = LONGEST_WAIT_S
"""A service that asks for longer is looked at all the same: a step has its time, and a look costs little."""

POLL_AFTER_S: Final = 5.0
"""How long to wait between two looks when the service has never said."""

PATIENT_S: Final = 60.0
"""Where the service says nothing else, looks are never further apart than this."""

_PATIENCE: Final = 0.5

_SUCCEEDED: Final = frozenset({"succeeded", "success", "completed"})
_FAILED: Final = frozenset({"failed", "canceled", "cancelled"})


@dataclass(frozen=True, slots=True)
class Wait:
    """Still running: look at ``url`` after ``after_s`` seconds. ``status`` is the service's word for it."""

    after_s: float
    url: str
    status: str


@dataclass(frozen=True, slots=True)
class Done:
    """Ended well; ``body`` is what the last answer held."""

    body: JSON


@dataclass(frozen=True, slots=True)
class Failed:
    """Ended badly, with the innermost cause that could be found."""

    status: str
    cause: Cause


@dataclass(frozen=True, slots=True)
class Operation:
    """Something under way, to be asked about at ``url``; ``after_s`` is how long the service last said to wait.

    An operation says so with each answer, a resource never does: what the write was told then holds.
    """

    url: str
    after_s: float = POLL_AFTER_S

    def next(self, answer: Answer) -> Wait | Done | Failed:
        """What a successful answer from ``url`` means. A status nobody knows means "still running"."""
        body = answer.body if isinstance(answer.body, Mapping) else {}
        status = _status(body)
        if status.casefold() in _FAILED:
            return Failed(status, _cause(body))
        if status.casefold() in _SUCCEEDED or (not status and answer.status != 202):
            return Done(answer.body)
        return Wait(poll_after_s(answer, self.after_s), operation_url(answer) or self.url, status or "accepted")


def operation_url(answer: Answer) -> str | None:
    """Where the answer says its operation can be followed, or None; ``Azure-AsyncOperation`` goes before the others."""
    for name in ("azure-asyncoperation", "operation-location", "location"):
        if url := answer.headers.get(name, "").strip():
            return url
    return None


def poll_after_s(answer: Answer, otherwise: float = POLL_AFTER_S) -> float:
    """Seconds the service wants us to wait before the next look, at least one and at most `LONGEST_POLL_S`;
    ``otherwise`` when it does not say."""
    asked = retry_after_s(answer)
    return otherwise if asked is None else min(LONGEST_POLL_S, max(1.0, asked))


def pause_s(after_s: float, waited_s: float) -> float:
    """Seconds until the next look at what has taken ``waited_s`` so far.

    Never sooner than the service wants (``after_s``), and the later the longer it takes, up to `PATIENT_S`: what
    takes minutes gains nothing by being looked at every few seconds.
    """
    return max(after_s, min(PATIENT_S, waited_s * _PATIENCE))


def is_settled(document: Mapping[str, JSON]) -> bool:
    """True when nothing is under way on a resource: its provisioningState is final, or it has none."""
    status = _status(document).casefold()
    return not status or status in _SUCCEEDED | _FAILED


def _status(body: Mapping[str, JSON]) -> str:
    status = get_folded(body, "status")
    if isinstance(status, str) and status:
        return status
    state = walk(body, "properties", "provisioningState")
    return state if isinstance(state, str) else ""


def _cause(body: Mapping[str, JSON]) -> Cause:
    error = get_folded(body, "error")
    cause = innermost_cause(error) if error else Cause("", "")
    return (cause_in_resource(body) or cause) if cause.is_vague else cause
