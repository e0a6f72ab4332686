"""Secrets, at the moment of sending: references in, values out, and the values kept out of every text.

A plan holds ``{"secretRef": {"env": NAME}}`` or ``{"secretRef": {"file": PATH}}``; only here does it become
what is sent. Nothing of it is stored.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode, urlsafe_b64encode
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import quote

from policyengine.arm.answer import one_line
from policyengine.errors import ConfigError
from policyengine.model.values import JSON, get_folded, is_array
from policyengine.remediation.diff import MASK

_LONG: Final = 8
"""A line of a secret as long as this gives something away by itself."""


@dataclass(frozen=True, slots=True)
class Resolved:
    """A body that may be sent, and the secrets in it."""

    body: Mapping[str, JSON] = field(repr=False)
    values: frozenset[str] = field(repr=False)

    def scrub(self, text: str) -> str:
        """``text`` with every secret masked, in whatever form: services like to quote what they refuse."""
        forms = {form for value in self.values for text in _texts(value) for form in _forms(text) if form}
        for form in sorted(forms, key=len, reverse=True):
            text = text.replace(form, MASK)
        return text


def _texts(value: str) -> Iterator[str]:
    """``value``, and what it encodes: keys are handed over in base64."""
    yield value
    with suppress(ValueError):
        decoded = b64decode(value, validate=True).decode()
        if len(decoded) >= _LONG:
            yield decoded


def _forms(value: str) -> Iterator[str]:
    """How ``value`` may be quoted: as it is, on one line, line by line, in JSON (in JSON), in base64, in a URL."""
    lines = [line.strip() for line in value.splitlines()]
    for piece in {value, one_line(value), *(line for line in lines if len(line) >= _LONG)}:
        for escaped in (piece, *(json.dumps(piece, ensure_ascii=ascii)[1:-1] for ascii in (True, False))):
            yield escaped
            yield json.dumps(escaped)[1:-1]
            yield escaped.replace("/", "\\/")
        yield quote(piece, safe="")
    for raw in {value, value + "\n", value.replace("\n", "\r\n")}:
        for encode in (b64encode, urlsafe_b64encode):
            yield encode(raw.encode()).decode().rstrip("=")


@dataclass(frozen=True, slots=True)
class SecretResolver:
    """Looks secrets up in ``environment`` and in files; relative paths start at ``folder``."""

    environment: Mapping[str, str] = field(repr=False)
    folder: Path = Path()

    def resolve(self, body: Mapping[str, JSON]) -> Resolved:
        """``body`` with every reference replaced; the body itself is not changed.

        Raises ConfigError naming what is missing, never a value.
        """
        values: set[str] = set()
        resolved = {key: self._resolved(member, values) for key, member in body.items()}
        return Resolved(resolved, frozenset(values))

    def _resolved(self, value: JSON, values: set[str]) -> JSON:
        if isinstance(value, Mapping):
            if len(value) == 1 and (reference := get_folded(value, "secretRef")) is not None:
                secret = self._look_up(reference)
                values.add(secret)
                return secret
            return {key: self._resolved(member, values) for key, member in value.items()}
        return [self._resolved(item, values) for item in value] if is_array(value) else value

    def _look_up(self, reference: JSON) -> str:
        if isinstance(reference, Mapping) and len(reference) == 1:
            for kind, find in (("env", self._variable), ("file", self._file)):
                name = get_folded(reference, kind)
                if isinstance(name, str) and name:
                    return find(name)
        raise ConfigError("a `secretRef` names neither a variable nor a file", help="write {env: NAME} or {file: PATH}")

    def _variable(self, name: str) -> str:
        value = self.environment.get(name)
        if not value:
            raise ConfigError(
                f"secret variable `{name}` is {'not set' if value is None else 'empty'}",
                help=f"set `{name}` where the remediation runs, then plan again",
            )
        return value

    def _file(self, name: str) -> str:
        path = self.folder / name
        try:
            # Editors end a file with a line break; no secret does.
            value = path.read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
            raise ConfigError(f"secret file `{path}` cannot be read: {why}") from error
        if not value:
            raise ConfigError(f"secret file `{path}` is empty")
        return value
