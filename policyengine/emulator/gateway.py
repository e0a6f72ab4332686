"""What every request to Resource Manager goes through before and after its handler: who asks, may they, what is left.

In order: token, route and api-version, rate limit, scripted faults, roles, locks and denials, handler; then the
headers of every answer and the journal. Source: configuration API §4 to §7.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Final

from policyengine.emulator import extension_rules, flux_rules, source_control_rules
from policyengine.emulator.access import Caller, action_of, check_token
from policyengine.emulator.answers import Answer, ArmRequest, Refusal, invalid_content
from policyengine.emulator.deployments.parameters import hide_secure_parameters
from policyengine.emulator.empty_pages import empty_page, with_detour
from policyengine.emulator.emulator import Emulator
from policyengine.emulator.generic_rules import secret_members
from policyengine.emulator.journal import JournalEntry, masked
from policyengine.emulator.restrictions import check_denials, check_locks
from policyengine.emulator.routes import ROUTES, resource_graph
from policyengine.emulator.routes.generic import find_generic
from policyengine.emulator.routes.graph_tables import shown_now
from policyengine.emulator.routes.providers import CONFIGURATION_NAMESPACE
from policyengine.emulator.routing import OLDEST_API_VERSION, Handler, Router, segments
from policyengine.emulator.shapes import secret_names
from policyengine.model.ids import ResourceId
from policyengine.model.values import JSON

_MISPLACED: Final = frozenset({"sshprivatekey", "httpskey", "bucketsecretkey"})
"""Keys of the protected settings, which people also write where they are not heard."""
SECRET_NAMES: Final = (
    _MISPLACED
    | secret_names(extension_rules.PROPERTIES)
    | secret_names(flux_rules.PROPERTIES)
    | secret_names(source_control_rules.PROPERTIES)
)


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

    def __reduce__(self) -> tuple[Callable[[Emulator], Gateway], tuple[Emulator]]:
        # Deployments that are under way hold on to it; it remembers nothing, and is made again with them.
        return gateway_for, (self._emulator,)

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
            self._emulator.writes += raw.method not in {"GET", "HEAD"}
            return replace(answer, headers=headers)

    def _handle(self, raw: RawRequest, path: str, now: datetime, limits: dict[str, str]) -> Answer:
        emulator = self._emulator
        authorization = raw.headers.get("authorization")
        check_token(authorization, emulator.clock.wall_now())
        caller = Caller(emulator.principals.identify(authorization), emulator.state.resources)
        handler, variables = self._router.find(raw.method, path, raw.query.get("api-version"))
        subscription = variables.get("subscription")
        limits.update(self._take(raw.method, path, subscription, caller.id))
        request = ArmRequest(
            method=raw.method,
            path=path,
            variables=variables,
            query=raw.query,
            headers=raw.headers,
            body=_body(raw),
            base_url=raw.base_url,
            caller=caller,
            at=now,
            send=partial(self._send, raw.base_url, caller),
        )
        return self._struck(request, partial(self._permitted, handler, request))

    def _struck(self, request: ArmRequest, carry_out: Callable[[], Answer]) -> Answer:
        """The answer, or what a scripted fault makes of it, before or after the request was carried out."""
        fault = self._emulator.faults.next(request.method, request.path)
        if fault is None:
            return carry_out()
        if fault.only_delays:
            return replace(carry_out(), delay=fault.delay)
        if fault.after:
            carry_out()
        return replace(fault.answer(), delay=fault.delay)

    def _permitted(self, handler: Handler, request: ArmRequest) -> Answer:
        self.authorize(request)
        if not self._emulator.settings.empty_pages:
            return self._perform(handler, request)
        return empty_page(request) or with_detour(self._perform(handler, request))

    def _send(
        self, base_url: str, caller: Caller, method: str, path: str, api_version: str, body: JSON, at: datetime
    ) -> Answer:
        """A request that a deployment makes for its caller: like any other, but free and not journalled.

        Raises Refusal. A template may name api-versions older than those answered over the wire.
        """
        version = max(api_version, OLDEST_API_VERSION)
        handler, variables = self._router.find(method, path, version)
        self._emulator.faults.check(method, path)
        request = ArmRequest(
            method=method,
            path=path,
            variables=variables,
            query={"api-version": version},
            headers={},
            body=body,
            base_url=base_url,
            caller=caller,
            at=at,
            send=partial(self._send, base_url, caller),
        )
        self.authorize(request)
        return self._perform(handler, request)

    def _take(self, method: str, path: str, subscription: str | None, principal: str) -> dict[str, str]:
        throttle, wall = self._emulator.throttle, self._emulator.clock.wall_now()
        if path.casefold() == resource_graph.PATH.casefold():
            return throttle.take_query(principal, wall)
        told = throttle.take(method, subscription, principal, wall)
        if subscription and CONFIGURATION_NAMESPACE.casefold() in path.casefold():
            told.update(throttle.take_resource_request(subscription, wall))
        return told

    def _perform(self, handler: Handler, request: ArmRequest) -> Answer:
        """Resource Graph is told what a write changed, for it may go on showing what was there before."""
        emulator = self._emulator
        remembers = max(emulator.graph.lag, emulator.faults.longest_lag())
        if request.method in {"GET", "HEAD"} or not remembers:
            return handler(emulator, request)
        id = ResourceId(request.path)
        before = shown_now(emulator, id, request.at)
        answer = handler(emulator, request)
        if before is not None:
            emulator.graph.written(id.key, before, request.at, remembers)
        return answer

    def authorize(self, request: ArmRequest) -> None:
        """Raises Refusal when roles, locks or policies forbid ``request``."""
        asked = action_of(request.method, segments(request.path))
        if asked is not None:
            action, scope = asked
            request.caller.demand(action, scope)
            check_locks(self._emulator.state.resources, request.method, scope)
            check_denials(self._emulator.denials, request.method, scope)

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
                principal=self._emulator.principals.identify(raw.headers.get("authorization")).object_id,
                at=now,
                wall=self._emulator.clock.wall_now(),
                request_id=headers["x-ms-request-id"],
                correlation_id=headers["x-ms-correlation-request-id"],
                body=hide_secure_parameters(masked(_parsed(raw.content), secrets_in(path))),
            )
        )


def gateway_for(emulator: Emulator) -> Gateway:
    """With all routes there are."""
    return Gateway(emulator, Router(ROUTES, find_generic))


def secrets_in(path: str) -> frozenset[str]:
    """Folded names of the members that may hold a secret in a body sent to ``path``."""
    return SECRET_NAMES | secret_members(ResourceId(path).type)


def _body(raw: RawRequest) -> JSON:
    """The body of a write as JSON. Raises Refusal when it is not."""
    if raw.method not in {"PUT", "PATCH"} and not (raw.method == "POST" and raw.content):
        return None
    try:
        return json.loads(raw.content, parse_constant=_no_json)
    except (ValueError, RecursionError) as error:
        raise invalid_content(str(error)) from None


def _no_json(constant: str) -> JSON:
    """Python's own reader takes `NaN` and its like."""
    raise ValueError(f"Unexpected value: {constant}")


def _parsed(content: bytes) -> JSON:
    try:
        return json.loads(content) if content else None
    except (ValueError, RecursionError):
        return None
