"""Where the token for Resource Manager comes from. A token never shows in a repr, a log line or an error."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from policyengine.errors import ConfigError


class Credential(Protocol):
    """Hands out a bearer token that is valid now; asked anew before every request."""

    async def token(self) -> str: ...


@dataclass(frozen=True, slots=True)
class StaticToken:
    """One token, handed in; it is not renewed."""

    value: str = field(repr=False)

    def __post_init__(self) -> None:
        if not self.value.strip() or any(ord(c) < 33 or ord(c) > 126 for c in self.value.strip()):
            raise ConfigError("the access token is empty or holds characters that no token has")

    async def token(self) -> str:
        return self.value.strip()


@dataclass(frozen=True, slots=True)
class EmulatorCredential:
    """What the emulator takes: any token will do."""

    async def token(self) -> str:
        return "emulator"
