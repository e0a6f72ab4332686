"""Requests for tokens: sent to an authority or to the machine's own identity endpoint, and read.

Asking twice does no harm, so what gets no answer is asked again as a read would be.
INVARIANT: what is sent and the token that comes back stand in no message.
Source: RFC 6749 §5.2; Microsoft identity platform, error codes; managed identities, retry guidance.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Final

import httpx

from policyengine import __version__
from policyengine.arm.answer import Answer, one_line
from policyengine.arm.links import Endpoint, path_of
from policyengine.arm.retry import GiveUp, after_silence, decide
from policyengine.arm.silence import silence
from policyengine.arm.timer import LoopTimer, Timer
from policyengine.arm.tokens import Token, read_token
from policyengine.arm.transport import Transport
from policyengine.clock import Clock, SystemClock
from policyengine.errors import ArmNotAuthorized, ArmTransportError, ArmUnavailable
from policyengine.model.values import JSON, walk

_SILENCES: Final = 5
_UPGRADING: Final = 410  # the metadata service of a machine says so for a minute or so
_AADSTS: Final = re.compile(r"AADSTS(\d+)")
_HELP: Final[Mapping[str, str]] = {
    "7000215": "AZURE_CLIENT_SECRET must hold the secret's value, not its id",
    "7000222": "the client secret has run out: make a new one",
    "700016": "AZURE_CLIENT_ID names no application of this tenant: check it and AZURE_TENANT_ID",
    "90002": "AZURE_TENANT_ID names no tenant of this cloud: check it and the `arm.cloud` setting",
    "70021": "the identity trusts no such issuer, subject and audience: add a federated credential for this workload",
    "700213": "the identity trusts no such subject: add a federated credential for this workload",
    "700211": "the identity trusts no such issuer: add a federated credential for this workload",
    "500011": "`arm.audience` names no resource of this tenant",
    "53003": "a conditional access policy blocks this sign-in",
}
"""What is behind the identity platform's own numbers, and what to do about it."""


@dataclass(frozen=True, slots=True)
class Machine:
    """What a source needs of the world beside its endpoint."""

    timer: Timer = field(default_factory=LoopTimer)
    clock: Clock = field(default_factory=SystemClock)
    jitter: Callable[[], float] = random.random


@dataclass(frozen=True, slots=True)
class Ask:
    """One request for a token. ``who`` names the identity in messages; ``form`` makes it a POST."""

    who: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    form: Mapping[str, str] | None = field(default=None, repr=False)

    @property
    def method(self) -> str:
        return "GET" if self.form is None else "POST"


async def ask_authority(ask: Ask, machine: Machine) -> Token:
    """The token an authority issues. Raises ConfigError for an authority that would be asked in clear text."""
    endpoint = Endpoint(origin_of(ask.url))
    async with httpx.AsyncClient(transport=Transport(endpoint), timeout=30.0, follow_redirects=False) as http:
        return token_of(ask, await answer_to(ask, http, machine), machine)


async def answer_to(ask: Ask, http: httpx.AsyncClient, machine: Machine, *, silences: int = _SILENCES) -> Answer:
    """What was answered in the end, a success or not. Raises ArmTransportError after so many ``silences``."""
    for attempt in count(1):
        outcome = await _once(ask, http)
        jitter = machine.jitter()
        if isinstance(outcome, ArmTransportError):
            again = after_silence(outcome, is_read=True, attempt=attempt, jitter=jitter)
        else:
            seen = replace(outcome, status=503) if outcome.status == _UPGRADING else outcome
            again = decide(seen, is_read=True, attempt=attempt, jitter=jitter)
        if isinstance(outcome, ArmTransportError):
            if isinstance(again, GiveUp) or attempt >= silences:
                raise outcome
        elif isinstance(again, GiveUp):
            return outcome
        await machine.timer.sleep(again.after_s)
    raise AssertionError("count() does not end")


def token_of(ask: Ask, answer: Answer, machine: Machine) -> Token:
    """The token in ``answer``. Raises ArmNotAuthorized for a refusal, ArmUnavailable for a 429 or 5xx."""
    if answer.is_success:
        token = read_token(answer.body, now=machine.clock.now().timestamp())
        if token is not None:
            return token
        raise refused(ask, "the answer holds no token", status=answer.status)
    code, words = _told(answer)
    if answer.status == 429 or answer.status >= 500:
        raise ArmUnavailable(
            f"signing in as {ask.who} failed: {answer.status} {words}".rstrip(),
            method=ask.method,
            url=path_of(ask.url),
            status=503,  # nothing was written, whatever the authority's own trouble is
            code=code or None,
        )
    number = _AADSTS.search(words)
    raise refused(ask, words, status=answer.status, code=code, help=_HELP.get(number[1]) if number else None)


def refused(ask: Ask, why: str, *, status: int, code: str = "", help: str | None = None) -> ArmNotAuthorized:
    """The exception for a sign-in that led to no token. Its status is 401, since that is what would follow."""
    return ArmNotAuthorized(
        f"signing in as {ask.who} was refused: {why or status}",
        method=ask.method,
        url=path_of(ask.url),
        status=401,
        code=code or None,
        help=help or "check the `arm.credential` setting and what it reads; see docs/azure.md",
    )


async def _once(ask: Ask, http: httpx.AsyncClient) -> Answer | ArmTransportError:
    headers = {"Accept": "application/json", "User-Agent": f"policyengine/{__version__}", **ask.headers}
    try:
        response = await http.request(ask.method, ask.url, headers=headers, data=ask.form)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        failed = silence(
            one_line(str(error)) or "it took too long",
            method=ask.method,
            path=path_of(ask.url),
            endpoint=origin_of(ask.url),
            sent=False,  # asking again is safe, and nothing was written
            correlation_id=None,
            what=f"signing in as {ask.who}",
        )
        failed.__cause__ = error
        return failed
    try:
        body: JSON = response.json()
    except ValueError:
        body = response.text
    return Answer(response.status_code, {k.lower(): v for k, v in response.headers.items()}, body)


def _told(answer: Answer) -> tuple[str, str]:
    """The code and the first line of what an identity endpoint says."""
    code, words = walk(answer.body, "error"), walk(answer.body, "error_description")
    if isinstance(code, str):
        first = str(words or "").strip().splitlines()[:1]
        return code, ": ".join(part for part in (code, *first) if part)
    if answer.code or answer.message:
        return answer.code, f"{answer.code}: {answer.message}".strip(": ")
    return "", one_line(answer.body)[:200] if isinstance(answer.body, str) else ""


def origin_of(url: str) -> str:
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.partition('/')[0]}"
