"""Policy tests, the pure part: a case judged, clauses counted, policies mutated."""

from policyengine.testing.coverage import Clause, Coverage
from policyengine.testing.junit import to_junit
from policyengine.testing.mutants import Mutant, mutants
from policyengine.testing.results import CaseResult, Clue, FileResult, Mismatch, Survivor, TestRun
from policyengine.testing.run import Trial, check, prepare
from policyengine.testing.selection import compile_selection

__all__ = [
    "CaseResult",
    "Clause",
    "Clue",
    "Coverage",
    "FileResult",
    "Mismatch",
    "Mutant",
    "Survivor",
    "TestRun",
    "Trial",
    "check",
    "compile_selection",
    "mutants",
    "prepare",
    "to_junit",
]
