"""`policyengine test`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Annotated

import typer

from policyengine.cli.context import Cli, Output, cli_of
from policyengine.cli.exit_codes import ExitCode
from policyengine.cli.running import run

if TYPE_CHECKING:
    from rich.text import Text

    from policyengine.model.diagnostic import Span
    from policyengine.model.values import JSON
    from policyengine.testing import CaseResult, FileResult, TestRun


def command(
    context: typer.Context,
    paths: Annotated[list[str] | None, typer.Argument(help="Files or folders (default: the project's).")] = None,
    select: Annotated[str | None, typer.Option("-k", help="Only cases like this: words, and, or, not, ().")] = None,
    only_failures: Annotated[bool, typer.Option("--only-failures", help="Do not list what passed.")] = False,
    coverage: Annotated[bool, typer.Option("--coverage", help="List the clauses not seen true and false.")] = False,
    min_coverage: Annotated[
        float | None, typer.Option(min=0, max=100, help="Answer 1 below this percentage of clauses.")
    ] = None,
    mutate: Annotated[bool, typer.Option("--mutate", help="Change policies, and list what no test notices.")] = False,
    junit: Annotated[Path | None, typer.Option(help="Write the results as JUnit XML.")] = None,
) -> None:
    """Run policy tests.

    Needs no cluster and no account. Answers 1 when a case fails.
    """
    from policyengine.cli.output import Column, Result, emit
    from policyengine.workflows.policy_tests import TestRequest, run_tests

    cli = cli_of(context)
    started = perf_counter()
    library = cli.settings.policies
    done = run(run_tests(TestRequest(paths or library, library, select, mutate, cli.settings.aliases)))
    if junit is not None:
        _write_junit(junit, done)
    if cli.output is Output.TABLE and cli.query is None:
        _print(cli, done, perf_counter() - started, only_failures=only_failures, uncovered=coverage)
    else:
        document = _document(done)
        rows = [row for row in document["cases"] if not only_failures or row["outcome"] != "passed"]
        columns = [Column(key, key) for key in ("file", "policy", "name", "outcome")]
        emit(cli, Result(columns, rows, document={**document, "cases": rows}))
    if done.failed or (min_coverage is not None and done.coverage.percent < min_coverage):
        raise typer.Exit(ExitCode.NO)


def _write_junit(path: Path, done: TestRun) -> None:
    from policyengine.errors import UsageError
    from policyengine.testing import to_junit

    try:
        path.write_text(to_junit(done), encoding="utf-8")
    except OSError as error:
        raise UsageError(f"`{path}` cannot be written: {error.strerror}") from error


def _print(cli: Cli, done: TestRun, seconds: float, *, only_failures: bool, uncovered: bool) -> None:
    from policyengine.cli.output import console

    out = console(cli)
    for file in done.files:
        if not only_failures or any(case.outcome != "passed" for case in file.cases):
            for line in _file_lines(file, only_failures=only_failures):
                out.print(line, soft_wrap=True)
    for text in _coverage_lines(done) if uncovered else ():
        out.print(text, soft_wrap=True)
    for text in _mutant_lines(done):
        out.print(text, soft_wrap=True)
    covered = done.coverage
    out.print(
        f"{done.passed} passed, {done.failed} failed · clause coverage {covered.covered}/{len(covered.clauses)} "
        f"({_percent(done)} %) · {seconds:.1f} s"
    )


def _percent(done: TestRun) -> int:
    return int(done.coverage.percent)  # rounded down: 100 means all of them


def _file_lines(file: FileResult, *, only_failures: bool) -> Iterator[Text]:
    from rich.text import Text

    yield Text(file.name, style="bold")
    for case in file.cases:
        if case.outcome == "passed":
            if not only_failures:
                yield Text.assemble("  ", ("✔", "blue"), f" {case.name}", (f"  {case.seconds * 1000:.0f} ms", "dim"))
            continue
        yield Text.assemble("  ", ("✘", "dark_orange3"), f" {case.name}", (f"   {case.place}", "dim"))
        for line in _failure_lines(case):
            yield Text(f"      {line}")


def _failure_lines(case: CaseResult) -> Iterator[str]:
    if case.error is not None:
        yield "cannot be judged:"
        yield from (f"  {line}" for line in case.error.splitlines())
    for mismatch in case.mismatches:
        yield mismatch.sentence
        for clue in mismatch.clues:
            place = f"   ({clue.place})" if clue.place is not None else ""
            yield f"clause {clue.number} of {clue.total}  {clue.text}{place}"
        if mismatch.hint:
            yield f"hint: {mismatch.hint}"


def _coverage_lines(done: TestRun) -> Iterator[str]:
    missing = [clause for clause in done.coverage.clauses if not clause.is_covered]
    yield "every clause was seen true and false" if not missing else "clauses not seen both ways"
    for clause in missing:
        yield f"  {clause.place or clause.policy}  {clause.missing}: {clause.text}"


def _mutant_lines(done: TestRun) -> Iterator[str]:
    if done.mutants is None:
        return
    yield f"{done.mutants} mutants, {done.mutants - len(done.survivors)} noticed, {len(done.survivors)} survived"
    for survivor in done.survivors:
        yield f"  {survivor.place or survivor.policy}  {survivor.change}"


def _document(done: TestRun) -> dict[str, JSON]:
    clauses = done.coverage.clauses
    document: dict[str, JSON] = {
        "passed": done.passed,
        "failed": done.failed,
        "cases": [_case(file, case) for file in done.files for case in file.cases],
        "coverage": {
            "covered": done.coverage.covered,
            "clauses": len(clauses),
            "percent": round(done.coverage.percent, 2),
            "missing": [
                {"policy": c.policy, "clause": c.text, "missing": c.missing, **_place(c.place)}
                for c in clauses
                if not c.is_covered
            ],
        },
    }
    if done.mutants is not None:
        survivors = [{"policy": s.policy, "change": s.change, **_place(s.place)} for s in done.survivors]
        document["mutants"] = {"made": done.mutants, "survived": survivors}
    return document


def _case(file: FileResult, case: CaseResult) -> dict[str, JSON]:
    return {
        **_place(case.place),
        "file": file.name,
        "policy": case.policy,
        "name": case.name,
        "outcome": case.outcome,
        "seconds": round(case.seconds, 4),
        "error": case.error,
        "mismatches": [
            {
                "aspect": m.aspect,
                "afterApply": m.after_apply,
                "wanted": m.wanted,
                "got": m.got,
                "clauses": [{"number": c.number, "of": c.total, "text": c.text, **_place(c.place)} for c in m.clues],
                "hint": m.hint,
            }
            for m in case.mismatches
        ],
    }


def _place(place: Span | None) -> dict[str, JSON]:
    if place is None:
        return {"file": None, "line": None, "column": None}
    return {"file": place.source.name, "line": place.line, "column": place.column}
