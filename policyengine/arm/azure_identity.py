"""Signing in as azure-identity does: `az login`, certificates, brokers and the rest. The door for azure-identity.

It is an extra (`policyengine-fleet[azure]`); everything else signs in without it.
"""

from __future__ import annotations

import asyncio
import importlib.util
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from policyengine.arm.answer import one_line
from policyengine.arm.tokens import Token, token_until
from policyengine.clock import Clock, SystemClock
from policyengine.errors import ArmNotAuthorized, ArmTransportError, ConfigError
from policyengine.model.clouds import CLOUDS

if TYPE_CHECKING:
    from azure.core.credentials import AccessTokenInfo

_MICROSOFTS: Final = frozenset(cloud.authority for cloud in CLOUDS.values())


def is_installed() -> bool:
    return importlib.util.find_spec("azure") is not None and importlib.util.find_spec("azure.identity") is not None


class AzureIdentity:
    """Its DefaultAzureCredential, which is not asynchronous and does its own retries. Raises ConfigError without it."""

    def __init__(self, authority: str, audience: str, clock: Clock | None = None) -> None:
        if not is_installed():
            raise ConfigError(
                "`arm.credential: azure-identity` needs the package azure-identity",
                help="pip install 'policyengine-fleet[azure]'",
            )
        self._authority = authority
        self._scope = f"{audience}/.default"
        self._clock = clock or SystemClock()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._authority!r}, {self._scope!r})"

    async def fetch(self, claims: str) -> Token:
        info = await asyncio.to_thread(self._ask, claims)
        now = self._clock.now().timestamp()
        refresh_in = info.refresh_on - now if info.refresh_on else None
        return token_until(info.token, info.expires_on, now=now, refresh_in=refresh_in)

    @cached_property
    def _credential(self) -> Any:
        from azure.identity import DefaultAzureCredential

        # Microsoft's own authorities vouch for each other; they know of no other, and may be out of reach there.
        return DefaultAzureCredential(
            authority=self._authority, disable_instance_discovery=self._authority not in _MICROSOFTS
        )

    def _ask(self, claims: str) -> AccessTokenInfo:
        from azure.core.exceptions import AzureError, ClientAuthenticationError

        options: Any = {"claims": claims} if claims else {}
        try:
            info: AccessTokenInfo = self._credential.get_token_info(self._scope, options=options)
        except ClientAuthenticationError as error:
            raise ArmNotAuthorized(
                f"azure-identity could not sign in: {one_line(error.message)[:600]}",
                method="POST",
                url=self._authority,
                status=401,
                help="sign in with `az login`, or set the variables of another credential; see docs/azure.md",
            ) from error
        except AzureError as error:
            failed = ArmTransportError(
                f"azure-identity got no answer: {one_line(error.message)[:600]}", method="POST", url=self._authority
            )
            failed.sent = False
            raise failed from error
        return info
