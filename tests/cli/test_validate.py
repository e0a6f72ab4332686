"""`validate`: every problem of every file, where it is, and the answer as an exit code."""

from __future__ import annotations

import csv
import io

import pytest

from policyengine.cli.exit_codes import ExitCode
from tests.cli.conftest import Shell

DEFINITION = """
apiVersion: policyengine/v1
kind: PolicyDefinition
metadata: {name: no-local-accounts, version: 1.0.0, severity: low, owner: team-a}
spec:
  policyRule:
    if: {field: Microsoft.ContainerService/managedClusters/disableLocalAccounts, notEquals: true}
    then: {effect: audit}
"""
LOOSE = """
apiVersion: policyengine/v1
kind: PolicyDefinition
metadata: {name: loose, version: 1.0.0, severity: low, owner: team-a}
spec:
  policyRule:
    if: {field: type, equals: Microsoft.Kubernetes/connectedClusters}
    then:
      effect: auditIfNotExists
      details:
        type: Microsoft.KubernetesConfiguration/fluxConfigurations
        existenceCondition:
          {field: Microsoft.KubernetesConfiguration/fluxConfigurations/namespace, equals: flux-system}
"""
FORMATS = ("table", "json", "ndjson", "yaml", "csv", "name")


@pytest.fixture
def broken(shell: Shell) -> Shell:
    """Two files, three errors."""
    wrong = DEFINITION.replace("notEquals", "notequal").replace("effect: audit", "effect: frob")
    shell.write("policies/a.yaml", wrong.replace("no-local-accounts", "wrong"))
    shell.write("policies/deeper/b.yaml", DEFINITION.replace("{name: no-", "{name: one, name: other-"))
    shell.write("policies/good.yaml", DEFINITION)
    return shell


def test_files_without_a_problem_are_fine(shell: Shell) -> None:
    shell.write("policies/good.yaml", DEFINITION)
    ran = shell.run("validate", "policies")

    assert ran.code == 0
    assert ran.out.startswith("1 file, 0 errors, 0 warnings, ")


def test_the_shipped_library_and_samples_are_fine(shell: Shell) -> None:
    assert shell.run("validate", "library:", "samples:").code == 0


def test_every_problem_of_every_file_is_told_with_its_place(broken: Shell) -> None:
    ran = broken.run("validate", "policies")

    assert ran.code == ExitCode.NO
    assert "policies/a.yaml:7:" in ran.out
    assert "error[unknown-operator]" in ran.out
    assert "did you mean `notEquals`?" in ran.out
    assert "policies/a.yaml:8:" in ran.out
    assert "error[unknown-effect]" in ran.out
    assert "policies/deeper/b.yaml:4:23: error[duplicate-key]" in ran.out
    assert "^^^" in ran.out
    assert ran.lines[-1].startswith("3 files, 3 errors, 0 warnings, ")


def test_programs_get_the_same_as_rows(broken: Shell) -> None:
    rows = broken.run("validate", "policies", "-o", "json").json()
    read = list(csv.DictReader(io.StringIO(broken.run("validate", "policies", "-o", "csv").out)))

    assert [(row["file"], row["line"], row["code"], row["severity"]) for row in rows] == [
        ("policies/a.yaml", 7, "unknown-operator", "error"),
        ("policies/a.yaml", 8, "unknown-effect", "error"),
        ("policies/deeper/b.yaml", 4, "duplicate-key", "error"),
    ]
    assert [row["code"] for row in read] == [row["code"] for row in rows]
    assert broken.run("validate", "policies", "--query", "[].code").lines == [row["code"] for row in rows]


@pytest.mark.parametrize("output", FORMATS)
def test_the_answer_does_not_depend_on_the_format(broken: Shell, output: str) -> None:
    assert broken.run("validate", "policies", "-o", output).code == ExitCode.NO
    assert broken.run("validate", "policies/good.yaml", "-o", output).code == ExitCode.OK


def test_a_warning_counts_when_strict(shell: Shell) -> None:
    shell.write("policies/loose.yaml", LOOSE)
    lax, strict = shell.run("validate", "policies"), shell.run("validate", "policies", "--strict")

    assert (lax.code, strict.code) == (ExitCode.OK, ExitCode.NO)
    assert "warning[loose-existence]" in lax.out
    assert "1 file, 0 errors, 1 warning, " in lax.out


def test_a_path_that_does_not_exist_is_wrong_usage(shell: Shell) -> None:
    ran = shell.run("validate", "polices")

    assert ran.code == ExitCode.USAGE
    assert "`polices` does not exist" in ran.err


def test_a_file_that_is_no_text_is_a_problem_like_others(shell: Shell) -> None:
    shell.write("policies/good.yaml", DEFINITION)
    (shell.folder / "policies" / "binary.yaml").write_bytes(b"\xff\xfe\x00kind")
    ran = shell.run("validate", "policies")

    assert ran.code == ExitCode.NO
    assert "error[unreadable-file]: `policies/binary.yaml` cannot be read" in ran.out


def test_the_project_says_which_files(shell: Shell) -> None:
    shell.write("policyengine.yaml", "apiVersion: policyengine/v1\nkind: Project\npolicies: [mine]\n")
    shell.write("mine/good.yaml", DEFINITION)
    shell.write("deeper/still/empty.txt", "")

    assert shell.run("validate").out.startswith("1 file,")
    assert shell.run("validate", "--project", str(shell.folder / "deeper" / "still")).out.startswith("1 file,")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("kind: Project\npolices: [mine]\n", "did you mean `policies`?"),
        ("kind: Project\narm: {budget: {writesPerSecond: many}}\n", "arm.budget.writesPerSecond"),
        ("kind: Assignment\n", "is not a project file"),
        ("kind: [\n", "policyengine.yaml:1:8: error[yaml-syntax]"),
    ],
)
def test_a_project_file_that_cannot_be_used_stops_everything(shell: Shell, text: str, told: str) -> None:
    shell.write("policyengine.yaml", text)
    ran = shell.run("validate")

    assert ran.code == ExitCode.INVALID
    assert told in ran.err
