"""`policy`: documents from Azure and to it, by name and by file, and how that ends."""

from __future__ import annotations

import json
from typing import Any

import pytest

from policyengine.cli.exit_codes import ExitCode
from tests.cli.conftest import Shell

GUID = "0adc5395-9169-4b9b-8687-af838d69410a"
AZURE: dict[str, Any] = {
    "id": f"/providers/Microsoft.Authorization/policyDefinitions/{GUID}",
    "name": GUID,
    "properties": {
        "displayName": "No local accounts",
        "policyType": "BuiltIn",
        "metadata": {"version": "1.0.0"},
        "policyRule": {
            "if": {
                "allOf": [
                    {"field": "type", "equals": "Microsoft.ContainerService/managedClusters"},
                    {"field": "Microsoft.ContainerService/managedClusters/disableLocalAccounts", "notEquals": True},
                ]
            },
            "then": {"effect": "audit"},
        },
    },
}


def test_export_prints_the_json_of_a_definition(shell: Shell) -> None:
    ran = shell.run("policy", "export", "flux-extension-required")

    assert ran.code == ExitCode.OK
    assert ran.json()["properties"]["policyRule"]["then"]["details"]["deployment"]
    assert ran.err == ""


@pytest.mark.parametrize(("part", "key"), [("rules", "policyRule"), ("params", "parameters")])
def test_export_prints_the_parts_that_az_takes(shell: Shell, part: str, key: str) -> None:
    whole = shell.run("policy", "export", "flux-extension-required").json()

    assert shell.run("policy", "export", "flux-extension-required", "--part", part).json() == whole["properties"][key]


def test_export_refuses_what_azure_has_no_words_for(shell: Shell) -> None:
    ran = shell.run("policy", "export", "flux-version-supported")

    assert (ran.code, ran.out) == (ExitCode.INVALID, "")
    assert "flux-version-supported.yaml:41:11: error[not-exportable]" in ran.err


def test_a_lossy_export_tells_what_it_leaves_out(shell: Shell) -> None:
    ran = shell.run("policy", "export", "monitoring-extension-arc", "--lossy")

    assert ran.code == ExitCode.OK
    assert ran.err.count("warning[not-exportable]") == 2
    assert "configurationSettings" in ran.out


def test_export_writes_a_file_once(shell: Shell) -> None:
    arguments = ("policy", "export", "aks-local-accounts-disabled", "--out", "azure/local.json")
    first, second = shell.run(*arguments), shell.run(*arguments)

    assert (first.code, second.code) == (ExitCode.OK, ExitCode.USAGE)
    assert "is there already" in second.err
    assert json.loads((shell.folder / "azure" / "local.json").read_text(encoding="utf-8"))["properties"]
    assert shell.run(*arguments, "--force").code == ExitCode.OK


@pytest.mark.parametrize(
    "arguments",
    [
        ("nothing-like-it",),
        ("no-such-file.yaml",),
        ("flux-extension-required", "--part", "rule"),
        ("flux-extension-required", "--part", "groups"),
        ("gitops-baseline", "--scope", "somewhere"),
        ("gitops-baseline", "--scope", "/subscriptions/s/resourceGroups/g"),
    ],
)
def test_export_of_what_is_not_there_is_wrong_usage(shell: Shell, arguments: tuple[str, ...]) -> None:
    ran = shell.run("policy", "export", *arguments)

    assert (ran.code, ran.out) == (ExitCode.USAGE, "")


def test_what_is_imported_runs_and_is_exported_as_it_was(shell: Shell) -> None:
    shell.write("downloads/LocalAccounts_Audit.json", json.dumps(AZURE))
    ran = shell.run("policy", "import", "downloads/LocalAccounts_Audit.json")

    assert (ran.code, ran.err) == (ExitCode.OK, "")
    assert "policies/LocalAccounts_Audit.yaml" in ran.out
    assert shell.run("validate", "--strict").code == ExitCode.OK
    assert shell.run("fmt", "--check").code == ExitCode.OK
    for name in (GUID, "LocalAccounts_Audit", "No local accounts", "policies/LocalAccounts_Audit.yaml"):
        assert shell.run("policy", "export", name).json() == AZURE


