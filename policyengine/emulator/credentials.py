"""What the authentication secret of a configuration holds, in Flux's words. Knows keys, never values (G19)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from policyengine.emulator.flux_rules import is_ssh, source_of
from policyengine.model.values import JSON

_SSH: Final = ("identity", "identity.pub", "known_hosts")
_FLUX_KEYS: Final[Mapping[str, str]] = {
    "httpskey": "password",
    "bucketsecretkey": "secretkey",
    "clientcertificate": "clientCertificate",
    "privatekey": "tls.key",
    "cacertificate": "ca.crt",
}
"""Azure's protected keys, folded, whose name in the secret is another; all others keep theirs."""
_PUBLIC_KEYS: Final[Mapping[str, str]] = {
    "httpsUser": "username",
    "httpsCACert": "ca.crt",
    "accessKey": "accesskey",
}
"""Settings that are no secrets, but stand in the secret beside one."""


def secret_keys(spec: Mapping[str, JSON], protected: Iterable[str]) -> tuple[str, ...]:
    """Keys of the secret that a configuration with these protected settings needs; none means no secret."""
    _, source = source_of(spec)
    if source.get("localAuthRef"):
        return ()
    if is_ssh(str(source["url"])):
        return _SSH
    keys = [_FLUX_KEYS.get(key.casefold(), key) for key in protected]
    keys += [key for name, key in _PUBLIC_KEYS.items() if source.get(name)]
    identity = source.get("servicePrincipal") or source.get("managedIdentity") or {}
    keys += [name for name in ("clientId", "tenantId") if identity.get(name)]
    return tuple(dict.fromkeys(keys))


def signs_in_by_identity(spec: Mapping[str, JSON]) -> bool:
    """True for a source that needs no secret, since the cluster's own identity may read it."""
    _, source = source_of(spec)
    named = source.get("managedIdentity") or source.get("useWorkloadIdentity")
    return bool(named) or str(source.get("provider", "")).casefold() == "azure"
