"""Log lines: one shape for ours and for the libraries', and nothing in them that should stay inside."""

from __future__ import annotations

import io
import json
import logging
import re
import sys
from collections.abc import Iterator

import pytest
import structlog

from policyengine.cli.context import LogFormat
from policyengine.cli.logs import configure
from tests.cli.conftest import Terminal, attributes, process_restored


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    with process_restored():
        yield


def logged(log_format: LogFormat, verbosity: int = 0, *, terminal: bool = False) -> list[str]:
    """What some events and an accident look like."""
    stream = Terminal() if terminal else io.StringIO()
    with attributes(sys, stderr=stream):
        configure(log_format, verbosity)
        structlog.get_logger("policyengine.test").info("run finished", assignment="shops", states={"Compliant": 3})
        logging.getLogger("httpx").info("HTTP Request: GET %s", "https://management.azure.com/x")
        logging.getLogger("apscheduler").warning("late by %d s", 3)
        logging.getLogger("sqlalchemy.engine").info("INSERT INTO plan VALUES (…)")
        try:
            inner_secret = "hunter" + "2"
            raise RuntimeError(f"no place of {len(inner_secret)} letters")
        except RuntimeError:
            structlog.get_logger("policyengine.test").exception("run failed")
    return stream.getvalue().splitlines()


def test_lines_for_collectors_are_json_from_everybody() -> None:
    lines = [json.loads(line) for line in logged(LogFormat.JSON)]

    assert [(line["level"], line["event"]) for line in lines] == [
        ("info", "run finished"),
        ("warning", "late by 3 s"),
        ("error", "run failed"),
    ]
    assert lines[0]["states"] == {"Compliant": 3}
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", line["timestamp"]) for line in lines)
    assert "RuntimeError: no place" in lines[2]["exception"]


@pytest.mark.parametrize(("verbosity", "told"), [(0, False), (1, True)])
def test_what_azure_identity_tried_in_vain_is_told_only_when_asked_for(verbosity: int, told: bool) -> None:
    stream = io.StringIO()
    with attributes(sys, stderr=stream):
        configure(LogFormat.TEXT, verbosity)
        logging.getLogger("azure.identity._credentials.chained").warning("DefaultAzureCredential failed")
    assert ("DefaultAzureCredential" in stream.getvalue()) is told


def test_lines_for_people_are_plain_in_a_file() -> None:
    lines = logged(LogFormat.TEXT)

    assert re.search(r"\[info +\] run finished +assignment=shops states=\{'Compliant': 3\}$", lines[0])
    assert re.search(r"\[warning *\] late by 3 s", lines[1])
    assert "\x1b" not in "".join(lines)


def test_lines_for_people_are_coloured_on_a_terminal() -> None:
    assert "\x1b" in logged(LogFormat.TEXT, terminal=True)[0]


@pytest.mark.parametrize("log_format", list(LogFormat))
def test_requests_are_told_when_asked_for_and_statements_never(log_format: LogFormat) -> None:
    """A statement's values are documents and plans."""
    quiet, verbose = "".join(logged(log_format)), "".join(logged(log_format, 1))

    assert "HTTP Request" not in quiet
    assert "HTTP Request: GET https://management.azure.com/x" in verbose
    assert "INSERT" not in "".join(logged(log_format, 2))


@pytest.mark.parametrize("log_format", list(LogFormat))
def test_a_traceback_shows_no_values(log_format: LogFormat) -> None:
    assert "hunter2" not in "".join(logged(log_format))
