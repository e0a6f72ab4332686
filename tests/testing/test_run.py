"""What a case that fails is told: wanted, got, the clause with its line, a hint."""

from __future__ import annotations

import asyncio
from pathlib import Path
from xml.etree import ElementTree

import pytest

from policyengine.errors import PolicyError, UsageError
from policyengine.testing import CaseResult, TestRun, to_junit
from policyengine.workflows.policy_tests import TestRequest, run_tests

POLICY = """\
apiVersion: policyengine/v1
kind: PolicyDefinition
metadata: {name: flux}
spec:
  parameters:
    train: {type: String, defaultValue: Stable}
    hosts: {type: Array, defaultValue: [a, b]}
  appliesTo: [aks]
  when:
    count: {value: "[parameters('hosts')]", name: h, where: {value: "[current('h')]", like: "a*"}}
    greaterOrEquals: 1
  require:
    extension:
      extensionType: microsoft.flux
      releaseTrain: "[parameters('train')]"
"""
AUDIT = """\
apiVersion: policyengine/v1
kind: PolicyDefinition
metadata: {name: local}
spec:
  appliesTo: [aks]
  policyRule:
    if: {field: tags.open, equals: "yes"}
    then: {effect: audit}
"""
GATEKEEPER = """\
name: pods
properties:
  mode: Microsoft.Kubernetes.Data
  policyRule:
    if: {field: type, equals: Microsoft.ContainerService/managedClusters}
    then: {effect: audit}
"""
TEST = """\
apiVersion: policyengine/v1
kind: PolicyTest
metadata: {{name: {policy}}}
spec:
  policy: {policy}
  fixtures:
    aks: {{use: sample:aks-basic}}
    right:
      name: flux
      properties: {{extensionType: microsoft.flux, provisioningState: Succeeded, releaseTrain: Stable}}
  cases:
    - {case}
"""


def run(folder: Path, case: str, *, policy: str = "flux", select: str | None = None, mutate: bool = False) -> TestRun:
    (folder / "flux.yaml").write_text(POLICY, encoding="utf-8")
    (folder / "local.yaml").write_text(AUDIT, encoding="utf-8")
    (folder / "pods.yaml").write_text(GATEKEEPER, encoding="utf-8")
    (folder / "flux.test.yaml").write_text(TEST.format(case=case, policy=policy), encoding="utf-8")
    return asyncio.run(run_tests(TestRequest([str(folder)], select=select, mutate=mutate)))


def only(done: TestRun) -> CaseResult:
    (case,) = done.cases
    return case


def told(done: TestRun) -> list[str]:
    return [mismatch.sentence for mismatch in only(done).mismatches]


def test_a_case_that_fails_shows_the_clause_with_its_line_and_a_hint(tmp_path: Path) -> None:
    case = (
        "{name: preview is NonCompliant, given: {cluster: aks, parameters: {train: Preview}, extensions: "
        "[{use: right, patch: {properties: {releaseTrain: Preview}}}]}, expect: {state: NonCompliant}}"
    )
    done = run(tmp_path, case)
    (mismatch,) = only(done).mismatches
    clue = mismatch.clues[0]

    assert mismatch.sentence == "wanted NonCompliant, got Compliant"
    assert clue.text == """releaseTrain equals [parameters('train')] → "Preview" = "Preview\""""
    assert (clue.number, clue.total) == (3, 3)
    assert clue.place is not None
    assert clue.place.short == "flux.yaml:15"
    assert mismatch.hint == 'the case sets parameters.train; remove it to test the default "Stable"'
    assert (done.passed, done.failed) == (0, 1)


def test_wanted_compliant_shows_the_clauses_that_failed(tmp_path: Path) -> None:
    case = (
        "{name: c, given: {cluster: aks, extensions: [{use: right, patch: {properties: {provisioningState: Failed}}}]},"
        " expect: {state: Compliant}}"
    )
    (mismatch,) = only(run(tmp_path, case)).mismatches

    assert [clue.text for clue in mismatch.clues] == ['provisioningState equals "Succeeded" → "Failed" ≠ "Succeeded"']
    assert mismatch.hint is None


def test_a_policy_that_does_not_apply_shows_the_if(tmp_path: Path) -> None:
    case = "{name: c, given: {cluster: sample:arc-basic}, expect: {state: NonCompliant}}"
    (mismatch,) = only(run(tmp_path, case)).mismatches

    assert mismatch.got == "NotApplicable"
    assert [clue.text.partition(" → ")[0] for clue in mismatch.clues] == [
        'type in ["Microsoft.ContainerService/managedClusters"]'
    ]


def test_an_audit_shows_what_holds(tmp_path: Path) -> None:
    case = (
        "{name: c, given: {cluster: {use: aks, patch: {tags: {open: 'yes'}}}},"
        " expect: {state: Compliant, failedClauses: []}}"
    )
    (mismatch,) = only(run(tmp_path, case, policy="local")).mismatches

    assert mismatch.got == "NonCompliant"
    assert 'open equals "yes" → "yes" = "yes"' in [clue.text.removeprefix("tags.") for clue in mismatch.clues]


