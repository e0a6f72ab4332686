"""Keeps secrets out of everything people read. Evaluation sees the real values; traces and reasons do not."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
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


_NEEDLES: Final = tuple(f'"{name}"'.encode() for name in sorted(SECRET_MEMBERS))
_LEAVES: Final = frozenset({str, int, float, bool, type(None)})
_EMPTY: Final = re.compile(rb"\s*:\s*(?:null\b|\"\"|\{\s*\}|\[\s*\])")


def mask(value: JSON) -> JSON:
    """``value`` with the content of every secret member replaced; null stays null, so that absence still shows."""
    if isinstance(value, Mapping):
        return {key: _masked(key, member) for key, member in value.items()}
    if is_array(value):
        return [mask(item) for item in value]
    return value


MIN_REDACTED: Final = 4
"""Shorter texts stand in too many words by chance to be looked for inside other texts."""


def secrets_in(*documents: JSON) -> frozenset[str]:
    """Every text that stands under a secret member of ``documents``, also as JSON text would spell it."""
    found = {text for document in documents for text in _secret_texts(document)}
    return frozenset(found | {json.dumps(text, ensure_ascii=False)[1:-1] for text in found})


def may_hold_secrets(*texts: str | bytes) -> bool:
    """False only for JSON texts in which `secrets_in` finds nothing."""
    return any(map(_is_filled, texts))


def _is_filled(text: str | bytes) -> bool:
    lowered = (text if isinstance(text, bytes) else text.encode(errors="surrogatepass")).lower()
    for needle in _NEEDLES:
        at = lowered.find(needle)
        while at >= 0:
            at += len(needle)
            if _EMPTY.match(lowered, at) is None:
                return True
            at = lowered.find(needle, at)
    return False


def redact(value: JSON, secrets: frozenset[str]) -> JSON:
    """``value`` with every secret in its texts replaced, wherever an expression carried it."""
    if not secrets:
        return value
    if isinstance(value, str):
        return redact_text(value, secrets)
    if isinstance(value, Mapping):
        return {redact(key, secrets): redact(member, secrets) for key, member in value.items()}
    return [redact(item, secrets) for item in value] if is_array(value) else value


def redact_text(text: str, secrets: frozenset[str]) -> str:
    if text in secrets:
        return MASK
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= MIN_REDACTED:
            text = text.replace(secret, MASK)
    return text


def _secret_texts(document: JSON) -> Iterator[str]:
    pending = [document]
    while pending:
        value = pending.pop()
        if isinstance(value, (dict, Mapping)):  # the usual one first: asking Mapping is slow
            for name, member in value.items():
                if str(name).casefold() in SECRET_MEMBERS:
                    yield from _texts_in(member)
                elif type(member) not in _LEAVES:
                    pending.append(member)
        elif is_array(value):
            pending += [item for item in value if type(item) not in _LEAVES]


def _texts_in(secret: JSON) -> Iterator[str]:
    pending = [secret]
    while pending:
        value = pending.pop()
        if isinstance(value, str):
            if value:
                yield value
        elif isinstance(value, Mapping):
            pending += value.values()
        elif is_array(value):
            pending += value


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
