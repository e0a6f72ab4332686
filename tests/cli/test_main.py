"""The front door: options anywhere, help for everything, quick, and one exit code for each way to end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from policyengine import __version__, errors
from policyengine.cli.exit_codes import ExitCode, for_error
from policyengine.cli.main import COMMANDS, hoist
from tests.cli.conftest import Shell

NAMES = [name for name, _ in COMMANDS] + ["aliases", "emulator", "inventory", "policy"]
HEAVY = {
    "cryptography",
    "starlette",
    "aiohttp",
    "alembic",
    "apscheduler",
    "asyncio",
    "fastapi",
    "httpx",
    "jinja2",
    "jmespath",
    "numpy",
    "pydantic",
    "rich",
    "sqlalchemy",
    "sqlmodel",
    "structlog",
    "uvicorn",
    "yaml",
}


@pytest.mark.parametrize(
    "arguments",
    [
        ("-o", "json", "version"),
        ("version", "-o", "json"),
        ("version", "-ojson"),
        ("version", "-o=json"),
        ("version", "--output", "json"),
        ("version", "--output=json", "-q"),
        ("-v", "version", "--color", "never", "-o", "json", "--no-progress"),
    ],
)
def test_options_of_every_command_may_stand_anywhere(shell: Shell, arguments: tuple[str, ...]) -> None:
    ran = shell.run(*arguments)

    assert ran.code == 0, ran.err
    assert ran.json()["policyengine"] == __version__


def test_what_follows_two_dashes_stays_where_it_is() -> None:
    assert hoist(["explain", "-q", "--", "-o", "-q"]) == ["-q", "explain", "--", "-o", "-q"]


def test_an_option_without_its_value_is_refused(shell: Shell) -> None:
    ran = shell.run("version", "-o")

    assert ran.code == ExitCode.USAGE
    assert "requires an argument" in ran.err


def test_help_lists_every_command_and_cuts_no_line_short(shell: Shell) -> None:
    ran = shell.run("--help")

    assert ran.code == 0
    listed = {line.split()[0]: line for line in ran.out.partition("Commands:")[2].splitlines() if line.strip()}
    assert sorted(listed) == sorted(NAMES)
    assert [name for name, line in listed.items() if line.endswith("...")] == []


@pytest.mark.parametrize("name", NAMES)
def test_every_command_has_help(shell: Shell, name: str) -> None:
    asked, short = shell.run(name, "--help"), shell.run(name, "-h")

    assert (asked.code, asked.out) == (0, short.out)
    assert f"Usage: policyengine {name}" in asked.out


def test_help_needs_nothing_heavy() -> None:
    """So that `policyengine --help` answers at once."""
    program = "import policyengine.cli.main, sys; print(*{name.partition('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=30)

    assert set(done.stdout.split()) & HEAVY == set()


def test_the_processes_of_a_command_import_nothing_of_it() -> None:
    """They are started with its main module, and waited for."""
    program = "import policyengine.__main__, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=30)

    assert {name for name in done.stdout.split() if name.startswith("policyengine")} == {
        "policyengine",
        "policyengine.__main__",
    }
    assert "typer" not in done.stdout.split()


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="threads are counted by Linux only")
def test_a_command_starts_no_threads_for_arithmetic_that_nobody_does() -> None:
    program = """
import os, sys
from policyengine.__main__ import main
sys.argv = ["policyengine", "--version"]
try:
    main()
except SystemExit:
    import numpy
    print(len(os.listdir("/proc/self/task")))
"""
    told = {name: value for name, value in os.environ.items() if "THREADS" not in name}
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=30, env=told
    )

    assert done.stdout.split()[-1] == "1"


def test_the_version_is_told_without_a_command(shell: Shell) -> None:
    assert shell.run("--version").out.strip() == __version__


def test_no_command_shows_the_help_and_is_wrong_usage(shell: Shell) -> None:
    ran = shell.run()

    assert ran.code == ExitCode.USAGE
    assert "Commands:" in ran.out + ran.err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("sttaus",), "Did you mean 'status'?"),
        (("inventory", "lst"), "Did you mean 'list'?"),
        (("scan", "--assignmen", "x"), "--assignment"),
        (("-o", "xml", "version"), "'xml' is not one of 'table', 'json'"),
        (("--log-format", "xml", "version"), "'xml' is not one of 'text', 'json'"),
        (("explain",), "Missing argument"),
        (("emulator", "--port", "70000"), "65535"),
        (("remediate",), "which plan?"),
        (("version", "--query", "[?"), "JMESPath"),
    ],
)
def test_wrong_usage_says_what_was_meant(shell: Shell, arguments: tuple[str, ...], told: str) -> None:
    ran = shell.run(*arguments)

    assert ran.code == ExitCode.USAGE
    assert told in ran.err
    assert ran.out == ""


EXPECTED = {
    errors.PolicyEngineError: ExitCode.NO,
    errors.PolicyError: ExitCode.INVALID,
    errors.ConfigError: ExitCode.INVALID,
    errors.InventoryError: ExitCode.INVALID,
    errors.NotReadError: ExitCode.INVALID,
    errors.TemplateError: ExitCode.INVALID,
    errors.ExpressionError: ExitCode.USAGE,
    errors.UsageError: ExitCode.USAGE,
    errors.ArmError: ExitCode.UNAVAILABLE,
    errors.ArmTransportError: ExitCode.UNAVAILABLE,
    errors.ArmThrottled: ExitCode.UNAVAILABLE,
    errors.ArmUnavailable: ExitCode.UNAVAILABLE,
    errors.ArmConflict: ExitCode.UNAVAILABLE,
    errors.ArmNotAuthorized: ExitCode.NOT_PERMITTED,
    errors.ArmNotFound: ExitCode.UNAVAILABLE,
    errors.ArmRejected: ExitCode.UNAVAILABLE,
    errors.OperationFailed: ExitCode.UNAVAILABLE,
    errors.StoreError: ExitCode.UNAVAILABLE,
    errors.RemediationError: ExitCode.REFUSED,
}


def all_errors(
    kind: type[errors.PolicyEngineError] = errors.PolicyEngineError,
) -> Iterator[type[errors.PolicyEngineError]]:
    yield kind
    for narrower in kind.__subclasses__():
        yield from all_errors(narrower)


@pytest.mark.parametrize("kind", list(all_errors()), ids=lambda kind: kind.__name__)
def test_every_error_has_its_exit_code(kind: type[errors.PolicyEngineError]) -> None:
    made = kind.__new__(kind)

    assert for_error(made) is EXPECTED[kind]


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, ExitCode.INTERRUPTED), (signal.SIGTERM, ExitCode.TERMINATED)]
)
def test_a_signal_ends_it_in_the_usual_way(shell: Shell, number: signal.Signals, code: ExitCode) -> None:
    process = shell.start("emulator", "--port", "0")
    assert process.stderr is not None
    assert "Resource Manager emulator on http://127.0.0.1:" in process.stderr.readline()
    process.send_signal(number)
    out, err = process.communicate(timeout=60)

    assert process.returncode == code
    assert "Traceback" not in out + err
