"""Talks to Azure Resource Manager, or to anything that speaks its language.

Knows requests, pages and operations; knows nothing of policies or clusters. What to do after an answer is
decided in `retry` and `operation`, how fast to ask in `throttle`, where to send in `links`.

INVARIANT: links to another host are refused, and a write whose outcome is unknown is never sent again from here.
Source: configuration API §4 to §7.
"""

from __future__ import annotations

import json
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Self

from policyengine.arm.answer import Answer
from policyengine.arm.asking import Asking
from policyengine.arm.credentials import Credential
from policyengine.arm.exchange import Exchange, Request, new_correlation_id
from policyengine.arm.links import Endpoint, path_of
from policyengine.arm.operation import (
    POLL_AFTER_S,
    Failed,
    Operation,
    Wait,
    is_settled,
    operation_url,
    pause_s,
    poll_after_s,
)
from policyengine.arm.refusal import closed, operation_failed
from policyengine.arm.registrar import Registrar
from policyengine.arm.registration import missing_registration
from policyengine.arm.retry import LONGEST_WAIT_S
from policyengine.arm.throttle import WRITES_AT_ONCE, Throttle, WaitListener
from policyengine.arm.timer import LoopTimer, Timer
from policyengine.errors import ArmConflict, ArmRejected, ConfigError
from policyengine.model.values import JSON

if TYPE_CHECKING:
    import httpx


@dataclass(frozen=True, slots=True)
class Accepted:
    """A write the service took. Follow ``operation_url``; without one, the resource's own provisioningState.

    ``retry_after_s``: when to look first; 0 when it is done already. ``under_way``: the answer showed the resource
    itself in a state that is not final.
    """

    status: int
    body: JSON
    operation_url: str | None
    retry_after_s: float
    under_way: bool = False


class ArmClient:
    """One endpoint, one identity, one set of budgets; use it as an async context manager.

    Clients that ask the same endpoint share a ``throttle``; without one the client has its own, at the given rates;
    ``writes_at_once`` may follow each other without a wait where none went for a while.
    ``jitter`` draws from [0, 1). ``on_wait`` hears of every wait for which no listener of its own was given.
    ``register_providers``: a write may register the provider that its subscription lacks.
    Raises ConfigError for an endpoint or a budget that cannot be used.
    """

    def __init__(
        self,
        endpoint: str,
        credential: Credential,
        *,
        writes_per_second: float = 8.0,
        reads_per_second: float = 20.0,
        writes_at_once: float = WRITES_AT_ONCE,
        transport: httpx.AsyncBaseTransport | None = None,
        jitter: Callable[[], float] = random.random,
        timer: Timer | None = None,
        throttle: Throttle | None = None,
        on_wait: WaitListener | None = None,
        register_providers: bool = False,
    ) -> None:
        if writes_per_second <= 0 or reads_per_second <= 0:
            raise ConfigError("a budget of no requests per second would wait for ever", help="set it above 0")
        self._endpoint = Endpoint(endpoint)
        timer = timer or LoopTimer()
        self._throttle = throttle or Throttle(
            timer,
            reads_per_second=reads_per_second,
            writes_per_second=writes_per_second,
            writes_at_once=writes_at_once,
        )
        self._exchange = Exchange(self._endpoint, transport)
        self._asking = Asking(self._exchange, credential, self._throttle, timer, jitter, on_wait)
        self._registrar = Registrar(self._endpoint, self._asking) if register_providers else None

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
        answer = await self._asking.ask(Request("GET", self._endpoint.url(path, api_version)), on_wait)
        return answer.body

    async def list(
        self, path: str, api_version: str, *, on_wait: WaitListener | None = None
    ) -> AsyncIterator[Mapping[str, JSON]]:
        """The members of a collection, page by page; raises ArmRejected for an answer that is no list."""
        url = self._endpoint.url(path, api_version)
        seen: set[str] = set()
        while url not in seen:
            seen.add(url)
            page = (await self._asking.ask(Request("GET", url), on_wait)).body
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
        answer = await self._asking.ask(Request("POST", url, _encoded(body, "POST", path), is_query=True))
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
        before_each: Callable[[], Awaitable[None]] | None = None,
    ) -> Accepted:
        """Send one write. The work may only have begun when this returns: see `wait` and `wait_for_resource`.

        After an ArmTransportError with ``sent``, and an ArmUnavailable of a status that
        `retry.is_outcome_unknown` names, the write may or may not have been applied. After any other ArmError
        it was not.

        ``before_each`` is called right before each try, when its turn has come after whatever wait; what it raises
        ends the sending, and that try was not made.
        """
        content = None if body is None else _encoded(body, method, path)
        answer = await self._write(
            Request(method, self._endpoint.url(path, api_version), content), on_wait, before_each
        )
        # A link elsewhere does not undo the write: without it, the resource itself can be followed.
        link = operation_url(answer)
        own = self._endpoint.resolve(link) if link else None
        under_way = isinstance(answer.body, Mapping) and not is_settled(answer.body)
        first_look_s = poll_after_s(answer) if own or under_way else 0.0
        return Accepted(answer.status, answer.body, own, first_look_s, under_way)

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
        operation, pause, status = Operation(url, first_wait_s or POLL_AFTER_S), first_wait_s, "accepted"
        waited_s, id = 0.0, new_correlation_id()  # of all looks together
        while True:
            await self._asking.pause(f"operation is {status}", pause, on_wait)
            waited_s += pause
            request = Request("GET", operation.url, is_look=True, correlation_id=id)
            step = operation.next(await self._asking.ask(request, on_wait))
            if isinstance(step, Failed):
                raise operation_failed(step.status, step.cause, path=path_of(url), correlation_id=id)
            if not isinstance(step, Wait):
                return step.body
            operation, status = Operation(self._endpoint.own(step.url), step.after_s), step.status
            pause = pause_s(step.after_s, waited_s)

    async def _write(
        self, request: Request, on_wait: WaitListener | None, before_each: Callable[[], Awaitable[None]] | None
    ) -> Answer:
        """The answer; after registering the provider, where the subscription lacks it and that was agreed to."""
        try:
            return await self._asking.ask(request, on_wait, before_each)
        except ArmConflict as refused:
            missing = missing_registration(refused)
            if missing is None or self._registrar is None:
                raise
        await self._registrar.register(missing, on_wait)
        return await self._asking.ask(request, on_wait, before_each)


def _encoded(body: Mapping[str, JSON], method: str, path: str) -> bytes:
    try:
        return json.dumps(body, ensure_ascii=False, allow_nan=False).encode()
    except (TypeError, ValueError) as error:
        why = f"{method} {path} would have a body that is not JSON: {error}"
        raise ArmRejected(why, method=method, url=path) from error


def _rejected(url: str, what: str) -> ArmRejected:
    path = path_of(url)
    return ArmRejected(f"GET {path} {what}", method="GET", url=path)
