"""A project folder, an emulator with a fleet of its own, and the command line as a process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from policyengine.emulator import Emulator, RunningEmulator
from policyengine.emulator import Settings as EmulatorSettings
from policyengine.model.fleet import FleetFile
from policyengine.workflows.demo import load_fleet, sample_fleet
from policyengine.workflows.settings import ArmSettings, Budget, RemediationSettings, Settings

CLOCK = "x600"
"""Fast, so that waiting for an agent costs nothing; Retry-After stays a second of real time."""

UNHURRIED = Budget(writesPerSecond=500, readsPerSecond=500)
"""Budgets have tests of their own; here nobody should wait for one."""


@dataclass(frozen=True)
class Project:
    """A folder with policies in it, and the fleet they speak about."""

    folder: Path
    url: str
    emulator: Emulator

    @property
    def policies(self) -> list[str]:
        """The shipped library, and what the test put beside it."""
        return ["library:", str(self.folder / "policies")]

    @property
    def settings(self) -> Settings:
        return Settings(
            policies=self.policies,
            database=f"sqlite:///{self.folder}/policyengine.db",
            arm=ArmSettings(endpoint=self.url, credential="emulator", budget=UNHURRIED),
            remediation=RemediationSettings(parallel=40),
        )

    @property
    def options(self) -> list[str]:
        """What makes a command line one of this project."""
        file = self.folder / "policyengine.yaml"
        file.write_text(json.dumps(self.settings.model_dump(by_alias=True)), encoding="utf-8")
        return ["--config", str(file)]

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "policyengine", *self.options, *arguments],
            cwd=self.folder,
            env={k: v for k, v in os.environ.items() if not k.startswith("POLICYENGINE_")},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def accepted_writes(self) -> list[str]:
        """``METHOD path`` of each write that was taken, the path folded."""
        return [
            f"{entry.method} {entry.path.casefold()}"
            for entry in self.emulator.journal.entries()
            if entry.method in {"PUT", "PATCH", "DELETE"} and 200 <= entry.status < 300
        ]


@pytest.fixture
def make_project(tmp_path: Path) -> Iterator[Callable[..., Project]]:
    with ExitStack() as running:

        def make(fleet: FleetFile, settings: EmulatorSettings | None = None) -> Project:
            (tmp_path / "policies").mkdir()
            emulator = Emulator(fleet, clock=CLOCK, settings=settings or EmulatorSettings(throttling=False))
            return Project(tmp_path, running.enter_context(RunningEmulator(emulator)).url, emulator)

        yield make


@pytest.fixture
def contoso() -> FleetFile:
    """The shipped sample fleet."""
    return load_fleet(sample_fleet())
