"""Runs `policies/tests/*.test.yaml` on the real language, judge and planner; demands that they leave no clause out."""

from __future__ import annotations

import asyncio
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from policyengine.language.aliases import AliasCatalogue
from policyengine.language.checker import check
from policyengine.language.documents import Initiative, PolicyDefinition, Reference
from policyengine.language.library import PolicyLibrary
from policyengine.language.parser import parse_documents
from policyengine.model.diagnostic import render
from policyengine.testing import TestRun
from policyengine.text.nodes import to_value
from policyengine.text.reader import read
from policyengine.workflows.data import data_root
from policyengine.workflows.policy_tests import TestRequest, run_tests

POLICIES = data_root() / "policies"
DOCUMENTS = sorted(path for folder in ("definitions", "initiatives") for path in (POLICIES / folder).glob("*.yaml"))
TESTS = sorted((POLICIES / "tests").glob("*.test.yaml"))


def read_value(path: Path) -> Any:
    (node,) = read(path.read_text(encoding="utf-8"), path.name)
    return to_value(node)


@cache
def aliases() -> AliasCatalogue:
    return AliasCatalogue.packaged()


@cache
def documents() -> tuple[PolicyDefinition | Initiative, ...]:
    found: list[Any] = []
    for path in DOCUMENTS:
        parsed = parse_documents(path.read_text(encoding="utf-8"), path.name, aliases())
        assert not parsed.diagnostics, "\n".join(map(render, parsed.diagnostics))
        found += parsed.documents
    return tuple(found)


@pytest.fixture(scope="module")
def done() -> TestRun:
    return asyncio.run(run_tests(TestRequest(["library:"], mutate=True)))


@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.name)
def test_library_policy(done: TestRun, path: Path) -> None:
    (file,) = (file for file in done.files if Path(file.name).name == path.name)
    failed = {c.name: c.error or [m.sentence for m in c.mismatches] for c in file.cases if c.outcome != "passed"}

    assert file.cases
    assert failed == {}


def test_every_clause_of_the_library_is_seen_true_and_false(done: TestRun) -> None:
    missing = [f"{clause.place}: {clause.missing}: {clause.text}" for clause in done.coverage.clauses]

    assert [text for clause, text in zip(done.coverage.clauses, missing, strict=True) if not clause.is_covered] == []


def test_every_mutant_of_the_library_is_noticed(done: TestRun) -> None:
    assert done.mutants is not None
    assert done.mutants > 200
    assert [f"{survivor.place}: {survivor.change}" for survivor in done.survivors] == []


def test_every_definition_has_its_tests() -> None:
    tested = {read_value(path)["spec"]["policy"] for path in TESTS}

    assert tested == {d.name for d in documents() if isinstance(d, PolicyDefinition)}


@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.name)
def test_a_test_file_is_named_after_its_policy_and_tests_both_answers(path: Path) -> None:
    value = read_value(path)
    states = {case["expect"].get("state") for case in value["spec"]["cases"]}

    assert path.name == f"{value['spec']['policy']}.test.yaml" == f"{value['metadata']['name']}.test.yaml"
    assert {"Compliant", "NonCompliant"} <= states


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_a_library_document_says_who_it_is_and_teaches(path: Path) -> None:
    (document,) = (d for d in documents() if d.name == path.stem)

    assert path.read_text(encoding="utf-8").startswith("# ")
    assert document.display_name
    assert document.description
    assert document.version
    if isinstance(document, PolicyDefinition):
        assert document.category
        assert document.owner
        assert document.runbook.startswith("https://")
        assert document.non_compliance_message
        assert "effect" in document.parameters


def test_the_library_holds_together_without_a_warning() -> None:
    library, problems = PolicyLibrary.build(documents())

    assert not problems
    assert not check(library, aliases())
    for initiative in library.initiatives:
        assert all(library.definition(member.reference) for member in initiative.members)


def test_the_baseline_installs_the_extension_before_any_configuration() -> None:
    library, _ = PolicyLibrary.build(documents())
    baseline = library.initiative(Reference("gitops-baseline"))

    assert baseline is not None
    (config,) = (m for m in baseline.members if m.reference.name == "flux-configuration-git")
    (extension,) = (m for m in baseline.members if m.reference.name == "flux-extension-required")
    assert config.depends_on == (extension.reference_id,)
