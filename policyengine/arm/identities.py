"""Signing in as an application: with its secret, or with a token of its platform (workload identity federation).

Source: Microsoft identity platform, OAuth 2.0 client credentials flow; Microsoft Entra Workload ID.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from policyengine.arm.sign_in import Ask, Machine, ask_authority
from policyengine.arm.tokens import Token
from policyengine.errors import ConfigError

_ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


@dataclass(frozen=True, slots=True)
class Application:
    """Who signs in, with which authority, to reach which audience."""

    authority: str
    tenant: str
    client: str
    audience: str

    async def sign_in(self, proof: Mapping[str, str], claims: str, machine: Machine) -> Token:
        """A token for the application, which ``proof`` shows it to be."""
        form = {
            "grant_type": "client_credentials",
            "client_id": self.client,
            "scope": f"{self.audience}/.default",
            **proof,
            **({"claims": claims} if claims else {}),
        }
        who = f"application `{self.client}` of tenant `{self.tenant}`"
        return await ask_authority(Ask(who, f"{self.authority}/{self.tenant}/oauth2/v2.0/token", form=form), machine)


@dataclass(frozen=True, slots=True)
class ClientSecret:
    """An application and the secret it shares with the authority."""

    application: Application
    secret: str = field(repr=False)
    machine: Machine = field(default_factory=Machine, repr=False)

    async def fetch(self, claims: str) -> Token:
        return await self.application.sign_in({"client_secret": self.secret}, claims, self.machine)


@dataclass(frozen=True, slots=True)
class WorkloadIdentity:
    """An application that trusts the platform this runs on. The platform renews the file, so it is read each time."""

    application: Application
    token_file: Path
    machine: Machine = field(default_factory=Machine, repr=False)

    async def fetch(self, claims: str) -> Token:
        assertion = await asyncio.to_thread(self._read)
        proof = {"client_assertion_type": _ASSERTION_TYPE, "client_assertion": assertion}
        return await self.application.sign_in(proof, claims, self.machine)

    def _read(self) -> str:
        try:
            text = self.token_file.read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is no text"
            raise ConfigError(
                f"the federated token `{self.token_file}` cannot be read: {why}",
                help="AZURE_FEDERATED_TOKEN_FILE names the file that the platform mounts",
            ) from error
        if not text:
            raise ConfigError(f"the federated token `{self.token_file}` is empty")
        return text
