"""Watching a remediation: a board on a terminal, a line for each end elsewhere, nothing when nobody wants it."""

from __future__ import annotations

import io
import sys
from datetime import UTC, datetime
from typing import Any

import pytest

from policyengine.cli.context import Cli, Color
from policyengine.cli.remediation_progress import watching
from policyengine.execution import Event
from policyengine.execution.events import StepAccepted, StepFinished, StepLeft, StepStarted, StepWaiting
from policyengine.model.ids import ResourceId
from policyengine.model.resource import ResourceWrite
from policyengine.remediation.steps import Plan, Preflight, Step, StepOutcome, StepState
from tests.cli.conftest import Terminal, attributes

AT = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
SHOPS = "/subscriptions/00000000-0000-0000-0000-00000000000a/resourceGroups/shops/providers"
REFUSAL = "409 another operation is in progress"


def step(name: str) -> Step:
    cluster = ResourceId(f"{SHOPS}/Microsoft.Kubernetes/connectedClusters/{name}")
    extension = ResourceId(f"{cluster.text}/providers/Microsoft.KubernetesConfiguration/extensions/flux")
    write = ResourceWrite(id=extension, api_version="2025-03-01", body={}, method="PUT")
    return Step(f"s-{name}", cluster, ("shops",), write, None, (), Preflight.READY, "")


STEPS = tuple(step(f"edge-{n:02d}") for n in range(14))
PLAN = Plan(created_at=AT, steps=STEPS)


def ended(of: Step, state: StepState, message: str = "") -> StepFinished:
    return StepFinished(of, StepOutcome(of.id, state, AT, message))


def told(*events: Event, terminal: bool = False, **options: Any) -> str:
    stream = Terminal() if terminal else io.StringIO()
    with attributes(sys, stderr=stream), watching(Cli(color=Color.NEVER, **options), PLAN) as on_event:
        for event in events:
            on_event(event)
    return stream.getvalue()


@pytest.fixture(autouse=True)
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "72")
    monkeypatch.setenv("TERM", "xterm-256color")


def test_a_pipe_gets_a_line_for_each_end_and_each_refusal() -> None:
    lines = told(
        StepStarted(STEPS[0], resumed=False),
        StepWaiting(STEPS[0], REFUSAL, 30),
        StepAccepted(STEPS[0]),
        StepWaiting(STEPS[0], "operation is Creating", 15),
        ended(STEPS[0], StepState.SUCCEEDED),
        ended(STEPS[1], StepState.FAILED, "no room"),
        ended(STEPS[2], StepState.SKIPPED, "parked: agent offline"),
    ).splitlines()

    assert lines == [
        f"edge-00  create extension flux  {REFUSAL}, again in 30 s",
        "edge-00  create extension flux  ✔ succeeded",
        "edge-01  create extension flux  ✘ failed: no room",
        "edge-02  create extension flux  – not sent: parked: agent offline",
    ]


def test_a_terminal_gets_a_board_that_counts_and_says_what_is_waited_for() -> None:
    board = told(
        ended(STEPS[1], StepState.FAILED, "no room"),
        ended(STEPS[2], StepState.SKIPPED, "parked"),
        StepLeft(STEPS[3], "not done after 45 min"),
        StepStarted(STEPS[4], resumed=True),
        StepWaiting(STEPS[0], REFUSAL, 30),
        terminal=True,
    )

    assert "2/14 1 failed, 1 not sent" in board
    assert "  edge-04  create extension flux  resumed" in board
    assert f"  edge-00  create extension flux  {REFUSAL}" in board
    assert "…" in board, "what does not fit loses its end, never its name"
    assert "edge-03" not in board


def test_a_board_stays_small() -> None:
    board = told(*(StepAccepted(one) for one in STEPS), terminal=True)

    assert "  … 2 more" in board
    assert "edge-11  create extension flux  accepted, waiting for the cluster" in board
    assert "edge-12" not in board


@pytest.mark.parametrize("options", [{"quiet": True}, {"progress": False}])
@pytest.mark.parametrize("terminal", [True, False])
def test_nothing_is_told_to_those_who_asked_for_silence(terminal: bool, options: dict[str, bool]) -> None:
    assert told(ended(STEPS[0], StepState.SUCCEEDED), terminal=terminal, **options) == ""
