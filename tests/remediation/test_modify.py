"""modify as a plan: one PATCH of the cluster. Policy language §6.2; configuration API §8."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import pytest

from policyengine.compliance.bind import BoundPolicy
from policyengine.model.resource import AKS, ARC, Cluster, Resource
from policyengine.remediation.diff import holds
from policyengine.remediation.steps import FieldChange, Plan, Preflight

Bound: TypeAlias = Callable[..., tuple[BoundPolicy, ...]]
MakeCluster: TypeAlias = Callable[..., Cluster]
Text: TypeAlias = Callable[..., str]
Planned: TypeAlias = Callable[..., Plan]


def tagged(cluster: Cluster, **tags: str) -> Cluster:
    return Cluster(Resource(cluster.id, {**cluster.resource.document, "tags": tags}))


@pytest.fixture
def modify(assignment: Text) -> Text:
    def modify(name: str, condition: str, *operations: str, conflict: str = "audit") -> str:
        details = f"{{roleDefinitionIds: [x], conflictEffect: {conflict}, operations: [{', '.join(operations)}]}}"
        rule = f"{{if: {condition}, then: {{effect: modify, details: {details}}}}}"
        return f"name: {name}\nproperties: {{policyRule: {rule}}}\n---\n{assignment(name, f'policy: {name}')}"

    return modify


def put(field: str, value: str) -> str:
    return f"{{operation: addOrReplace, field: {field}, value: {value}}}"


def want(modify: Text, tag: str, value: str) -> str:
    return modify(f"{tag}-{value}", f"{{field: tags.{tag}, notEquals: {value}}}", put(f"tags.{tag}", value))


@pytest.mark.parametrize("type", [AKS, ARC])
def test_tags_go_as_a_whole_and_the_diff_shows_what_changes(
    bound: Bound, cluster: MakeCluster, planned: Planned, modify: Text, type: str
) -> None:
    on = tagged(cluster(type=type), site="osl", Env="test")

    (step,) = planned(bound(want(modify, "env", "prod")), on).steps

    assert (step.write.method, step.write.id, step.write.api_version[:4]) == ("PATCH", on.id, "2026")
    assert step.write.body == {"tags": {"site": "osl", "Env": "prod"}}
    assert step.changes == (FieldChange("tags.Env", "test", "prod"),)
    assert (step.preflight, step.action) == (Preflight.READY, "update cluster edge-osl-03")


def test_several_policies_are_one_request(bound: Bound, cluster: MakeCluster, planned: Planned, modify: Text) -> None:
    texts = [want(modify, "env", "prod"), want(modify, "owner", "ada")]

    (step,) = planned(bound(*texts), tagged(cluster(), site="osl")).steps

    assert step.policies == ("env-prod", "owner-ada")
    assert step.write.body == {"tags": {"site": "osl", "env": "prod", "owner": "ada"}}


def test_a_tag_is_taken_away_by_leaving_it_out(
    bound: Bound, cluster: MakeCluster, planned: Planned, modify: Text
) -> None:
    text = modify("no-old", "{field: tags.old, exists: true}", "{operation: remove, field: tags.old}")
    on = tagged(cluster(), old="1", site="osl")

    (step,) = planned(bound(text), on).steps

    assert step.write.body == {"tags": {"site": "osl"}}
    assert step.changes == (FieldChange("tags.old", "1", None),)
    assert not holds(on.resource.document, step.write.body)
    assert holds(tagged(cluster(), site="osl").resource.document, step.write.body)


def test_properties_are_a_merge_patch(bound: Bound, cluster: MakeCluster, planned: Planned, modify: Text) -> None:
    text = modify("k3s", "{field: properties.distribution, notEquals: k3s}", put("properties.distribution", "k3s"))

    (step,) = planned(bound(text), tagged(cluster(distribution="generic", agentVersion="1"), site="osl")).steps

    assert step.write.body == {"properties": {"distribution": "k3s"}}
    assert step.preflight is Preflight.READY


@pytest.mark.parametrize(
    ("type", "field"), [(AKS, "properties.disableLocalAccounts"), (ARC, "properties.privateLinkState")]
)
def test_what_the_service_takes_no_patch_of_is_refused(
    bound: Bound, cluster: MakeCluster, planned: Planned, modify: Text, type: str, field: str
) -> None:
    text = modify("want", f"{{field: {field}, notEquals: x}}", put(field, "x"))

    (step,) = planned(bound(text), cluster(type=type)).steps

    assert step.preflight is Preflight.REFUSED
    assert f"`{field}`" in step.reason
    assert step.changes == (FieldChange(field, None, "x"),)


def test_operations_that_change_nothing_are_no_request(
    bound: Bound, cluster: MakeCluster, planned: Planned, modify: Text
) -> None:
    text = modify("x", "{field: tags.env, notEquals: x}", "{operation: add, field: tags.env, value: x}")

    plan = planned(bound(text), tagged(cluster(), env="y"))

    assert plan.steps == ()
    assert "change nothing" in plan.unmended[0].reason


def test_two_that_disagree_are_refused_whatever_their_conflict_effect(
    bound: Bound, cluster: MakeCluster, planned: Planned, modify: Text
) -> None:
    plan = planned(bound(want(modify, "env", "prod"), want(modify, "env", "test")), cluster())

    assert [step.preflight for step in plan.steps] == [Preflight.REFUSED, Preflight.REFUSED]
    assert all("write conflict" in step.reason for step in plan.steps)


def test_one_that_would_want_it_back_refuses_too(
    bound: Bound, cluster: MakeCluster, planned: Planned, modify: Text
) -> None:
    policies = bound(want(modify, "env", "prod"), want(modify, "env", "test"))

    (step,) = planned(policies, tagged(cluster(), env="prod")).steps

    assert (step.preflight, step.policies) == (Preflight.REFUSED, ("env-test",))
    assert "`env-prod`" in step.reason


def test_a_cluster_that_is_changing_is_left_to_finish(
    bound: Bound, cluster: MakeCluster, planned: Planned, modify: Text
) -> None:
    plan = planned(bound(want(modify, "env", "prod")), cluster(provisioningState="Updating"))

    assert plan.steps == ()
    assert "`edge-osl-03` is Updating" in plan.unmended[0].reason


def test_an_offline_cluster_is_parked(bound: Bound, cluster: MakeCluster, planned: Planned, modify: Text) -> None:
    (step,) = planned(bound(want(modify, "env", "prod")), cluster(connectivityStatus="Offline")).steps

    assert step.preflight is Preflight.PARKED


@pytest.mark.parametrize(
    ("type", "reported"),
    [
        (ARC, {"lastConnectivityTime": "2026-11-22T12:00:00Z", "agentVersion": "2", "totalNodeCount": 9}),
        (AKS, {"powerState": {"code": "Running"}, "currentKubernetesVersion": "1.34"}),
    ],
)
def test_what_a_cluster_reports_does_not_make_a_plan_stale(
    bound: Bound, cluster: MakeCluster, planned: Planned, modify: Text, type: str, reported: Any
) -> None:
    policies = bound(want(modify, "env", "prod"))
    before, after = planned(policies, cluster(type=type)), planned(policies, cluster(type=type, **reported))

    assert before.steps[0].before == after.steps[0].before
