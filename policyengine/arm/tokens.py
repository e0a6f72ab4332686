"""A token and its times, out of what a token endpoint answers. Pure.

Source: RFC 6749 §5.1; Microsoft identity platform, client credentials flow; managed identities, token response.
"""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from policyengine.model.values import JSON

EARLY_S: Final = 300.0
"""How long before its end a token is renewed when the issuer does not say; half its life if that is shorter."""

_CLAIMS: Final = re.compile(r'claims="([^"]+)"', re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Token:
    """Instants are seconds since 1970; from ``refresh_at`` on the next one should be fetched."""

    value: str = field(repr=False)
    expires_at: float
    refresh_at: float


def read_token(body: JSON, *, now: float) -> Token | None:
    """The token of a token endpoint's answer; None when it holds none.

    Lives are given in seconds (``expires_in``) or as an instant (``expires_on``), as a number or as text.
    """
    answer = body if isinstance(body, Mapping) else {}
    value = answer.get("access_token")
    if not isinstance(value, str) or not is_token(value):
        return None
    life = _number(answer.get("expires_in"))
    expires_on = _number(answer.get("expires_on"))
    expires_at = now + life if life is not None else expires_on if expires_on is not None else now + EARLY_S
    return token_until(value, expires_at, now=now, refresh_in=_number(answer.get("refresh_in")))


def token_until(value: str, expires_at: float, *, now: float, refresh_in: float | None = None) -> Token:
    """A token with its end; it is renewed at the issuer's ``refresh_in``, or else a little before its end."""
    life = max(0.0, expires_at - now)
    refresh_at = expires_at - min(EARLY_S, life / 2)
    if refresh_in is not None:
        refresh_at = min(refresh_at, now + refresh_in)
    return Token(value, expires_at, refresh_at)


def is_token(value: str) -> bool:
    """True for what can stand in a header."""
    return bool(value) and all(33 <= ord(c) <= 126 for c in value)


def claims_in(challenge: str) -> str:
    """The claims that a ``WWW-Authenticate`` header demands, as JSON text; "" when it demands none.

    Source: Microsoft identity platform, claims challenges.
    """
    found = _CLAIMS.search(challenge)
    if found is None:
        return ""
    text = found[1] + "=" * (-len(found[1]) % 4)
    try:
        return b64decode(text, altchars=b"-_" if set(text) & set("-_") else None, validate=True).decode()
    except ValueError:
        return ""


def _number(value: JSON) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return float(value)
    except ValueError:
        return None
