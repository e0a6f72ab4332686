from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from policyengine.model.states import ComplianceState
from policyengine.reports import words


@pytest.mark.parametrize(
    ("ratio", "text"),
    [(None, "n/a"), (0, "0 %"), (0.001, "<1 %"), (0.744, "74 %"), (0.9999, ">99 %"), (1, "100 %")],
)
def test_percent_is_never_rounded_to_all_or_none(ratio: float | None, text: str) -> None:
    assert words.percent(ratio) == text


@pytest.mark.parametrize(
    ("ratio", "text"), [(0.031, "+3.1 points"), (-0.2, "−20 points"), (0.01, "+1 point"), (0.0001, "no change")]
)
def test_points(ratio: float, text: str) -> None:
    assert words.points(ratio) == text


@pytest.mark.parametrize(
    ("length", "text"),
    [
        (timedelta(days=41, hours=20), "41 days"),
        (timedelta(hours=1), "1 hour"),
        (timedelta(minutes=12), "12 minutes"),
        (timedelta(seconds=0.25), "0.2 seconds"),
        (timedelta(seconds=-5), "0 seconds"),
    ],
)
def test_duration(length: timedelta, text: str) -> None:
    assert words.duration(length) == text


def test_instants_are_said_in_utc() -> None:
    oslo = datetime(2026, 11, 23, 0, 30, tzinfo=timezone(timedelta(hours=1)))

    assert words.instant(oslo) == "22 Nov 2026 23:30 UTC"
    assert words.iso(oslo) == "2026-11-22T23:30:00Z"
    assert words.day(datetime(2026, 1, 5, tzinfo=UTC)) == "5 Jan 2026"


def test_plural() -> None:
    assert [words.plural(1, "cluster"), words.plural(1024, "cluster"), words.plural(2, "policy", "policies")] == [
        "1 cluster",
        "1,024 clusters",
        "2 policies",
    ]


def test_every_state_has_its_own_word_and_letter() -> None:
    for table in (words.STATE_WORDS, words.STATE_LETTERS, words.STATE_MEANINGS):
        assert set(table) == set(ComplianceState)
        assert len(set(table.values())) == len(ComplianceState)


def test_quoted_parts_need_both_backticks() -> None:
    assert words.quoted_parts("set `a` to b`") == [("set ", False), ("a", True), (" to b`", False)]
    assert words.quoted_parts("") == []
