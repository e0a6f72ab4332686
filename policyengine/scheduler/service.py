"""A clock that rings: each schedule's next instant is computed, waited for, fired once, and computed again.

APScheduler serves as a clock here and not as a queue: what has fired is in the store, so a restart forgets nothing,
and two processes on one database fire each instant once.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Condition
from typing import Final

import structlog
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.date import DateTrigger

from policyengine.clock import Clock
from policyengine.errors import PolicyEngineError
from policyengine.language.documents import Assignment, Schedule
from policyengine.scheduler.calendar import next_fire
from policyengine.scheduler.fire import FireLog, claim, first_fire

log = structlog.get_logger()

CLOCK_DRIFT: Final = timedelta(minutes=5)
"""How far ahead of now an instant that has fired may lie."""


@dataclass(frozen=True)
class Job:
    """One assignment and when it is due."""

    name: str
    schedule: Schedule

    @classmethod
    def of(cls, assignment: Assignment) -> Job | None:
        return cls(assignment.name, assignment.schedule) if assignment.schedule else None


class SchedulerService:
    """Runs ``run(name)`` for each job when it is due, in a thread, never twice at once for one job.

    Raises ConfigError for a schedule that cannot be used. ``run`` may raise: it is logged, and the schedule goes on.
    ``jitter`` draws from [0, 1): how much of a schedule's jitter a fire is late. Its instant stays what it was.
    """

    def __init__(
        self,
        jobs: Sequence[Job],
        fires: FireLog,
        clock: Clock,
        run: Callable[[str], None],
        *,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._next_fire = {job: next_fire(job.schedule) for job in jobs}
        self._fires = fires
        self._clock = clock
        self._run = run
        self._jitter = jitter
        self._changed = Condition()
        self._next: dict[str, datetime] = {}
        self._at_work = 0
        self._stopping = False
        self._scheduler = BackgroundScheduler(
            executors={"default": ThreadPoolExecutor(max(1, len(jobs)))}, timezone="UTC"
        )

    def start(self, *, before: Callable[[], None] | None = None) -> None:
        """Arm every job; one that was due while nobody ran fires at once, and once.

        ``before`` is run first, in a thread of the scheduler, and the jobs wait for it. Raises ConfigError for a
        schedule that never fires, StoreError when nobody remembers what fired.
        """
        now = self._clock.now()
        due = {job: self._first(job, now) for job in self._next_fire}
        self._next = {job.name: at for job, at in due.items()}
        self._scheduler.start()
        self._scheduler.add_job(self._begin, args=[before, due], misfire_grace_time=None)

    def stop(self) -> None:
        """No new run starts; returns when the running ones have ended."""
        if not self._scheduler.running:
            return
        with self._changed:
            self._stopping = True
        self._scheduler.shutdown(wait=False)  # waiting there would hold the locks that a run needs to end
        with self._changed:
            self._changed.wait_for(lambda: self._at_work == 0)

    @property
    def is_running(self) -> bool:
        return bool(self._scheduler.running)

    def upcoming(self) -> dict[str, datetime]:
        """The next instant of each job."""
        with self._changed:
            return dict(self._next)

    def _first(self, job: Job, now: datetime) -> datetime:
        """A schedule that never fired yet waits for its cron, and begins its interval at once."""
        step = timedelta(seconds=job.schedule.interval_s or 0)
        return first_fire(self._fires.last_fire(job.name, until=now) or now - step, now, self._next_fire[job])

    def _begin(self, before: Callable[[], None] | None, due: Mapping[Job, datetime]) -> None:
        with self._work() as begins:
            try:
                if begins and before is not None:
                    before()
            finally:
                for job, at in due.items():
                    self._arm(job, at)

    def _arm(self, job: Job, at: datetime) -> None:
        with self._changed:
            self._next[job.name] = at
        late = timedelta(seconds=self._jitter() * job.schedule.jitter_s)
        self._scheduler.add_job(self._fire, DateTrigger(at + late), args=[job, at], misfire_grace_time=None)

    def _fire(self, job: Job, at: datetime) -> None:
        with self._work() as begins:
            if begins:
                self._try(job, at)
                # instants that passed while this one ran are skipped: they would only do the same again
                self._arm(job, self._next_fire[job](self._done_until(at)))

    def _done_until(self, at: datetime) -> datetime:
        """The later of ``at`` and now; an instant far ahead was told by a clock that has been put right since."""
        now = self._clock.now()
        return now if at > now + CLOCK_DRIFT else max(at, now)

    def _try(self, job: Job, at: datetime) -> None:
        try:
            if claim(self._fires, job.name, at):
                self._run(job.name)
        except PolicyEngineError as error:
            log.error("run failed", assignment=job.name, reason=error.message, help=error.help)
        except Exception:
            log.exception("run failed", assignment=job.name)

    @contextmanager
    def _work(self) -> Iterator[bool]:
        """True for work that may begin; `stop` then waits for its end."""
        with self._changed:
            begins = not self._stopping
            self._at_work += begins
        try:
            yield begins
        finally:
            with self._changed:
                self._at_work -= begins
                self._changed.notify_all()
