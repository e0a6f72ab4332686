"""An instant fires once; what was missed fires once, as the latest of them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policyengine.language.documents import Schedule
from policyengine.scheduler.calendar import next_fire
from policyengine.scheduler.fire import claim, first_fire
from policyengine.store.store import Store

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
HOURLY = next_fire(Schedule(interval_s=3600))


def test_an_instant_to_come_is_waited_for() -> None:
    assert first_fire(NOON, NOON + timedelta(minutes=20), HOURLY) == NOON + timedelta(hours=1)


@pytest.mark.parametrize("hours", [1, 2, 50, 5000])
def test_of_many_missed_instants_the_latest_is_due(hours: int) -> None:
    now = NOON + timedelta(hours=hours, minutes=10)

    assert first_fire(NOON, now, HOURLY) == NOON + timedelta(hours=hours)


def test_a_start_at_the_very_instant_finds_it_due() -> None:
    assert first_fire(NOON, NOON + timedelta(hours=1), HOURLY) == NOON + timedelta(hours=1)


def test_a_start_after_a_missed_one_was_made_up_for_finds_nothing_due() -> None:
    """So that restarting again and again does not fire again and again."""
    now = NOON + timedelta(hours=5, minutes=10)
    made_up = first_fire(NOON, now, HOURLY)

    assert first_fire(made_up, now + timedelta(minutes=1), HOURLY) > now


@settings(deadline=None, max_examples=50)
@given(
    cron=st.sampled_from(["*/7 * * * *", "15 3 * * *", "0 6 * * mon-fri", "30 2 1 * *", "* 0 * * *"]),
    since=st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 1), timezones=st.just(UTC)),
    away=st.timedeltas(timedelta(0), timedelta(days=40)),
)
def test_the_instant_due_is_the_latest_missed_or_the_next(cron: str, since: datetime, away: timedelta) -> None:
    following = next_fire(Schedule(cron=cron, timezone="Europe/Oslo"))
    now = since + away
    due = first_fire(since, now, following)

    assert due > since
    assert due > now or following(due) > now
    assert due <= now or due == following(now)


def test_an_instant_is_claimed_once_by_two_services_on_one_database(url: str) -> None:
    with Store.open(url) as one, Store.open(url) as other, ThreadPoolExecutor(8) as pool:
        claims = [pool.submit(claim, fires, "nightly", NOON) for fires in (one, other) * 8]

        assert sorted(c.result() for c in claims) == [False] * 15 + [True]


def test_schedules_and_instants_are_claimed_for_themselves(store: Store) -> None:
    assert claim(store, "nightly", NOON)
    assert claim(store, "hourly", NOON)
    assert claim(store, "nightly", NOON + timedelta(days=1))
    assert not claim(store, "nightly", NOON)
