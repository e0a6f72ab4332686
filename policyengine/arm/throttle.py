"""Budgets: how fast we may ask, per subscription and kind of operation, shared by everything in the process.

Processes that write at the same time divide them; whoever knows of the others says how many there are.
The bucket is pure (time is passed in) and may be asked from several threads; the throttle waits on a Timer. A
request takes a ticket, so waiting requests leave in the order they came.
Source: configuration API §6.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from threading import Lock
from typing import Final

from policyengine.arm.retry import LONGEST_WAIT_S
from policyengine.arm.timer import Timer

WaitListener = Callable[[str, float], None]
"""Told why and for how many seconds a request is about to wait."""

LOW: Final = 20
"""With fewer requests than this left in the service's own bucket, we slow down in proportion."""

READ_BURST_S: Final = 4.0
"""How many seconds' worth of reads may go at once: a fraction of the service's bucket of 250, whose rest it tells."""

WRITES_AT_ONCE: Final = 2.0
"""Unless somebody asks for more, writes hardly burst: others may spend from the service's bucket of 200 too."""

LOOKS_SHARE: Final = 0.5
"""How much of the reads may go into looking how far accepted writes are. The other half is for what comes before a
write, about one read each: so writes keep to their own budget however long the work behind them takes."""

QUERIES_PER_SECOND: Final = 2.5
"""Resource Graph takes about 15 queries in 5 seconds from one user, who may have other programs running."""

_QUERY_BURST: Final = 5.0
_SLOWEST: Final = 0.1
_INSTANT_S: Final = 1e-6
_WORTH_TELLING_S: Final = 0.5
_LOOK_AGAIN_S: Final = 2.0
_REMAINING: Final = "x-ms-ratelimit-remaining-"
_LEFT: Final = re.compile(r"(?:^|;)\s*(\d+)\s*(?=,|$)")  # `11999`, or `Microsoft.Compute/GetVM3Min;219,…`
_QUOTA: Final = "x-ms-user-quota-remaining"
_QUOTA_BACK: Final = "x-ms-user-quota-resets-after"


class Kind(Enum):
    """What the service counts apart. Queries are Resource Graph's, which has a quota for each user.

    Looks are reads to the service; they take from both buckets.
    """

    READS = "read"
    WRITES = "write"
    DELETES = "delete"
    QUERIES = "query"
    LOOKS = "look"


@dataclass(slots=True)
class Bucket:
    """``burst`` requests at once, then ``per_second`` of them, in the order of their tickets. Instants are monotonic
    seconds.

    ``slowdown`` is what the service's own bucket calls for, ``share`` what other processes leave us; both in (0, 1].
    A turn is worked out anew whenever it is asked for, so what changes these two holds for those who wait already.
    """

    per_second: float
    burst: float = 1.0
    slowdown: float = field(default=1.0, init=False)
    share: float = field(default=1.0, init=False)
    pauses: int = field(default=0, init=False)
    _issued: int = field(default=0, init=False)
    _granted: float = field(default=float("inf"), init=False)
    _counted_at: float = field(default=float("-inf"), init=False)
    _closed_until: float = field(default=float("-inf"), init=False)
    _lock: Lock = field(default_factory=Lock, init=False, repr=False, compare=False)

    def ticket(self, now: float) -> int:
        """A place in the queue."""
        with self._lock:
            self._count(now)
            self._issued += 1
            return self._issued

    def wait_s(self, ticket: int, now: float) -> float:
        """In how many seconds it is this ticket's turn, as things stand; 0: now."""
        with self._lock:
            self._count(now)
            ahead = (ticket - self._granted) / self._rate
            wait = max(0.0, self._closed_until - now) + max(0.0, ahead)
            return wait if wait >= _INSTANT_S else 0.0

    def give_back(self) -> None:
        """Somebody left the queue: those behind move up."""
        with self._lock:
            self._granted += 1

    def closed_for(self, now: float) -> float:
        """How many seconds more nobody goes; 0 when it is open."""
        return max(0.0, self._closed_until - now)

    def pause(self, now: float, seconds: float) -> None:
        """Nobody goes for ``seconds``, and afterwards without a burst: the service's bucket is empty too."""
        with self._lock:
            self._count(now)
            self.pauses += 1
            self._closed_until = max(self._closed_until, now + seconds)
            self._granted = min(self._granted, self._issued + 1.0)

    def observe(self, remaining: int) -> None:
        """Slow down while the service says that little is left."""
        self.slowdown = max(_SLOWEST, min(1.0, remaining / LOW))

    @property
    def is_slowed(self) -> bool:
        """True when it may soon go faster than it goes now."""
        return self.slowdown < 1.0 or self.share < 1.0

    @property
    def _rate(self) -> float:
        return self.per_second * self.slowdown * self.share

    def _count(self, now: float) -> None:
        """Grant what has become free; nothing does while the bucket is closed."""
        elapsed = max(0.0, now - max(self._counted_at, self._closed_until))
        self._counted_at = max(self._counted_at, now)
        at_once = max(1.0, self.burst * self.slowdown * self.share)
        self._granted = min(self._granted + elapsed * self._rate, self._issued + at_once)


