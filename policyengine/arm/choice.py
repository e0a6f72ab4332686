"""Which credential is used: the one that is named, or the first whose means are at hand.

Reads the environment it is given; asks nobody.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from policyengine.arm import azure_identity
from policyengine.arm.azure_identity import AzureIdentity
from policyengine.arm.credentials import Credential, EmulatorCredential, RenewedCredential, StaticToken, TokenSource
from policyengine.arm.identities import Application, ClientSecret, WorkloadIdentity
from policyengine.arm.links import Endpoint
from policyengine.arm.managed_identity import ManagedIdentity
from policyengine.errors import ArmNotAuthorized, ConfigError
from policyengine.model.diagnostic import did_you_mean

_ADDRESS: Final = re.compile(r"https?://[^/\s]")
_TENANT: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]*")
TOKEN_VARIABLE: Final = "POLICYENGINE_TOKEN"
_SECRET: Final = ("AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET")
_WORKLOAD: Final = ("AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_FEDERATED_TOKEN_FILE")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a choice is made from. ``authority`` issues the tokens, ``audience`` is whom they are for."""

    authority: str
    audience: str
    environ: Mapping[str, str] = field(repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "authority", Endpoint(self.authority).text)
        object.__setattr__(self, "audience", self.audience.rstrip("/"))

    def has(self, *names: str) -> bool:
        return all(self.environ.get(name) for name in names)

    def demand(self, kind: str, names: tuple[str, ...]) -> None:
        """Raises ConfigError unless all the variables are set."""
        missing = [name for name in names if not self.environ.get(name)]
        if missing:
            raise ConfigError(
                f"`arm.credential: {kind}` needs {', '.join(missing)} in the environment",
                help="see docs/azure.md for what each credential reads",
            )

    @property
    def application(self) -> Application:
        """Raises ConfigError for a tenant that is none: it becomes a part of the address."""
        tenant = self.environ["AZURE_TENANT_ID"].strip()
        if not _TENANT.fullmatch(tenant):
            raise ConfigError(f"AZURE_TENANT_ID is no tenant: `{tenant}`", help="it is a GUID or a domain's name")
        return Application(self.authority, tenant, self.environ["AZURE_CLIENT_ID"], self.audience)

    def demand_address(self, name: str) -> None:
        """Raises ConfigError for a variable that is set and holds no address."""
        text = self.environ.get(name, "")
        if text and not _ADDRESS.match(text):
            help = "the platform sets it: unset it where there is none"
            raise ConfigError(f"{name} is no address: `{text}`", help=help)


def choose(kind: str, around: Surroundings) -> Credential:
    """Raises ConfigError for an unknown kind or missing means, ArmNotAuthorized when there is no token to use."""
    make = CREDENTIALS.get(kind)
    if make is None:
        known = ", ".join(f"`{name}`" for name in CREDENTIALS)
        help = did_you_mean(kind, CREDENTIALS) or f"use one of {known}"
        raise ConfigError(f"`arm.credential` is `{kind}`, which nobody knows", help=help)
    made = make(around)
    return made if isinstance(made, StaticToken | EmulatorCredential) else RenewedCredential(made)


def _auto(around: Surroundings) -> StaticToken | TokenSource:
    """In the order of the documentation; without any hint, the machine's own identity."""
    if around.has(TOKEN_VARIABLE):
        return _token(around)
    if around.has(*_SECRET):
        return _client_secret(around)
    if around.has(*_WORKLOAD):
        return _workload_identity(around)
    if not around.has("IDENTITY_ENDPOINT") and azure_identity.is_installed():
        return _azure_identity(around)
    return _managed_identity(around)


def _token(around: Surroundings) -> StaticToken:
    if not around.has(TOKEN_VARIABLE):
        raise ArmNotAuthorized(
            f"there is no token to sign in with: {TOKEN_VARIABLE} is not set",
            method="GET",
            url=around.audience,
            help=f"for example: export {TOKEN_VARIABLE}=$(az account get-access-token --query accessToken -o tsv)",
        )
    return StaticToken(around.environ[TOKEN_VARIABLE])


def _client_secret(around: Surroundings) -> TokenSource:
    around.demand("client-secret", _SECRET)
    return ClientSecret(around.application, around.environ["AZURE_CLIENT_SECRET"])


def _workload_identity(around: Surroundings) -> TokenSource:
    around.demand("workload-identity", _WORKLOAD)
    return WorkloadIdentity(around.application, Path(around.environ["AZURE_FEDERATED_TOKEN_FILE"]))


def _managed_identity(around: Surroundings) -> TokenSource:
    for name in ("IDENTITY_ENDPOINT", "AZURE_POD_IDENTITY_AUTHORITY_HOST"):
        around.demand_address(name)
    return ManagedIdentity(around.audience, around.environ, around.environ.get("AZURE_CLIENT_ID", ""))


def _azure_identity(around: Surroundings) -> TokenSource:
    return AzureIdentity(around.authority, around.audience)


def _emulator(_around: Surroundings) -> EmulatorCredential:
    return EmulatorCredential()


CREDENTIALS: Final[Mapping[str, Callable[[Surroundings], StaticToken | EmulatorCredential | TokenSource]]] = {
    "auto": _auto,
    "token": _token,
    "client-secret": _client_secret,
    "workload-identity": _workload_identity,
    "azure-identity": _azure_identity,
    "managed-identity": _managed_identity,
    "emulator": _emulator,
}
"""What `arm.credential` may say."""
