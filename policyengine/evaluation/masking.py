"""Keeps secrets out of everything people read. Evaluation sees the real values; traces and reasons do not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from policyengine.model.values import JSON, is_array

MASK: Final = "••••"

SECRET_MEMBERS: Final = frozenset(
    {
        "accountkey",
        "cacertificate",
        "clientcertificate",
        "clientcertificatepassword",
        "clientsecret",
        "configurationprotectedsettings",
        "privatekey",
        "sastoken",
    }
)
"""Folded names of members that hold secrets, whatever is in them. Source: configuration API, starred properties."""


def mask(value: JSON) -> JSON:
    """``value`` with the content of every secret member replaced; null stays null, so that absence still shows."""
    if isinstance(value, Mapping):
        return {key: _masked(key, member) for key, member in value.items()}
    if is_array(value):
        return [mask(item) for item in value]
    return value


def names_secret(text: str) -> bool:
    """True when a field name or an expression speaks of a secret member."""
    folded = text.casefold()
    return any(member in folded for member in SECRET_MEMBERS)


def _masked(key: str, member: JSON) -> JSON:
    if key.casefold() not in SECRET_MEMBERS:
        return mask(member)
    if isinstance(member, Mapping):
        return {name: None if value is None else MASK for name, value in member.items()}
    return None if member is None else MASK
