"""Who asks, and what they may do: bearer tokens, the principals behind them, and their roles.

Any non-empty token is somebody who may do everything. Only a token that was introduced with roles, or whose object id
was, is held to them; role assignments written through the API count as well. Signatures are not looked at.
Source: configuration API, "Errors" (401, 403) and "Authentication, ids of requests".
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from policyengine.emulator.answers import Refusal
from policyengine.emulator.resource_store import ResourceStore
from policyengine.emulator.roles import ROLE_HELP, Grant, read_grant, stored_grant
from policyengine.errors import ConfigError
from policyengine.model.ids import ResourceId
from policyengine.model.values import JSON, is_array, walk

ANONYMOUS: Final = "anonymous"
ROLE_ASSIGNMENTS: Final = "Microsoft.Authorization/roleAssignments"


@dataclass(frozen=True, slots=True)
class Principal:
    """``grants`` is None for somebody who may do everything."""

    object_id: str
    name: str
    grants: tuple[Grant, ...] | None = None


class Principals:
    """The principals that were introduced, by the hash of their token, by object id and by client id.

    Neither tokens nor secrets are kept.
    """

    def __init__(self) -> None:
        self._by_token: dict[str, Principal] = {}
        self._by_object_id: dict[str, Principal] = {}
        self._by_client: dict[str, tuple[Principal, str | None]] = {}

    def add(self, value: Mapping[str, JSON]) -> Principal:
        """`{"token", "objectId", "name", "roles": [{"role", "scope"}]}`; without `roles` everything is allowed.

        `clientId` and `clientSecret` are what it signs in with; without a secret, any will do.

        Raises ConfigError for a role nobody knows or a principal without an `objectId`.
        """
        object_id = str(value.get("objectId") or "")
        if not object_id:
            raise ConfigError("a principal needs an `objectId`", help="any text will do")
        roles = value.get("roles")
        if roles is not None and not is_array(roles):
            raise ConfigError("`roles` of a principal is no list", help=ROLE_HELP)
        grants = None if roles is None else tuple(read_grant(role) for role in roles)
        principal = Principal(object_id, str(value.get("name") or object_id), grants)
        if value.get("token"):
            self._by_token[_hash(str(value["token"]))] = principal
        self._by_object_id[object_id.casefold()] = principal
        if value.get("clientId"):
            secret = value.get("clientSecret")
            self._by_client[str(value["clientId"]).casefold()] = principal, _hash(str(secret)) if secret else None
        return principal

    def object_id_of(self, client_id: str) -> str | None:
        """None for a client nobody introduced."""
        known = self._by_client.get(client_id.casefold())
        return known[0].object_id if known is not None else None

    def accepts_secret(self, client_id: str, secret: str) -> bool:
        """False for the wrong secret of a client that has one."""
        _, wanted = self._by_client.get(client_id.casefold(), (None, None))
        return wanted is None or wanted == _hash(secret)

    def all(self) -> tuple[Principal, ...]:
        return tuple(self._by_object_id.values())

    def identify(self, authorization: str | None) -> Principal:
        """The one behind a bearer token, not asking whether it is good."""
        token = _token(authorization)
        known = self._by_token.get(_hash(token)) if token else None
        if known is not None:
            return known
        oid = claims_of(token).get("oid") if token else None
        object_id = str(oid) if oid else f"token-{_hash(token)[:8]}" if token else ANONYMOUS
        return self._by_object_id.get(object_id.casefold()) or Principal(object_id, object_id)


@dataclass(frozen=True, slots=True)
class Caller:
    """A principal together with the roles assigned through the API."""

    principal: Principal
    store: ResourceStore

    @property
    def id(self) -> str:
        return self.principal.object_id

    @property
    def may_do_everything(self) -> bool:
        return self.principal.grants is None

    def as_of_now(self) -> Caller:
        """With the roles held at present, for who asks about many scopes: they are not looked up for each."""
        if self.may_do_everything:
            return self
        return Caller(replace(self.principal, grants=tuple(self._grants())), ResourceStore())

    def may(self, action: str, scope: ResourceId) -> bool:
        return self.may_do_everything or any(
            grant.role.allows(action) and grant.scope.contains(scope) for grant in self._grants()
        )

    def sees(self, container: ResourceId) -> bool:
        """Whether anything at, below or around ``container`` may be read: then it is listed."""
        return self.may_do_everything or any(
            grant.scope.contains(container) or container.contains(grant.scope) for grant in self._grants()
        )

    def demand(self, action: str, scope: ResourceId) -> None:
        """Raises Refusal 403."""
        if not self.may(action, scope):
            raise Refusal(
                403,
                "AuthorizationFailed",
                f"The client '{self.principal.name}' with object id '{self.id}' does not have authorization to perform "
                f"action '{action}' over scope '{scope}' or the scope is invalid. If access was recently granted, "
                "please refresh your credentials.",
            )

    def _grants(self) -> Iterable[Grant]:
        yield from self.principal.grants or ()
        for document in self.store.of_type(ROLE_ASSIGNMENTS):
            granted = stored_grant(document)
            if (
                granted is not None
                and str(walk(document, "properties", "principalId")).casefold() == self.id.casefold()
            ):
                yield granted


def check_token(authorization: str | None, wall: datetime) -> None:
    """Raises Refusal 401 for a missing, a malformed or an expired token."""
    if not authorization:
        raise _unauthorized("AuthenticationFailed", "Authentication failed. The 'Authorization' header is missing.")
    scheme, _, _ = authorization.partition(" ")
    token = _token(authorization)
    if scheme.casefold() != "bearer" or not token:
        raise _unauthorized("InvalidAuthenticationToken", "The access token is missing or invalid.")
    expires = claims_of(token).get("exp")
    if isinstance(expires, int | float) and not isinstance(expires, bool) and expires <= wall.timestamp():
        at = f"{datetime.fromtimestamp(expires, UTC):%m/%d/%Y %H:%M:%S}"
        raise _unauthorized(
            "ExpiredAuthenticationToken", f"The access token expiry UTC time '{at}' is earlier than now."
        )


def action_of(method: str, parts: list[str]) -> tuple[str, ResourceId] | None:
    """The action a request is, and over which scope; None for what no role is asked for."""
    folded = [part.casefold() for part in parts]
    if len(parts) < 2 or folded[0] != "subscriptions":
        return None
    if "providers" not in folded:
        return _container_action(method, parts)
    at = len(folded) - 1 - folded[::-1].index("providers")
    own = parts[at + 1 :]
    if len(own) < 2:
        return "Microsoft.Resources/subscriptions/providers/read", _scope(parts[:at])
    if len(own) == 2 and method == "POST":
        return f"{own[0]}/{own[1]}/action", _scope(parts[:at])
    types = own[1::2]
    if len(own) % 2:
        return f"{own[0]}/{'/'.join(types)}/{_verb(method)}", _scope(parts)
    above = parts[:at] if len(own) == 2 else parts[:-1]
    verb = f"{types[-1]}/action" if method == "POST" else f"{types[-1]}/{_verb(method)}"
    return "/".join((own[0], *types[:-1], verb)), _scope(above)


def _container_action(method: str, parts: list[str]) -> tuple[str, ResourceId]:
    even = parts if len(parts) % 2 == 0 else parts[:-1]
    return f"Microsoft.Resources/{'/'.join(parts[::2])}/{_verb(method)}", _scope(even)


def _verb(method: str) -> str:
    return {"GET": "read", "HEAD": "read", "DELETE": "delete", "POST": "action"}.get(method, "write")


def _scope(parts: list[str]) -> ResourceId:
    return ResourceId("/" + "/".join(parts))


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()


def _token(authorization: str | None) -> str:
    return (authorization or "").partition(" ")[2].strip()


def claims_of(token: str) -> Mapping[str, JSON]:
    """What a JWT says; nothing for any other token."""
    try:
        payload = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (IndexError, ValueError, binascii.Error, RecursionError):
        return {}
    return claims if isinstance(claims, Mapping) else {}


def _unauthorized(code: str, message: str) -> Refusal:
    challenge = (
        'Bearer authorization_uri="https://login.microsoftonline.com/common", '
        f'error="invalid_token", error_description="{message}"'
    )
    return Refusal(401, code, message, headers={"WWW-Authenticate": challenge})
