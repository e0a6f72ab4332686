"""Drafts: clean, laid out, and tested from the beginning, whatever is chosen."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from policyengine.errors import UsageError
from policyengine.workflows.drafting import Drafted, NewRequest, draft
from policyengine.workflows.files import write_new
from policyengine.workflows.formatting import format_files
from policyengine.workflows.load import check_files
from policyengine.workflows.policy_tests import TestRequest, run_tests
from policyengine.workflows.settings import Settings
from policyengine.workflows.starters import EFFECTS, Draft, Target

CHOICES = [(kind, effect) for kind, effects in EFFECTS.items() for effect in effects if effect != "Disabled"]


@pytest.fixture
def project(tmp_path: Path) -> Settings:
    return Settings(policies=[str(tmp_path / "policies")])


def made(project: Settings, request: NewRequest) -> Drafted:
    done = draft(project, request)
    write_new({done.policy: done.policy_text, done.test: done.test_text})
    return done


@pytest.mark.parametrize("target", list(Target))
@pytest.mark.parametrize(("kind", "effect"), CHOICES)
def test_every_draft_is_clean_and_its_test_passes(project: Settings, kind: Draft, effect: str, target: Target) -> None:
    done = made(project, NewRequest("my-policy", kind, target, effect))
    run = asyncio.run(run_tests(TestRequest([str(done.policy), str(done.test)])))
    cases = [case for file in run.files for case in file.cases]

    assert check_files(project.policies).diagnostics == ()
    assert format_files(project.policies, write=False).changed == ()
    assert {case.name: case.error or case.mismatches for case in cases if case.outcome != "passed"} == {}
    assert len(cases) >= 4


@pytest.mark.parametrize("type", ["microsoft.flux", "microsoft.azuremonitor.containers", "Contoso-Agent"])
def test_an_extension_of_any_type_can_be_drafted(project: Settings, type: str) -> None:
    done = made(project, NewRequest("my-policy", extension_type=type))
    run = asyncio.run(run_tests(TestRequest([str(done.policy), str(done.test)])))

    assert {case.outcome for file in run.files for case in file.cases} == {"passed"}
    assert f"extensionType: {type}" in done.policy_text


def test_the_effect_may_be_spelt_in_any_case(project: Settings) -> None:
    text = draft(project, NewRequest("my-policy", Draft.TAG, effect="audit")).policy_text

    assert "defaultValue: Audit\n" in text


def test_a_draft_goes_where_it_is_sent(project: Settings, tmp_path: Path) -> None:
    file = draft(project, NewRequest("my-policy", out=tmp_path / "a" / "b.yaml"))
    folder = draft(project, NewRequest("my-policy", out=tmp_path / "a"))

    assert (file.policy.name, file.test.name) == ("b.yaml", "b.test.yaml")
    assert (folder.policy.name, folder.test.name) == ("my-policy.yaml", "my-policy.test.yaml")


@pytest.mark.parametrize(
    "request_",
    [
        NewRequest("two words"),
        NewRequest("my-policy", Draft.RULE, effect="Modify"),
        NewRequest("my-policy", extension_type="a: b"),
    ],
)
def test_what_cannot_be_is_refused(project: Settings, request_: NewRequest) -> None:
    with pytest.raises(UsageError):
        draft(project, request_)


def test_a_name_that_is_taken_is_refused_but_for_the_same_file(project: Settings, tmp_path: Path) -> None:
    made(project, NewRequest("my-policy"))
    again = draft(project, NewRequest("my-policy", Draft.TAG))

    with pytest.raises(UsageError, match="already"):
        draft(project, NewRequest("My-Policy", out=tmp_path / "other"))
    with pytest.raises(UsageError, match="is there already"):
        write_new({again.policy: again.policy_text, again.test: again.test_text})
