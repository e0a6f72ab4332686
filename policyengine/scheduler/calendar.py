"""When a schedule is due, as a function from an instant to the next fire. Reads no clock.

Interval fires lie on a grid counted from 1970, so that every process finds the same ones: each quarter of an hour for
`15m`, midnight UTC for `24h`. Cron is crontab's: Sunday is 0 or 7, and of day and weekday, when both are given, one is
enough. Where clocks go back, a wall time that comes twice fires twice; one that they skip fires an hour later.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from apscheduler.triggers.combining import OrTrigger
from apscheduler.triggers.cron import CronTrigger

from policyengine.errors import ConfigError
from policyengine.language.documents import Schedule
from policyengine.scheduler.fire import NextFire

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_WEEKDAYS: Final = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


def next_fire(schedule: Schedule) -> NextFire:
    """Raises ConfigError for a schedule that cannot be used; so does the function, for one that never fires."""
    if schedule.interval_s is not None:
        return _interval(timedelta(seconds=schedule.interval_s))
    return _cron(schedule.cron or "", schedule.timezone)


def _interval(step: timedelta) -> NextFire:
    return lambda after: _EPOCH + ((after - _EPOCH) // step + 1) * step


def _cron(cron: str, timezone: str) -> NextFire:
    try:
        trigger = _trigger(cron, ZoneInfo(timezone))
    except (ValueError, LookupError) as error:
        raise ConfigError(f"schedule `{cron}` in time zone `{timezone}` cannot be used: {error}") from error

    def next_fire(after: datetime) -> datetime:
        found = trigger.get_next_fire_time(None, after + timedelta(microseconds=1))
        if found is None:
            raise ConfigError(f"schedule `{cron}` never fires", help="no year has a day like that")
        return datetime.fromtimestamp(found.timestamp(), tz=UTC)

    return next_fire


def _trigger(cron: str, zone: ZoneInfo) -> OrTrigger:
    minute, hour, day, month, weekday = cron.casefold().split()
    month = re.sub("[a-z]+", _month, month)
    both = not any(field.startswith("*") for field in (day, weekday))
    days = [(day, "*"), ("*", _weekdays(weekday))] if both else [(day, _weekdays(weekday))]
    return OrTrigger(
        [CronTrigger(minute=minute, hour=hour, day=d, month=month, day_of_week=w, timezone=zone) for d, w in days]
    )


def _weekdays(field: str) -> str:
    """Days by name: by number, APScheduler counts from Monday and crontab from Sunday."""
    days: set[int] = set()
    for item in field.casefold().split(","):
        span, _, step = item.partition("/")
        first, dash, last = span.partition("-")
        low = 0 if first == "*" else _weekday(first)
        high = _weekday(last) if dash else 6 if step or first == "*" else low
        days.update(range(low, high + 1, int(step or 1)))
    return ",".join(dict.fromkeys(_WEEKDAYS[day % 7] for day in sorted(days)))


def _weekday(text: str) -> int:
    return _WEEKDAYS.index(text) if text in _WEEKDAYS else int(text)


def _month(name: re.Match[str]) -> str:
    """By number: APScheduler takes no step after names."""
    return str(_MONTHS.index(name[0]) + 1)
