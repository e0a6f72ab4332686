from __future__ import annotations

import pytest

from policyengine.arm.answer import Answer
from policyengine.arm.causes import Cause
from policyengine.arm.operation import (
    LONGEST_POLL_S,
    PATIENT_S,
    POLL_AFTER_S,
    Done,
    Failed,
    Operation,
    Wait,
    is_settled,
    operation_url,
    pause_s,
    poll_after_s,
)

URL = "https://arm.example/operations/1"


def next_step(status: int, body: object, **headers: str) -> Wait | Done | Failed:
    return Operation(URL).next(Answer(status, {n.replace("_", "-"): v for n, v in headers.items()}, body))


def test_a_status_nobody_knows_means_still_running() -> None:
    for status in ("InProgress", "Creating", "Reticulating"):
        assert next_step(200, {"status": status}, retry_after="7") == Wait(7.0, URL, status)


@pytest.mark.parametrize("status", ["Succeeded", "succeeded", "SUCCEEDED"])
def test_success_ends_it_in_any_case(status: str) -> None:
    assert next_step(200, {"status": status}) == Done({"status": status})


@pytest.mark.parametrize("status", ["Failed", "failed", "Canceled", "Cancelled"])
def test_failure_brings_the_innermost_cause(status: str) -> None:
    error = {"code": "ExtensionOperationFailed", "message": '{"error":{"code":"X","message":"no room"}}'}

    assert next_step(200, {"status": status, "error": error}) == Failed(status, Cause("X", "no room"))


def test_a_failure_without_an_error_is_still_a_failure() -> None:
    assert next_step(200, {"status": "Failed", "error": None}) == Failed("Failed", Cause("", ""))


def test_a_service_that_wants_to_be_left_alone_for_days_is_looked_at_all_the_same() -> None:
    assert next_step(200, {"status": "InProgress"}, retry_after="864000") == Wait(LONGEST_POLL_S, URL, "InProgress")


def test_what_the_service_said_last_holds_where_it_says_nothing() -> None:
    answer = Answer(200, {}, {"properties": {"provisioningState": "Creating"}})

    assert Operation(URL, 15.0).next(answer) == Wait(15.0, URL, "Creating")
    assert (poll_after_s(answer), poll_after_s(answer, 15.0)) == (POLL_AFTER_S, 15.0)


def test_looks_are_never_sooner_than_asked_for_and_rarer_the_longer_it_takes() -> None:
    assert pause_s(15.0, 0.0) == 15.0
    assert pause_s(15.0, 70.0) == 35.0
    assert pause_s(15.0, 3600.0) == PATIENT_S
    assert pause_s(300.0, 3600.0) == 300.0


def test_a_location_runs_while_it_answers_202_and_may_move() -> None:
    assert next_step(202, None) == Wait(POLL_AFTER_S, URL, "accepted")
    assert next_step(202, None, location=URL + "/b", retry_after="0") == Wait(1.0, URL + "/b", "accepted")
    assert next_step(200, {"name": "flux"}) == Done({"name": "flux"})
    assert next_step(204, None) == Done(None)


def test_a_resource_tells_by_its_provisioning_state() -> None:
    assert next_step(200, {"properties": {"provisioningState": "Updating"}}) == Wait(POLL_AFTER_S, URL, "Updating")
    failed = {
        "properties": {"provisioningState": "Failed", "errorInfo": {"code": "InstallationFailed", "message": "no room"}}
    }
    assert next_step(200, failed) == Failed("Failed", Cause("InstallationFailed", "no room"))
    assert next_step(200, {"properties": {}}) == Done({"properties": {}})


def test_the_operation_url_prefers_the_async_operation() -> None:
    headers = {"location": "/l", "azure-asyncoperation": "/a", "operation-location": "/o"}

    assert operation_url(Answer(201, headers)) == "/a"
    assert operation_url(Answer(202, {"location": "/l"})) == "/l"
    assert operation_url(Answer(200, {})) is None


@pytest.mark.parametrize(
    ("state", "settled"),
    [("Succeeded", True), ("failed", True), (None, True), ("Creating", False), ("Deleting", False)],
)
def test_a_resource_is_settled_when_nothing_is_under_way(state: str | None, settled: bool) -> None:
    assert is_settled({"properties": {"provisioningState": state}}) is settled
