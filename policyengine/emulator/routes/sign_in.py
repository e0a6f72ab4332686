"""Where credential libraries sign in: OpenID configuration, tokens for clients and managed identities, cloud metadata.

Any client may sign in, with any secret or assertion, unless a principal was introduced with that client id and a
secret of its own. Source: configuration API §7; Microsoft identity platform, "OAuth 2.0 client credentials flow".
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from urllib.parse import parse_qsl

from policyengine.emulator.access import claims_of
from policyengine.emulator.answers import Answer
from policyengine.emulator.clock import stamp
from policyengine.emulator.emulator import Emulator
from policyengine.emulator.routes.subscriptions import tenant_of
from policyengine.emulator.tokens import LIFETIME, access_token, object_id_of
from policyengine.model.values import JSON

AUDIENCES: Final = ("https://management.core.windows.net/", "https://management.azure.com/")
JWT_BEARER: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_GRANT: Final = "client_credentials"
_SYSTEM_ASSIGNED: Final = "system-assigned"
_SINGLE_METADATA_SINCE: Final = "2022-01-01"
"""Before it, `metadata/endpoints` answered a list; the first version, of 2015, one object again."""


@dataclass(frozen=True, slots=True)
class SignInRequest:
    """``tenant`` is a GUID, whatever the path said; ``base_url`` the scheme and host the client called."""

    tenant: str
    base_url: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    form: Mapping[str, str]


SignInHandler = Callable[[Emulator, SignInRequest], Answer]


class _Denied(Exception):
    """``number`` is that of the token service's own messages."""

    def __init__(self, status: int, error: str, number: int, message: str) -> None:
        super().__init__(message)
        self.status, self.error, self.number, self.message = status, error, number, message


def answer_sign_in(
    emulator: Emulator,
    method: str,
    parts: list[str],
    query: Mapping[str, str],
    headers: Mapping[str, str],
    content: bytes,
    base_url: str,
) -> Answer | None:
    """None for a path that has nothing to do with signing in; ``query`` and ``headers`` have folded names."""
    handler = _find(method, [part.casefold() for part in parts])
    if handler is None:
        return None
    form = dict(parse_qsl(content.decode(errors="replace"))) if method == "POST" else {}
    request = SignInRequest(_tenant(emulator, parts[0]), base_url, query, headers, form)
    try:
        return handler(emulator, request)
    except _Denied as denied:
        return _denial(denied, emulator)


def _find(method: str, parts: list[str]) -> SignInHandler | None:
    match method, parts:
        case "GET", [_, ".well-known", "openid-configuration"] | [_, "v2.0", ".well-known", "openid-configuration"]:
            return _openid_configuration
        case "GET", [_, "discovery", "instance"]:
            return _instance
        case "GET", [_, "discovery", "keys"] | [_, "discovery", "v2.0", "keys"]:
            return _keys
        case "POST", [_, "oauth2", "token"] | [_, "oauth2", "v2.0", "token"]:
            return _token
        case "GET", ["metadata", "endpoints"]:
            return _endpoints
        case "GET", ["metadata", "identity", "oauth2", "token"]:
            return _managed_identity
    return None


def _openid_configuration(emulator: Emulator, request: SignInRequest) -> Answer:  # noqa: ARG001
    authority = f"{request.base_url}/{request.tenant}"
    return Answer(
        200,
        {
            "issuer": f"{authority}/v2.0",
            "authorization_endpoint": f"{authority}/oauth2/v2.0/authorize",
            "token_endpoint": f"{authority}/oauth2/v2.0/token",
            "jwks_uri": f"{authority}/discovery/v2.0/keys",
            "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt"],
            "response_types_supported": ["code", "id_token", "token"],
            "response_modes_supported": ["query", "fragment", "form_post"],
            "subject_types_supported": ["pairwise"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "scopes_supported": ["openid", "profile", "offline_access"],
            "cloud_instance_name": request.base_url.partition("://")[2],
            "tenant_region_scope": "EU",
        },
    )


def _instance(emulator: Emulator, request: SignInRequest) -> Answer:  # noqa: ARG001
    host = request.base_url.partition("://")[2]
    return Answer(
        200,
        {
            "tenant_discovery_endpoint": f"{request.base_url}/{request.tenant}/v2.0/.well-known/openid-configuration",
            "api-version": "1.1",
            "metadata": [{"preferred_network": host, "preferred_cache": host, "aliases": [host]}],
        },
    )


def _keys(emulator: Emulator, request: SignInRequest) -> Answer:  # noqa: ARG001
    return Answer(200, {"keys": []})


def _token(emulator: Emulator, request: SignInRequest) -> Answer:
    form, at = request.form, emulator.clock.wall_now()
    if form.get("grant_type") != _GRANT:
        message = f"The app requested an unsupported grant type '{form.get('grant_type', '')}': use '{_GRANT}'."
        raise _Denied(400, "unsupported_grant_type", 70003, message)
    client = _client(emulator, form, at)
    scope = form.get("scope") or form.get("resource") or AUDIENCES[1]
    audience = scope.removesuffix("/.default")
    token = access_token(
        tenant=request.tenant,
        client=client,
        object_id=_object_id(emulator, request.tenant, client),
        audience=audience,
        issuer=f"{request.base_url}/{request.tenant}/",
        at=at,
    )
    seconds = int(LIFETIME.total_seconds())
    told = {"token_type": "Bearer", "expires_in": seconds, "ext_expires_in": seconds, "access_token": token}
    return Answer(200, told, {"Cache-Control": "no-store"})


