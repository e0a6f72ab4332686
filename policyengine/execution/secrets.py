"""Secrets, at the moment of sending: references in, values out, and the values kept out of every text.

A plan holds ``{"secretRef": {"env": NAME}}`` or ``{"secretRef": {"file": PATH}}``; only here does it become
what is sent. Nothing of it is stored.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from policyengine.errors import ConfigError
from policyengine.model.values import JSON, get_folded, is_array
from policyengine.remediation.diff import MASK


@dataclass(frozen=True, slots=True)
class Resolved:
    """A body that may be sent, and the secrets in it."""

    body: Mapping[str, JSON] = field(repr=False)
    values: frozenset[str] = field(repr=False)

    def scrub(self, text: str) -> str:
        """``text`` with every secret masked: services like to quote what they refuse."""
        for value in sorted(self.values, key=len, reverse=True):
            text = text.replace(value, MASK)
        return text


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
