"""A remediation while it runs: one bar, and what each cluster is doing or waiting for."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from policyengine.cli.context import Cli
from policyengine.cli.output import notes
from policyengine.execution import Event, EventListener
from policyengine.execution.events import StepAccepted, StepFinished, StepLeft, StepStarted, StepWaiting
from policyengine.remediation.steps import Plan, Step, StepState

LABELS = {
    StepState.PLANNED: ("· planned", "dim"),
    StepState.INTENT: ("? sent", "yellow"),
    StepState.ACCEPTED: ("… accepted", "cyan"),
    StepState.SUCCEEDED: ("✔ succeeded", "blue"),
    StepState.FAILED: ("✘ failed", "red"),
    StepState.STALE: ("≠ stale", "magenta"),
    StepState.SKIPPED: ("– not sent", "dim"),
}
SHOWN = 12
"""How many running steps fit under the bar; the rest are counted."""


def state_label(state: StepState) -> Text:
    word, style = LABELS[state]
    return Text(word, style=style)


def _word(state: StepState) -> str:
    return LABELS[state][0].partition(" ")[2]


@contextmanager
def watching(cli: Cli, plan: Plan) -> Iterator[EventListener]:
    """Live on a terminal; elsewhere a line for each step that ends; nothing with --quiet."""
    if cli.quiet or not cli.progress:
        yield _silent
    elif sys.stderr.isatty():
        board = _Board(plan)
        with Live(board.render(), console=notes(cli), refresh_per_second=8, transient=True) as live:

            def update(event: Event) -> None:
                board.hear(event)
                live.update(board.render())

            yield update
    else:
        yield _line


def _silent(event: Event) -> None:
    """Nobody watches."""


class _Board:
    """What is running, and how much is done."""

    def __init__(self, plan: Plan) -> None:
        self._total = len(plan.steps)
        self._ended: dict[StepState, int] = {}
        self._running: dict[str, tuple[Step, str]] = {}

    def hear(self, event: Event) -> None:
        if isinstance(event, StepFinished):
            self._running.pop(event.step.id, None)
            self._ended[event.outcome.state] = self._ended.get(event.outcome.state, 0) + 1
        elif isinstance(event, StepLeft):
            self._running.pop(event.step.id, None)
        else:
            self._running[event.step.id] = (event.step, _words(event))

    def render(self) -> Group:
        done = sum(self._ended.values())
        counts = ", ".join(f"{n} {_word(state)}" for state, n in self._ended.items())
        head = Table.grid(padding=(0, 1))
        head.add_row(ProgressBar(total=self._total, completed=done, width=24), f"{done}/{self._total}", counts)
        shown = list(self._running.values())[:SHOWN]
        body = [*_lines(shown)]
        if len(self._running) > SHOWN:
            body.append(Text(f"  … {len(self._running) - SHOWN} more"))
        return Group(head, *body)


def _lines(running: Sequence[tuple[Step, str]]) -> Iterator[Text]:
    """In columns; a line too long for the terminal loses its end."""
    name_width = max((len(step.cluster.name) for step, _ in running), default=0)
    action_width = max((len(step.action) for step, _ in running), default=0)
    for step, words in running:
        names = f"  {step.cluster.name:{name_width}}  {step.action:{action_width}}  "
        yield Text(names, no_wrap=True, overflow="ellipsis").append(words, "dim")


def _words(event: StepStarted | StepWaiting | StepAccepted) -> str:
    if isinstance(event, StepWaiting):
        return _waiting(event)
    if isinstance(event, StepAccepted):
        return "accepted, waiting for the cluster"
    return "resumed" if event.resumed else "reading it again"


def _line(event: Event) -> None:
    if isinstance(event, StepFinished):
        word = LABELS[event.outcome.state][0]
        why = f": {event.outcome.message}" if event.outcome.message and event.outcome.state.value != "succeeded" else ""
        sys.stderr.write(f"{event.step.cluster.name}  {event.step.action}  {word}{why}\n")
    elif isinstance(event, StepWaiting) and is_refusal(event):
        sys.stderr.write(f"{event.step.cluster.name}  {event.step.action}  {_waiting(event)}\n")


def _waiting(event: StepWaiting) -> str:
    return f"{event.reason}, again in {event.seconds:.0f} s"


def is_refusal(event: StepWaiting) -> bool:
    """True when the service said "not now" (a 409, a 429, a 5xx), rather than the cluster being at work."""
    return event.reason[:1] in {"4", "5"}
