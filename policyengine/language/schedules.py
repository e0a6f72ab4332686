"""When an assignment is scanned. The shape is checked here; `scheduler/` knows calendars and time zones."""

from __future__ import annotations

import re
from typing import Final

from policyengine.language.documents import Schedule
from policyengine.language.fields import Fields, first_line
from policyengine.language.problems import Problems
from policyengine.language.scalars import duration_of
from policyengine.model.diagnostic import Span

_CRON_FIELDS: Final = (
    ("minute", 0, 59, ()),
    ("hour", 0, 23, ()),
    ("day of the month", 1, 31, ()),
    ("month", 1, 12, ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")),
    ("day of the week", 0, 7, ("sun", "mon", "tue", "wed", "thu", "fri", "sat")),
)
_TIMEZONE: Final = re.compile(r"[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+){0,2}")


def parse_schedule(fields: Fields) -> Schedule:
    problems = fields.problems
    cron, interval = fields.optional_text("cron"), fields.take("interval")
    timezone, jitter = fields.text("timezone", "UTC"), fields.take("jitter")
    fields.choice("overlap", {"skip": None}, None, later=("queue", "parallel", "allow", "cancel"))
    fields.close()
    span = first_line(fields.node)
    if (cron is None) == (interval is None):
        problem = "both `cron` and `interval`" if cron else "neither `cron` nor `interval`"
        message = f"the schedule has {problem}"
        problems.error("invalid-schedule", message, span, 'write `cron: "*/30 * * * *"` or `interval: 30m`')
    if cron is not None:
        _check_cron(cron, _span(fields, "cron"), problems)
    if not _TIMEZONE.fullmatch(timezone):
        message = f"`{timezone}` is not the name of a time zone"
        problems.error("invalid-schedule", message, _span(fields, "timezone"), "write `Europe/Oslo` or `UTC`")
    return Schedule(
        cron=cron,
        interval_s=duration_of(interval, "interval", problems) if interval else None,
        timezone=timezone,
        jitter_s=(duration_of(jitter, "jitter", problems) or 0) if jitter else 0,
        span=span,
    )


def _span(fields: Fields, name: str) -> Span:
    node = fields.node.get(name)
    return node.span if node is not None else fields.node.span


def _check_cron(text: str, span: Span, problems: Problems) -> None:
    parts = text.split()
    if len(parts) != len(_CRON_FIELDS):
        message = f"a cron expression has five fields, `{text}` has {len(parts)}"
        problems.error("invalid-schedule", message, span, "minute, hour, day of month, month, day of week")
        return
    for part, (noun, low, high, names) in zip(parts, _CRON_FIELDS, strict=True):
        if not all(_is_cron_item(item.casefold(), low, high, names) for item in part.split(",")):
            message = f"`{part}` cannot be the {noun} of a cron expression"
            problems.error("invalid-schedule", message, span, f"{noun}: {low} to {high}, `*`, `a-b`, `*/n`, `a,b`")


def _is_cron_item(item: str, low: int, high: int, names: tuple[str, ...]) -> bool:
    """One of the parts between commas: `*`, `5`, `1-5`, `mon-fri`, each with or without `/n`."""
    span, slash, step = item.partition("/")
    if slash and not (step.isascii() and step.isdigit() and int(step) > 0):
        return False
    if span == "*":
        return True
    ends = [_cron_number(end, low, names) for end in span.split("-")]
    numbers = [end for end in ends if end is not None]
    return len(numbers) == len(ends) <= 2 and all(low <= n <= high for n in numbers) and numbers == sorted(numbers)


def _cron_number(text: str, low: int, names: tuple[str, ...]) -> int | None:
    if text in names:
        return names.index(text) + low
    return int(text) if text.isascii() and text.isdigit() else None
