"""Lengths of time as people write them: `30s`, `15m`, `48h`, `3d`, `1h30m`, ISO 8601 (`PT30M`), or plain seconds."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Final

from policyengine.model.values import JSON

_LONGEST: Final = timedelta(days=36525)
_PART: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)", re.IGNORECASE)
_ISO: Final = re.compile(
    r"P(?=.)(?:(\d+)D)?(?:T(?=.)(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?",
    re.IGNORECASE,
)
_UNITS: Final = {
    "ms": timedelta(milliseconds=1),
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
}


def parse_duration(value: JSON) -> timedelta:
    """Raises ValueError for anything that is not a length of time, and for one of more than a century."""
    try:
        found = _parsed(value)
    except OverflowError:
        found = timedelta.max
    if not timedelta(0) <= found <= _LONGEST:
        raise ValueError(f"`{value}` is not a length of time from none to a hundred years")
    return found


def _parsed(value: JSON) -> timedelta:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return timedelta(seconds=value)
    text = str(value).strip()
    if not text or _PART.sub("", text):
        return parse_iso_duration(text)
    return sum((float(n) * _UNITS[unit.casefold()] for n, unit in _PART.findall(text)), timedelta())


def parse_iso_duration(text: str) -> timedelta:
    """Days and smaller only: a month has no length. Raises ValueError."""
    match = _ISO.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"`{text}` is not a length of time: write it like `30s`, `15m`, `48h`, `3d` or `PT30M`")
    days, hours, minutes, seconds = (float(part or 0) for part in match.groups())
    try:
        return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
    except OverflowError:
        raise ValueError(f"`{text}` is longer than time goes") from None


def iso_duration(length: timedelta) -> str:
    """In hours, minutes and seconds, none of them zero: `PT48H`, `PT1H30M`."""
    minutes, seconds = divmod(int(length.total_seconds()), 60)
    parts = [f"{n}{unit}" for n, unit in ((minutes // 60, "H"), (minutes % 60, "M"), (seconds, "S")) if n]
    return f"PT{''.join(parts) or '0S'}"
