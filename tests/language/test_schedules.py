"""What is accepted can fire; what is refused says which part of it is wrong."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policyengine.language.aliases import AliasCatalogue
from policyengine.language.documents import Assignment
from policyengine.language.parser import ParsedFile, parse_documents
from policyengine.language.schedules import timezones
from policyengine.scheduler.calendar import next_fire

NOW = datetime(2026, 11, 23, 5, 0, tzinfo=UTC)
TEXT = """apiVersion: policyengine/v1
kind: Assignment
metadata: {{name: edge}}
spec:
  policy: flux
  scope: /subscriptions/5b0c
  schedule: {{cron: "{cron}", timezone: {timezone}}}
"""


@pytest.fixture
def scheduled(aliases: AliasCatalogue) -> Callable[..., ParsedFile]:
    def parse(cron: str, timezone: str = "UTC") -> ParsedFile:
        return parse_documents(TEXT.format(cron=cron, timezone=timezone), "edge.yaml", aliases)

    return parse


Scheduled = Callable[..., ParsedFile]


def test_an_unknown_time_zone_is_pointed_at_with_the_nearest_name(scheduled: Scheduled) -> None:
    (problem,) = scheduled("0 * * * *", "Europe/Olso").diagnostics

    assert problem.message == "there is no time zone `Europe/Olso`"
    assert problem.help == "did you mean `Europe/Oslo`?"
    assert str(problem.span) == "edge.yaml:7:43"


@pytest.mark.parametrize(
    ("cron", "message", "column"),
    [
        ("*/99 * * * *", "`*/99` cannot be the minute of a cron expression", 21),
        ("0 24 * * *", "`24` cannot be the hour of a cron expression", 23),
        ("0 0 31 2 *", "`0 0 31 2 *` never fires: no month of `2` has a day `31`", 25),
        ("0 0 30 feb */2", "`0 0 30 feb */2` never fires: no month of `feb` has a day `30`", 25),
        ("0 0 31 feb,4-6/2 *", "`0 0 31 feb,4-6/2 *` never fires: no month of `feb,4-6/2` has a day `31`", 25),
    ],
)
def test_the_part_that_is_wrong_is_pointed_at(scheduled: Scheduled, cron: str, message: str, column: int) -> None:
    (problem,) = scheduled(cron).diagnostics

    assert (problem.code, problem.message) == ("invalid-schedule", message)
    assert str(problem.span) == f"edge.yaml:7:{column}"


@pytest.mark.parametrize(
    "cron", ["0 0 29 2 *", "0 0 31 2 mon", "0 0 31 1-3 *", "5/10 * * * *", "*/30 6-18/2 1,15 JAN-mar/2 sun-sat"]
)
def test_a_day_that_comes_however_seldom_is_accepted(scheduled: Scheduled, cron: str) -> None:
    assert scheduled(cron).diagnostics == ()


def test_every_time_zone_is_known_to_the_scheduler() -> None:
    assert {ZoneInfo(name).key for name in timezones()} == timezones()


def item(low: int, high: int, *names: str) -> st.SearchStrategy[str]:
    number = st.integers(low - 1, high + 1).map(str) | st.sampled_from(names or ("*",))
    span = st.just("*") | number | st.tuples(number, number).map("-".join)
    step = st.just("") | st.integers(0, high + 2).map("/{}".format)
    return st.lists(st.tuples(span, step).map("".join), min_size=1, max_size=2).map(",".join)


@given(
    cron=st.tuples(
        item(0, 59), item(0, 23), item(1, 31), item(1, 12, "jan", "Feb", "dec"), item(0, 7, "sun", "Mon", "sat")
    ).map(" ".join)
)
def test_what_is_accepted_fires(cron: str) -> None:
    """`validate` and `serve` agree: a schedule without a problem has a next time."""
    parsed = parse_documents(TEXT.format(cron=cron, timezone="Europe/Oslo"), "edge.yaml", AliasCatalogue.packaged())
    if not parsed.diagnostics:
        (assignment,) = parsed.documents
        assert isinstance(assignment, Assignment)
        assert assignment.schedule is not None
        assert next_fire(assignment.schedule)(NOW) > NOW