def test_import_reads_standard_input_and_writes_standard_output(shell: Shell) -> None:
    ran = shell.run("policy", "import", "-", "--out", "-", typed=json.dumps([AZURE]))

    assert ran.code == ExitCode.OK
    assert ran.out.startswith(f"id: /providers/Microsoft.Authorization/policyDefinitions/{GUID}\n")
    assert not (shell.folder / "policies").exists()


def test_an_import_that_is_refused_writes_nothing(shell: Shell) -> None:
    wrong = json.dumps([AZURE, {**AZURE, "name": "x", "properties": {**AZURE["properties"], "policyType": "Static"}}])
    ran = shell.run("policy", "import", "-", typed=wrong)

    assert ran.code == ExitCode.INVALID
    assert "error[handled-elsewhere]" in ran.err
    assert not (shell.folder / "policies").exists()


def test_import_copies_a_policy_of_the_library(shell: Shell) -> None:
    ran = shell.run("policy", "import", "cluster-tag-required", "-o", "name")

    assert ran.lines == ["policies/cluster-tag-required.yaml"]
    assert (shell.folder / ran.lines[0]).read_text(encoding="utf-8").startswith("# ")


def test_render_prints_a_definition_in_azures_language(shell: Shell) -> None:
    ran = shell.run("policy", "render", "flux-extension-required", "--as", "azure")

    assert (ran.code, ran.err) == (ExitCode.OK, "")
    assert "existenceCondition:" in ran.out
    assert (
        shell.run("policy", "render", "flux-extension-required", "-o", "json").json()
        == shell.run("policy", "export", "flux-extension-required").json()
    )


def test_render_shows_what_azure_has_no_words_for_and_says_so(shell: Shell) -> None:
    ran = shell.run("policy", "render", "flux-version-supported")

    assert ran.code == ExitCode.OK
    assert "jmespath: version_minor(properties.currentVersion)" in ran.out
    assert ran.err.count("warning[not-exportable]") == 3


def test_render_prints_the_short_form(shell: Shell) -> None:
    shell.write("local.json", json.dumps(AZURE))
    ran = shell.run("policy", "render", "local.json", "--as", "short", "-o", "json")

    assert ran.json()["spec"]["appliesTo"] == ["aks"]
    assert shell.run("policy", "render", "gitops-baseline", "--as", "short").code == ExitCode.USAGE


def test_render_refuses_what_has_no_short_form(shell: Shell) -> None:
    wide = {**AZURE["properties"], "policyRule": {"if": {"field": "name", "like": "x"}, "then": {"effect": "audit"}}}
    shell.write("wide.json", json.dumps({**AZURE, "properties": wide}))
    ran = shell.run("policy", "render", "wide.json", "--as", "short")

    assert (ran.code, ran.out) == (ExitCode.INVALID, "")
    assert "error[not-short]" in ran.err


def test_import_writes_the_short_form_when_that_is_asked_for(shell: Shell) -> None:
    ran = shell.run("policy", "import", "-", "--as", "short", typed=json.dumps(AZURE))

    assert ran.code == ExitCode.OK
    assert "appliesTo:" in (shell.folder / "policies" / "No-local-accounts.yaml").read_text(encoding="utf-8")
    assert shell.run("validate").code == ExitCode.OK


def test_new_writes_a_policy_and_its_test_and_tells_what_is_next(shell: Shell) -> None:
    ran = shell.run("policy", "new", "site-tag", "--kind", "tag", "--target", "arc", "--effect", "audit")

    assert ran.code == ExitCode.OK
    assert "policyengine test policies/site-tag.yaml policies/site-tag.test.yaml" in ran.err
    assert shell.run("validate", "--strict").code == ExitCode.OK
    assert shell.run("test").code == ExitCode.OK
    assert "appliesTo: [arc]" in (shell.folder / "policies" / "site-tag.yaml").read_text(encoding="utf-8")


def test_new_never_writes_over_a_file(shell: Shell) -> None:
    shell.write("policies/mine.test.yaml", "# mine\n")
    ran = shell.run("policy", "new", "mine")

    assert (ran.code, ran.out) == (ExitCode.USAGE, "")
    assert "mine.test.yaml` is there already" in ran.err
    assert not (shell.folder / "policies" / "mine.yaml").exists()
    assert shell.run("policy", "new", "mine", "--force", "-o", "name").lines == [
        "policies/mine.yaml",
        "policies/mine.test.yaml",
    ]
