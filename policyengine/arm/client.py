"""Talks to Azure Resource Manager, or to anything that speaks its language.

Knows requests, pages and operations; knows nothing of policies or clusters. What to do after an answer is
decided in `retry` and `operation`, how fast to ask in `throttle`, where to send in `links`.

INVARIANT: links to another host are refused, and a write whose outcome is unknown is never sent again from here.
Source: configuration API §4 to §7.
"""

from __future__ import annotations

import json
import random
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from itertools import count
from types import TracebackType
from typing import TYPE_CHECKING, Self

from policyengine.arm.answer import Answer, retry_after_s
from policyengine.arm.credentials import Credential
from policyengine.arm.exchange import Exchange, Request
from policyengine.arm.links import Endpoint, path_of
from policyengine.arm.operation import Failed, Operation, Wait, operation_url, poll_after_s
from policyengine.arm.refusal import closed, operation_failed, refusal
from policyengine.arm.retry import LONGEST_WAIT_S, GiveUp, Retry, after_silence, decide
from policyengine.arm.throttle import Throttle, WaitListener
from policyengine.arm.timer import LoopTimer, Timer
from policyengine.arm.tokens import claims_in
from policyengine.errors import ArmRejected, ArmTransportError, ConfigError
from policyengine.model.values import JSON

if TYPE_CHECKING:
    import httpx


@dataclass(frozen=True, slots=True)
class Accepted:
    """A write the service took. Follow ``operation_url``; without one, the resource's own provisioningState."""

    status: int
    body: JSON
    operation_url: str | None
    retry_after_s: float


