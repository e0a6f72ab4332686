"""Connections: the httpx API over aiohttp, made safe for writes. The door for aiohttp and httpx-aiohttp.

aiohttp sends an idempotent request (PUT among them) again by itself when the connection drops before the
answer, and httpx-aiohttp then reports such a drop as a failure to connect. Both would hide whether a write
went out, so a middleware turns every loss after connecting into an error that is never retried and that
arrives as ``httpx.ReadError``.
Source: aiohttp `ClientSession._request`; RFC 9110 §9.2.2.
"""

from __future__ import annotations

import ssl
from typing import Final
from urllib.request import getproxies, proxy_bypass

import aiohttp
from httpx_aiohttp import AiohttpTransport

from policyengine.arm.links import Endpoint
from policyengine.errors import ConfigError

_CONNECTIONS: Final = 100
# Shorter than any server's keep-alive: a PUT on a connection the server is just closing would be in doubt.
_KEEP_ALIVE_S: Final = 3.0


class Transport(AiohttpTransport):
    """Opens its session on the first request, inside the running event loop.

    A proxy from the environment is used, except towards this machine. Raises ConfigError when SSL_CERT_FILE or
    SSL_CERT_DIR name no certificates.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self._proxy = _proxy_towards(endpoint)
        # Reading the certificates takes longer than a request; without TLS, a context that trusts nobody will do.
        try:
            super().__init__(verify=True if endpoint.is_encrypted else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
        except OSError as error:
            raise ConfigError(
                f"the certificates to trust cannot be read: {error.strerror or error}",
                help="SSL_CERT_FILE names a file of them in PEM, SSL_CERT_DIR a folder",
            ) from error

    def get_client(self) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(limit=_CONNECTIONS, keepalive_timeout=_KEEP_ALIVE_S, ssl=self.ssl_context)
        return aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            middlewares=(_never_resend,),
            proxy=self._proxy,
        )


def _proxy_towards(endpoint: Endpoint) -> str | None:
    """The proxy of this machine's settings. Not aiohttp's own look-up: that reads passwords from ``~/.netrc`` too."""
    if endpoint.is_local or proxy_bypass(endpoint.host):
        return None
    return getproxies().get("https")


async def _never_resend(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    try:
        return await handler(request)
    except (aiohttp.ClientConnectorError, aiohttp.ClientHttpProxyError, aiohttp.ServerTimeoutError):
        raise
    except (aiohttp.ClientError, OSError) as lost:
        raise aiohttp.ClientPayloadError(str(lost) or "the connection was lost") from lost
