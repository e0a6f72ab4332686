"""The simulated clock on its own."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from policyengine.emulator.clock import SimulatedClock, parse_stamp, stamp
from policyengine.emulator.durations import parse_duration, parse_iso_duration
from policyengine.errors import ConfigError

if TYPE_CHECKING:
    from tests.emulator.conftest import ManualClock

MINUTE = timedelta(minutes=1)


def test_it_starts_at_the_real_instant_and_runs_at_its_rate(wall: ManualClock) -> None:
    clock = SimulatedClock.parse("x60", wall)
    start = clock.now()
    assert start == wall.now()
    wall.pass_(1)
    assert clock.now() - start == MINUTE
    clock.advance(MINUTE)
    assert clock.now() - start == 2 * MINUTE


def test_frozen_it_moves_only_when_told_to(wall: ManualClock) -> None:
    clock = SimulatedClock.parse("frozen", wall)
    start = clock.now()
    wall.pass_(100)
    assert clock.now() == start


def test_it_never_runs_backwards(wall: ManualClock) -> None:
    clock = SimulatedClock.parse("real", wall)
    wall.pass_(10)
    seen = clock.now()
    wall.pass_(-5)
    assert clock.now() == seen
    with pytest.raises(ConfigError):
        clock.advance(-MINUTE)


def test_another_rate_goes_on_from_the_present_instant(wall: ManualClock) -> None:
    clock = SimulatedClock.parse("x60", wall)
    wall.pass_(1)
    before = clock.now()
    clock.set_mode("real")
    wall.pass_(1)
    assert clock.now() - before == timedelta(seconds=1)


@pytest.mark.parametrize(
    ("mode", "seconds", "expected"), [("real", 15, 15), ("x60", 15, 1), ("x60", 90, 2), ("frozen", 999, 1)]
)
def test_retry_after_is_wall_clock_and_at_least_a_second(
    wall: ManualClock, mode: str, seconds: int, expected: int
) -> None:
    assert SimulatedClock.parse(mode, wall).retry_after_s(timedelta(seconds=seconds)) == expected


@pytest.mark.parametrize("text", ["", "x0", "x", "60", "fast", "x-1", "x9999999"])
def test_a_clock_nobody_knows_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="is not a clock"):
        SimulatedClock.parse(text)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("30s", 30), ("15m", 900), ("1h30m", 5400), ("3d", 259200), ("PT30M", 1800), ("P1DT1S", 86401), (5, 5)],
)
def test_lengths_of_time_are_read_as_people_write_them(value: object, seconds: float) -> None:
    assert parse_duration(value).total_seconds() == seconds


@pytest.mark.parametrize(
    "value", ["", "soon", "30", "5 m", "P", "PT", "-5s", None, True, -5, "40000d", 1e300, float("inf")]
)
def test_what_is_no_length_of_time_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="not a length of time"):
        parse_duration(value)


def test_an_iso_duration_is_nothing_else() -> None:
    with pytest.raises(ValueError, match="not a length of time"):
        parse_iso_duration("30m")


def test_stamps_are_read_back() -> None:
    at = datetime(2026, 11, 23, 8, 0, 0, 123000, tzinfo=UTC)
    assert stamp(at) == "2026-11-23T08:00:00.123Z"
    assert parse_stamp(stamp(at)) == at
    assert parse_stamp("yesterday") is None
