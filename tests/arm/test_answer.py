from __future__ import annotations

import pytest

from policyengine.arm.answer import Answer, retry_after_s


def throttled(message: str = "", **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(429, named, {"error": {"code": "TooManyRequests", "message": message}})


def test_the_error_is_found_with_and_without_its_envelope() -> None:
    for body in ({"error": {"code": "C", "message": "m"}}, {"code": "C", "message": "m"}, {"Error": {"Code": "C"}}):
        assert Answer(400, body=body).code == "C"
    assert Answer(200, body={"properties": {}}).error == {}
    assert Answer(502, body="<html>").code == ""


def test_a_message_comes_on_one_line() -> None:
    assert Answer(400, body={"error": {"code": "C", "message": "one\r\n  two"}}).message == "one two"


@pytest.mark.parametrize(("text", "seconds"), [("17", 17.0), (" 0 ", 0.0), ("1.5", 1.5), ("soon", None), ("-3", None)])
def test_retry_after_counts_seconds(text: str, seconds: float | None) -> None:
    assert retry_after_s(throttled(retry_after=text)) == seconds


def test_a_retry_after_date_is_read_against_the_answers_own_date() -> None:
    date, later = "Sun, 22 Nov 2026 20:00:00 GMT", "Sun, 22 Nov 2026 20:01:30 GMT"

    assert retry_after_s(throttled(retry_after=later, date=date)) == 90.0
    assert retry_after_s(throttled(retry_after=date, date=later)) == 0.0
    assert retry_after_s(throttled(retry_after=later)) is None


def test_milliseconds_win_over_seconds() -> None:
    assert retry_after_s(throttled(retry_after="3", retry_after_ms="250")) == 0.25


@pytest.mark.parametrize(
    ("message", "seconds"),
    [
        ("The request is being throttled. Please retry after 17 seconds.", 17.0),
        ("Please try again after '5' minutes.", 300.0),
        ("Rate limit exceeded: wait 30s before the next call", 30.0),
        ("Retry in 1500 milliseconds", 1.5),
        ("Too many requests for version 2021 of the API", None),
        ("Number of requests 1200 exceeded", None),
    ],
)
def test_a_wait_is_found_in_the_message(message: str, seconds: float | None) -> None:
    assert retry_after_s(throttled(message)) == seconds


def test_the_header_wins_over_the_message() -> None:
    assert retry_after_s(throttled("retry after 99 seconds", retry_after="2")) == 2.0
