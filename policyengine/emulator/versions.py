"""Which versions of an extension type exist, per release train, and which of them are supported.

Trains and types are compared without case. A version may reach some regions later than others.
Source: GitOps behaviour G5, G6.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from policyengine.emulator.residency import short_name

_NUMBERS: Final = re.compile(r"\d+")
_VERSION: Final = re.compile(r"\d+(\.\d+){1,3}(-[0-9A-Za-z][0-9A-Za-z.-]*)?")
SUPPORTED_BEHIND: Final = 2
"""The newest version and this many before it are supported (N-2)."""
EVERYWHERE: Final = "*"

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


def is_version(text: str) -> bool:
    """True for what could be published: `1.20.0`, `1.20.0-rc.1`."""
    return _VERSION.fullmatch(text) is not None


def version_key(version: str) -> tuple[int, ...]:
    return tuple(int(n) for n in _NUMBERS.findall(version.partition("-")[0]))


@dataclass(frozen=True, slots=True)
class Viewpoint:
    """A region at an instant: what has arrived there by then can be seen."""

    location: str
    at: datetime


class VersionCatalogue:
    def __init__(self) -> None:
        self._trains = {key: list(versions) for key, versions in PUBLISHED.items()}
        self._arrivals: dict[tuple[str, str, str], Mapping[str, datetime]] = {}

    def publish(
        self, extension_type: str, train: str, version: str, arrivals: Mapping[str, datetime] | None = None
    ) -> None:
        """Add a version; doing so twice is harmless.

        ``arrivals`` are instants by region, `*` for all others; without any it is everywhere at once.
        """
        if arrivals:
            dates = {name if name == EVERYWHERE else short_name(name): at for name, at in arrivals.items()}
            self._arrivals[*_key(extension_type, train), version] = dates
        versions = self._trains.setdefault(_key(extension_type, train), [])
        if version not in versions:
            versions.append(version)
            versions.sort(key=version_key)

    def versions(self, extension_type: str, train: str, seen: Viewpoint | None = None) -> tuple[str, ...]:
        """Oldest first; never empty. From a viewpoint, those that have arrived there."""
        return self.published(extension_type, train, seen) or (FIRST_VERSION,)

    def types(self) -> tuple[str, ...]:
        """Every type that was ever published, folded, in order."""
        return tuple(sorted({type for type, _ in self._trains}))

    def trains(self, extension_type: str) -> tuple[str, ...]:
        """Folded, in order."""
        return tuple(sorted(train for type, train in self._trains if type == extension_type.casefold()))

    def published(self, extension_type: str, train: str, seen: Viewpoint | None = None) -> tuple[str, ...]:
        """Oldest first; empty for a train the type does not have. From a viewpoint, those that have arrived there."""
        key = _key(extension_type, train)
        return tuple(v for v in self._trains.get(key, ()) if self._has_arrived(key, v, seen))

    def arrivals(self, extension_type: str, train: str, version: str) -> Mapping[str, datetime]:
        """Instants by region; empty for a version that is everywhere."""
        return self._arrivals.get((*_key(extension_type, train), version), {})

    def newest(self, extension_type: str, train: str, seen: Viewpoint | None = None) -> str:
        return self.versions(extension_type, train, seen)[-1]

    def upgrade_for(
        self, extension_type: str, train: str, current: str, mode: str = "compatible", seen: Viewpoint | None = None
    ) -> str:
        """The newest version that may replace ``current`` unasked; ``current`` itself when there is none (G6).

        Major versions never; ``mode`` `patch` keeps the minor number too, `none` keeps everything.
        """
        same = {"compatible": 1, "patch": 2}.get(mode, len(version_key(current)))
        now = version_key(current)
        newer = [v for v in self.versions(extension_type, train, seen) if version_key(v) > now]
        return next((v for v in reversed(newer) if version_key(v)[:same] == now[:same]), current)

    def is_supported(self, extension_type: str, train: str, version: str, seen: Viewpoint | None = None) -> bool:
        """False for a version older than the newest but two; of unknown types all are (G5)."""
        if _key(extension_type, train) not in self._trains:
            return True
        oldest = self.versions(extension_type, train, seen)[-1 - SUPPORTED_BEHIND :][0]
        return version_key(version) >= version_key(oldest)

    def _has_arrived(self, key: tuple[str, str], version: str, seen: Viewpoint | None) -> bool:
        dates = self._arrivals.get((*key, version))
        if not dates or seen is None:
            return True
        arrives = dates.get(short_name(seen.location), dates.get(EVERYWHERE))
        return arrives is not None and arrives <= seen.at


def _key(extension_type: str, train: str) -> tuple[str, str]:
    return extension_type.casefold(), train.casefold()
