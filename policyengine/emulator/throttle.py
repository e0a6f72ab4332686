"""Token buckets per subscription, principal and kind of operation, and a global one over all principals.

They refill by wall-clock time: that is what a client waits by. Source: configuration API, "Throttling".
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from policyengine.emulator.answers import Refusal


@dataclass(frozen=True, slots=True)
class Limit:
    size: float
    per_second: float


READS: Final = "reads"
WRITES: Final = "writes"
DELETES: Final = "deletes"
QUERIES: Final = 15
"""Resource Graph queries of one user in each ``QUERY_WINDOW``."""
QUERY_WINDOW: Final = timedelta(seconds=5)
LIMITS: Final[Mapping[str, Limit]] = {READS: Limit(250, 25), WRITES: Limit(200, 10), DELETES: Limit(200, 10)}
GLOBAL_FACTOR: Final = 15


def operation_kind(method: str) -> str:
    if method in {"GET", "HEAD"}:
        return READS
    return DELETES if method == "DELETE" else WRITES


@dataclass(slots=True)
class _Bucket:
    limit: Limit
    tokens: float
    filled: datetime

    def refill(self, now: datetime) -> None:
        elapsed = max(0.0, (now - self.filled).total_seconds())
        self.tokens = min(self.limit.size, self.tokens + elapsed * self.limit.per_second)
        self.filled = now

    def wait_s(self) -> int:
        """Whole seconds until a token is there, at least 1."""
        return max(1, math.ceil((1 - self.tokens) / self.limit.per_second))


class Throttle:
    """``enforced`` false: buckets are still counted and told, nothing is refused.

    ``resource_requests`` is what the service behind takes of one subscription in a minute; 0: any number.
    """

    def __init__(self, *, enforced: bool, resource_requests: int = 0) -> None:
        self._enforced = enforced
        self._resource_limit = Limit(resource_requests, resource_requests / 60)
        self._buckets: dict[tuple[str, str, str], _Bucket] = {}
        self._windows: dict[str, tuple[datetime, int]] = {}

    def take(self, method: str, subscription: str | None, principal: str, wall: datetime) -> dict[str, str]:
        """Spend one token and tell what is left, as headers. Raises Refusal 429 when there is none."""
        kind = operation_kind(method)
        place = (subscription or "").casefold()
        level = "subscription" if subscription else "tenant"
        own = self._bucket((place, kind, principal), LIMITS[kind], wall)
        limit = LIMITS[kind]
        shared = self._bucket(
            (place, kind, ""), Limit(limit.size * GLOBAL_FACTOR, limit.per_second * GLOBAL_FACTOR), wall
        )
        short = next((bucket for bucket in (own, shared) if bucket.tokens < 1), None)
        prefix = f"x-ms-ratelimit-remaining-{level}"
        if short is not None and self._enforced:
            left = {f"{prefix}-{kind}": str(int(own.tokens)), f"{prefix}-global-{kind}": str(int(shared.tokens))}
            raise _too_many(subscription, kind, short.wait_s(), left)
        for bucket in (own, shared):
            bucket.tokens = max(0.0, bucket.tokens - 1)
        return {f"{prefix}-{kind}": str(int(own.tokens)), f"{prefix}-global-{kind}": str(int(shared.tokens))}

    def take_resource_request(self, subscription: str, wall: datetime) -> dict[str, str]:
        """The same for the service behind Resource Manager, over all principals. Raises Refusal 429."""
        if not self._resource_limit.size:
            return {}
        bucket = self._bucket((subscription.casefold(), "resource-requests", ""), self._resource_limit, wall)
        if bucket.tokens < 1 and self._enforced:
            raise Refusal(
                429,
                "ResourceRequestsThrottled",
                f"Number of requests for subscription '{subscription}' exceeded the limit of the resource provider. "
                f"Please try again after '{bucket.wait_s()}' seconds.",
                cause="service",
                headers={"Retry-After": str(bucket.wait_s())},
            )
        bucket.tokens = max(0.0, bucket.tokens - 1)
        return {"x-ms-ratelimit-remaining-subscription-resource-requests": str(int(bucket.tokens))}

    def take_query(self, principal: str, wall: datetime) -> dict[str, str]:
        """The same for a Resource Graph query, which has a quota of its own. Raises Refusal 429."""
        opened, used = self._windows.get(principal, (wall, 0))
        if not timedelta(0) <= wall - opened < QUERY_WINDOW:
            opened, used = wall, 0
        wait_s = math.ceil((opened + QUERY_WINDOW - wall).total_seconds())
        headers = {"x-ms-user-quota-resets-after": f"00:00:{wait_s:02d}"}
        if used >= QUERIES and self._enforced:
            message = "Client application has been throttled and should not attempt to repeat the request until then."
            told = {"x-ms-user-quota-remaining": "0", "Retry-After": str(max(1, wait_s)), **headers}
            raise Refusal(429, "TooManyRequests", message, cause="service", headers=told)
        self._windows[principal] = (opened, used + 1)
        return {"x-ms-user-quota-remaining": str(max(0, QUERIES - used - 1)), **headers}

    def _bucket(self, key: tuple[str, str, str], limit: Limit, wall: datetime) -> _Bucket:
        bucket = self._buckets.setdefault(key, _Bucket(limit, limit.size, wall))
        bucket.refill(wall)
        return bucket


def _too_many(subscription: str | None, kind: str, wait_s: int, left: Mapping[str, str]) -> Refusal:
    place, code = (
        (f"subscription '{subscription}'", "SubscriptionRequestsThrottled")
        if subscription
        else (
            "the tenant",
            "TooManyRequests",
        )
    )
    return Refusal(
        429,
        code,
        f"Number of '{kind}' requests for {place} exceeded the limit. Please try again after '{wait_s}' seconds.",
        headers={"Retry-After": str(wait_s), **left},
    )
