from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pytest

from policyengine.errors import UsageError
from policyengine.workflows.plan import PlanRequest

if TYPE_CHECKING:
    from tests.workflows.conftest import Project

NEEDS_AGENT = """
apiVersion: policyengine/v1
kind: PolicyDefinition
metadata: {name: agent}
spec: {appliesTo: [arc], require: {extension: {extensionType: microsoft.policyinsights}}}
---
apiVersion: policyengine/v1
kind: Assignment
metadata: {name: announced}
spec:
  policy: agent
  scope: /subscriptions/5b0c0000-0000-0000-0000-000000000001
  enforcementMode: DoNotEnforce
"""


@pytest.fixture
def fleet(project: Project, flux: Mapping[str, Any], aks: str) -> Project:
    """Two clusters without Flux in two groups, and one that has it."""
    project.put("edge-01")
    project.put("edge-02", extensions=flux)
    project.put("web-01", group="web", type=aks)
    project.scan()
    return project


def names(project: Project, **request: Any) -> list[str]:
    return [step.cluster.name for step in project.plan(**request).plan.steps]


def test_a_plan_is_kept_with_what_it_was_asked_for(fleet: Project) -> None:
    planned = fleet.plan(assignment="edge")

    assert fleet.store.plan(planned.plan.id) == planned.plan
    assert planned.plan.scope == "assignment edge"
    assert planned.clusters_in_fleet == 3
    assert (planned.estimate.writes, planned.estimate.seconds) == (2, 0.3)
    assert planned.failures == ()


@pytest.mark.parametrize(
    ("request_", "found"),
    [
        ({}, ["edge-01", "web-01"]),
        ({"cluster": "web-01"}, ["web-01"]),
        ({"cluster": "edge-02"}, []),
        ({"scope": "/subscriptions/5B0C0000-0000-0000-0000-000000000001/resourceGroups/WEB"}, ["web-01"]),
        ({"policy": "flux", "max": 1}, ["edge-01"]),
    ],
)
def test_it_is_about_what_was_asked_for(fleet: Project, request_: dict[str, Any], found: list[str]) -> None:
    assert names(fleet, **request_) == found


@pytest.mark.parametrize(
    "request_", [{"assignment": "egde"}, {"policy": "x"}, {"cluster": "gone"}, {"scope": "stores-no"}]
)
def test_a_name_that_nobody_has_is_a_wrong_use(fleet: Project, request_: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        fleet.plan(**request_)
    assert fleet.store.plans() == []


def test_there_must_be_clusters(project: Project) -> None:
    with pytest.raises(UsageError, match="the inventory is empty"):
        project.plan()


def test_an_assignment_that_is_not_enforced_is_planned_only_by_its_name(fleet: Project) -> None:
    fleet.write("policies/agent.yaml", NEEDS_AGENT)

    everything = fleet.plan().plan
    by_policy = fleet.plan(policy="agent").plan
    by_name = fleet.plan(assignment="announced", unenforced=True).plan
    by_schedule = fleet.plan(assignment="announced").plan

    assert {step.policies for step in everything.steps} == {("edge",)}
    assert {u.policy for u in everything.unmended} == {"announced"}
    assert by_policy.steps == ()
    assert {u.reason for u in by_policy.unmended} == {
        "its assignment is not enforced (DoNotEnforce); plan it by name to write all the same"
    }
    assert {step.policies for step in by_name.steps} == {("announced",)}
    assert fleet.store.plan(by_name.id).unenforced
    assert by_schedule.steps == ()
    assert not by_schedule.unenforced


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (PlanRequest(), "all assignments"),
        (PlanRequest(max=3), "all assignments"),
        (PlanRequest(assignment="edge", cluster="edge-01"), "assignment edge, cluster edge-01"),
        (PlanRequest(policy="flux", scope="/subscriptions/s"), "policy flux, scope /subscriptions/s"),
    ],
)
def test_a_request_says_what_it_is_about(request_: PlanRequest, words: str) -> None:
    assert request_.words == words
