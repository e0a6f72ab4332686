"""A project folder before a served fleet, and the command line in it: in this process, or as one of its own."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import structlog

from policyengine.cli.main import main
from policyengine.emulator import Emulator, RunningEmulator
from policyengine.model.fleet import FleetFile
from policyengine.store.store import Store
from policyengine.workflows.data import data_root
from policyengine.workflows.demo import load_fleet, sample_fleet


@dataclass(frozen=True)
class Ran:
    """How a command ended, and what it printed."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@dataclass
class Shell:
    """A folder to run commands in. ``variables`` are laid over the environment, which is otherwise swept clean."""

    folder: Path
    variables: dict[str, str] = field(default_factory=dict)

    @property
    def database(self) -> str:
        return f"sqlite:///{self.folder}/policyengine.db"

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def store(self) -> Store:
        return Store.open(self.database)

    def run(self, *arguments: str, terminal: bool = False, typed: str | None = None) -> Ran:
        """In this process, which is quick. ``typed`` is what a person at a terminal enters."""
        out, err = (Terminal(), Terminal()) if terminal else (io.StringIO(), io.StringIO())
        entered = Terminal(typed) if typed is not None else io.StringIO()
        with (
            contextlib.chdir(self.folder),
            replaced(os.environ, self.environment),
            attributes(sys, stdout=out, stderr=err, stdin=entered),
            process_restored(),
            pytest.raises(SystemExit) as ended,
        ):
            main(arguments)
        code = ended.value.code
        assert isinstance(code, int)
        return Ran(int(code), out.getvalue(), err.getvalue())

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "policyengine", *arguments],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def process(self, *arguments: str) -> Ran:
        """In a process of its own."""
        with self.start(*arguments) as process:
            out, err = process.communicate(timeout=60)
        return Ran(process.returncode, out, err)

    @property
    def environment(self) -> dict[str, str]:
        swept = ("POLICYENGINE_", "NO_COLOR", "FORCE_COLOR", "COLUMNS", "XDG_")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(swept)}
        return {**kept, "HOME": str(self.folder), "TERM": "xterm-256color", **self.variables}


@contextlib.contextmanager
def replaced(environment: Any, values: Mapping[str, str]) -> Iterator[None]:
    before = dict(environment)
    environment.clear()
    environment.update(values)
    try:
        yield
    finally:
        environment.clear()
        environment.update(before)


@contextlib.contextmanager
def attributes(module: Any, **values: Any) -> Iterator[None]:
    before = {name: getattr(module, name) for name in values}
    for name, value in values.items():
        setattr(module, name, value)
    try:
        yield
    finally:
        for name, value in before.items():
            setattr(module, name, value)


@contextlib.contextmanager
def process_restored() -> Iterator[None]:
    """What a command sets for the process it thinks is its own: signals and logging."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        root.handlers, root.level = handlers, level
        for name in ("policyengine", "httpx", "azure.identity"):
            logging.getLogger(name).setLevel(logging.NOTSET)
        structlog.reset_defaults()


DEFINITIONS = data_root() / "policies" / "definitions"
"""Single definitions of the shipped library, where reading all of it would only take time."""

PROJECT = """
apiVersion: policyengine/v1
kind: Project
policies: [{policies}]
arm: {{endpoint: "{endpoint}", credential: emulator}}
"""


@dataclass
class Place(Shell):
    """A project whose fleet is served."""

    url: str = ""
    emulator: Emulator = field(default_factory=Emulator)

    def accepted_writes(self, cluster: str = "") -> list[str]:
        """``METHOD cluster object`` of each write that was taken, in order."""
        writes = [
            (entry.method, entry.path.split("/"))
            for entry in self.emulator.journal.entries()
            if entry.method in {"PUT", "PATCH", "DELETE"} and 200 <= entry.status < 300
        ]
        return [f"{method} {path[-5]} {path[-1]}" for method, path in writes if cluster in path[-5]]


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """An empty folder."""
    return Shell(tmp_path)


@pytest.fixture(scope="module")
def fleet() -> FleetFile:
    """The shipped sample fleet; a module may have another."""
    return load_fleet(sample_fleet())


@pytest.fixture(scope="module")
def policies() -> str:
    """Where the project's policies are."""
    return '"library:", "samples:"'


@pytest.fixture(scope="module")
def served(fleet: FleetFile) -> Iterator[tuple[Emulator, str]]:
    emulator = Emulator(fleet, clock="x600")
    with RunningEmulator(emulator) as running:
        yield emulator, running.url


@pytest.fixture(scope="module")
def place(served: tuple[Emulator, str], policies: str, tmp_path_factory: pytest.TempPathFactory) -> Place:
    """One project for a whole module: its tests say what they need and leave the rest alone."""
    emulator, url = served
    made = Place(tmp_path_factory.mktemp("project"), url=url, emulator=emulator)
    made.write("policyengine.yaml", PROJECT.format(policies=policies, endpoint=url))
    return made
