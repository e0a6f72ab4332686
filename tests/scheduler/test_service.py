"""The service on a real store: what is due runs once, never twice at a time, and the schedule outlives it all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from queue import Empty, SimpleQueue
from threading import Event, Thread
from typing import Protocol

import pytest
import structlog

from policyengine.clock import Clock, SystemClock
from policyengine.errors import ConfigError, StoreError
from policyengine.language.documents import Schedule
from policyengine.scheduler.fire import FireLog
from policyengine.scheduler.service import Job, SchedulerService
from policyengine.store.store import Store

SOON_S = 30.0
NEVER_S = 0.15
STEP = timedelta(days=1000)
RARE = Schedule(interval_s=int(STEP.total_seconds()))
"""So rare that no instant of it passes while a test runs."""


class ManualClock(Protocol):
    """The fixture's clock."""

    instant: datetime

    def now(self) -> datetime: ...

    def pass_(self, **units: float) -> None: ...


class Runs:
    """Hears of each run, and may keep it waiting."""

    def __init__(self) -> None:
        self.seen: SimpleQueue[str] = SimpleQueue()
        self.may_end = Event()
        self.may_end.set()
        self.ended = 0

    def __call__(self, name: str) -> None:
        self.seen.put(name)
        assert self.may_end.wait(SOON_S)
        self.ended += 1

    def next(self) -> str:
        return self.seen.get(timeout=SOON_S)

    def no_more(self) -> bool:
        try:
            self.seen.get(timeout=NEVER_S)
        except Empty:
            return True
        return False


@pytest.fixture
def runs() -> Runs:
    return Runs()


@contextmanager
def serving(
    runs: Runs, fires: FireLog, clock: Clock, *jobs: Job, jitter: Callable[[], float] = lambda: 0.0
) -> Iterator[SchedulerService]:
    service = SchedulerService(jobs, fires, clock, runs, jitter=jitter)
    service.start()
    try:
        yield service
    finally:
        runs.may_end.set()
        service.stop()


def slot(instant: datetime) -> datetime:
    """The last instant of the rare schedule."""
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    return epoch + (instant - epoch) // STEP * STEP


def test_an_interval_begins_at_once(store: Store, runs: Runs) -> None:
    clock = SystemClock()
    with serving(runs, store, clock, Job("rare", RARE)):
        assert runs.next() == "rare"
        assert runs.no_more()

    assert store.last_fire("rare") == slot(clock.now())


def test_a_cron_waits_for_its_time(store: Store, runs: Runs) -> None:
    later = datetime.now(UTC) + timedelta(hours=3)
    job = Job("daily", Schedule(cron=f"{later.minute} {later.hour} * * *"))
    with serving(runs, store, SystemClock(), job) as service:
        assert runs.no_more()
        assert service.upcoming() == {"daily": later.replace(second=0, microsecond=0)}

    assert store.last_fire("daily") is None


def test_what_was_missed_fires_once_after_a_restart(store: Store, runs: Runs) -> None:
    now = datetime.now(UTC)
    store.record_fire("rare", slot(now) - 7 * STEP)
    with serving(runs, store, SystemClock(), Job("rare", RARE)) as service:
        assert runs.next() == "rare"
        assert runs.no_more()
        assert service.upcoming()["rare"] == slot(now) + STEP
    with serving(runs, store, SystemClock(), Job("rare", RARE)):
        assert runs.no_more()

    assert store.last_fire("rare") == slot(now)


def test_a_restart_does_not_fire_again_what_fired(store: Store, runs: Runs) -> None:
    for expected in ("rare", None):
        with serving(runs, store, SystemClock(), Job("rare", RARE)):
            if expected:
                assert runs.next() == expected
            assert runs.no_more()


def test_a_fire_that_a_wrong_clock_recorded_far_ahead_stops_nothing(store: Store, runs: Runs) -> None:
    now = slot(datetime.now(UTC))
    for recorded in (now - 3 * STEP, now + 4 * STEP):
        store.record_fire("rare", recorded)
    with serving(runs, store, SystemClock(), Job("rare", RARE)) as service:
        assert runs.next() == "rare"
        assert runs.no_more()
        assert service.upcoming() == {"rare": now + STEP}


class Stumbling:
    """Tells these instants, one after another, and stays at the last."""

    def __init__(self, *instants: datetime) -> None:
        self._instants = list(instants)

    def now(self) -> datetime:
        return self._instants.pop(0) if len(self._instants) > 1 else self._instants[0]


def test_a_clock_put_right_during_a_run_is_followed(store: Store, runs: Runs) -> None:
    now = slot(datetime.now(UTC))
    clock = Stumbling(now - STEP, now - 3 * STEP, now)
    with serving(runs, store, clock, Job("rare", RARE)) as service:
        assert [runs.next(), runs.next()] == ["rare", "rare"]
        assert runs.no_more()
        assert service.upcoming() == {"rare": now + STEP}
    assert not store.record_fire("rare", now - 2 * STEP), "it fired after the instant it was put back to"


def test_two_services_on_one_database_fire_an_instant_once(url: str, runs: Runs) -> None:
    job = Job("rare", RARE)
    with (
        Store.open(url) as one,
        Store.open(url) as other,
        serving(runs, one, SystemClock(), job),
        serving(runs, other, SystemClock(), job),
    ):
        assert runs.next() == "rare"
        assert runs.no_more()


