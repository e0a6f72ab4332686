"""What every request to Resource Manager goes through before and after its handler: who asks, may they, what is left.

In order: token, route and api-version, rate limit, scripted faults, handler; then the headers of every answer and
the journal. Source: configuration API §4 to §7.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from policyengine.emulator import extension_rules, flux_rules
from policyengine.emulator.answers import Answer, ArmRequest, Refusal, invalid_content
from policyengine.emulator.emulator import Emulator
from policyengine.emulator.journal import JournalEntry, masked
from policyengine.emulator.routing import Router, segments
from policyengine.emulator.shapes import secret_names
from policyengine.model.values import JSON

SECRET_NAMES: Final = secret_names(extension_rules.PROPERTIES) | secret_names(flux_rules.PROPERTIES)
ANONYMOUS: Final = "anonymous"


@dataclass(frozen=True, slots=True)
class RawRequest:
    """A request as it came: folded header and query names, the path decoded, the body as bytes."""

    method: str
    path: str
    query_text: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    content: bytes
    base_url: str


class Gateway:
    def __init__(self, emulator: Emulator, router: Router) -> None:
        self._emulator = emulator
        self._router = router

    def answer(self, raw: RawRequest) -> Answer:
        """Never raises for anything a client can send."""
        with self._emulator.lock:
            now = self._emulator.settle()
            path = "/" + "/".join(segments(raw.path))
            limits: dict[str, str] = {}
            try:
                answer = self._handle(raw, path, now, limits)
            except Refusal as refusal:
                answer = refusal.answer
            headers = {**self._headers(raw, now), **limits, **answer.headers}
            self._record(raw, path, answer.status, headers, now)
            return Answer(answer.status, answer.body, headers)

    def _handle(self, raw: RawRequest, path: str, now: datetime, limits: dict[str, str]) -> Answer:
        emulator = self._emulator
        principal = authenticate(raw.headers.get("authorization"))
        handler, variables = self._router.find(raw.method, path, raw.query.get("api-version"))
        subscription = variables.get("subscription")
        limits.update(emulator.throttle.take(raw.method, subscription, principal, emulator.clock.wall_now()))
        emulator.faults.check(raw.method, path)
        request = ArmRequest(
            method=raw.method,
            path=path,
            variables=variables,
            query=raw.query,
            headers=raw.headers,
            body=_body(raw),
            base_url=raw.base_url,
            principal=principal,
            at=now,
        )
        return handler(emulator, request)

    def _headers(self, raw: RawRequest, now: datetime) -> dict[str, str]:
        guid = self._emulator.identifiers.guid()
        correlation = raw.headers.get("x-ms-correlation-request-id") or guid
        headers = {
            "x-ms-request-id": guid,
            "x-ms-correlation-request-id": correlation,
            "x-ms-routing-request-id": f"EMULATOR:{now.strftime('%Y%m%dT%H%M%SZ')}:{correlation}",
            "Cache-Control": "no-cache",
        }
        client_id = raw.headers.get("x-ms-client-request-id")
        if client_id and raw.headers.get("x-ms-return-client-request-id", "").casefold() == "true":
            headers["x-ms-client-request-id"] = client_id
        return headers

    def _record(self, raw: RawRequest, path: str, status: int, headers: Mapping[str, str], now: datetime) -> None:
        journal = self._emulator.journal
        journal.add(
            JournalEntry(
                number=journal.next_number(),
                method=raw.method,
                path=path,
                query=raw.query_text,
                status=status,
                principal=principal_of(raw.headers.get("authorization")),
                at=now,
                wall=self._emulator.clock.wall_now(),
                request_id=headers["x-ms-request-id"],
                correlation_id=headers["x-ms-correlation-request-id"],
                body=masked(_parsed(raw.content), SECRET_NAMES),
            )
        )


def authenticate(authorization: str | None) -> str:
    """The principal behind a bearer token; any non-empty token will do. Raises Refusal 401."""
    if not authorization:
        raise _unauthorized("AuthenticationFailed", "Authentication failed. The 'Authorization' header is missing.")
    scheme, _, token = authorization.partition(" ")
    if scheme.casefold() != "bearer" or not token.strip():
        raise _unauthorized("InvalidAuthenticationToken", "The access token is missing or invalid.")
    return principal_of(authorization)


def principal_of(authorization: str | None) -> str:
    """The object id in a JWT, unchecked; for any other token a name that does not give it away."""
    token = (authorization or "").partition(" ")[2].strip()
    if not token:
        return ANONYMOUS
    try:
        payload = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return str(claims["oid"])
    except (IndexError, KeyError, TypeError, ValueError, binascii.Error):
        return f"token-{hashlib.sha256(token.encode()).hexdigest()[:8]}"


def _unauthorized(code: str, message: str) -> Refusal:
    challenge = (
        'Bearer authorization_uri="https://login.microsoftonline.com/common", '
        f'error="invalid_token", error_description="{message}"'
    )
    return Refusal(401, code, message, headers={"WWW-Authenticate": challenge})


def _body(raw: RawRequest) -> JSON:
    """The body of a write as JSON. Raises Refusal when it is not."""
    if raw.method not in {"PUT", "PATCH"}:
        return None
    try:
        return json.loads(raw.content)
    except (ValueError, RecursionError) as error:
        raise invalid_content(str(error)) from None


def _parsed(content: bytes) -> JSON:
    try:
        return json.loads(content) if content else None
    except (ValueError, RecursionError):
        return None