def _client(emulator: Emulator, form: Mapping[str, str], at: datetime) -> str:
    """The client that proved itself. Raises _Denied."""
    client, secret, assertion = (form.get(name, "") for name in ("client_id", "client_secret", "client_assertion"))
    if not client:
        message = "The request body must contain the following parameter: 'client_id'."
        raise _Denied(400, "invalid_request", 900144, message)
    if not secret and not assertion:
        message = "The request body must contain the following parameter: 'client_assertion' or 'client_secret'."
        raise _Denied(401, "invalid_client", 7000218, message)
    if assertion:
        _check_assertion(form.get("client_assertion_type", ""), assertion, at)
    elif not emulator.principals.accepts_secret(client, secret):
        raise _Denied(401, "invalid_client", 7000215, f"Invalid client secret provided for app '{client}'.")
    return client


def _check_assertion(type: str, assertion: str, at: datetime) -> None:
    """Its signature is not looked at, its shape and its time are. Raises _Denied."""
    if type != JWT_BEARER:
        raise _Denied(400, "invalid_request", 90014, f"The client assertion type '{type}' is not '{JWT_BEARER}'.")
    claims = claims_of(assertion)
    if not claims:
        raise _Denied(401, "invalid_client", 50027, "JWT token is invalid or malformed.")
    expires = claims.get("exp")
    if isinstance(expires, int | float) and expires <= at.timestamp():
        message = "Client assertion is not within its valid time range."
        raise _Denied(401, "invalid_client", 700024, message)


def _managed_identity(emulator: Emulator, request: SignInRequest) -> Answer:
    """As the instance metadata service of a machine tells it."""
    if request.headers.get("metadata", "").casefold() != "true":
        message = "Required metadata header not specified"
        return Answer(400, {"error": "invalid_request", "error_description": message})
    at, tenant = emulator.clock.wall_now(), tenant_of(emulator)
    named = ("client_id", "object_id", "msi_res_id", "mi_res_id")
    client = next((request.query[name] for name in named if request.query.get(name)), _SYSTEM_ASSIGNED)
    resource = request.query.get("resource") or AUDIENCES[1]
    object_id = request.query.get("object_id") or _object_id(emulator, tenant, client)
    issuer = f"{request.base_url}/{tenant}/"
    token = access_token(tenant=tenant, client=client, object_id=object_id, audience=resource, issuer=issuer, at=at)
    now, seconds = int(at.timestamp()), int(LIFETIME.total_seconds())
    told = {
        "access_token": token,
        "client_id": client,
        "expires_in": str(seconds),
        "expires_on": str(now + seconds),
        "not_before": str(now),
        "resource": resource,
        "token_type": "Bearer",
    }
    return Answer(200, told)


def _endpoints(emulator: Emulator, request: SignInRequest) -> Answer:
    """What tools ask a cloud they do not know. Source: Azure Resource Manager, "metadata endpoints"."""
    base, version = request.base_url, request.query.get("api-version", "")
    cloud: dict[str, JSON] = {
        "name": "PolicyEngineEmulator",
        "portal": base,
        "authentication": {
            "loginEndpoint": base,
            "audiences": list(AUDIENCES),
            "tenant": tenant_of(emulator),
            "identityProvider": "AAD",
        },
        "resourceManager": f"{base}/",
        "graph": f"{base}/",
        "graphAudience": f"{base}/",
        "graphEndpoint": f"{base}/",
        "microsoftGraphResourceId": f"{base}/",
        "galleryEndpoint": f"{base}/",
        "portalEndpoint": base,
        "suffixes": {
            "acrLoginServer": "azurecr.io",
            "keyVaultDns": "vault.azure.net",
            "storage": "core.windows.net",
            "sqlServerHostname": "database.windows.net",
        },
    }
    return Answer(200, [cloud] if "2016" < version < _SINGLE_METADATA_SINCE else cloud)


def _object_id(emulator: Emulator, tenant: str, client: str) -> str:
    return emulator.principals.object_id_of(client) or object_id_of(tenant, client)


def _tenant(emulator: Emulator, written: str) -> str:
    """The tenant of a path: a GUID as it is; a domain, `common` and the like mean the fleet's."""
    try:
        return str(uuid.UUID(written))
    except ValueError:
        return tenant_of(emulator)


def _denial(denied: _Denied, emulator: Emulator) -> Answer:
    trace = emulator.identifiers.guid()
    told = {
        "error": denied.error,
        "error_description": f"AADSTS{denied.number}: {denied.message} Trace ID: {trace}",
        "error_codes": [denied.number],
        "timestamp": stamp(emulator.clock.wall_now()),
        "trace_id": trace,
        "correlation_id": trace,
    }
    return Answer(denied.status, told)
