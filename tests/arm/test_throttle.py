from __future__ import annotations

import asyncio
import itertools
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policyengine.arm.throttle import LOW, READ_BURST_S, Bucket, Kind, Throttle, seconds_of


class ManualTimer:
    """Time passes only by sleeping, in the order of the instants to wake up at."""

    def __init__(self) -> None:
        self.now = 0.0
        self._sleepers: list[tuple[float, int, asyncio.Event]] = []
        self._order = itertools.count()

    def monotonic(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        event = asyncio.Event()
        self._sleepers.append((self.now + seconds, next(self._order), event))
        await event.wait()

    async def run(self, *work: asyncio.Task[object]) -> None:
        """Let time pass until all the work is done."""
        while not all(task.done() for task in work):
            for _ in range(5):
                await asyncio.sleep(0)
            if self._sleepers:
                sleeper = min(self._sleepers)
                self._sleepers.remove(sleeper)
                self.now = max(self.now, sleeper[0])
                sleeper[2].set()
        await asyncio.gather(*work)


def departures(count: int, *, kind: Kind, pause_at: float | None = None, remaining: int | None = None) -> list[float]:
    """When ``count`` requests of one kind, all asked for at once, may go."""
    times: list[float] = []

    async def main() -> None:
        timer = ManualTimer()
        throttle = Throttle(timer, reads_per_second=20, writes_per_second=8)
        if remaining is not None:
            throttle.observe("s", kind, {"x-ms-ratelimit-remaining-subscription-writes": str(remaining), "x-ms-y": "0"})

        async def one() -> None:
            await throttle.acquire("s", kind)
            times.append(timer.now)
            if pause_at is not None and len(times) == 3:
                throttle.pause("S", kind, pause_at)

        await timer.run(*[asyncio.create_task(one()) for _ in range(count)])

    asyncio.run(main())
    return times


def test_writes_keep_to_the_budget_and_hardly_burst() -> None:
    times = departures(20, kind=Kind.WRITES)

    assert all(len([t for t in times if start <= t < start + 1.0]) <= 10 for start in times)
    assert times[-1] >= 18 / 8


def test_as_many_writes_go_at_once_as_was_asked_for() -> None:
    """But for the service's last ones."""

    async def main() -> tuple[float, float]:
        timer = ManualTimer()
        throttle = Throttle(timer, reads_per_second=25, writes_per_second=10, writes_at_once=200)
        await timer.run(*[asyncio.create_task(throttle.acquire("s", Kind.WRITES)) for _ in range(200 - LOW)])
        at_once = timer.now
        await timer.run(*[asyncio.create_task(throttle.acquire("s", Kind.WRITES)) for _ in range(100)])
        return at_once, timer.now

    at_once, then = asyncio.run(main())
    assert at_once == 0.0
    assert abs(then - 10.0) < 0.01


def test_reads_may_spend_some_seconds_at_once() -> None:
    most = int(20 * READ_BURST_S)

    assert departures(most, kind=Kind.READS) == [0.0] * most
    assert departures(most + 1, kind=Kind.READS)[-1] > 0


def test_a_pause_holds_everyone_and_ends_without_a_burst() -> None:
    times = departures(10, kind=Kind.WRITES, pause_at=30.0)

    assert len([t for t in times if t < 30.0]) == 3
    after = times[3:]
    assert min(after) >= 30.0
    assert all(b - a >= 1 / 8 - 1e-9 for a, b in itertools.pairwise(after))


def test_little_left_at_the_service_slows_us_down() -> None:
    normal, careful = departures(10, kind=Kind.WRITES), departures(10, kind=Kind.WRITES, remaining=LOW // 4)

    assert careful[-1] >= 3.9 * normal[-1]
    assert departures(10, kind=Kind.WRITES, remaining=199) == normal


@pytest.mark.parametrize(
    ("headers", "slows"),
    [
        ({"x-ms-ratelimit-remaining-subscription-writes": "5"}, True),
        ({"x-ms-ratelimit-remaining-subscription-writes": "199"}, False),
        ({"x-ms-ratelimit-remaining-subscription-writes": "199", "x-ms-ratelimit-remaining-tenant-writes": "3"}, True),
        ({"x-ms-ratelimit-remaining-subscription-global-writes": "0"}, True),
        ({"x-ms-ratelimit-remaining-subscription-resource-requests": "7"}, True),
        ({"x-ms-ratelimit-remaining-resource": "Microsoft.Compute/PutVM3Min;740,Microsoft.Compute/PutVM30Min;4"}, True),
        ({"x-ms-ratelimit-remaining-resource": "Microsoft.Compute/PutVM3Min;740"}, False),
        ({"x-ms-ratelimit-remaining-resource": "PutVM3Min"}, False),
        ({"x-ms-request-charge": "1"}, False),
    ],
)
def test_whatever_says_how_little_is_left_counts(headers: dict[str, str], slows: bool) -> None:
    async def main() -> float:
        timer = ManualTimer()
        throttle = Throttle(timer, reads_per_second=1, writes_per_second=1)

        async def writes() -> None:
            for _ in range(10):
                await throttle.acquire("a", Kind.WRITES)
                throttle.observe("a", Kind.WRITES, headers)

        await timer.run(asyncio.create_task(writes()))
        return timer.now

    assert (asyncio.run(main()) > 15) is slows


def test_subscriptions_and_kinds_do_not_wait_for_each_other() -> None:
    async def main() -> float:
        timer = ManualTimer()
        throttle = Throttle(timer, reads_per_second=1, writes_per_second=1)
        throttle.pause("a", Kind.WRITES, 1000)
        await throttle.acquire("a", Kind.READS)
        await throttle.acquire("b", Kind.WRITES)
        await throttle.acquire(None, Kind.WRITES)
        return timer.now

    assert asyncio.run(main()) == 0.0


def test_processes_that_spend_together_take_equal_shares() -> None:
    def last(spenders: int) -> float:
        async def main() -> float:
            timer = ManualTimer()
            throttle = Throttle(timer, reads_per_second=20, writes_per_second=8)
            throttle.divide(spenders)
            await timer.run(*[asyncio.create_task(throttle.acquire("s", Kind.WRITES)) for _ in range(41)])
            return timer.now

        return asyncio.run(main())

    assert last(0) == last(1)
    assert last(4) >= 3.9 * last(1)


def test_an_empty_quota_of_queries_is_waited_for() -> None:
    async def main() -> float:
        timer = ManualTimer()
        throttle = Throttle(timer, reads_per_second=1, writes_per_second=1)
        for left in ("0", "7"):
            headers = {"x-ms-user-quota-remaining": left, "x-ms-user-quota-resets-after": "00:00:05"}
            throttle.observe(None, Kind.QUERIES, headers)
        await timer.run(asyncio.create_task(throttle.acquire(None, Kind.QUERIES)))
        return timer.now

    assert asyncio.run(main()) == 5.0


def test_a_span_is_read_and_nonsense_is_no_time() -> None:
    assert [seconds_of(text) for text in ("01:02:03", "", "5", "a:b:c", "00:00:-1")] == [3723.0, 0, 0, 0, 0]


def test_a_wait_is_told_with_its_reason() -> None:
    heard: list[tuple[str, float]] = []

    async def main() -> None:
        timer = ManualTimer()
        throttle = Throttle(timer, reads_per_second=1, writes_per_second=1)
        throttle.pause("a", Kind.WRITES, 12)
        await timer.run(asyncio.create_task(throttle.acquire("a", Kind.WRITES, lambda *told: heard.append(told))))

    asyncio.run(main())
    assert heard == [("write budget of subscription a", 12.0)]


def test_threads_that_ask_at_once_get_tickets_of_their_own() -> None:
    bucket, interval = Bucket(1000.0), sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(8) as pool:
            tickets = [
                n for part in pool.map(lambda _: [bucket.ticket(0.0) for _ in range(500)], range(8)) for n in part
            ]
    finally:
        sys.setswitchinterval(interval)

    assert sorted(tickets) == list(range(1, 4001))


def test_whoever_waits_goes_faster_when_the_service_has_more_again() -> None:
    """A moment in which others had spent everything does not bind those who came in it."""

    async def main() -> float:
        timer = ManualTimer()
        throttle = Throttle(timer, reads_per_second=20, writes_per_second=10)
        throttle.observe("s", Kind.WRITES, {"x-ms-ratelimit-remaining-subscription-writes": "0"})
        tasks = [asyncio.create_task(throttle.acquire("s", Kind.WRITES)) for _ in range(100)]
        for _ in range(5):
            await asyncio.sleep(0)
        throttle.observe("s", Kind.WRITES, {"x-ms-ratelimit-remaining-subscription-writes": "150"})
        await timer.run(*tasks)
        return timer.now

    assert asyncio.run(main()) < 13.0


def test_who_leaves_the_queue_makes_room() -> None:
    async def main() -> float:
        timer = ManualTimer()
        throttle = Throttle(timer, reads_per_second=1, writes_per_second=1)
        tasks = [asyncio.create_task(throttle.acquire("s", Kind.WRITES)) for _ in range(102)]
        await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await timer.run(asyncio.create_task(throttle.acquire("s", Kind.WRITES)))
        return timer.now

    assert asyncio.run(main()) < 5.0


@given(st.floats(0.5, 100), st.floats(1, 50), st.lists(st.floats(0, 0.5), min_size=1, max_size=60))
def test_no_window_ever_holds_more_than_burst_and_rate(per_second: float, burst: float, gaps: list[float]) -> None:
    bucket, now, gone = Bucket(per_second, burst), 0.0, list[float]()
    for gap in gaps:
        now += gap
        ticket, at = bucket.ticket(now), now
        while wait := bucket.wait_s(ticket, at):
            at += wait
        gone.append(at)

    assert gone == sorted(gone)
    for first, start in enumerate(gone):
        within = [t for t in gone[first:] if t - start < 1.0]
        assert len(within) <= burst + per_second + 1 + 1e-6


def test_looks_leave_half_of_the_reads_to_what_comes_before_writes() -> None:
    """However many looks there are to take, a read that a write waits for does not queue behind them."""

    async def main() -> float:
        timer = ManualTimer()
        throttle = Throttle(timer, reads_per_second=20, writes_per_second=8)

        async def look() -> None:
            await throttle.acquire("s", Kind.LOOKS)
            await throttle.acquire("s", Kind.READS)

        looks = [asyncio.create_task(look()) for _ in range(2000)]
        await timer.run(looks[600])
        asked = timer.now
        await timer.run(asyncio.create_task(throttle.acquire("s", Kind.READS)))
        waited = timer.now - asked
        for task in looks:
            task.cancel()
        await asyncio.gather(*looks, return_exceptions=True)
        assert asked > 20, "there were more looks than the reads allow"
        return waited

    assert asyncio.run(main()) < 0.2


def test_looks_wait_with_the_reads_that_they_are() -> None:
    """Else they would pile up before a bucket of reads that is closed, and hold up what comes before writes."""

    async def main() -> float:
        timer = ManualTimer()
        throttle = Throttle(timer, reads_per_second=20, writes_per_second=8)
        throttle.pause("s", Kind.READS, 30)
        await timer.run(asyncio.create_task(throttle.acquire("s", Kind.LOOKS)))
        return timer.now

    assert asyncio.run(main()) >= 30
