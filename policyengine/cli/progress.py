"""How far a long step is: on stderr, beside the results."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Final, Protocol

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from policyengine.cli.context import Cli
from policyengine.cli.output import notes

LINE_EVERY_S: Final = 10
WHOLE: Final = 10
"""From so many a second on, a pace is told in whole numbers."""


class Report(Protocol):
    """Tells how far a long step is."""

    def __call__(self, done: int, total: int | None) -> None: ...


@contextmanager
def progress(cli: Cli, title: str) -> Iterator[Report]:
    """A bar on a terminal; elsewhere a line every ten seconds; nothing with --quiet or --no-progress."""
    if cli.quiet or not cli.progress:
        yield _silent
    elif sys.stderr.isatty():
        with _bar(cli, title) as report:
            yield report
    else:
        yield _lines(title)


def _silent(done: int, total: int | None) -> None:
    """Nobody watches."""


@contextmanager
def _bar(cli: Cli, title: str) -> Iterator[Report]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), _Rate(), TimeRemainingColumn())
    with Progress(*columns, console=notes(cli), transient=True) as bars:
        task = bars.add_task(title, total=None)
        yield lambda done, total: bars.update(task, completed=done, total=total)


class _Rate(ProgressColumn):
    """How many a second, by the last of them."""

    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:,.0f}/s" if task.speed else "")


def _lines(title: str) -> Report:
    began = last = monotonic()

    def report(done: int, total: int | None) -> None:
        nonlocal last
        if monotonic() - last >= LINE_EVERY_S:
            last = monotonic()
            sys.stderr.write(f"{title}: {line(done, total, last - began)}\n")

    return report


def line(done: int, total: int | None, seconds: float) -> str:
    """``4000 of 10000, 200/s, 30 s left``, as far as it is known."""
    rate = done / seconds if seconds > 0 else 0
    pace = f"{rate:,.0f}/s" if rate >= WHOLE else f"{rate:.1f}/s"
    parts = [f"{done} of {total}" if total else f"{done}", pace]
    if total and rate:
        parts.append(f"{(total - done) / rate:,.0f} s left")
    return ", ".join(parts)
