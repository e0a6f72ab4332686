"""Versions of definitions and initiatives, and the patterns that references use. Source: policy language §1.7."""

from __future__ import annotations

import re
from typing import Final

_VERSION: Final = re.compile(r"(\d+)(?:\.(\d+))?(?:\.(\d+))?(-.*)?")


def matches_version(version: str | None, pattern: str | None) -> bool:
    """True when ``version`` is one of those ``pattern`` means: `1.*`, `1.2.*`, `1.2.3`, `1.*.*-preview`.

    Parts the pattern leaves out may be anything. A preview fits only a pattern that says so.
    """
    if pattern is None:
        return True
    match = _VERSION.fullmatch(version or "")
    if match is None:
        return False
    wanted, dash, _ = pattern.partition("-")
    if match[4] and not dash:
        return False
    parts = [int(part or 0) for part in match.groups()[:3]]
    return all(want in ("*", str(part)) for want, part in zip(wanted.split("."), parts, strict=False))


def version_key(version: str | None) -> tuple[list[int], bool]:
    """Sorts versions; a preview stands before its release, no version before every version."""
    match = _VERSION.fullmatch(version or "")
    if match is None:
        return ([], False)
    return ([int(part or 0) for part in match.groups()[:3]], match[4] is None)
