from __future__ import annotations

import pytest

from policyengine.arm.answer import Answer
from policyengine.arm.retry import LONGEST_WAIT_S, GiveUp, Retry, after_silence, decide, is_outcome_unknown
from policyengine.errors import ArmTransportError


def answer(status: int, code: str = "", message: str = "", **headers: str) -> Answer:
    return Answer(
        status, {n.replace("_", "-"): v for n, v in headers.items()}, {"error": {"code": code, "message": message}}
    )


def silence(*, sent: bool, lasts: bool = False) -> ArmTransportError:
    error = ArmTransportError("no answer", method="GET", url="/")
    error.sent, error.lasts = sent, lasts
    return error


def waits(answer: Answer, *, method: str = "PUT", attempt: int = 1, jitter: float = 0.5) -> float | None:
    verdict = decide(answer, is_read=method == "GET", attempt=attempt, jitter=jitter)
    return verdict.after_s if isinstance(verdict, Retry) else None


def test_a_throttled_request_waits_as_long_as_it_is_told() -> None:
    assert waits(answer(429, "TooManyRequests", retry_after="17")) == 17.0
    assert waits(answer(429, "TooManyRequests", retry_after="0")) == 1.0


def test_a_wait_beyond_all_patience_is_not_waited_for() -> None:
    assert waits(answer(429, retry_after=str(int(LONGEST_WAIT_S) + 1))) is None


def test_back_off_grows_is_bounded_and_drawn_in_full() -> None:
    patient = [waits(answer(503), attempt=n, jitter=1.0) for n in range(1, 7)]

    assert patient == [1.0, 2.0, 4.0, 8.0, 16.0, None]
    assert waits(answer(429), attempt=9, jitter=1.0) == 60.0
    assert waits(answer(429), attempt=1, jitter=0.0) == 1.0
    assert waits(answer(503), attempt=3, jitter=0.0) == 0.0


@pytest.mark.parametrize("status", [408, 500, 502, 504])
def test_a_write_that_may_have_been_applied_is_not_sent_again(status: int) -> None:
    assert waits(answer(status), method="PUT") is None
    assert waits(answer(status), method="GET") is not None
    assert is_outcome_unknown(status)


@pytest.mark.parametrize("status", [429, 503])
def test_a_write_that_was_turned_away_is_sent_again(status: int) -> None:
    assert waits(answer(status), method="PUT") is not None
    assert not is_outcome_unknown(status)


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("OperationInProgress", "Another operation is in progress."),
        ("Conflict", "the object has been modified; please apply your changes to the latest version and try again"),
        ("Conflict", ""),
        (
            "OperationNotAllowed",
            "Operation is not allowed because there's an in progress update managed cluster operation",
        ),
    ],
)
def test_a_conflict_that_passes_by_itself_is_waited_for(code: str, message: str) -> None:
    verdict = decide(answer(409, code, message), is_read=False, attempt=1, jitter=0.5)

    assert verdict == Retry(2.5, "409 another operation is in progress")


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("MissingSubscriptionRegistration", "The subscription is not registered to use namespace 'X'."),
        ("ScopeLocked", "The scope is locked."),
        ("Conflict", "an extension of this type already exists"),
        ("OperationNotAllowed", "The quota is spent."),
    ],
)
def test_a_conflict_that_stays_is_not_waited_for(code: str, message: str) -> None:
    assert waits(answer(409, code, message)) is None


@pytest.mark.parametrize("status", [400, 401, 403, 404, 412, 501])
def test_other_answers_stand(status: int) -> None:
    assert waits(answer(status), method="GET") is None


def test_without_an_answer_only_what_was_not_sent_or_only_reads_is_tried_again() -> None:
    assert isinstance(after_silence(silence(sent=True), is_read=True, attempt=1, jitter=0.5), Retry)
    assert isinstance(after_silence(silence(sent=False), is_read=False, attempt=1, jitter=0.5), Retry)
    assert isinstance(after_silence(silence(sent=True), is_read=False, attempt=1, jitter=0.5), GiveUp)
    assert isinstance(after_silence(silence(sent=False), is_read=True, attempt=5, jitter=0.5), GiveUp)
    assert isinstance(after_silence(silence(sent=False, lasts=True), is_read=True, attempt=1, jitter=0.5), GiveUp)
