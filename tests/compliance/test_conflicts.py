"""Conflict: two that write want different values. Policy language §6.2, §8.1."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from policyengine.compliance.bind import BoundPolicy
from policyengine.compliance.conflicts import judge_all, merged
from policyengine.compliance.explain import explain
from policyengine.effects.base import World
from policyengine.model.resource import Cluster
from policyengine.model.states import ComplianceState

OK, BAD, CONFLICT = ComplianceState.COMPLIANT, ComplianceState.NON_COMPLIANT, ComplianceState.CONFLICT
Bound = Callable[..., tuple[BoundPolicy, ...]]
MakeCluster = Callable[..., Cluster]
MakeWorld = Callable[..., World]


def assignment(name: str, extra: str = "") -> str:
    scope = "/providers/Microsoft.Management/managementGroups/root"
    return f"""
---
apiVersion: policyengine/v1
kind: Assignment
metadata: {{name: {name}}}
spec: {{policy: {name}, scope: {scope}{extra}}}
"""


def modify(name: str, value: str, *, tag: str = "env", conflict: str = "deny", extra: str = "") -> str:
    operation = f"{{operation: addOrReplace, field: tags.{tag}, value: {value}}}"
    details = f"{{roleDefinitionIds: [x], conflictEffect: {conflict}, operations: [{operation}]}}"
    rule = f"{{if: {{field: tags.{tag}, notEquals: {value}}}, then: {{effect: modify, details: {details}}}}}"
    return f"name: {name}\nproperties: {{policyRule: {rule}}}" + assignment(name, extra)


def require(name: str, train: str) -> str:
    return f"""
apiVersion: policyengine/v1
kind: PolicyDefinition
metadata: {{name: {name}}}
spec: {{appliesTo: [arc], require: {{extension: {{extensionType: microsoft.flux, releaseTrain: {train}}}}}}}
""" + assignment(name)


@pytest.fixture
def states(bound: Bound, world: MakeWorld) -> Callable[..., dict[str, ComplianceState]]:
    def states(on: Cluster, *texts: str) -> dict[str, ComplianceState]:
        return {key: found.state for key, found in judge_all(bound(*texts), on, world()).items()}

    return states


@pytest.mark.parametrize(
    "extra",
    [
        ", overrides: [{kind: policyEffect, value: audit, selectors: [{kind: resourceLocation, in: [norwayeast]}]}]",
        ", resourceSelectors: [{name: other, selectors: [{kind: resourceLocation, notIn: [norwayeast]}]}]",
        ", enforcementMode: Enroll",
    ],
)
def test_one_that_does_not_write_here_is_no_rival(
    states: Callable[..., dict[str, object]], cluster: MakeCluster, extra: str
) -> None:
    assert states(cluster(), modify("a", "prod"), modify("b", "test", extra=extra))["a"] is BAD


def test_two_that_deny_and_disagree_are_in_conflict(states: Callable[..., object], cluster: MakeCluster) -> None:
    assert states(cluster(), modify("a", "prod"), modify("b", "test")) == {"a": CONFLICT, "b": CONFLICT}


@pytest.mark.parametrize(("one", "other"), [("audit", "audit"), ("deny", "audit"), ("disabled", "deny")])
def test_otherwise_each_is_non_compliant(
    states: Callable[..., object], cluster: MakeCluster, one: str, other: str
) -> None:
    found = states(cluster(), modify("a", "prod", conflict=one), modify("b", "test", conflict=other))

    assert found == {"a": BAD, "b": BAD}


@pytest.mark.parametrize("other", [modify("b", "prod"), modify("b", "test", tag="site")])
def test_the_same_value_or_another_field_is_no_conflict(
    states: Callable[..., object], cluster: MakeCluster, other: str
) -> None:
    assert states(cluster(), modify("a", "prod"), other) == {"a": BAD, "b": BAD}


def test_one_that_is_content_now_would_want_its_value_back(states: Callable[..., object], cluster: MakeCluster) -> None:
    on = cluster(document={"tags": {"env": "prod"}})

    assert states(on, modify("a", "prod"), modify("b", "test")) == {"a": OK, "b": CONFLICT}


def test_one_that_would_not_object_is_no_rival(states: Callable[..., object], cluster: MakeCluster) -> None:
    on = cluster(document={"tags": {"env": "prod"}})
    waits = modify("a", "prod").replace(
        "if: {field: tags.env, notEquals: prod}", "if: {field: tags.env, exists: false}"
    )

    assert states(on, waits, modify("b", "test")) == {"a": OK, "b": BAD}


def test_what_is_not_enforced_is_no_rival(states: Callable[..., object], cluster: MakeCluster) -> None:
    resting = modify("b", "test", extra=", enforcementMode: DoNotEnforce")

    assert states(cluster(), modify("a", "prod"), resting) == {"a": BAD, "b": BAD}


def test_two_that_deploy_the_same_object_differently_are_in_conflict(
    states: Callable[..., object], cluster: MakeCluster
) -> None:
    assert states(cluster(), require("a", "Stable"), require("b", "Preview")) == {"a": CONFLICT, "b": CONFLICT}
    assert states(cluster(), require("a", "Stable"), require("b", "Stable")) == {"a": BAD, "b": BAD}


def test_the_reason_names_both_the_field_and_the_values(bound: Bound, cluster: MakeCluster, world: MakeWorld) -> None:
    policies = bound(modify("a", "prod"), modify("b", "test"))

    found = explain(policies[0], cluster(), world(), rivals=policies)

    assert found.verdict.reason is not None
    assert found.verdict.reason.code == "write-conflict"
    assert found.verdict.reason.message == '`a` and `b` want different values for `tags.env`: "prod" and "test"'
    assert found.underlying.state is BAD


def test_a_rival_counts_also_when_it_was_not_asked_for(bound: Bound, cluster: MakeCluster, world: MakeWorld) -> None:
    mine, rival = bound(modify("a", "prod"), modify("b", "test"))

    assert {key: v.state for key, v in judge_all([mine], cluster(), world(), [rival]).items()} == {"a": CONFLICT}


def test_an_operation_that_cannot_be_evaluated_wants_nothing(
    states: Callable[..., object], cluster: MakeCluster
) -> None:
    broken = modify("a", "prod").replace("value: prod}", "value: \"[split('a', 7)]\"}")

    assert states(cluster(), broken, modify("b", "test")) == {"a": BAD, "b": BAD}


def test_a_merge_patch_is_merged_as_the_service_does() -> None:
    assert merged({"Tags": {"a": "1", "b": "2"}, "c": 3}, {"tags": {"A": None, "d": "4"}, "e": {"f": 5}}) == {
        "Tags": {"b": "2", "d": "4"},
        "c": 3,
        "e": {"f": 5},
    }
