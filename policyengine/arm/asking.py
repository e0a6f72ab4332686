"""One request, asked until an answer stands: within the budget, with a token, again where that is safe.

Decides nothing itself: `retry` says whether to ask again, `throttle` when, the credential with which token.
INVARIANT: a write whose outcome is unknown is never sent again from here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from itertools import count

from policyengine.arm.answer import Answer, retry_after_s
from policyengine.arm.credentials import Credential
from policyengine.arm.exchange import Exchange, Request
from policyengine.arm.refusal import closed, refusal
from policyengine.arm.retry import GiveUp, Retry, after_silence, decide
from policyengine.arm.throttle import Kind, Throttle, WaitListener
from policyengine.arm.timer import Timer
from policyengine.arm.tokens import claims_in
from policyengine.errors import ArmTransportError


class Asking:
    """What it takes to ask one endpoint; ``on_wait`` hears of waits for which no listener of their own was given."""

    def __init__(
        self,
        exchange: Exchange,
        credential: Credential,
        throttle: Throttle,
        timer: Timer,
        jitter: Callable[[], float],
        on_wait: WaitListener | None,
    ) -> None:
        self._exchange = exchange
        self._credential = credential
        self._throttle = throttle
        self._timer = timer
        self._jitter = jitter
        self._on_wait = on_wait

    async def ask(
        self,
        request: Request,
        on_wait: WaitListener | None = None,
        before_each: Callable[[], Awaitable[None]] | None = None,
    ) -> Answer:
        """The successful answer, however many tries it takes; otherwise the error that stands in the end.

        ``before_each`` try, when its turn has come, may raise, and nothing is sent.
        """
        refused_token = ""
        if request.is_look:
            await self._throttle.acquire(request.subscription, Kind.LOOKS, on_wait or self._on_wait)
        for attempt in count(1):
            await self._turn(request, on_wait, before_each)
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
                raise refusal(
                    outcome,
                    method=request.method,
                    path=request.path,
                    correlation_id=request.correlation_id,
                    is_read=request.is_read,
                )
            await self.pause(again.reason, again.after_s, on_wait)
        raise AssertionError("count() does not end")

    async def _turn(
        self, request: Request, on_wait: WaitListener | None, before_each: Callable[[], Awaitable[None]] | None
    ) -> None:
        """Returns when the request may go. A turn is void when the service has closed the bucket meanwhile."""
        subscription, kind = request.subscription, request.kind
        while True:
            if not await self._throttle.acquire(subscription, kind, on_wait or self._on_wait):
                raise closed(request.method, request.path, self._throttle.closed_for(subscription, kind))
            pauses = self._throttle.pauses(subscription, kind)
            if before_each is not None:
                await before_each()
            if pauses == self._throttle.pauses(subscription, kind):
                return

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

    async def pause(self, reason: str, seconds: float, on_wait: WaitListener | None) -> None:
        if seconds <= 0:
            return
        listener = on_wait or self._on_wait
        if listener is not None:
            listener(reason, seconds)
        await self._timer.sleep(seconds)