class Throttle:
    """One bucket per subscription and kind."""

    def __init__(
        self, timer: Timer, *, reads_per_second: float, writes_per_second: float, writes_at_once: float = WRITES_AT_ONCE
    ) -> None:
        self._timer = timer
        self._writes_at_once = writes_at_once
        self._rates = {
            Kind.READS: reads_per_second,
            Kind.WRITES: writes_per_second,
            Kind.DELETES: writes_per_second,
            Kind.QUERIES: QUERIES_PER_SECOND,
            Kind.LOOKS: reads_per_second * LOOKS_SHARE,
        }
        self._buckets: dict[tuple[str, Kind], Bucket] = {}
        self._share = 1.0
        self._lock = Lock()

    async def acquire(self, subscription: str | None, kind: Kind, on_wait: WaitListener | None = None) -> bool:
        """True when a request of this kind may be sent, after however long; False when the service has closed the
        bucket for longer than `LONGEST_WAIT_S`."""
        bucket = self._bucket(subscription, kind)
        ticket, told = bucket.ticket(self._timer.monotonic()), float("-inf")
        try:
            while True:
                now = self._timer.monotonic()
                if bucket.closed_for(now) > LONGEST_WAIT_S:
                    bucket.give_back()
                    return False
                wait = bucket.wait_s(ticket, now)
                if not wait:
                    return True
                if on_wait is not None and wait >= _WORTH_TELLING_S and now + wait > told + _WORTH_TELLING_S:
                    told = now + wait
                    on_wait(f"{kind.value} budget of {_named(subscription)}", wait)
                await self._timer.sleep(min(wait, _LOOK_AGAIN_S) if bucket.is_slowed else wait)
        except BaseException:
            bucket.give_back()
            raise

    def closed_for(self, subscription: str | None, kind: Kind) -> float:
        """How many seconds more the service wants no request of this kind."""
        return self._bucket(subscription, kind).closed_for(self._timer.monotonic())

    def pauses(self, subscription: str | None, kind: Kind) -> int:
        """How often the service has closed the bucket: a turn from before the last time is void."""
        return self._bucket(subscription, kind).pauses

    def divide(self, spenders: int) -> None:
        """So many processes spend the budgets from now on, this one among them: each takes an equal share."""
        with self._lock:
            self._share = 1.0 / max(1, spenders)
            for bucket in self._buckets.values():
                bucket.share = self._share

    def pause(self, subscription: str | None, kind: Kind, seconds: float) -> None:
        """After a 429: everyone who would spend from this bucket waits."""
        for bucket in self._filled_alike(subscription, kind):
            bucket.pause(self._timer.monotonic(), seconds)

    def observe(self, subscription: str | None, kind: Kind, headers: Mapping[str, str]) -> None:
        """Take note of what the service says is left; the smallest number counts.

        When nothing is left of a user's quota, nobody goes until it is back.
        """
        if headers.get(_QUOTA, "").strip() == "0":
            self.pause(subscription, kind, seconds_of(headers.get(_QUOTA_BACK, "")))
        told = (value for name, value in headers.items() if name.startswith(_REMAINING))
        left = [int(number) for value in told for number in _LEFT.findall(value)]
        if left:
            for bucket in self._filled_alike(subscription, kind):
                bucket.observe(min(left))

    def _filled_alike(self, subscription: str | None, kind: Kind) -> list[Bucket]:
        """Looks must not pile up before a bucket of reads that is closed, or filled slowly."""
        kinds = (Kind.READS, Kind.LOOKS) if kind is Kind.READS else (kind,)
        return [self._bucket(subscription, each) for each in kinds]

    def _bucket(self, subscription: str | None, kind: Kind) -> Bucket:
        key = ((subscription or "").casefold(), kind)
        with self._lock:
            if key not in self._buckets:
                rate = self._rates[kind]
                self._buckets[key] = Bucket(rate, max(1.0, self._burst(kind, rate)))
                self._buckets[key].share = self._share
            return self._buckets[key]

    def _burst(self, kind: Kind, rate: float) -> float:
        """Writes leave the service's last ones alone: below them we would slow down."""
        few = min(self._writes_at_once, WRITES_AT_ONCE)
        writes = max(few, self._writes_at_once - LOW)
        reads = rate * READ_BURST_S
        return {Kind.READS: reads, Kind.LOOKS: reads, Kind.QUERIES: _QUERY_BURST}.get(kind, writes)


def seconds_of(clock: str) -> float:
    """``hh:mm:ss`` in seconds; 0 for anything else."""
    parts = clock.strip().split(":")
    if len(parts) != 3 or not all(part.isdecimal() for part in parts):
        return 0.0
    hours, minutes, seconds = map(int, parts)
    return hours * 3600.0 + minutes * 60.0 + seconds


def _named(subscription: str | None) -> str:
    return f"subscription {subscription}" if subscription else "the tenant"
