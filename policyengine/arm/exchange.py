"""One round trip: a request out, an answer or the lack of one back. The door for httpx.

Decides nothing: whether to ask again is `retry`'s to say, how fast `throttle`'s.
INVARIANT: redirects are not followed, and no header, message or log shows the token.
Source: configuration API §7.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import httpx

from policyengine import __version__
from policyengine.arm.answer import Answer
from policyengine.arm.links import Endpoint, path_of
from policyengine.arm.retry import READS
from policyengine.arm.silence import silence
from policyengine.arm.throttle import Kind
from policyengine.arm.transport import Transport
from policyengine.errors import ArmTransportError
from policyengine.model.values import JSON

_log = logging.getLogger(__name__)
_SUBSCRIPTION: Final = re.compile(r"/subscriptions/([^/]+)", re.IGNORECASE)
_TIMEOUT: Final = httpx.Timeout(60.0, connect=10.0)
_WHOLE_ANSWER_S: Final = 120.0
_ALWAYS: Final = {
    "User-Agent": f"policyengine/{__version__}",
    "Accept": "application/json",
    "Accept-Encoding": "gzip, deflate",
    "Connection": "keep-alive",
}
_BEFORE_SENDING: Final = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
    httpx.InvalidURL,
)


def new_correlation_id() -> str:
    """What ties together the requests that belong together."""
    return str(uuid.uuid4())


@dataclass(frozen=True, slots=True)
class Request:
    """One thing to ask, however often it is sent; all tries share the correlation id.

    ``is_query``: it asks for something by POST, and changes nothing. ``is_look``: it only asks how far something is.
    """

    method: str
    url: str
    content: bytes | None = None
    is_query: bool = False
    is_look: bool = False
    correlation_id: str = field(default_factory=new_correlation_id)

    @property
    def path(self) -> str:
        return path_of(self.url)

    @property
    def subscription(self) -> str | None:
        found = _SUBSCRIPTION.search(self.path)
        return found[1] if found else None

    @property
    def is_read(self) -> bool:
        """True when it may be sent again whatever became of it."""
        return self.is_query or self.method in READS

    @property
    def kind(self) -> Kind:
        if self.is_query:
            return Kind.QUERIES
        if self.method == "DELETE":
            return Kind.DELETES
        return Kind.READS if self.is_read else Kind.WRITES


class Exchange:
    """Connections to one endpoint."""

    def __init__(self, endpoint: Endpoint, transport: httpx.AsyncBaseTransport | None) -> None:
        self._endpoint = endpoint
        # No httpx.AsyncClient above it: redirects, cookies and mounts are not wanted, and take as long as all the rest.
        self._transport = transport or Transport(endpoint)

    async def close(self) -> None:
        await self._transport.aclose()

    async def ask(self, request: Request, token: str) -> Answer | ArmTransportError:
        """Send once, and say what came of it."""
        headers = {
            **_ALWAYS,
            "Authorization": f"Bearer {token}",
            "x-ms-client-request-id": str(uuid.uuid4()),
            "x-ms-correlation-request-id": request.correlation_id,
        }
        if request.content is not None:
            headers["Content-Type"] = "application/json; charset=utf-8"
        outcome = await self._round_trip(request, headers)
        if _log.isEnabledFor(logging.DEBUG):
            told = outcome.status if isinstance(outcome, Answer) else "no answer"
            _log.debug("%s %s: %s, correlation id %s", request.method, request.path, told, request.correlation_id)
        return outcome

    async def _round_trip(self, request: Request, headers: Mapping[str, str]) -> Answer | ArmTransportError:
        try:
            async with asyncio.timeout(_WHOLE_ANSWER_S):
                response = await self._send(request, headers)
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
            return self._silence(request, error, sent=not isinstance(error, _BEFORE_SENDING))
        try:
            return Answer(response.status_code, dict(response.headers), _body(response))
        except (ValueError, RecursionError):
            return self._silence(request, "the answer is not JSON; a proxy may stand in between", sent=True)

    async def _send(self, request: Request, headers: Mapping[str, str]) -> httpx.Response:
        """The answer, read to its end."""
        sent = httpx.Request(
            request.method,
            request.url,
            headers=headers,
            content=request.content,
            extensions={"timeout": _TIMEOUT.as_dict()},
        )
        response = await self._transport.handle_async_request(sent)
        try:
            await response.aread()
        finally:
            await response.aclose()
        return response

    def _silence(self, request: Request, why: object, *, sent: bool) -> ArmTransportError:
        error = silence(
            str(why) or "it took too long",
            method=request.method,
            path=request.path,
            endpoint=self._endpoint.text,
            sent=sent,
            correlation_id=request.correlation_id,
            is_read=request.is_read,
        )
        error.__cause__ = why if isinstance(why, BaseException) else None
        return error


def _body(response: httpx.Response) -> JSON:
    """The decoded body; an error page that is no JSON stays text. Raises ValueError for a success that is no JSON."""
    if not response.content:
        return None
    try:
        return json.loads(response.content)
    except (ValueError, RecursionError):
        if response.is_success:
            raise
        return response.text
