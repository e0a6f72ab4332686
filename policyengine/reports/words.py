"""How states, numbers, instants and durations are said to people: the same words in every format and locale."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from policyengine.model.states import ComplianceState

STATE_WORDS: Final = {
    ComplianceState.COMPLIANT: "Compliant",
    ComplianceState.NON_COMPLIANT: "Non-compliant",
    ComplianceState.CONFLICT: "Conflict",
    ComplianceState.ERROR: "Error",
    ComplianceState.UNKNOWN: "Unknown",
    ComplianceState.EXEMPT: "Exempt",
    ComplianceState.PROTECTED: "Protected",
    ComplianceState.NOT_APPLICABLE: "Not applicable",
}

STATE_LETTERS: Final = {
    ComplianceState.COMPLIANT: "C",
    ComplianceState.NON_COMPLIANT: "N",
    ComplianceState.CONFLICT: "Cf",
    ComplianceState.ERROR: "Er",
    ComplianceState.UNKNOWN: "U",
    ComplianceState.EXEMPT: "Ex",
    ComplianceState.PROTECTED: "P",
    ComplianceState.NOT_APPLICABLE: "",
}
"""Stands beside the symbol where a word has no room; no two alike."""

STATE_MEANINGS: Final = {
    ComplianceState.COMPLIANT: "the policy applies and is met",
    ComplianceState.NON_COMPLIANT: "the policy applies and is not met",
    ComplianceState.CONFLICT: "two assignments demand different things of one object",
    ComplianceState.ERROR: "the policy could not be evaluated on this cluster",
    ComplianceState.UNKNOWN: "the cluster could not be read, or an attestation is missing",
    ComplianceState.EXEMPT: "an exemption in force covers it",
    ComplianceState.PROTECTED: "a policy keeps it from being deleted",
    ComplianceState.NOT_APPLICABLE: "the policy does not speak of this cluster",
}

AGES: Final = (
    ("less than a day", timedelta(days=1)),
    ("1 to 7 days", timedelta(days=7)),
    ("7 to 30 days", timedelta(days=30)),
    ("30 days and more", timedelta.max),
)
"""How long findings have been open: a name, and the age below which it holds."""

_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


_QUOTED: Final = re.compile(r"`([^`]+)`")


def quoted_parts(text: str) -> list[tuple[str, bool]]:
    """Prose cut at its backticks: (part, True when it was quoted). Messages quote what users wrote that way."""
    cut = _QUOTED.split(text)
    return [(part, at % 2 == 1) for at, part in enumerate(cut) if part]


def percent(ratio: float | None) -> str:
    """``74 %``. Never rounded up to all or down to none; ``n/a`` when nothing counts."""
    if ratio is None:
        return "n/a"
    if 0 < ratio < 0.01:
        return "<1 %"
    if 0.99 < ratio < 1:
        return ">99 %"
    return f"{ratio * 100:.0f} %"


def points(ratio: float) -> str:
    """A difference of two percentages: ``+3.1 points``, ``no change``."""
    rounded = round(ratio * 100, 1)
    if rounded == 0:
        return "no change"
    sign = "+" if rounded > 0 else "−"
    return f"{sign}{abs(rounded):g} point{'' if abs(rounded) == 1 else 's'}"


def number(count: int) -> str:
    return f"{count:,}"


def plural(count: int, noun: str, many: str | None = None) -> str:
    """``1 cluster``, ``1,024 clusters``, ``2 policies``."""
    return f"{number(count)} {noun if count == 1 else many or noun + 's'}"


def day(at: datetime) -> str:
    """``22 Nov 2026``, in UTC."""
    utc = at.astimezone(UTC)
    return f"{utc.day} {_MONTHS[utc.month - 1]} {utc.year}"


def day_or_instant(at: datetime, other: datetime) -> str:
    """The day alone when that tells ``at`` from ``other``, with the time of day when they are near."""
    return day(at) if abs(at - other) >= timedelta(days=2) else instant(at)


def instant(at: datetime) -> str:
    """``22 Nov 2026 20:00 UTC``."""
    return f"{day(at)} {at.astimezone(UTC):%H:%M} UTC"


def iso(at: datetime) -> str:
    """``2026-11-22T20:00:00Z``; fractions of a second are dropped."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def duration(length: timedelta) -> str:
    """The largest unit that says it: ``41 days``, ``3 hours``, ``8 seconds``. Less than nothing is nothing."""
    seconds = max(length.total_seconds(), 0)
    for size, noun in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= size:
            return plural(int(seconds // size), noun)
    return f"{seconds:.1f} seconds" if 0 < seconds < 1 else plural(int(seconds), "second")
