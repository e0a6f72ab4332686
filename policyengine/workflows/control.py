"""Speaks to the control API of an emulator that runs somewhere: one request, its answer as JSON."""

from __future__ import annotations

import json
import os
import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.parse import quote, urlencode

from policyengine.errors import ArmTransportError, InventoryError, UsageError
from policyengine.inventory.fleet_text import read_one
from policyengine.model.values import JSON
from policyengine.text.nodes import to_value

URL_VARIABLE: Final = "POLICYENGINE_EMULATOR_URL"
DEFAULT_URL: Final = "http://127.0.0.1:8765"
_TIMEOUT_S: Final = 600
"""Days of a large fleet may have to be run through."""


def control(
    url: str | None,
    method: str,
    noun: str,
    *path: str,
    query: Mapping[str, str | None] | None = None,
    body: JSON = None,
) -> JSON:
    """What `/_emulator/{noun}/…` answers; None in ``query`` counts for nothing.

    Raises UsageError for what the emulator does not know or refuses, ArmTransportError when none answers there.
    """
    base = (url or os.environ.get(URL_VARIABLE) or DEFAULT_URL).rstrip("/")
    asked = urlencode({name: value for name, value in (query or {}).items() if value is not None})
    rest = "".join(f"/{quote(part.strip('/'))}" for part in path)
    request = urllib.request.Request(
        f"{base}/_emulator/{noun}{rest}{'?' + asked if asked else ''}",
        data=None if body is None else json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
        method=method,
    )
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            message = _message(error)
        raise UsageError(message) from error
    except (urllib.error.URLError, OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        untrusted = isinstance(reason, ssl.SSLCertVerificationError)
        raise ArmTransportError(
            f"no emulator answers at `{base}`: {reason}",
            method=method,
            url=base,
            help="set `SSL_CERT_FILE` to its `ca.pem`"
            if untrusted
            else f"start `policyengine emulator`, or name another with `--url` or `{URL_VARIABLE}`",
        ) from error


def read_document(path: Path) -> Mapping[str, JSON]:
    """The one object in a YAML or JSON file. Raises InventoryError."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InventoryError(f"`{path}` cannot be read: {getattr(error, 'strerror', None) or 'not UTF-8'}") from error
    value = to_value(read_one(text, str(path)))
    if not isinstance(value, Mapping):
        raise InventoryError(f"`{path}` does not hold an object")
    return value


def _message(error: urllib.error.HTTPError) -> str:
    try:
        return str(json.load(error)["error"]["message"])
    except (ValueError, LookupError, TypeError):
        return f"the emulator answered {error.code}"
