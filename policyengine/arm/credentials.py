"""Where the token for Resource Manager comes from. A token never shows in a repr, a log line or an error.

A credential hands tokens out; a source fetches one. `RenewedCredential` stands between the two: it keeps a
token while it is good, fetches the next before it runs out, and never fetches twice at once.
"""

from __future__ import annotations

import asyncio
from asyncio import AbstractEventLoop
from dataclasses import dataclass, field
from typing import Final, Protocol
from weakref import WeakKeyDictionary

from policyengine.arm.tokens import Token, is_token
from policyengine.clock import Clock, SystemClock
from policyengine.errors import ArmError, ConfigError

TRY_AGAIN_S: Final = 30.0
"""After a failed early renewal the old token serves on for so long before the next try."""


class Credential(Protocol):
    """Hands out bearer tokens. May be asked from several event loops, one in each thread."""

    async def token(self) -> str:
        """A token that is valid now; asked anew before every request."""
        ...

    async def renewed(self, refused: str, claims: str) -> str:
        """A token other than the ``refused`` one, or the same when there is no other.

        ``claims`` is what the service demands of the next one, as JSON; "" when it demands nothing.
        """
        ...


class TokenSource(Protocol):
    """Knows one way to sign in."""

    async def fetch(self, claims: str) -> Token:
        """A new token. Raises ArmNotAuthorized when refused, ArmTransportError without an answer."""
        ...


@dataclass(frozen=True, slots=True)
class StaticToken:
    """One token, handed in; it is not renewed."""

    value: str = field(repr=False)

    def __post_init__(self) -> None:
        if not is_token(self.value.strip()):
            raise ConfigError(
                "the access token is empty or holds characters that no token has",
                help="it is what `az account get-access-token --query accessToken -o tsv` prints, on one line",
            )

    async def token(self) -> str:
        return self.value.strip()

    async def renewed(self, refused: str, claims: str) -> str:  # noqa: ARG002  there is no other
        return self.value.strip()


@dataclass(frozen=True, slots=True)
class EmulatorCredential:
    """What the emulator takes: any token will do."""

    async def token(self) -> str:
        return "emulator"

    async def renewed(self, refused: str, claims: str) -> str:  # noqa: ARG002  there is no other
        return "emulator"


class RenewedCredential:
    """Tokens of one source: kept, renewed early, fetched once however many ask."""

    def __init__(self, source: TokenSource, clock: Clock | None = None) -> None:
        self._source = source
        self._clock = clock or SystemClock()
        self._held: Token | None = None
        self._try_at = 0.0
        self._flights: WeakKeyDictionary[AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._source!r})"

    async def token(self) -> str:
        held = self._good()
        if held is None:
            async with self._flight():
                held = self._good() or await self._next()
        return held.value

    async def renewed(self, refused: str, claims: str) -> str:
        async with self._flight():
            if self._held is None or self._held.value == refused:
                self._held = await self._source.fetch(claims)
            return self._held.value

    def _good(self) -> Token | None:
        """The token held, unless it is time for the next one."""
        now = self._now()
        held = self._held
        return held if held is not None and now < max(held.refresh_at, min(self._try_at, held.expires_at)) else None

    async def _next(self) -> Token:
        held = self._held
        try:
            self._held = await self._source.fetch("")
        except ArmError:
            if held is None or self._now() >= held.expires_at:
                raise
            self._try_at = self._now() + TRY_AGAIN_S
            return held
        return self._held

    def _now(self) -> float:
        return self._clock.now().timestamp()

    def _flight(self) -> asyncio.Lock:
        """One fetch at a time; a lock belongs to one event loop."""
        return self._flights.setdefault(asyncio.get_running_loop(), asyncio.Lock())
