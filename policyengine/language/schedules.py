"""When an assignment is scanned. What is accepted here can fire; `scheduler/` knows when.

Time zones are those of the tz database as the `tzdata` package carries it, so that every machine knows the same ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

from policyengine.language.documents import Schedule
from policyengine.language.fields import Fields, first_line
from policyengine.language.problems import Problems
from policyengine.language.scalars import duration_of
from policyengine.model.diagnostic import Span, did_you_mean
from policyengine.text.nodes import ScalarNode


@dataclass(frozen=True, slots=True)
class _CronField:
    noun: str
    low: int
    high: int
    names: tuple[str, ...] = ()


_DAY: Final = _CronField("day of the month", 1, 31)
_MONTH: Final = _CronField(
    "month", 1, 12, ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
)
_WEEKDAY: Final = _CronField("day of the week", 0, 7, ("sun", "mon", "tue", "wed", "thu", "fri", "sat"))
_CRON_FIELDS: Final = (_CronField("minute", 0, 59), _CronField("hour", 0, 23), _DAY, _MONTH, _WEEKDAY)
_LONGEST: Final = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
"""Days of each month, in a leap year."""


@cache
def timezones() -> frozenset[str]:
    """The name of every time zone, in the spelling that counts."""
    return frozenset((files("tzdata") / "zones").read_text(encoding="utf-8").split())


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
        _check_cron(cron, fields, problems)
    if timezone not in timezones():
        help = did_you_mean(timezone, timezones()) or "write `Europe/Oslo` or `UTC`"
        message = f"there is no time zone `{timezone}`"
        problems.error("invalid-schedule", message, _span(fields, "timezone"), help)
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


def _check_cron(text: str, fields: Fields, problems: Problems) -> None:
    parts = text.split()
    if len(parts) != len(_CRON_FIELDS):
        message = f"a cron expression has five fields, `{text}` has {len(parts)}"
        help = "minute, hour, day of month, month, day of week"
        problems.error("invalid-schedule", message, _span(fields, "cron"), help)
        return
    read = [_cron_numbers(part, field) for part, field in zip(parts, _CRON_FIELDS, strict=True)]
    for at, (part, field, numbers) in enumerate(zip(parts, _CRON_FIELDS, read, strict=True)):
        if numbers is None:
            message = f"`{part}` cannot be the {field.noun} of a cron expression"
            help = f"{field.noun}: {field.low} to {field.high}, `*`, `a-b`, `*/n` with a step within the range, `a,b`"
            problems.error("invalid-schedule", message, _place(text, at, fields), help)
    days, months = read[2], read[3]
    if days and months and parts[4].startswith("*") and min(days) > max(_LONGEST[month - 1] for month in months):
        message = f"`{text}` never fires: no month of `{parts[3]}` has a day `{parts[2]}`"
        problems.error("invalid-schedule", message, _place(text, 2, fields), "choose a day that comes")


def _place(text: str, at: int, fields: Fields) -> Span:
    """The ``at``-th field of the cron expression."""
    node = fields.node.get("cron")
    part = text.split()[at]
    offset = len(text) - len(text.split(maxsplit=at)[at])
    return node.at(offset, len(part)) if isinstance(node, ScalarNode) else fields.node.span


def _cron_numbers(part: str, field: _CronField) -> set[int] | None:
    """The numbers a field stands for; None for one that cannot be read."""
    found: set[int] = set()
    for item in part.casefold().split(","):
        numbers = _cron_item(item, field)
        if not numbers:
            return None
        found.update(numbers)
    return found


def _cron_item(item: str, field: _CronField) -> range | None:
    """One of the parts between commas: `*`, `5`, `1-5`, `mon-fri`, each with or without `/n`."""
    span, slash, step_text = item.partition("/")
    first_text, dash, last_text = span.partition("-")
    step = _whole_number(step_text) if slash else 1
    first = field.low if span == "*" else _cron_number(first_text, field)
    last = field.high if span == "*" or (slash and not dash) else _cron_number(last_text or first_text, field)
    if step is None or first is None or last is None or (dash and not last_text):
        return None
    if not (field.low <= first <= last <= field.high) or step < 1 or (slash and step > last - first):
        return None
    return range(first, last + 1, step)


def _cron_number(text: str, field: _CronField) -> int | None:
    return field.names.index(text) + field.low if text in field.names else _whole_number(text)


def _whole_number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None
