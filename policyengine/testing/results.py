"""What running policy tests came to, as values; the command line and JUnit put them on a page."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from policyengine.model.diagnostic import Span
from policyengine.testing.coverage import Coverage


@dataclass(frozen=True, slots=True)
class Clue:
    """One clause of the policy, as it was evaluated: ``number`` of ``total`` in its list."""

    number: int
    total: int
    text: str
    place: Span | None


@dataclass(frozen=True, slots=True)
class Mismatch:
    """One thing that is not as expected. ``aspect`` is the key of ``expect``; ``wanted`` and ``got`` are for people."""

    aspect: str
    wanted: str
    got: str
    clues: tuple[Clue, ...] = ()
    hint: str | None = None
    after_apply: bool = False

    @property
    def sentence(self) -> str:
        return f"{'after apply: ' * self.after_apply}wanted {self.wanted}, got {self.got}"


@dataclass(frozen=True, slots=True)
class CaseResult:
    """One case. ``error`` says why it could not be judged at all; then nothing else is known."""

    policy: str
    name: str
    place: Span
    mismatches: tuple[Mismatch, ...] = ()
    error: str | None = None
    seconds: float = 0.0

    @property
    def outcome(self) -> str:
        if self.error is not None:
            return "error"
        return "failed" if self.mismatches else "passed"


@dataclass(frozen=True, slots=True)
class FileResult:
    """The cases of one file, in the order written."""

    name: str
    cases: tuple[CaseResult, ...]


@dataclass(frozen=True, slots=True)
class Survivor:
    """A change of a policy that no case noticed."""

    policy: str
    change: str
    place: Span | None


@dataclass(frozen=True, slots=True)
class TestRun:
    """Everything that was run. ``mutants`` is None when none were made."""

    __test__ = False  # pytest takes every class called Test… for a test of its own

    files: tuple[FileResult, ...]
    coverage: Coverage
    mutants: int | None = None
    survivors: tuple[Survivor, ...] = ()

    @property
    def cases(self) -> Iterator[CaseResult]:
        return (case for file in self.files for case in file.cases)

    @property
    def passed(self) -> int:
        return sum(case.outcome == "passed" for case in self.cases)

    @property
    def failed(self) -> int:
        return sum(case.outcome != "passed" for case in self.cases)
