"""How far a long step is: on stderr, beside the results."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from math import ceil
from time import monotonic
from typing import Final, Protocol

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
)
from rich.text import Text

from policyengine.cli.context import Cli
from policyengine.cli.output import notes

LINE_EVERY_S: Final = 10
WHOLE: Final = 10
"""From so many a second on, a pace is told in whole numbers."""

SETTLED_S: Final = 1
"""Sooner nobody can tell the pace of a step that was told of once."""


class Report(Protocol):
    """Tells how far a long step is."""

    def __call__(self, done: int, total: int | None) -> None: ...


@contextmanager
def progress(cli: Cli, title: str) -> Iterator[Report]:
    """A bar on a terminal; elsewhere a line every ten seconds; nothing with --quiet or --no-progress."""
    with progress_of(cli, title) as (report,):
        yield report


@contextmanager
def progress_of(cli: Cli, *titles: str) -> Iterator[tuple[Report, ...]]:
    """The same for steps that follow one another: the one that was told of last is shown, and none before it begins."""
    if cli.quiet or not cli.progress:
        yield tuple(_silent for _ in titles)
    elif sys.stderr.isatty():
        with _Bars(cli) as bars:
            yield tuple(map(bars.of, titles))
    else:
        yield tuple(map(_lines, titles))


def _silent(done: int, total: int | None) -> None:
    """Nobody watches."""


class _Bars:
    """At most one at a time: two would be drawn over each other."""

    def __init__(self, cli: Cli) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), _Rate(), _Left())
        self._bars = Progress(*columns, console=notes(cli), transient=True)
        self._shown: dict[str, TaskID] = {}

    def __enter__(self) -> _Bars:
        return self

    def __exit__(self, *error: object) -> None:
        if self._shown:
            self._bars.stop()

    def of(self, title: str) -> Report:
        def report(done: int, total: int | None) -> None:
            if title not in self._shown:
                self._show(title, total)
            self._bars.update(self._shown[title], completed=done, total=total)

        return report

    def _show(self, title: str, total: int | None) -> None:
        while self._shown:
            self._bars.remove_task(self._shown.popitem()[1])
        self._shown[title] = self._bars.add_task(title, total=total)
        self._bars.start()


def _rate_of(task: Task) -> float:
    """How many a second, by the last of them, or by all as long as there are few."""
    elapsed = task.elapsed or 0
    return task.speed or (task.completed / elapsed if elapsed >= SETTLED_S else 0)


class _Rate(ProgressColumn):
    """How many a second."""

    def render(self, task: Task) -> Text:
        rate = _rate_of(task)
        return Text(f"{rate:,.0f}/s" if rate else "")


class _Left(ProgressColumn):
    """How long it still takes at that pace."""

    def render(self, task: Task) -> Text:
        rate = _rate_of(task)
        if not rate or task.remaining is None:
            return Text("")
        return Text(str(timedelta(seconds=ceil(task.remaining / rate))))


def _lines(title: str) -> Report:
    """A step begins when it is told of for the first time: others may come before it."""
    began = last = 0.0
    first: int | None = None

    def report(done: int, total: int | None) -> None:
        nonlocal began, last, first
        now = monotonic()
        if first is None:
            began, last, first = now, now, done
        elif now - last >= LINE_EVERY_S:
            last = now
            sys.stderr.write(f"{title}: {line(done, total, now - began, since=first)}\n")

    return report


def line(done: int, total: int | None, seconds: float, *, since: int = 0) -> str:
    """``4000 of 10000, 200/s, 30 s left``, as far as it is known; ``since`` were done before those seconds began."""
    rate = (done - since) / seconds if seconds > 0 else 0
    pace = f"{rate:,.0f}/s" if rate >= WHOLE else f"{rate:.1f}/s"
    parts = [f"{done} of {total}" if total else f"{done}", pace]
    if total and rate:
        parts.append(f"{(total - done) / rate:,.0f} s left")
    return ", ".join(parts)
