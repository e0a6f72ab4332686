"""The emulator over HTTP: turns ASGI requests into the gateway's, and its answers into responses.

Handlers are short, so they run on the event loop, one at a time; only scripted delays are waited for, beside it.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import zlib
from typing import Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from policyengine.emulator.answers import Answer
from policyengine.emulator.emulator import Emulator
from policyengine.emulator.gateway import RawRequest, gateway_for
from policyengine.emulator.routes.control import PREFIX, answer_control
from policyengine.emulator.routes.sign_in import answer_sign_in
from policyengine.emulator.routing import segments

LARGEST_BODY: Final = 32 * 1024 * 1024
"""What a compressed request may grow to, in bytes."""
_CONNECTION: Final = "policyengine.connection"
METHODS: Final = ("GET", "HEAD", "PUT", "PATCH", "POST", "DELETE", "OPTIONS", "TRACE")


def create_app(emulator: Emulator) -> ASGIApp:
    """An ASGI application that serves ``emulator``."""
    gateway = gateway_for(emulator)

    async def resource_manager(request: Request) -> Response:
        raw = await _raw(request)
        answer = _sign_in(emulator, raw) or gateway.answer(raw)
        if answer.delay:
            await asyncio.sleep(answer.delay.total_seconds())
        return HungUp() if answer.dropped else _response(answer, _compressed_from(emulator, request))

    async def control(request: Request) -> Response:
        raw = await _raw(request)
        try:
            body = json.loads(raw.content) if raw.content else None
        except (ValueError, RecursionError):
            body = raw.content.decode(errors="replace")
        with emulator.lock:
            return _response(answer_control(emulator, raw.method, segments(raw.path)[1:], raw.query, body))

    starlette = Starlette(
        routes=[
            Route(f"/{PREFIX}/{{path:path}}", control, methods=METHODS),
            Route("/{path:path}", resource_manager, methods=METHODS),
        ]
    )

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        # The server's own `send` knows the connection; those that are handed further in do not.
        scope[_CONNECTION] = getattr(getattr(send, "__self__", None), "transport", None)
        await starlette(scope, receive, send)

    return app


class HungUp(Response):
    """No answer: the connection ends. A caller without one gets an exception."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        connection = scope[_CONNECTION]
        if connection is None:
            raise ConnectionResetError("the connection was dropped by a scripted fault")
        connection.abort()
        while (await receive())["type"] != "http.disconnect":
            continue


def _sign_in(emulator: Emulator, raw: RawRequest) -> Answer | None:
    parts = segments(raw.path)
    with emulator.lock:
        return answer_sign_in(emulator, raw.method, parts, raw.query, raw.headers, raw.content, raw.base_url)


async def _raw(request: Request) -> RawRequest:
    return RawRequest(
        method=request.method,
        path=str(request.scope["path"]),
        query_text=request.url.query,
        query={name.casefold(): value for name, value in request.query_params.items()},
        headers={name.casefold(): value for name, value in request.headers.items()},
        content=_plain(await request.body(), request.headers.get("content-encoding", "")),
        base_url=f"{request.url.scheme}://{request.headers.get('host', request.url.netloc)}",
    )


def _plain(content: bytes, encoding: str) -> bytes:
    """The body uncompressed; nothing is left of what cannot be."""
    if encoding.casefold() != "gzip":
        return content
    try:
        return zlib.decompressobj(wbits=31).decompress(content, LARGEST_BODY)
    except zlib.error:
        return b""


def _compressed_from(emulator: Emulator, request: Request) -> int | None:
    """The size in bytes from which this client's answer is compressed; None: never."""
    return emulator.settings.compress_from if "gzip" in request.headers.get("accept-encoding", "") else None


def _response(answer: Answer, compressed_from: int | None = None) -> Response:
    headers = dict(answer.headers)
    if answer.body is None:
        return Response(status_code=answer.status, headers=headers)
    content = json.dumps(answer.body).encode()
    headers["Content-Type"] = "application/json; charset=utf-8"
    if compressed_from is not None and len(content) >= compressed_from:
        content = gzip.compress(content, compresslevel=1, mtime=0)
        headers["Content-Encoding"], headers["Vary"] = "gzip", "Accept-Encoding"
    return Response(content, status_code=answer.status, headers=headers)
