"""The shipped library in Azure's language: judged as before on every cluster its own tests know, or refused."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache

import pytest

from policyengine.compliance.judge import judge
from policyengine.errors import PolicyError
from policyengine.language.documents import PolicyDefinition
from policyengine.language.exporter import Manner
from policyengine.language.library import PolicyLibrary
from policyengine.language.parser import parse_documents
from policyengine.model.states import ComplianceState
from policyengine.testing import prepare
from policyengine.workflows.data import data_root
from policyengine.workflows.export import ExportRequest, export
from policyengine.workflows.policy_tests import LoadedTests, TestRequest, load_tests, samples
from policyengine.workflows.settings import Settings

SETTINGS = Settings(policies=["library:"])
EXPORTABLE = {
    "aks-local-accounts-disabled",
    "azure-policy-extension-arc",
    "cluster-tag-required",
    "flux-extension-required",
}
LOSSY = {
    "defender-extension-arc": {"configurationSettings"},
    "flux-configuration-bucket": {"kustomizations", "reconciled", "configurationProtectedSettings"},
    "flux-configuration-git": {"kustomizations", "reconciled"},
    "monitoring-extension-arc": {"configurationSettings"},
}
"""What `--lossy` leaves out of each."""
QUERIES = {"flux-version-supported", "no-foreign-cluster-scope", "private-link-sources-allow-listed"}
"""They ask in JMESPath, which nothing replaces."""


@cache
def loaded() -> LoadedTests:
    return load_tests(TestRequest(["library:"]))


def in_azure(name: str, manner: Manner = Manner.REFUSE) -> PolicyDefinition:
    (document,) = export(SETTINGS, ExportRequest(name, manner=manner)).documents
    parsed = parse_documents(json.dumps(document), f"{name}.json", loaded().aliases)
    (definition,) = parsed.documents
    assert parsed.diagnostics == ()
    assert isinstance(definition, PolicyDefinition)
    return definition


def states(definition: PolicyDefinition) -> dict[str, ComplianceState]:
    """What becomes of every case of the policy's own tests."""
    found = {}
    for file in loaded().files.values():
        for test in file:
            for case in test.cases if test.policy.name == definition.name else ():
                trial = prepare(case, definition, samples().fleet.tree, loaded().aliases)
                found[case.name] = judge(trial.policy, trial.cluster, trial.world).state
    return found


def refusal(name: str, manner: Manner = Manner.REFUSE) -> PolicyError:
    with pytest.raises(PolicyError) as caught:
        export(SETTINGS, ExportRequest(name, manner=manner))
    return caught.value


def own(name: str) -> PolicyDefinition:
    (found,) = (d for d in loaded().library.definitions if d.name == name)
    return found


def test_every_definition_of_the_library_is_known_here() -> None:
    assert {d.name for d in loaded().library.definitions} == EXPORTABLE | LOSSY.keys() | QUERIES


@pytest.mark.parametrize("name", sorted(EXPORTABLE))
def test_an_exported_definition_judges_every_cluster_as_the_original(name: str) -> None:
    before = states(own(name))

    assert states(in_azure(name)) == before
    assert {ComplianceState.COMPLIANT, ComplianceState.NON_COMPLIANT, ComplianceState.NOT_APPLICABLE} <= set(
        before.values()
    )


@pytest.mark.parametrize("name", sorted(LOSSY))
def test_what_cannot_be_compared_is_refused_with_its_line_and_left_out_when_that_is_asked_for(name: str) -> None:
    error = refusal(name)
    text = (data_root() / "policies" / "definitions" / f"{name}.yaml").read_text(encoding="utf-8")
    places = [text.splitlines()[d.span.line - 1] for d in error.diagnostics if d.span is not None]
    left_out = export(SETTINGS, ExportRequest(name, manner=Manner.LEAVE_OUT))

    assert {d.code for d in error.diagnostics} == {"not-exportable"}
    assert len(places) == len(error.diagnostics) == len(left_out.notes)
    assert {key for key in LOSSY[name] if any(key in d.message for d in error.diagnostics)} == LOSSY[name]
    assert not any(d.is_error for d in left_out.notes)


@pytest.mark.parametrize("name", sorted(LOSSY))
def test_a_lossy_export_never_finds_more_than_the_original(name: str) -> None:
    before, after = states(own(name)), states(in_azure(name, Manner.LEAVE_OUT))
    changed: Mapping[str, tuple[ComplianceState, ComplianceState]] = {
        case: (before[case], after[case]) for case in before if before[case] is not after[case]
    }

    assert set(changed.values()) == {(ComplianceState.NON_COMPLIANT, ComplianceState.COMPLIANT)}


@pytest.mark.parametrize("name", sorted(QUERIES))
def test_a_rule_in_jmespath_is_refused_even_then(name: str) -> None:
    assert all("jmespath" in d.message for d in refusal(name, Manner.LEAVE_OUT).diagnostics)


def test_a_shown_definition_keeps_what_azure_has_no_words_for() -> None:
    shown = export(SETTINGS, ExportRequest("flux-version-supported", manner=Manner.SHOW))

    assert "jmespath" in json.dumps(shown.documents)
    assert [d.is_error for d in shown.notes] == [False] * 3


def test_an_initiative_names_which_of_its_members_cannot_come_along() -> None:
    error = refusal("gitops-baseline", Manner.REFUSE)
    members = [d.message for d in error.diagnostics if "cannot be exported" in d.message]

    assert [text.split("`")[1] for text in members] == ["config", "version", "sources", "foreign"]
    assert all(d.span is not None and d.span.short.startswith("gitops-baseline.yaml:") for d in error.diagnostics)


def test_the_shipped_initiatives_keep_the_members_that_can_be_exported() -> None:
    place = "/providers/Microsoft.Management/managementGroups/mg-edge"
    done = export(SETTINGS, ExportRequest("arc-security-baseline", scope=place, manner=Manner.LEAVE_OUT))
    (document,) = done.documents
    parsed = parse_documents(json.dumps(document), "set.json", loaded().aliases)
    library, problems = PolicyLibrary.build([*parsed.documents, *loaded().library.definitions])

    assert parsed.diagnostics == problems == ()
    assert [m.reference.name.rpartition("/")[2] for m in library.initiatives[0].members] == [
        "azure-policy-extension-arc",
        "defender-extension-arc",
    ]
    assert [g.name for g in library.initiatives[0].groups] == ["guard", "watch"]
