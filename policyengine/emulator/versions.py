"""Which versions of an extension type exist, per release train, and which of them are supported.

Trains and types are compared without case. Source: GitOps behaviour G5, G6.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

_NUMBERS: Final = re.compile(r"\d+")
SUPPORTED_BEHIND: Final = 2
"""The newest minor version and this many before it are supported (N-2)."""

PUBLISHED: Final[Mapping[tuple[str, str], tuple[str, ...]]] = {
    ("microsoft.flux", "stable"): ("1.8.2", "1.8.3", "1.8.4", "1.15.3", "1.16.9", "1.17.3", "1.18.4", "1.19.5"),
    ("microsoft.flux", "preview"): ("1.8.4", "1.18.4", "1.19.5", "1.20.0"),
    ("microsoft.policyinsights", "stable"): ("1.14.1",),
    ("microsoft.azuredefender.kubernetes", "stable"): ("0.9.31",),
    ("microsoft.azuremonitor.containers", "stable"): ("3.1.28",),
}
"""What is there before anything is published; of microsoft.flux the oldest and the newest are real."""
FIRST_VERSION: Final = "1.0.0"
"""The only version of every type the catalogue does not know: such types install like any other."""


def version_key(version: str) -> tuple[int, ...]:
    return tuple(int(n) for n in _NUMBERS.findall(version.partition("-")[0]))


class VersionCatalogue:
    def __init__(self) -> None:
        self._trains = {key: list(versions) for key, versions in PUBLISHED.items()}

    def publish(self, extension_type: str, train: str, version: str) -> None:
        """Add a version; doing so twice is harmless."""
        versions = self._trains.setdefault(_key(extension_type, train), [])
        if version not in versions:
            versions.append(version)
            versions.sort(key=version_key)

    def versions(self, extension_type: str, train: str) -> tuple[str, ...]:
        """Oldest first; never empty."""
        return tuple(self._trains.get(_key(extension_type, train), ())) or (FIRST_VERSION,)

    def types(self) -> tuple[str, ...]:
        """Every type that was ever published, folded, in order."""
        return tuple(sorted({type for type, _ in self._trains}))

    def trains(self, extension_type: str) -> tuple[str, ...]:
        """Folded, in order."""
        return tuple(sorted(train for type, train in self._trains if type == extension_type.casefold()))

    def published(self, extension_type: str, train: str) -> tuple[str, ...]:
        """Oldest first; empty for a train the type does not have."""
        return tuple(self._trains.get(_key(extension_type, train), ()))

    def newest(self, extension_type: str, train: str) -> str:
        return self.versions(extension_type, train)[-1]

    def upgrade_for(self, extension_type: str, train: str, current: str, mode: str = "compatible") -> str:
        """The newest version that may replace ``current`` unasked; ``current`` itself when there is none (G6).

        Major versions never; ``mode`` `patch` keeps the minor number too, `none` keeps everything.
        """
        same = {"compatible": 1, "patch": 2}.get(mode, len(version_key(current)))
        now = version_key(current)
        newer = [v for v in self.versions(extension_type, train) if version_key(v) > now]
        return next((v for v in reversed(newer) if version_key(v)[:same] == now[:same]), current)

    def is_supported(self, extension_type: str, train: str, version: str) -> bool:
        """False for a version whose minor number is older than the newest but two; of unknown types all are (G5)."""
        minors = sorted({version_key(v)[:2] for v in self._trains.get(_key(extension_type, train), ())})
        return not minors or version_key(version)[:2] >= minors[-1 - SUPPORTED_BEHIND :][0]


def _key(extension_type: str, train: str) -> tuple[str, str]:
    return extension_type.casefold(), train.casefold()
