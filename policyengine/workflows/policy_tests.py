"""PolicyTest files → what passed, what did not and why, which clauses were seen both ways, which mutants live on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from time import perf_counter

from policyengine.errors import PolicyEngineError, PolicyError, UsageError
from policyengine.language.aliases import AliasCatalogue
from policyengine.language.documents import PolicyDefinition
from policyengine.language.library import PolicyLibrary
from policyengine.language.parser import Document, parse_documents
from policyengine.language.policy_tests import PolicyCase, PolicyTest, parse_policy_tests
from policyengine.model.diagnostic import Diagnostic, did_you_mean, render
from policyengine.model.fleet import FleetFile, parse_fleet
from policyengine.model.values import JSON
from policyengine.testing import (
    CaseResult,
    Coverage,
    FileResult,
    Mismatch,
    Survivor,
    TestRun,
    Trial,
    check,
    compile_selection,
    mutants,
    prepare,
)
from policyengine.text.reader import read, read_leniently, to_value
from policyengine.workflows.aliases import load_catalogue
from policyengine.workflows.data import SHIPPED, data_root
from policyengine.workflows.files import read_text
from policyengine.workflows.load import policy_files

SAMPLES = "fixtures.yaml"


@dataclass(frozen=True)
class TestRequest:
    """``paths`` hold the tests; ``library`` is where policies are looked for besides. ``select`` is what `-k` says,
    ``catalogue`` a file of aliases that come before the packaged ones.
    """

    __test__ = False  # pytest takes every class called Test… for a test of its own

    paths: Sequence[str]
    library: Sequence[str] = ()
    select: str | None = None
    mutate: bool = False
    catalogue: str = ""


@dataclass(frozen=True)
class LoadedTests:
    """The tests by file, and the policies they speak about."""

    files: Mapping[str, tuple[PolicyTest, ...]]
    library: PolicyLibrary
    aliases: AliasCatalogue

    def definition(self, test: PolicyTest) -> PolicyDefinition:
        found = self.library.definition(test.policy)
        assert found is not None, "load_tests() has looked for it"
        return found


@cache
def samples() -> FleetFile:
    """The shipped clusters that tests start from."""
    (node,) = read((data_root() / "samples" / SAMPLES).read_text(encoding="utf-8"), SAMPLES)
    return parse_fleet(to_value(node))


def load_tests(request: TestRequest) -> LoadedTests:
    """Raises PolicyError with everything wrong in tests and policies, UsageError when there is nothing to run."""
    aliases = load_catalogue(request.catalogue)
    known = {cluster.name: cluster.resource.document for cluster in samples().fleet.clusters}
    asked = {file.resolve() for file in policy_files(request.paths)}
    beside = [path for path in request.library if path in SHIPPED or Path(path).exists()]
    files: dict[str, tuple[PolicyTest, ...]] = {}
    documents: list[Document] = []
    diagnostics: list[Diagnostic] = []
    for file in policy_files([*request.paths, *beside]):
        tests, found, problems = _read(file, aliases, known)
        documents += found
        diagnostics += problems
        if tests and file.resolve() in asked:
            files[str(file)] = tests
    library, problems = PolicyLibrary.build(documents)
    every = [test for tests in files.values() for test in tests]
    diagnostics += [*problems, *_missing(every, library)]
    if any(d.is_error for d in diagnostics):
        raise PolicyError(diagnostics)
    if not files:
        help = "a test is a document of `kind: PolicyTest`; see docs/authoring.md"
        raise UsageError("there are no policy tests in " + ", ".join(f"`{path}`" for path in request.paths), help=help)
    return LoadedTests(files, library, aliases)


def _read(
    file: Path, aliases: AliasCatalogue, known: Mapping[str, Mapping[str, JSON]]
) -> tuple[tuple[PolicyTest, ...], tuple[Document, ...], tuple[Diagnostic, ...]]:
    try:
        text = read_text(file)
    except OSError as error:
        return (), (), (Diagnostic("unreadable-file", f"`{file}` cannot be read: {error.strerror}"),)
    parsed = parse_documents(text, str(file), aliases)
    nodes, _ = read_leniently(text, str(file))  # what cannot be read is among the diagnostics of `parsed`
    tests, problems = parse_policy_tests(nodes, known)
    return tests, parsed.documents, (*parsed.diagnostics, *problems)


def _missing(tests: Sequence[PolicyTest], library: PolicyLibrary) -> Iterator[Diagnostic]:
    names = [definition.name for definition in library.definitions]
    for test in tests:
        if test.policy.name and library.definition(test.policy) is None:
            help = did_you_mean(test.policy.name, names) or "name its file or folder too, or add it to `policies:`"
            yield Diagnostic("missing-reference", f"policy `{test.policy}` is not defined", test.policy.span, help)


async def run_tests(request: TestRequest) -> TestRun:
    """Every chosen case. Raises PolicyError and UsageError as `load_tests` does."""
    return await run_loaded(load_tests(request), select=request.select, mutate=request.mutate)


async def run_loaded(loaded: LoadedTests, *, select: str | None = None, mutate: bool = False) -> TestRun:
    """Raises UsageError for a selection that cannot be understood, or that chooses nothing."""
    selection = compile_selection(select) if select is not None else None
    coverage = Coverage()
    files: list[FileResult] = []
    passing: dict[PolicyDefinition, list[Trial]] = {}
    for name, tests in loaded.files.items():
        results: list[CaseResult] = []
        for test in tests:
            definition = loaded.definition(test)
            chosen = [c for c in test.cases if selection is None or selection(f"{name} {definition.name} {c.name}")]
            if chosen:
                coverage.expect(definition)
            for case in chosen:
                result, trial = await _run_case(case, definition, loaded.aliases, coverage)
                results.append(result)
                if trial is not None and result.outcome == "passed":
                    passing.setdefault(definition, []).append(trial)
        if results:
            files.append(FileResult(name, tuple(results)))
    if not files:
        raise UsageError(f"`-k {select}` chooses no test")
    run = TestRun(tuple(files), coverage)
    return _mutated(run, passing) if mutate else run


async def _run_case(
    case: PolicyCase, definition: PolicyDefinition, aliases: AliasCatalogue, coverage: Coverage
) -> tuple[CaseResult, Trial | None]:
    started = perf_counter()
    result = CaseResult(definition.name, case.name, case.span)
    trial = None
    try:
        trial = prepare(case, definition, samples().fleet.tree, aliases)
        mismatches = check(trial, case.expect, coverage=coverage)
        if case.expect.after_apply is not None:
            mismatches += await _check_after_apply(trial, coverage)
        result = replace(result, mismatches=mismatches)
    except PolicyError as error:
        result = replace(result, error="\n".join(map(render, error.diagnostics)))
    except PolicyEngineError as error:
        result = replace(result, error=error.message)
    return replace(result, seconds=perf_counter() - started), trial


async def _check_after_apply(trial: Trial, coverage: Coverage) -> tuple[Mismatch, ...]:
    from policyengine.workflows.after_apply import after_apply  # the emulator is not for tests that never apply

    wanted = trial.case.expect.after_apply
    assert wanted is not None
    return check(await after_apply(trial), wanted, coverage=coverage, after_apply=True)


def _mutated(run: TestRun, passing: Mapping[PolicyDefinition, Sequence[Trial]]) -> TestRun:
    """The run with the mutants of every tested policy tried on its passing cases, plans not carried out."""
    made = 0
    survivors: list[Survivor] = []
    for definition, trials in passing.items():
        for mutant in mutants(definition):
            made += 1
            if not any(_kills(trial.with_definition(mutant.definition)) for trial in trials):
                survivors.append(Survivor(definition.name, mutant.change, mutant.place))
    return replace(run, mutants=made, survivors=tuple(survivors))


def _kills(trial: Trial) -> bool:
    try:
        return bool(check(trial, trial.case.expect))
    except PolicyEngineError:
        return True
