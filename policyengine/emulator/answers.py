"""What a handler gets and what it gives back: a request read once, an answer, or a refusal with ARM's error body."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, TypeAlias

from policyengine.model.values import JSON

if TYPE_CHECKING:
    from policyengine.emulator.access import Caller


Send: TypeAlias = "Callable[[str, str, str, JSON, datetime], Answer]"
"""Asks Resource Manager for something on the caller's behalf: method, path, api-version, body, instant."""


@dataclass(frozen=True, slots=True)
class ArmRequest:
    """``variables`` are the path's, in the caller's case; ``query`` and ``headers`` have folded names.

    ``base_url`` is the scheme and host the client called: every link in an answer is built on it.
    """

    method: str
    path: str
    variables: Mapping[str, str]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: JSON
    base_url: str
    caller: Caller
    at: datetime
    send: Send

    @property
    def principal(self) -> str:
        """The object id of who asks."""
        return self.caller.id

    @property
    def api_version(self) -> str:
        return self.query.get("api-version", "")

    def __getitem__(self, variable: str) -> str:
        return self.variables[variable]


@dataclass(frozen=True, slots=True)
class Answer:
    """``delay`` is wall-clock time before it is given; ``dropped``: the connection ends without it."""

    status: int
    body: JSON = None
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: timedelta = timedelta(0)
    dropped: bool = False


class Refusal(Exception):
    """An error answer. ``cause`` is `gateway` for Resource Manager itself, `service` for what stands behind it.

    Source: configuration API, "Errors".
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        target: str | None = None,
        details: Sequence[JSON] = (),
        info: Sequence[JSON] = (),
        cause: str = "gateway",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.error = error_detail(code, message, target=target, details=details, info=info)
        self.headers = {"x-ms-failure-cause": cause, **(headers or {})}

    @property
    def answer(self) -> Answer:
        return Answer(self.status, {"error": self.error}, self.headers)


def error_detail(
    code: str,
    message: str,
    *,
    target: str | None = None,
    details: Sequence[JSON] = (),
    info: Sequence[JSON] = (),
) -> dict[str, JSON]:
    """ARM's ErrorDetail."""
    error: dict[str, JSON] = {"code": code, "message": message}
    if target is not None:
        error["target"] = target
    if details:
        error["details"] = list(details)
    if info:
        error["additionalInfo"] = list(info)
    return error


def validation_failed(message: str, *, target: str | None = None) -> Refusal:
    """The configuration service's own 400."""
    return Refusal(400, "ValidationFailed", message, target=target, cause="service")


def invalid_content(reason: str) -> Refusal:
    """A body that is not JSON of the expected shape."""
    return Refusal(
        400,
        "InvalidRequestContent",
        f"The request content was invalid and could not be deserialized: '{reason}'.",
    )


def conflict(message: str, *, code: str = "Conflict") -> Refusal:
    return Refusal(409, code, message, cause="service")


def cluster_not_found(type: str, name: str, group: str) -> Refusal:
    return Refusal(
        404,
        "ResourceNotFound",
        f"The Resource '{type}/{name}' under resource group '{group}' was not found. "
        "For more details please go to https://aka.ms/ARMResourceNotFoundFix",
    )
