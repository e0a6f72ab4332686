"""Access tokens as the token service shapes them: JWTs whose claims can be read, signed with a key nobody checks.

Times are wall-clock time, for clients live there. Source: Microsoft identity platform, "Access tokens".
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from policyengine.model.values import JSON

LIFETIME: Final = timedelta(hours=1)
_HEADER: Final = {"typ": "JWT", "alg": "HS256", "kid": "policyengine-emulator"}
_KEY: Final = b"policyengine-emulator"


def access_token(
    *, tenant: str, client: str, object_id: str, audience: str, issuer: str, at: datetime, identity: str = "app"
) -> str:
    """A token that is good from ``at`` on for ``LIFETIME``."""
    now = int(at.timestamp())
    claims: dict[str, JSON] = {
        "aud": audience,
        "iss": issuer,
        "iat": now,
        "nbf": now,
        "exp": now + int(LIFETIME.total_seconds()),
        "appid": client,
        "idtyp": identity,
        "oid": object_id,
        "sub": object_id,
        "tid": tenant,
        "ver": "1.0",
    }
    body = f"{_encoded(_HEADER)}.{_encoded(claims)}"
    return f"{body}.{_text(hmac.digest(_KEY, body.encode(), hashlib.sha256))}"


def object_id_of(tenant: str, client: str) -> str:
    """The object id of a client nobody introduced: always the same one."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{tenant}/{client}".casefold()))


def _encoded(value: Mapping[str, JSON]) -> str:
    return _text(json.dumps(value, separators=(",", ":")).encode())


def _text(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