def test_an_instant_that_comes_during_a_run_is_skipped(store: Store, runs: Runs, clock: ManualClock) -> None:
    begin = clock.instant = slot(clock.instant) - 3 * STEP
    runs.may_end.clear()
    with serving(runs, store, clock, Job("rare", RARE)):
        assert runs.next() == "rare"
        clock.pass_(days=2500)
        assert runs.no_more()
        runs.may_end.set()
        assert runs.next() == "rare"
        assert runs.no_more()

    assert store.last_fire("rare") == begin + 3 * STEP
    assert store.record_fire("rare", begin + STEP)
    assert store.record_fire("rare", begin + 2 * STEP)


def test_one_job_does_not_wait_for_another(store: Store, runs: Runs) -> None:
    runs.may_end.clear()
    with serving(runs, store, SystemClock(), Job("one", RARE), Job("other", RARE)):
        assert {runs.next(), runs.next()} == {"one", "other"}


@pytest.mark.parametrize(("drawn", "fires"), [(0.0, True), (0.25, True), (0.999, False)])
def test_a_fire_is_late_by_at_most_its_jitter(store: Store, runs: Runs, drawn: float, fires: bool) -> None:
    """The instant passed half an hour ago and may be an hour late."""
    due = datetime.now(UTC) - timedelta(minutes=30)
    store.record_fire("spread", due - timedelta(days=1))
    job = Job("spread", Schedule(cron=f"{due.minute} {due.hour} * * *", jitter_s=3600))
    with serving(runs, store, SystemClock(), job, jitter=lambda: drawn) as service:
        expected = due.replace(second=0, microsecond=0) + timedelta(days=1 if fires else 0)
        assert runs.no_more() is not fires
        assert service.upcoming() == {"spread": expected}


def test_a_run_that_raises_does_not_stop_the_schedule(store: Store, clock: ManualClock) -> None:
    clock.instant = slot(clock.instant) - STEP
    seen: SimpleQueue[str] = SimpleQueue()

    def fail(name: str) -> None:
        seen.put(name)
        raise RuntimeError("the disk is full")

    service = SchedulerService([Job("rare", RARE)], store, clock, fail)
    with structlog.testing.capture_logs() as told:
        service.start()
        assert [seen.get(timeout=SOON_S), seen.get(timeout=SOON_S)] == ["rare", "rare"]
        service.stop()

    assert [(line["event"], line["assignment"]) for line in told] == [("run failed", "rare")] * 2


class Forgetful:
    """Fires that cannot be remembered."""

    def last_fire(self, schedule: str, *, until: datetime) -> datetime | None:
        return None

    def record_fire(self, schedule: str, fire_time: datetime) -> bool:
        raise StoreError("the database is locked")


def test_what_cannot_be_remembered_does_not_run_and_is_tried_at_the_next_instant(runs: Runs) -> None:
    with (
        structlog.testing.capture_logs() as told,
        serving(runs, Forgetful(), SystemClock(), Job("rare", RARE)) as service,
    ):
        assert runs.no_more()
        assert service.upcoming()["rare"] == slot(datetime.now(UTC)) + STEP

    assert [line["reason"] for line in told] == ["the database is locked"]


def test_stop_waits_for_what_is_running(store: Store, runs: Runs) -> None:
    runs.may_end.clear()
    service = SchedulerService([Job("rare", RARE)], store, SystemClock(), runs)
    service.start()
    runs.next()
    stopping = Thread(target=service.stop)
    stopping.start()
    stopping.join(NEVER_S)
    assert stopping.is_alive()
    runs.may_end.set()
    stopping.join(SOON_S)

    assert not stopping.is_alive()
    assert runs.ended == 1
    assert not service.is_running


def test_stop_without_start_does_nothing(store: Store, runs: Runs) -> None:
    SchedulerService([Job("rare", RARE)], store, SystemClock(), runs).stop()

    assert runs.no_more()


def test_jobs_wait_for_what_has_to_come_before(store: Store, runs: Runs) -> None:
    done = Event()
    service = SchedulerService([Job("rare", RARE)], store, SystemClock(), runs)
    service.start(before=lambda: assert_(done.wait(SOON_S)))
    assert runs.no_more()
    done.set()
    assert runs.next() == "rare"
    service.stop()


def test_jobs_run_although_what_came_before_went_wrong(
    store: Store, runs: Runs, caplog: pytest.LogCaptureFixture
) -> None:
    service = SchedulerService([Job("rare", RARE)], store, SystemClock(), runs)
    service.start(before=lambda: assert_(False))
    assert runs.next() == "rare"
    service.stop()

    assert "raised an exception" in caplog.text


def test_a_schedule_that_cannot_be_used_is_told_before_anything_runs(store: Store, runs: Runs) -> None:
    nowhere = Job("lost", Schedule(cron="0 6 * * *", timezone="Mars/Olympus"))

    with pytest.raises(ConfigError, match="Mars/Olympus"):
        SchedulerService([nowhere], store, SystemClock(), runs)


def assert_(claim: bool) -> None:
    assert claim
