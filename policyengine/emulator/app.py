"""The emulator over HTTP: turns ASGI requests into the gateway's, and its answers into responses.

Handlers are short and never wait, so they run on the event loop, one at a time.
"""

from __future__ import annotations

import json
from typing import Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from policyengine.emulator.answers import Answer
from policyengine.emulator.emulator import Emulator
from policyengine.emulator.gateway import Gateway, RawRequest
from policyengine.emulator.routes import ROUTES
from policyengine.emulator.routes.control import PREFIX, answer_control
from policyengine.emulator.routes.generic import find_generic
from policyengine.emulator.routing import Router, segments

METHODS: Final = ("GET", "HEAD", "PUT", "PATCH", "POST", "DELETE")


def create_app(emulator: Emulator) -> Starlette:
    """An ASGI application that serves ``emulator``."""
    gateway = Gateway(emulator, Router(ROUTES, find_generic))

    async def resource_manager(request: Request) -> Response:
        return _response(gateway.answer(await _raw(request)))

    async def control(request: Request) -> Response:
        raw = await _raw(request)
        try:
            body = json.loads(raw.content) if raw.content else None
        except (ValueError, RecursionError):
            body = raw.content.decode(errors="replace")
        with emulator.lock:
            return _response(answer_control(emulator, raw.method, segments(raw.path)[1:], raw.query, body))

    return Starlette(
        routes=[
            Route(f"/{PREFIX}/{{path:path}}", control, methods=METHODS),
            Route("/{path:path}", resource_manager, methods=METHODS),
        ]
    )


async def _raw(request: Request) -> RawRequest:
    return RawRequest(
        method=request.method,
        path=str(request.scope["path"]),
        query_text=request.url.query,
        query={name.casefold(): value for name, value in request.query_params.items()},
        headers={name.casefold(): value for name, value in request.headers.items()},
        content=await request.body(),
        base_url=f"{request.url.scheme}://{request.headers.get('host', request.url.netloc)}",
    )


def _response(answer: Answer) -> Response:
    headers = dict(answer.headers)
    if answer.body is None:
        return Response(status_code=answer.status, headers=headers)
    content = json.dumps(answer.body).encode()
    headers["Content-Type"] = "application/json; charset=utf-8"
    return Response(content, status_code=answer.status, headers=headers)