class ArmClient:
    """One endpoint, one identity, one set of budgets; use it as an async context manager.

    Clients that ask the same endpoint share a ``throttle``; without one the client has its own, at the given rates.
    ``jitter`` draws from [0, 1). ``on_wait`` hears of every wait for which no listener of its own was given.
    Raises ConfigError for an endpoint or a budget that cannot be used.
    """

    def __init__(
        self,
        endpoint: str,
        credential: Credential,
        *,
        writes_per_second: float = 8.0,
        reads_per_second: float = 20.0,
        transport: httpx.AsyncBaseTransport | None = None,
        jitter: Callable[[], float] = random.random,
        timer: Timer | None = None,
        throttle: Throttle | None = None,
        on_wait: WaitListener | None = None,
    ) -> None:
        if writes_per_second <= 0 or reads_per_second <= 0:
            raise ConfigError("a budget of no requests per second would wait for ever", help="set it above 0")
        self._endpoint = Endpoint(endpoint)
        self._credential = credential
        self._jitter = jitter
        self._timer = timer or LoopTimer()
        self._on_wait = on_wait
        self._throttle = throttle or Throttle(
            self._timer, reads_per_second=reads_per_second, writes_per_second=writes_per_second
        )
        self._exchange = Exchange(self._endpoint, transport)

    @property
    def endpoint(self) -> str:
        return self._endpoint.text

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._exchange.close()

    async def get(self, path: str, api_version: str, *, on_wait: WaitListener | None = None) -> JSON:
        """The document at ``path``; raises ArmNotFound when there is none."""
        answer = await self._ask(Request("GET", self._endpoint.url(path, api_version)), on_wait)
        return answer.body

    async def list(
        self, path: str, api_version: str, *, on_wait: WaitListener | None = None
    ) -> AsyncIterator[Mapping[str, JSON]]:
        """The members of a collection, page by page; raises ArmRejected for an answer that is no list."""
        url = self._endpoint.url(path, api_version)
        seen: set[str] = set()
        while url not in seen:
            seen.add(url)
            page = (await self._ask(Request("GET", url), on_wait)).body
            if not isinstance(page, Mapping) or not isinstance(page.get("value"), list):
                raise _rejected(url, "was answered with something that is no list: it has no `value`")
            for item in page["value"]:
                if not isinstance(item, Mapping):
                    raise _rejected(url, "lists something that is no object")
                yield item
            link = page.get("nextLink")
            if not link:
                return
            url = self._endpoint.own(str(link))
        raise _rejected(url, "leads from page to page without an end")

    async def query(self, path: str, api_version: str, body: Mapping[str, JSON]) -> Mapping[str, JSON]:
        """The answer to a question asked by POST, which changes nothing; it has a budget of its own.

        Raises ArmRejected for an answer that is no object.
        """
        url = self._endpoint.url(path, api_version)
        answer = await self._ask(Request("POST", url, _encoded(body, "POST", path), is_query=True))
        if not isinstance(answer.body, Mapping):
            raise ArmRejected(f"POST {path} was answered with no object", method="POST", url=path)
        return answer.body

    def demand_open(self, method: str, path: str) -> None:
        """Raises ArmThrottled while the service wants no such request for longer than anybody waits."""
        request = Request(method, self._endpoint.url(path, ""))
        seconds = self._throttle.closed_for(request.subscription, request.kind)
        if seconds > LONGEST_WAIT_S:
            raise closed(method, request.path, seconds)

    async def send(
        self,
        method: str,
        path: str,
        api_version: str,
        body: Mapping[str, JSON] | None = None,
        *,
        on_wait: WaitListener | None = None,
    ) -> Accepted:
        """Send one write. The work may only have begun when this returns: see `wait` and `wait_for_resource`.

        After an ArmTransportError with ``sent``, and an ArmUnavailable of a status that
        `retry.is_outcome_unknown` names, the write may or may not have been applied. After any other ArmError
        it was not.
        """
        content = None if body is None else _encoded(body, method, path)
        answer = await self._ask(Request(method, self._endpoint.url(path, api_version), content), on_wait)
        # A link elsewhere does not undo the write: without it, the resource itself can be followed.
        link = operation_url(answer)
        own = self._endpoint.resolve(link) if link else None
        return Accepted(answer.status, answer.body, own, poll_after_s(answer) if own else 0.0)

    async def wait(self, operation_url: str, *, first_wait_s: float = 0.0, on_wait: WaitListener | None = None) -> JSON:
        """Follow an operation to its end and return the last answer's body.

        Raises OperationFailed with the innermost cause, ArmNotFound when the service no longer knows the
        operation, ArmRejected when the URL belongs to another host. Cancelling leaves the operation running.
        """
        return await self._follow(self._endpoint.own(operation_url), first_wait_s, on_wait)

    async def wait_for_resource(
        self, path: str, api_version: str, *, first_wait_s: float = 0.0, on_wait: WaitListener | None = None
    ) -> JSON:
        """Look at the resource until its provisioningState is final and return it.

        Raises OperationFailed when that is Failed or Canceled, ArmNotFound when it is not there.
        """
        return await self._follow(self._endpoint.url(path, api_version), first_wait_s, on_wait)

    async def _follow(self, url: str, first_wait_s: float, on_wait: WaitListener | None) -> JSON:
        operation, pause, status = Operation(url), first_wait_s, "accepted"
        while True:
            await self._pause(f"operation is {status}", pause, on_wait)
            step = operation.next(await self._ask(Request("GET", operation.url), on_wait))
            if isinstance(step, Failed):
                raise operation_failed(step.status, step.cause, path=path_of(url))
            if not isinstance(step, Wait):
                return step.body
            operation, pause, status = Operation(self._endpoint.own(step.url)), step.after_s, step.status

    async def _ask(self, request: Request, on_wait: WaitListener | None = None) -> Answer:
        """The successful answer, however many tries it takes; otherwise the error that stands in the end."""
        refused_token = ""
        for attempt in count(1):
            if not await self._throttle.acquire(request.subscription, request.kind, on_wait or self._on_wait):
                raise closed(
                    request.method, request.path, self._throttle.closed_for(request.subscription, request.kind)
                )
            token = await self._credential.token()
            outcome = await self._once(request, token)
            if isinstance(outcome, Answer) and outcome.is_success:
                return outcome
            if isinstance(outcome, Answer) and outcome.status == 401 and not refused_token:
                # It may have run out on the way; a credential that renews has another one by now.
                refused_token = token
                claims = claims_in(outcome.headers.get("www-authenticate", ""))
                if await self._credential.renewed(token, claims) != token:
                    continue
            again = self._verdict(request, outcome, attempt)
            if isinstance(again, GiveUp):
                if isinstance(outcome, ArmTransportError):
                    raise outcome
                raise refusal(outcome, method=request.method, path=request.path, correlation_id=request.correlation_id)
            await self._pause(again.reason, again.after_s, on_wait)
        raise AssertionError("count() does not end")

    async def _once(self, request: Request, token: str) -> Answer | ArmTransportError:
        outcome = await self._exchange.ask(request, token)
        if isinstance(outcome, Answer):
            self._throttle.observe(request.subscription, request.kind, outcome.headers)
        return outcome

    def _verdict(self, request: Request, outcome: Answer | ArmTransportError, attempt: int) -> Retry | GiveUp:
        jitter = self._jitter()
        if isinstance(outcome, ArmTransportError):
            return after_silence(outcome, is_read=request.is_read, attempt=attempt, jitter=jitter)
        verdict = decide(outcome, is_read=request.is_read, attempt=attempt, jitter=jitter)
        if outcome.status == 429:
            # Also after giving up: everybody else's request would be refused as well.
            seconds = verdict.after_s if isinstance(verdict, Retry) else retry_after_s(outcome) or 0.0
            self._throttle.pause(request.subscription, request.kind, seconds)
        return verdict

    async def _pause(self, reason: str, seconds: float, on_wait: WaitListener | None) -> None:
        if seconds <= 0:
            return
        listener = on_wait or self._on_wait
        if listener is not None:
            listener(reason, seconds)
        await self._timer.sleep(seconds)


def _encoded(body: Mapping[str, JSON], method: str, path: str) -> bytes:
    try:
        return json.dumps(body, ensure_ascii=False, allow_nan=False).encode()
    except (TypeError, ValueError) as error:
        why = f"{method} {path} would have a body that is not JSON: {error}"
        raise ArmRejected(why, method=method, url=path) from error


def _rejected(url: str, what: str) -> ArmRejected:
    path = path_of(url)
    return ArmRejected(f"GET {path} {what}", method="GET", url=path)
