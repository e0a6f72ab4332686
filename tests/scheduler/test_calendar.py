"""Schedules as instants: crontab's rules, clock changes, and a grid that every process finds alike."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice

import pytest

from policyengine.errors import ConfigError
from policyengine.language.documents import Schedule
from policyengine.scheduler.calendar import next_fire


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def fires(schedule: Schedule, after: str) -> Iterator[str]:
    """The fires after an instant, in UTC."""
    following, at = next_fire(schedule), utc(after)
    while True:
        at = following(at)
        assert at.tzinfo is UTC
        yield at.strftime("%m-%d %H:%M")


def first(count: int, schedule: Schedule, after: str) -> list[str]:
    return list(islice(fires(schedule, after), count))


def cron(text: str, timezone: str = "UTC") -> Schedule:
    return Schedule(cron=text, timezone=timezone)


def test_a_cron_is_read_in_its_time_zone() -> None:
    assert first(2, cron("0 6 * * *", "Europe/Oslo"), "2026-11-23 05:00") == ["11-24 05:00", "11-25 05:00"]
    assert first(1, cron("0 6 * * *", "Asia/Kolkata"), "2026-11-23 00:00") == ["11-23 00:30"]


def test_the_next_fire_comes_strictly_after() -> None:
    assert first(1, cron("*/30 * * * *"), "2026-11-23 05:30") == ["11-23 06:00"]
    assert first(1, cron("*/30 * * * *"), "2026-11-23 05:29:59.999999") == ["11-23 05:30"]


def test_half_hours_stay_half_hours_when_clocks_go_back() -> None:
    found = first(5, cron("*/30 * * * *", "Europe/Oslo"), "2026-10-24 23:59")

    assert found == ["10-25 00:00", "10-25 00:30", "10-25 01:00", "10-25 01:30", "10-25 02:00"]


def test_half_hours_stay_half_hours_when_clocks_go_forward() -> None:
    found = first(4, cron("*/30 * * * *", "Europe/Oslo"), "2026-03-29 00:10")

    assert found == ["03-29 00:30", "03-29 01:00", "03-29 01:30", "03-29 02:00"]


def test_a_wall_time_that_comes_twice_fires_twice() -> None:
    found = first(4, cron("30 2 * * *", "Europe/Oslo"), "2026-10-24 12:00")

    assert found == ["10-25 00:30", "10-25 01:30", "10-26 01:30", "10-27 01:30"]


def test_a_wall_time_that_clocks_skip_fires_an_hour_later() -> None:
    found = first(2, cron("30 2 * * *", "Europe/Oslo"), "2026-03-28 12:00")

    assert found == ["03-29 01:30", "03-30 00:30"]


@pytest.mark.parametrize(
    ("field", "days"),
    [
        ("0", ["Sun", "Sun"]),
        ("7", ["Sun", "Sun"]),
        ("1", ["Mon", "Mon"]),
        ("mon-fri", ["Mon", "Tue", "Wed", "Thu", "Fri", "Mon"]),
        ("1-5", ["Mon", "Tue", "Wed", "Thu", "Fri", "Mon"]),
        ("sun-tue", ["Mon", "Tue", "Sun", "Mon"]),
        ("5-7", ["Fri", "Sat", "Sun", "Fri"]),
        ("*/3", ["Wed", "Sat", "Sun", "Wed"]),
        ("4/2", ["Thu", "Sat", "Thu"]),
        ("SAT,2", ["Tue", "Sat", "Tue"]),
    ],
)
def test_weekdays_are_crontabs(field: str, days: list[str]) -> None:
    """Sunday is 0 and 7, whatever the library below counts from."""
    following, at = next_fire(cron(f"0 6 * * {field}")), utc("2026-11-22 12:00")  # a Sunday
    found = []
    for _ in days:
        at = following(at)
        found.append(at.strftime("%a"))

    assert found == days


def test_one_of_day_and_weekday_is_enough() -> None:
    assert first(4, cron("0 0 13 * fri"), "2026-11-01 00:00") == [
        "11-06 00:00",
        "11-13 00:00",
        "11-20 00:00",
        "11-27 00:00",
    ]
    assert first(2, cron("0 0 1 * sun"), "2026-11-26 00:00") == ["11-29 00:00", "12-01 00:00"]


def test_a_starred_field_restricts_the_other_one_not() -> None:
    assert first(2, cron("0 0 */10 * mon"), "2026-06-01 00:00") == ["08-31 00:00", "09-21 00:00"]


def test_intervals_lie_on_a_grid_of_their_own() -> None:
    """Whoever asks, and whenever: the same instants."""
    quarter = Schedule(interval_s=900)

    assert first(3, quarter, "2026-11-23 05:07:31") == ["11-23 05:15", "11-23 05:30", "11-23 05:45"]
    assert first(1, quarter, "2026-11-23 05:15") == ["11-23 05:30"]
    assert first(1, Schedule(interval_s=86_400), "2026-11-23 05:07") == ["11-24 00:00"]


@pytest.mark.parametrize("schedule", [cron("* * * * *", "Mars/Olympus"), cron("0 99 * * *")])
def test_a_schedule_that_cannot_be_used_says_so(schedule: Schedule) -> None:
    with pytest.raises(ConfigError, match="cannot be used"):
        next_fire(schedule)


def test_a_schedule_that_never_fires_says_so() -> None:
    with pytest.raises(ConfigError, match="never fires"):
        next_fire(cron("0 0 30 2 *"))(utc("2026-11-23 05:00"))


def test_fires_are_told_in_utc_whatever_was_asked_in() -> None:
    summer = datetime.fromisoformat("2026-07-01T08:00:00+02:00")

    assert next_fire(Schedule(interval_s=3600))(summer) - summer == timedelta(hours=1)
    assert next_fire(cron("0 * * * *", "Europe/Oslo"))(summer) == utc("2026-07-01 07:00")
