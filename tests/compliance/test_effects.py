"""States of the effects that look at the cluster alone, as the reference tells them. Policy language §6–§8."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from policyengine.compliance.bind import BoundPolicy
from policyengine.compliance.explain import explain
from policyengine.compliance.judge import Verdict, judge
from policyengine.effects.base import World
from policyengine.model.resource import Cluster
from policyengine.model.states import ComplianceState

NA, OK, BAD, EXEMPT, UNKNOWN, PROTECTED = (
    ComplianceState.NOT_APPLICABLE,
    ComplianceState.COMPLIANT,
    ComplianceState.NON_COMPLIANT,
    ComplianceState.EXEMPT,
    ComplianceState.UNKNOWN,
    ComplianceState.PROTECTED,
)
ARC = "Microsoft.Kubernetes/connectedClusters"
Judge = Callable[..., Verdict]
MakeCluster = Callable[..., Cluster]
Bound = Callable[..., tuple[BoundPolicy, ...]]
MakeWorld = Callable[..., World]

DETAILS = {
    "deny": "null",
    "append": "[{field: tags.env, value: prod}]",
    "modify": "{roleDefinitionIds: [x], operations: [{operation: addOrReplace, field: tags.env, value: prod}]}",
    "denyAction": "{actionNames: [delete]}",
    "manual": "null",
}


def rule(effect: str, details: str | None = None, env: str = "prod") -> str:
    condition = f"{{allOf: [{{field: type, equals: {ARC}}}, {{field: tags.env, notEquals: {env}}}]}}"
    return f"policyRule: {{if: {condition}, then: {{effect: {effect}, details: {details or DETAILS[effect]}}}}}"


@pytest.mark.parametrize(
    ("effect", "state"),
    [("deny", BAD), ("append", BAD), ("modify", BAD), ("denyAction", PROTECTED), ("manual", UNKNOWN)],
)
def test_a_cluster_for_which_the_if_holds(verdict: Judge, cluster: MakeCluster, effect: str, state: object) -> None:
    assert verdict(rule(effect), cluster()).state is state


@pytest.mark.parametrize("effect", DETAILS)
def test_a_cluster_for_which_it_does_not_hold_is_compliant(verdict: Judge, cluster: MakeCluster, effect: str) -> None:
    assert verdict(rule(effect), cluster(document={"tags": {"env": "prod"}})).state is OK


@pytest.mark.parametrize("effect", DETAILS)
def test_a_cluster_of_another_type_is_not_applicable(verdict: Judge, aks: MakeCluster, effect: str) -> None:
    assert verdict(rule(effect), aks()).state is NA


def test_deny_gives_the_reason_an_audit_gives(verdict: Judge, cluster: MakeCluster) -> None:
    found = verdict(rule("deny"), cluster())

    assert found.reason is not None
    assert found.reason.code == "matched"
    assert found.reason.message == verdict(rule("deny").replace("deny", "audit"), cluster()).reason.message  # type: ignore[union-attr]


def test_a_modify_says_what_it_would_write(
    assigned: Callable[..., BoundPolicy], cluster: MakeCluster, world: MakeWorld
) -> None:
    found = explain(assigned(rule("modify")), cluster(), world())

    assert found.fix == 'modify the cluster: set tags.env to "prod"'
    assert found.is_mendable


@pytest.mark.parametrize(
    "details", ["{operation: add, field: properties.a.b, value: x}", "{operation: remove, field: tags.x}"]
)
def test_a_modify_that_changes_nothing_here_mends_nothing(
    assigned: Callable[..., BoundPolicy], cluster: MakeCluster, world: MakeWorld, details: str
) -> None:
    found = explain(
        assigned(rule("modify", f"{{roleDefinitionIds: [x], operations: [{details}]}}")), cluster(), world()
    )

    assert found.verdict.state is BAD
    assert found.fix.startswith("change the cluster: ")
    assert not found.is_mendable


@pytest.mark.parametrize("effect", ["deny", "append"])
def test_what_acts_on_requests_only_mends_nothing(
    assigned: Callable[..., BoundPolicy], cluster: MakeCluster, world: MakeWorld, effect: str
) -> None:
    assert not explain(assigned(rule(effect)), cluster(), world()).is_mendable


def test_identity_is_nothing_a_cluster_takes(verdict: Judge, cluster: MakeCluster) -> None:
    details = "{roleDefinitionIds: [x], operations: [{operation: add, field: identity.type, value: SystemAssigned}]}"

    found = verdict(rule("modify", details), cluster())

    assert found.state is NA
    assert found.reason is not None
    assert found.reason.code == "identity-type"


@pytest.mark.parametrize(
    ("state", "expected"), [("Unknown", UNKNOWN), ("compliant", OK), ("NonCompliant", BAD), ("Non-compliant", BAD)]
)
def test_a_manual_policy_has_its_default_state(
    verdict: Judge, cluster: MakeCluster, state: str, expected: object
) -> None:
    assert verdict(rule("manual", f"{{defaultState: {state}}}"), cluster()).state is expected


MANUAL = """
name: by-hand
properties: {policyRule: {if: {field: type, exists: true}, then: {effect: manual}}}
---
apiVersion: policyengine/v1
kind: Initiative
metadata: {name: both}
spec: {policies: [{ref: by-hand, id: one}, {ref: by-hand, id: two}]}
---
apiVersion: policyengine/v1
kind: Assignment
metadata: {name: hands}
spec: {initiative: both, scope: /providers/Microsoft.Management/managementGroups/root}
"""
GROUP = "/subscriptions/5b0c0000-0000-0000-0000-000000000001/resourceGroups"


def attestation(state: str, *lines: str, name: str = "said", group: str = "stores-*") -> str:
    head = f"""
    apiVersion: policyengine/v1
    kind: Attestation
    metadata: {{name: {name}, owner: ada}}
    spec:
      assignment: hands
      scopes: ["{GROUP}/{group}"]
      complianceState: {state}
    """
    return textwrap.dedent(head) + "".join(f"  {line}\n" for line in lines)


@pytest.mark.parametrize(
    ("said", "one", "two"),
    [
        ([], UNKNOWN, UNKNOWN),
        ([attestation("Compliant")], OK, OK),
        ([attestation("Compliant", "policyDefinitionReferenceId: TWO")], UNKNOWN, OK),
        ([attestation("Compliant", group="other")], UNKNOWN, UNKNOWN),
        ([attestation("NonCompliant")], BAD, BAD),
        ([attestation("Compliant", "expiresOn: 2026-11-22T12:00:01Z")], OK, OK),
        ([attestation("Compliant", "expiresOn: 2026-11-22T12:00:00Z")], UNKNOWN, UNKNOWN),
        (
            [
                attestation("Compliant", "assessmentDate: 2026-10-02"),
                attestation("NonCompliant", "assessmentDate: 2026-10-01", name="before"),
            ],
            OK,
            OK,
        ),
    ],
)
def test_an_attestation_speaks_for_the_clusters_it_covers(
    bound: Bound, cluster: MakeCluster, world: MakeWorld, said: list[str], one: object, two: object
) -> None:
    first, second = bound(MANUAL, *said)

    assert [judge(policy, cluster(), world()).state for policy in (first, second)] == [one, two]


def test_an_attestation_is_the_reason(bound: Bound, cluster: MakeCluster, world: MakeWorld) -> None:
    lines = ("assessmentDate: 2026-10-02", "expiresOn: 2027-01-05", "comments: seen it")
    (policy, _) = bound(MANUAL, attestation("NonCompliant", *lines))

    reason = judge(policy, cluster(), world(datetime(2026, 12, 1, tzinfo=UTC))).reason

    assert reason is not None
    assert reason.message == "attested NonCompliant by ada on 2026-10-02, until 2027-01-05 (`said`): seen it"


def provided(mode: str, effect: str, condition: str = f"{{field: type, equals: {ARC}}}") -> str:
    return f"mode: {mode}\npolicyRule: {{if: {condition}, then: {{effect: {effect}}}}}"


@pytest.mark.parametrize(
    ("mode", "effect", "words"),
    [
        ("Microsoft.Kubernetes.Data", "deny", "handled in the cluster"),
        ("Microsoft.Kubernetes.Data", "mutate", "handled in the cluster"),
        ("Microsoft.KeyVault.Data", "audit", "handled by its provider"),
        ("All", "auditAction", "handled by its provider"),
    ],
)
def test_what_a_provider_handles_has_no_state_and_says_so(
    verdict: Judge, cluster: MakeCluster, aks: MakeCluster, mode: str, effect: str, words: str
) -> None:
    meant, other = verdict(provided(mode, effect), cluster()), verdict(provided(mode, effect), aks())

    assert meant.reason is not None
    assert (meant.state, meant.reason.code) == (NA, "handled-elsewhere")
    assert words in meant.reason.message
    assert (other.state, other.reason) == (NA, None)


def test_what_cannot_be_evaluated_here_is_no_error_of_ours(verdict: Judge, cluster: MakeCluster) -> None:
    condition = "{value: \"[split(field('kind'), 7)]\", exists: true}"

    assert verdict(provided("Microsoft.KeyVault.Data", "audit", condition), cluster()).state is NA
