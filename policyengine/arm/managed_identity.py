"""Signing in as the machine this runs on: Azure VMs and AKS (IMDS), App Service and its kin, Arc-enabled servers.

Which one it is, the environment says. None of them is asked through a proxy.
INVARIANT: the key that Arc points to is read only from its own folder, whatever the answer says.
Source: managed identities, "How to use a managed identity to acquire a token"; Azure Arc, "Authenticate against
Azure resources with Azure Arc-enabled servers".
"""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlencode

import httpx

from policyengine.arm.answer import Answer
from policyengine.arm.sign_in import Ask, Machine, answer_to, refused, token_of
from policyengine.arm.tokens import Token
from policyengine.errors import ArmNotAuthorized, ArmTransportError

IMDS: Final = "http://169.254.169.254"
ARC_KEYS: Final = Path("/var/opt/azcmagent/tokens")

_WHO: Final = "the managed identity of this machine"
_REALM: Final = re.compile(r'Basic realm="?([^"\s]+)"?', re.IGNORECASE)
_LARGEST_KEY: Final = 4096
_TIMEOUT: Final = httpx.Timeout(30.0, connect=2.0)
_IMDS_SILENT: Final = 2  # where there is no IMDS, nobody ever answers


@dataclass(frozen=True, slots=True)
class ManagedIdentity:
    """The identity behind the endpoint that ``environ`` names, or behind IMDS when it names none.

    ``client`` picks one of several user-assigned identities; "" is the machine's own.
    """

    audience: str
    environ: Mapping[str, str] = field(repr=False)
    client: str = ""
    machine: Machine = field(default_factory=Machine, repr=False)
    arc_keys: Path = ARC_KEYS

    async def fetch(self, claims: str) -> Token:  # noqa: ARG002  no such endpoint takes claims
        # All of them speak plain http on this machine: a context that trusts nobody will do.
        nobody = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        async with httpx.AsyncClient(trust_env=False, verify=nobody, timeout=_TIMEOUT) as http:
            if not self.environ.get("IDENTITY_ENDPOINT"):
                return await self._from_imds(http)
            if self.environ.get("IDENTITY_HEADER"):
                return await self._from_app_service(http)
            return await self._from_arc(http)

    async def _from_imds(self, http: httpx.AsyncClient) -> Token:
        host = self.environ.get("AZURE_POD_IDENTITY_AUTHORITY_HOST", IMDS).rstrip("/")
        ask = self._ask(f"{host}/metadata/identity/oauth2/token", "2018-02-01", {"Metadata": "true"})
        try:
            answer = await answer_to(ask, http, self.machine, silences=_IMDS_SILENT)
        except ArmTransportError as error:
            raise _nothing_there(ask) from error
        return token_of(ask, answer, self.machine)

    async def _from_app_service(self, http: httpx.AsyncClient) -> Token:
        headers = {"X-IDENTITY-HEADER": self.environ["IDENTITY_HEADER"]}
        ask = self._ask(self.environ["IDENTITY_ENDPOINT"], "2019-08-01", headers)
        return token_of(ask, await answer_to(ask, http, self.machine), self.machine)

    async def _from_arc(self, http: httpx.AsyncClient) -> Token:
        """Arc answers the first request with the path of a file that only its members can read."""
        url, headers = self.environ["IDENTITY_ENDPOINT"], {"Metadata": "true"}
        first = self._ask(url, "2020-06-01", headers)
        answer = await answer_to(first, http, self.machine)
        if answer.status != 401:
            return token_of(first, answer, self.machine)
        key = await asyncio.to_thread(self._arc_key, first, answer)
        ask = self._ask(url, "2020-06-01", {**headers, "Authorization": f"Basic {key}"})
        return token_of(ask, await answer_to(ask, http, self.machine), self.machine)

    def _arc_key(self, ask: Ask, answer: Answer) -> str:
        found = _REALM.search(answer.headers.get("www-authenticate", ""))
        if found is None:
            raise refused(ask, "the Arc agent names no key file", status=401)
        path = Path(found[1])
        try:
            if path.suffix != ".key" or path.resolve().parent != self.arc_keys.resolve():
                raise refused(ask, f"the Arc agent points to `{path}`, outside `{self.arc_keys}`", status=401)
            if path.stat().st_size > _LARGEST_KEY:
                raise refused(ask, f"the key file `{path}` is too large to be one", status=401)
            return path.read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is no text"
            help = "the user this runs as must be a member of the group `himds`"
            raise refused(ask, f"the key file `{path}` cannot be read: {why}", status=401, help=help) from error

    def _ask(self, url: str, version: str, headers: Mapping[str, str]) -> Ask:
        query = {"api-version": version, "resource": self.audience}
        if self.client:
            query["client_id"] = self.client
        return Ask(_WHO, f"{url}{'&' if '?' in url else '?'}{urlencode(query)}", headers)


def _nothing_there(ask: Ask) -> ArmNotAuthorized:
    help = (
        "set POLICYENGINE_TOKEN, for example to what `az account get-access-token --query accessToken -o tsv` prints, "
        "or AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET; see docs/azure.md"
    )
    return refused(ask, "this machine has none", status=401, help=help)
