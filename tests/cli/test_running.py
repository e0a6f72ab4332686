"""A signal ends async work in order: every task is cancelled, nothing is said about it, and the exit code tells."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator

import pytest

from policyengine.cli.exit_codes import ExitCode
from policyengine.cli.running import run
from tests.cli.conftest import process_restored


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    with process_restored():
        yield


async def wait_for_ever(ended: list[str], name: str) -> None:
    try:
        await asyncio.Event().wait()
    finally:
        ended.append(name)


async def two_tasks(ended: list[str], number: signal.Signals) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(wait_for_ever(ended, "one"))
        group.create_task(wait_for_ever(ended, "other"))
        await asyncio.sleep(0)
        os.kill(os.getpid(), number)


def test_the_result_comes_back() -> None:
    async def answer() -> int:
        return 42

    assert run(answer()) == 42


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, ExitCode.INTERRUPTED), (signal.SIGTERM, ExitCode.TERMINATED)]
)
def test_a_signal_cancels_every_task_and_becomes_the_exit_code(
    number: signal.Signals, code: ExitCode, caplog: pytest.LogCaptureFixture
) -> None:
    ended: list[str] = []
    with pytest.raises(SystemExit) as left:
        run(two_tasks(ended, number))

    assert left.value.code is code
    assert sorted(ended) == ["one", "other"]
    assert caplog.records == []


def test_a_second_signal_ends_what_does_not_wait() -> None:
    async def stubborn() -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGTERM)
        raise AssertionError("it went on")

    with pytest.raises(SystemExit) as left:
        run(stubborn())

    assert left.value.code is ExitCode.TERMINATED


def test_handlers_are_put_back() -> None:
    async def nothing() -> None: ...

    before = signal.getsignal(signal.SIGTERM)
    run(nothing())

    assert signal.getsignal(signal.SIGTERM) is before
