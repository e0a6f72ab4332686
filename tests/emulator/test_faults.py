"""Scripted faults: what goes wrong goes wrong for whom it was meant, and as often as was said."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import httpx
import pytest

if TYPE_CHECKING:
    from tests.emulator.conftest import Api


def script(api: Api, **fault: Any) -> httpx.Response:
    return api.http.post("/_emulator/faults", json=fault)


def exists(api: Api, id: str) -> bool:
    return api.get(id).status_code == 200


def test_a_429_says_when_to_come_back(api: Api) -> None:
    script(api, status=429, retryAfter=7, code="SubscriptionRequestsThrottled")
    answer = api.install(api.arc)
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "7")
    assert api.install(api.arc).status_code == 201


def test_an_error_before_applying_leaves_nothing_behind(api: Api) -> None:
    script(api, status=503, method="PUT")
    assert api.error(api.install(api.arc)) == (503, "ServiceUnavailable")
    assert not exists(api, api.extension(api.arc))


def test_an_error_after_applying_hides_a_write_that_was_made(api: Api) -> None:
    script(api, status=502, method="PUT", after=True)
    assert api.install(api.arc).status_code == 502
    assert exists(api, api.extension(api.arc))
    assert [e.status for e in api.emulator.journal.entries("PUT")] == [502]


@pytest.mark.parametrize("after", [False, True])
def test_a_dropped_connection_gives_no_answer(api: Api, after: bool) -> None:
    script(api, drop=True, after=after, method="PUT")
    with pytest.raises(httpx.RemoteProtocolError):
        api.install(api.arc)
    assert exists(api, api.extension(api.arc)) is after
    assert [e.status for e in api.emulator.journal.entries("PUT")] == [0]


def test_a_slow_answer_is_made_at_once_and_given_late(api: Api) -> None:
    script(api, delay="30s", method="PUT")
    with httpx.Client(base_url=api.url, timeout=0.2, headers=api.http.headers) as impatient:
        with pytest.raises(httpx.ReadTimeout):
            impatient.put(
                f"{api.extension(api.arc)}?api-version=2023-05-01",
                json={"properties": {"extensionType": "microsoft.flux"}},
            )
        assert exists(api, api.extension(api.arc))


def test_an_installation_fails_with_the_message_and_works_the_next_time(api: Api) -> None:
    script(api, install="microsoft.*", message="no nodes available", path="*/osl-01")
    api.install(api.aks)
    api.install(api.arc)
    api.advance("5m")
    assert api.get(api.extension(api.aks)).json()["properties"]["provisioningState"] == "Succeeded"
    failed = api.get(api.extension(api.arc)).json()["properties"]
    assert failed["provisioningState"] == "Failed"
    assert "no nodes available" in failed["errorInfo"]["message"]
    api.install(api.arc)
    api.advance("5m")
    assert api.get(api.extension(api.arc)).json()["properties"]["provisioningState"] == "Succeeded"


def test_a_stale_query_shows_what_was_there_before_the_write(api: Api) -> None:
    def listed() -> list[str]:
        body = {"query": f"kubernetesconfigurationresources | where id startswith '{api.arc}' | project name"}
        answer = api.send("POST", "/providers/Microsoft.ResourceGraph/resources", body)
        return [row["name"] for row in answer.json()["data"]]

    script(api, lag="10m")
    api.install(api.arc)
    api.advance("1m")
    assert listed() == []
    assert listed() == ["flux"]


def test_only_what_was_meant_is_struck(api: Api) -> None:
    script(api, status=500, method="PUT", path=f"*{'/OSL-01/'}*", times=2)
    assert [api.install(c).status_code for c in (api.aks, api.arc, api.arc, api.arc)] == [201, 500, 500, 201]


def test_a_probability_strikes_that_share_and_the_same_requests_each_time(start: Callable[..., Api]) -> None:
    def run(paths: list[str]) -> dict[str, list[int]]:
        api = start(throttling=False)
        script(api, status=500, probability=0.3)
        return {path: [api.get(path).status_code for _ in range(100)] for path in paths}

    first = run(["/subscriptions", "/tenants"])
    assert 15 <= sum(status == 500 for status in first["/subscriptions"]) <= 45
    assert run(["/tenants", "/subscriptions"]) == first


def test_faults_are_listed_as_written_and_taken_back(api: Api) -> None:
    written = [
        {"path": "*x*", "status": 429, "code": "TooMany", "message": "m", "method": "PUT", "times": 3, "retryAfter": 5},
        {"path": "*", "message": "m", "probability": 0.5, "after": True, "drop": True, "delay": "2s"},
        {"path": "*", "message": "m", "times": 1, "install": "microsoft.flux"},
        {"path": "*", "message": "m", "times": 1, "lag": "60s"},
    ]
    for fault in written:
        script(api, **fault)
    assert api.http.get("/_emulator/faults").json()["value"] == written
    assert api.http.delete("/_emulator/faults").json() == {"value": []}


@pytest.mark.parametrize(
    "fault",
    [
        {},
        {"status": 200},
        {"statuss": 500},
        {"status": 500, "probability": 0},
        {"delay": "soon"},
        {"status": True},
        {"status": 500, "times": 0},
        {"status": 500, "times": "many"},
        {"status": 500, "method": "FETCH"},
        {"status": 429, "retryAfter": -1},
        {"status": 500, "after": "no"},
        {"status": 500, "drop": True},
    ],
)
def test_a_fault_that_could_never_strike_is_refused(api: Api, fault: dict[str, Any]) -> None:
    answer = script(api, **fault)
    assert answer.status_code == 400
    assert "fault" in answer.json()["error"]["message"]
