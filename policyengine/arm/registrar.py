"""Registers a provider with a subscription and waits for it, once however many writes need it."""

from __future__ import annotations

import asyncio
from collections import defaultdict

from policyengine.arm.asking import Asking
from policyengine.arm.exchange import Request
from policyengine.arm.links import Endpoint
from policyengine.arm.refusal import still_unregistered
from policyengine.arm.registration import LONGEST_S, POLL_S, REGISTRATION, Registration, is_registered
from policyengine.arm.throttle import WaitListener


class Registrar:
    """Made only where the user agreed to it."""

    def __init__(self, endpoint: Endpoint, asking: Asking) -> None:
        self._endpoint = endpoint
        self._asking = asking
        self._one_at_a_time: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def register(self, provider: Registration, on_wait: WaitListener | None) -> None:
        """Returns when the provider is registered. Raises ArmConflict when that takes too long, ArmError otherwise."""
        async with self._one_at_a_time[provider.path.casefold()]:
            if await self._is_registered(provider, on_wait):
                return
            url = self._endpoint.url(f"{provider.path}/register", REGISTRATION)
            await self._asking.ask(Request("POST", url), on_wait)
            waited = 0.0
            while not await self._is_registered(provider, on_wait):
                if waited >= LONGEST_S:
                    raise still_unregistered(provider, waited)
                await self._asking.pause(f"{provider.namespace} is being registered", POLL_S, on_wait)
                waited += POLL_S

    async def _is_registered(self, provider: Registration, on_wait: WaitListener | None) -> bool:
        url = self._endpoint.url(provider.path, REGISTRATION)
        return is_registered((await self._asking.ask(Request("GET", url), on_wait)).body)
