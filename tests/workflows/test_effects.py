"""Scan and explain with effects beyond deployment: conflicts, and what providers handle."""

from __future__ import annotations

from typing import TYPE_CHECKING

from policyengine.model.states import ComplianceState
from policyengine.workflows.explain import explain_cluster
from policyengine.workflows.load import check_files

if TYPE_CHECKING:
    from tests.workflows.conftest import Project

SUBSCRIPTION = "/subscriptions/5b0c0000-0000-0000-0000-000000000001"


def assigned(name: str, rule: str, mode: str = "Indexed") -> str:
    return f"""
name: {name}
properties: {{mode: {mode}, policyRule: {rule}}}
---
apiVersion: policyengine/v1
kind: Assignment
metadata: {{name: {name}}}
spec: {{policy: {name}, scope: {SUBSCRIPTION}}}
"""


def modify(name: str, value: str) -> str:
    operation = f"{{operation: addOrReplace, field: tags.env, value: {value}}}"
    details = f"{{roleDefinitionIds: [x], operations: [{operation}]}}"
    return assigned(
        name, f"{{if: {{field: tags.env, notEquals: {value}}}, then: {{effect: modify, details: {details}}}}}"
    )


GATEKEEPER = assigned("pods", "{if: {field: type, exists: true}, then: {effect: deny}}", "Microsoft.Kubernetes.Data")


def test_a_scan_finds_conflicts_and_explain_agrees(project: Project) -> None:
    project.put("edge-01")
    project.write("policies/a.yaml", modify("a", "prod"))
    project.write("policies/b.yaml", modify("b", "test"))

    project.scan(policy="a")

    (finding,) = [f for f in project.store.findings() if f.policy == "a"]
    found = explain_cluster(project.settings, project.store, project.clock, "edge-01", policy="a")
    assert finding.state is ComplianceState.CONFLICT
    assert found.explanations[0].verdict.reason == finding.reason
    assert "`tags.env`" in finding.reason.message


def test_what_the_cluster_handles_is_no_finding_and_full_explanations_say_so(project: Project) -> None:
    project.put("edge-01")
    project.write("policies/pods.yaml", GATEKEEPER)

    project.scan()

    assert [f.policy for f in project.store.findings()] == ["edge"]
    shown = explain_cluster(project.settings, project.store, project.clock, "edge-01", everything=True).explanations
    (handled,) = (e for e in shown if e.policy.key == "pods")
    assert handled.is_handled_elsewhere
    assert handled.verdict.reason is not None
    assert handled.verdict.reason.message.startswith("handled in the cluster")
    assert handled.fix == ""


def test_without_full_the_policies_of_the_cluster_are_named_among_those_that_do_not_apply(project: Project) -> None:
    project.put("edge-01")
    project.write("policies/pods.yaml", GATEKEEPER)
    project.scan()

    found = explain_cluster(project.settings, project.store, project.clock, "edge-01")
    full = explain_cluster(project.settings, project.store, project.clock, "edge-01", everything=True)

    assert found.not_applicable["pods"].startswith("handled in the cluster")
    assert "pods" not in {e.policy.key for e in found.explanations}
    assert "pods" not in full.not_applicable


def test_validate_says_it_too_and_finds_no_error(project: Project) -> None:
    project.write("policies/pods.yaml", GATEKEEPER)

    checked = check_files(project.settings.policies)

    assert checked.errors == 0
    assert [d.code for d in checked.diagnostics] == ["handled-elsewhere"]