@pytest.mark.parametrize(
    ("expect", "sentence"),
    [
        ("{reason: {contains: nothing}}", "wanted a reason that contains \"nothing\", got "),
        ("{failedClauses: [x]}", "wanted x, got none"),
        ("{plan: []}", "wanted no request, got PUT Microsoft.KubernetesConfiguration/extensions flux"),
        ("{plan: [{op: PATCH, type: T, name: n}]}", "wanted PATCH T n, got PUT "),
        (
            "{plan: [{op: PUT, type: microsoft.kubernetesconfiguration/extensions, name: Flux, "
            "body: {jmespath: properties.releaseTrain, equals: Preview}}]}",
            "to be \"Preview\", got \"Stable\"",
        ),
        ("{afterApply: {state: NonCompliant}}", "after apply: wanted NonCompliant, got Compliant"),
    ],
)  # fmt: skip
def test_every_expectation_says_wanted_and_got(tmp_path: Path, expect: str, sentence: str) -> None:
    (text,) = told(run(tmp_path, f"{{name: c, given: {{cluster: aks}}, expect: {expect}}}"))

    assert sentence in text


def test_a_plan_applied_to_the_emulator_makes_it_compliant_and_a_second_plan_empty(tmp_path: Path) -> None:
    case = "{name: c, given: {cluster: aks}, expect: {state: NonCompliant, afterApply: {state: Compliant, plan: []}}}"

    assert told(run(tmp_path, case)) == []


def test_a_parameter_that_does_not_fit_is_an_error_of_the_case_with_its_place(tmp_path: Path) -> None:
    case = "{name: c, given: {cluster: aks, parameters: {train: 1}}, expect: {state: Compliant}}"
    found = only(run(tmp_path, case))

    assert found.outcome == "error"
    assert found.error is not None
    assert "flux.test.yaml:12:" in found.error
    assert "error[wrong-type]" in found.error


def test_clauses_inside_a_count_are_covered_too(tmp_path: Path) -> None:
    done = run(tmp_path, "{name: c, given: {cluster: aks, extensions: [right]}, expect: {state: Compliant}}")
    missing = {clause.text: clause.missing for clause in done.coverage.clauses}

    assert missing["[current('h')] like \"a*\""] == ""
    assert missing['provisioningState equals "Succeeded"'] == "never false"
    assert (done.coverage.covered, len(done.coverage.clauses)) == (1, 6)


def test_a_clause_no_related_resource_was_there_for_was_never_evaluated(tmp_path: Path) -> None:
    done = run(tmp_path, "{name: c, given: {cluster: aks}, expect: {state: NonCompliant}}")

    assert {clause.missing for clause in done.coverage.clauses} == {"", "never false", "never evaluated"}


def test_mutants_that_no_case_notices_survive(tmp_path: Path) -> None:
    done = run(
        tmp_path, "{name: c, given: {cluster: aks, extensions: [right]}, expect: {state: Compliant}}", mutate=True
    )
    changes = [survivor.change for survivor in done.survivors]

    assert done.mutants is not None
    assert done.mutants > len(changes)
    assert """`releaseTrain equals [parameters('train')]` dropped""" in changes
    assert not any("made `notEquals`" in change for change in changes)


def test_cases_are_chosen_by_words(tmp_path: Path) -> None:
    case = "{name: the train, given: {cluster: aks}, expect: {state: NonCompliant}}"

    assert len(list(run(tmp_path, case, select="train and not preview").cases)) == 1
    with pytest.raises(UsageError, match="chooses no test"):
        run(tmp_path, case, select="preview")


def test_a_policy_nobody_defines_is_an_error_with_its_place(tmp_path: Path) -> None:
    with pytest.raises(PolicyError) as caught:
        run(tmp_path, "{name: c, given: {cluster: aks}, expect: {state: Compliant}}", policy="fluxx")
    (problem,) = caught.value.diagnostics

    assert problem.code == "missing-reference"
    assert str(problem.span).endswith("flux.test.yaml:5:11")
    assert problem.help == "did you mean `flux`?"


def test_a_folder_without_tests_is_wrong_usage(tmp_path: Path) -> None:
    (tmp_path / "flux.yaml").write_text(POLICY, encoding="utf-8")
    with pytest.raises(UsageError, match="no policy tests"):
        asyncio.run(run_tests(TestRequest([str(tmp_path)])))


def test_junit_counts_failures_and_errors(tmp_path: Path) -> None:
    case = (
        "{name: bad \\x01, given: {cluster: aks}, expect: {state: Compliant}}\n"
        "    - {name: worse, given: {cluster: aks, parameters: {nobody: 1}}, expect: {state: Compliant}}\n"
        "    - {name: good, given: {cluster: aks}, expect: {state: NonCompliant}}"
    ).replace("bad \\x01", '"bad \\x01"')
    root = ElementTree.fromstring(to_junit(run(tmp_path, case)))

    assert {key: root.get(key) for key in ("tests", "failures", "errors")} == {
        "tests": "3",
        "failures": "1",
        "errors": "1",
    }
    assert [element.get("name") for element in root.iter("testcase")] == ["bad \ufffd", "worse", "good"]
    failure = root.find(".//failure")
    assert failure is not None
    assert failure.get("message") == "wanted Compliant, got NonCompliant: no extension of type microsoft.flux"


def test_what_a_provider_evaluates_stays_with_it_however_it_is_changed(tmp_path: Path) -> None:
    case = "{name: n, given: {cluster: aks}, expect: {state: NotApplicable}}"
    done = run(tmp_path, case, policy="pods", mutate=True)

    assert told(done) == []
    assert done.mutants == len(done.survivors) == 2
