"""Lengths of time as the query language writes them: `7d`, `1.5h`, `30m`, `10s`, `250ms`."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Final

_SPAN: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|[dhms])")
_UNITS: Final = {"d": "days", "h": "hours", "m": "minutes", "s": "seconds", "ms": "milliseconds"}


def timespan(text: str) -> timedelta:
    match = _SPAN.fullmatch(text)
    assert match is not None, "the lexer lets nothing else through"
    return timedelta(**{_UNITS[match.group(2)]: float(match.group(1))})
