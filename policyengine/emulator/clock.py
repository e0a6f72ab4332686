"""The simulated clock: starts at the real instant, then runs at its own rate, or only when told to.

Documents carry simulated times. What a client waits by (`Retry-After`, rate limits) is wall-clock time, since the
client lives there.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta

from policyengine.clock import Clock, SystemClock
from policyengine.errors import ConfigError

FASTEST = 1_000_000
_RATE = re.compile(r"x(\d+(?:\.\d+)?)", re.IGNORECASE)


class SimulatedClock:
    """``rate`` simulated seconds pass per wall-clock second; a rate of 0 is a frozen clock.

    INVARIANT: never runs backwards, whatever the machine's clock does.
    """

    def __init__(self, rate: float, wall: Clock | None = None) -> None:
        self._wall = wall or SystemClock()
        self._rate = rate
        self._base = self._latest = self._wall_base = self._wall.now()

    @classmethod
    def parse(cls, text: str, wall: Clock | None = None) -> SimulatedClock:
        """A clock for `real`, `xN` or `frozen`. Raises ConfigError."""
        return cls(parse_rate(text), wall)

    @property
    def mode(self) -> str:
        if self._rate == 0:
            return "frozen"
        return "real" if self._rate == 1 else f"x{self._rate:g}"

    def now(self) -> datetime:
        elapsed = (self._wall.now() - self._wall_base) * self._rate
        self._latest = max(self._latest, self._base + elapsed)
        return self._latest

    def wall_now(self) -> datetime:
        return self._wall.now()

    def advance(self, by: timedelta) -> datetime:
        """Jump forward; the new instant."""
        if by < timedelta(0):
            raise ConfigError("the clock cannot run backwards", help="advance it by a positive length of time")
        try:
            self._base += by
        except OverflowError as error:
            raise ConfigError("the clock ends with the year 9999", help="advance it by less, or reset") from error
        return self.now()

    def set_mode(self, text: str) -> None:
        """Go on from the present instant at another rate. Raises ConfigError."""
        rate = parse_rate(text)
        self._base, self._wall_base, self._rate = self.now(), self._wall.now(), rate

    def resume(self) -> None:
        """Go on from the instant last asked for: wall-clock time that passed since then does not count."""
        self._base, self._wall_base = self._latest, self._wall.now()

    def retry_after_s(self, simulated: timedelta) -> int:
        """Whole wall-clock seconds, at least 1, after which ``simulated`` will have passed; 1 when frozen."""
        if self._rate == 0:
            return 1
        return max(1, math.ceil(simulated.total_seconds() / self._rate))


def parse_rate(text: str) -> float:
    """Simulated seconds per second for `real`, `xN` or `frozen`. Raises ConfigError."""
    word = text.strip().casefold()
    if word in {"real", "frozen"}:
        return 1.0 if word == "real" else 0.0
    match = _RATE.fullmatch(word)
    if match is None or not 0 < float(match.group(1)) <= FASTEST:
        help = f"use `real`, `frozen`, or a rate such as `x60`, at most `x{FASTEST}`"
        raise ConfigError(f"`{text}` is not a clock", help=help)
    return float(match.group(1))


def stamp(at: datetime) -> str:
    """The instant as documents write it: UTC, milliseconds, `Z`."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"


def parse_stamp(value: object) -> datetime | None:
    """The instant a document wrote, or None when it is not one."""
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    try:
        at = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)
