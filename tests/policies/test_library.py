"""Runs `policies/tests/*.test.yaml` on the real language, judge and planner."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from policyengine.compliance.bind import BoundPolicy, bind
from policyengine.compliance.explain import explain
from policyengine.compliance.judge import judge
from policyengine.effects.base import World
from policyengine.expressions.jmespath import compile_jmespath
from policyengine.language.aliases import AliasCatalogue
from policyengine.language.checker import check
from policyengine.language.documents import Assignment, Initiative, PolicyDefinition, Reference
from policyengine.language.library import PolicyLibrary
from policyengine.language.parser import parse_documents
from policyengine.model.arm_defaults import overlay
from policyengine.model.diagnostic import render
from policyengine.model.fleet import FleetFile, assemble, parse_fleet
from policyengine.model.ids import ResourceId
from policyengine.model.resource import EXTENSIONS, FLUX_CONFIGURATIONS, Cluster, Resource
from policyengine.model.values import JSON
from policyengine.remediation.plan import build_plan
from policyengine.text.nodes import to_value
from policyengine.text.reader import read
from policyengine.workflows.data import data_root

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
POLICIES = data_root() / "policies"
DOCUMENTS = sorted(path for folder in ("definitions", "initiatives") for path in (POLICIES / folder).glob("*.yaml"))
TESTS = sorted((POLICIES / "tests").glob("*.test.yaml"))


@dataclass(frozen=True)
class Case:
    """One case of one test file, with the fixtures of that file."""

    policy: str
    fixtures: Mapping[str, JSON]
    value: Mapping[str, Any]

    @property
    def given(self) -> Mapping[str, Any]:
        given: Mapping[str, Any] = self.value["given"]
        return given

    def resolve(self, value: JSON) -> Any:
        """A fixture by its name, or `{use, patch}`, or the object itself."""
        if isinstance(value, str):
            return self.resolve(self.fixtures[value])
        if "use" not in value:
            return value
        name = value["use"]
        shipped = name.startswith("sample:")
        base = sample(name.removeprefix("sample:")) if shipped else self.resolve(name)
        return overlay(base, value.get("patch", {}))

    def cluster(self) -> Cluster:
        head = self.resolve(self.given["cluster"])
        own = ResourceId(head["id"])
        head_id = f"{own.parent}/providers/{head['type']}/{own.name}"
        children = [
            {"id": f"{head_id}/providers/{kind}/{child['name']}", **child}
            for key, kind in (("extensions", EXTENSIONS), ("fluxConfigurations", FLUX_CONFIGURATIONS))
            for child in map(self.resolve, self.given.get(key, ()))
        ]
        clusters, _ = assemble([{**head, "id": head_id}, *children])
        return clusters[0] if clusters else Cluster(Resource(ResourceId(head_id), head))


def read_value(path: Path) -> Any:
    (node,) = read(path.read_text(encoding="utf-8"), path.name)
    return to_value(node)


@cache
def fixtures() -> FleetFile:
    return parse_fleet(read_value(data_root() / "samples" / "fixtures.yaml"))


def sample(name: str) -> Mapping[str, JSON]:
    return next(c.resource.document for c in fixtures().fleet.clusters if c.name == name)


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


def cases() -> Iterator[Any]:
    for path in TESTS:
        spec = read_value(path)["spec"]
        for value in spec["cases"]:
            case = Case(spec["policy"], spec.get("fixtures", {}), value)
            yield pytest.param(case, id=f"{path.name.removesuffix('.test.yaml')}: {value['name']}")


def bind_case(case: Case) -> BoundPolicy:
    (scope,) = fixtures().fleet.tree.subscriptions
    parameters = case.given.get("parameters", {})
    assignment = Assignment("test", scope.id, policy=Reference(case.policy), parameters=parameters)
    library, problems = PolicyLibrary.build((*documents(), assignment))
    assert not problems
    (policy,) = bind(library, aliases())
    return policy


@pytest.mark.parametrize("case", list(cases()))
def test_library_policy(case: Case) -> None:
    policy, cluster = bind_case(case), case.cluster()
    world = World(fixtures().fleet.tree, NOW, aliases())
    expect = case.value["expect"]

    if "state" in expect:
        verdict = judge(policy, cluster, world)
        reason = verdict.reason.message if verdict.reason else ""
        assert verdict.state.value == expect["state"], reason
        assert expect.get("reason", {}).get("contains", "") in reason
    if "failedClauses" in expect:
        nearest = explain(policy, cluster, world).candidates[0]
        assert [clause.label for clause in nearest.clauses if not clause.result] == expect["failedClauses"]
    if "plan" in expect:
        steps = build_plan([policy], [cluster], world, created_at=NOW).steps
        assert [(s.write.method, s.write.id.type, s.write.id.name) for s in steps] == [
            (wanted["op"], wanted["type"], wanted["name"]) for wanted in expect["plan"]
        ]
        for step, wanted in zip(steps, expect["plan"], strict=True):
            found = compile_jmespath(wanted["body"]["jmespath"]).search(step.write.body, at=NOW)
            assert found == wanted["body"]["equals"]


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
