"""Token buckets, by wall-clock time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from policyengine.emulator.answers import Refusal
from policyengine.emulator.throttle import Throttle

if TYPE_CHECKING:
    from tests.emulator.conftest import Api

REMAINING = "x-ms-ratelimit-remaining-subscription"


def test_every_answer_tells_what_is_left(api: Api) -> None:
    path = f"/subscriptions/{api.shops}"
    assert api.get(path).headers[f"{REMAINING}-reads"] == "249"
    answer = api.get(path)
    assert answer.headers[f"{REMAINING}-reads"] == "248"
    assert answer.headers[f"{REMAINING}-global-reads"] == "3748"
    assert api.install(api.arc).headers[f"{REMAINING}-writes"] == "199"
    assert api.send("DELETE", api.extension(api.aks)).headers[f"{REMAINING}-deletes"] == "199"
    assert api.get("/subscriptions").headers["x-ms-ratelimit-remaining-tenant-reads"] == "249"


def test_a_bucket_refills_by_the_wall_clock_and_not_by_the_simulated_one(api: Api) -> None:
    path = f"/subscriptions/{api.shops}"
    for _ in range(20):
        api.get(path)
    api.advance("1h")
    assert api.get(path).headers[f"{REMAINING}-reads"] == "229"
    api.wall.pass_(0.4)
    assert api.get(path).headers[f"{REMAINING}-reads"] == "238"


def test_an_empty_bucket_refuses_and_says_when_to_come_back(api: Api) -> None:
    statuses = [api.send("DELETE", api.extension(api.arc)).status_code for _ in range(201)]
    assert statuses == [204] * 200 + [429]
    refused = api.send("DELETE", api.extension(api.arc))
    assert api.error(refused) == (429, "SubscriptionRequestsThrottled")
    assert refused.headers["retry-after"] == "1"
    assert refused.headers[f"{REMAINING}-deletes"] == "0"
    assert "'1' seconds" in refused.json()["error"]["message"]
    assert api.send("DELETE", api.extension(api.aks)).status_code == 204
    other = {"Authorization": "Bearer another"}
    assert api.http.delete(f"{api.extension(api.arc)}?api-version=2025-03-01", headers=other).status_code == 204
    api.wall.pass_(1)
    assert api.send("DELETE", api.extension(api.arc)).status_code == 204


def test_it_can_be_switched_off(start: Callable[..., Api]) -> None:
    api = start(throttling=False)
    answers = [api.send("DELETE", api.extension(api.arc)) for _ in range(205)]
    assert {a.status_code for a in answers} == {204}
    assert answers[-1].headers[f"{REMAINING}-deletes"] == "0"


def test_the_service_behind_may_have_a_limit_of_its_own(start: Callable[..., Api]) -> None:
    api = start(resource_requests=2)
    left = "x-ms-ratelimit-remaining-subscription-resource-requests"
    assert [api.get(api.extension(api.arc)).headers[left] for _ in range(2)] == ["1", "0"]
    refused = api.get(api.extension(api.arc))
    assert api.error(refused) == (429, "ResourceRequestsThrottled")
    assert (refused.headers["retry-after"], refused.headers["x-ms-failure-cause"]) == ("30", "service")
    assert left not in api.get(api.arc).headers
    assert api.get(api.extension(api.aks)).headers[left] == "1"
    api.wall.pass_(30)
    assert api.get(api.extension(api.arc)).status_code == 404


def test_all_principals_together_have_fifteen_times_the_budget_of_one() -> None:
    throttle, wall = Throttle(enforced=True), datetime(2026, 11, 23, tzinfo=UTC)
    for principal in range(15):
        for _ in range(200):
            throttle.take("DELETE", "sub", f"p-{principal}", wall)
    with pytest.raises(Refusal) as refused:
        throttle.take("DELETE", "sub", "somebody-else", wall)
    assert (refused.value.status, refused.value.headers["Retry-After"]) == (429, "1")
    assert refused.value.headers[f"{REMAINING}-deletes"] == "200"
    throttle.take("DELETE", "another", "somebody-else", wall)
    throttle.take("DELETE", "sub", "somebody-else", wall + timedelta(seconds=1))
