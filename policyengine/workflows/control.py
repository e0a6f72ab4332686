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
from urllib.parse import quote, urlencode, urlsplit

from policyengine.errors import ArmTransportError, InventoryError, UsageError
from policyengine.inventory.fleet_text import read_one
from policyengine.model.values import JSON
from policyengine.text.nodes import to_value

URL_VARIABLE: Final = "POLICYENGINE_EMULATOR_URL"
DEFAULT_URL: Final = "http://127.0.0.1:8765"
_TIMEOUT_S: Final = 600
"""Days of a large fleet may have to be run through."""
_ROOT: Final = f"`--url` and `{URL_VARIABLE}` take scheme, host and port, as in `{DEFAULT_URL}`"
_ELSEWHERE: Final = (
    f"start `policyengine emulator`, or name another with `--url` or `{URL_VARIABLE}`; "
    "one with `--https` is at `https://`"
)


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
    base = _base(url or os.environ.get(URL_VARIABLE) or DEFAULT_URL)
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
            told = _told(error)
        if told is None:
            raise ArmTransportError(
                f"what answers at `{base}` is no emulator: it said {error.code}", method=method, url=base, help=_ROOT
            ) from error
        raise told from error
    except (urllib.error.URLError, OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        untrusted = isinstance(reason, ssl.SSLCertVerificationError)
        raise ArmTransportError(
            f"no emulator answers at `{base}`: {reason}",
            method=method,
            url=base,
            help="set `SSL_CERT_FILE` to its `ca.pem`" if untrusted else _ELSEWHERE,
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


def _base(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise UsageError(f"`{text}` is no address of an emulator", help=_ROOT)
    return text.rstrip("/")


def _told(error: urllib.error.HTTPError) -> UsageError | None:
    """What the control API says was wrong; None for an answer that is none of its own."""
    try:
        said = json.load(error)["error"]
        return UsageError(str(said["message"]), help=said.get("help")) if error.code in {400, 404} else None
    except (ValueError, LookupError, TypeError, AttributeError):
        return None
