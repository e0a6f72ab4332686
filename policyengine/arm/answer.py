"""One HTTP answer as a value, so that what to do next can be decided without a network."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Final

from policyengine.model.values import JSON, get_folded

_HINT: Final = re.compile(
    r"(?:retry|try again|wait|throttl)[^.\d]{0,60}?['\"]?(\d{1,5})['\"]?\s*"
    r"(milliseconds?|seconds?|secs?|s|minutes?|mins?)\b",
    re.IGNORECASE,
)
_UNITS: Final = {"mil": 0.001, "sec": 1.0, "s": 1.0, "min": 60.0}


@dataclass(frozen=True, slots=True)
class Answer:
    """What the service said. Header names are in lower case; ``body`` is None when there was none."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: JSON = None

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300

    @property
    def error(self) -> Mapping[str, JSON]:
        """The error object, with or without its envelope; empty when the body has none.

        Source: configuration API §5.
        """
        body = self.body if isinstance(self.body, Mapping) else {}
        inside = get_folded(body, "error")
        if isinstance(inside, Mapping):
            return inside
        return body if isinstance(get_folded(body, "code"), str) else {}

    @property
    def code(self) -> str:
        """``error.code``, or "" when the body has none."""
        return str(get_folded(self.error, "code") or "")

    @property
    def message(self) -> str:
        """``error.message`` on one line, or ""."""
        return one_line(str(get_folded(self.error, "message") or ""))


def one_line(text: str) -> str:
    """``text`` without line breaks and runs of blanks."""
    return " ".join(text.split())


def retry_after_s(answer: Answer) -> float | None:
    """Seconds the service asks us to wait, from the headers or else from the message text; None when it does not say.

    An HTTP date is read against the answer's own ``Date``, so the two machines' clocks need not agree.
    Source: RFC 9110 §10.2.3; configuration API §6.
    """
    for name in ("retry-after-ms", "x-ms-retry-after-ms"):
        if (milliseconds := _number(answer.headers.get(name, ""))) is not None:
            return milliseconds / 1000
    text = answer.headers.get("retry-after", "")
    seconds = _number(text)
    if seconds is None:
        seconds = _seconds_until(text, answer.headers.get("date", ""))
    if seconds is None and not answer.is_success:
        seconds = _hint(answer.message)
    return seconds


def _number(text: str) -> float | None:
    return float(text) if re.fullmatch(r"\s*\d{1,9}(\.\d{1,9})?\s*", text) else None


def _seconds_until(text: str, date: str) -> float | None:
    then, now = _http_date(text), _http_date(date)
    return max(0.0, (then - now).total_seconds()) if then and now else None


def _http_date(text: str) -> datetime | None:
    try:
        instant = parsedate_to_datetime(text)
    except (ValueError, IndexError):
        return None
    return instant if instant.tzinfo else None


def _hint(message: str) -> float | None:
    found = _HINT.search(message)
    if found is None:
        return None
    unit = found.group(2).casefold()
    return int(found.group(1)) * next(factor for start, factor in _UNITS.items() if unit.startswith(start))
