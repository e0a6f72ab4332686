"""Why: the condition, the nearest related resource, what would mend it. Experience §1.5, the explain screen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from policyengine.compliance.bind import BoundPolicy
from policyengine.compliance.explain import explain
from policyengine.effects.base import World
from policyengine.language.aliases import Alias, AliasCatalogue, TypeAliases
from policyengine.model.ids import ResourceId
from policyengine.model.resource import ARC, Cluster
from policyengine.model.states import ComplianceState

IS_ARC = f"{{field: type, equals: {ARC}}}"
MakeCluster = Callable[..., Cluster]
MakeWorld = Callable[..., World]

BASELINE = """
apiVersion: policyengine/v1
kind: PolicyDefinition
metadata: {name: flux-cluster-config, runbook: docs/flux.md}
spec:
  parameters: {branch: {type: String, defaultValue: main}}
  appliesTo: [aks, arc]
  require:
    fluxConfiguration:
      name: cluster-config
      namespace: flux-system
      gitRepository: {url: "https://git.example/fleet", repositoryRef: {branch: "[parameters('branch')]"}}
      kustomizations: {infra: {path: ./infra}}
      configurationProtectedSettings: {httpsKey: {secretRef: {env: TOKEN}}}
  nonComplianceMessage: "{cluster.name} is off; see {runbook}"
---
apiVersion: policyengine/v1
kind: Initiative
metadata: {name: gitops-baseline, version: 1.2.0}
spec: {policies: [{ref: flux-cluster-config, id: config}]}
---
apiVersion: policyengine/v1
kind: Assignment
metadata: {name: edge-baseline}
spec: {initiative: gitops-baseline, scope: /providers/Microsoft.Management/managementGroups/mg-edge}
---
apiVersion: policyengine/v1
kind: Exemption
metadata: {name: freeze}
spec:
  assignment: edge-baseline
  scopes: [/subscriptions/*/resourceGroups/pay-*]
  category: Waiver
  expiresOn: 2027-01-05T00:00:00Z
"""

RIGHT = {
    "namespace": "flux-system",
    "provisioningState": "Succeeded",
    "sourceKind": "GitRepository",
    "gitRepository": {"url": "https://git.example/fleet", "repositoryRef": {"branch": "main"}},
    "kustomizations": {"infra": {"path": "./infra"}},
    "complianceState": "Compliant",
    "sourceSyncedCommitId": "release/1.8/3f2c9a1",
}
WRONG_BRANCH = {
    **RIGHT,
    "gitRepository": {"url": "https://git.example/fleet", "repositoryRef": {"branch": "release/1.8"}},
}


@pytest.fixture
def policy(bound: Callable[..., tuple[BoundPolicy, ...]]) -> BoundPolicy:
    return bound(BASELINE)[0]


def test_one_wrong_field_is_named_with_its_line(policy: BoundPolicy, cluster: MakeCluster, world: MakeWorld) -> None:
    found = explain(policy, cluster(flux={"cluster-config": WRONG_BRANCH}), world())
    (nearest,) = found.candidates
    (unmet,) = [clause for clause in nearest.clauses if not clause.result]

    assert found.verdict.state is ComplianceState.NON_COMPLIANT
    assert (unmet.label, unmet.actual, unmet.expected) == ("gitRepository.repositoryRef.branch", "release/1.8", "main")
    assert unmet.span is not None
    assert "branch" in unmet.span.source.lines[unmet.span.line - 1]
    assert nearest.met == nearest.total - 1
    assert found.fix == (
        'one field of `cluster-config`: gitRepository.repositoryRef.branch is "release/1.8", wanted "main"'
    )
    assert found.verdict.reason is not None
    assert found.verdict.reason.message == (
        f"`cluster-config` matches {nearest.met} of {nearest.total}: "
        'gitRepository.repositoryRef.branch is "release/1.8", wanted "main"'
    )
    assert found.reconciled == "Flux reports Compliant at release/1.8/3f2c9a1"
    assert [(d.leaf.label, d.must) for d in found.demands] == [
        ("gitRepository.repositoryRef.branch", 'must equal "main"')
    ]


def test_it_says_how_the_policy_came_here(policy: BoundPolicy, cluster: MakeCluster, world: MakeWorld) -> None:
    found = explain(policy, cluster(), world())

    assert found.through == "assignment edge-baseline (mg-edge) → initiative gitops-baseline@1.2.0"
    assert found.message == "edge-osl-03 is off; see docs/flux.md"
    assert found.condition is not None
    assert found.condition.result


def test_what_is_not_there_is_to_be_created(policy: BoundPolicy, cluster: MakeCluster, world: MakeWorld) -> None:
    found = explain(policy, cluster(flux={"sibling": RIGHT}), world())

    assert found.candidates == ()
    assert found.verdict.reason is not None
    assert found.verdict.reason.message == "no fluxConfiguration named `cluster-config`"
    assert found.fix == "create fluxConfiguration named `cluster-config`"


def test_the_object_that_satisfied_it_is_named(policy: BoundPolicy, cluster: MakeCluster, world: MakeWorld) -> None:
    found = explain(policy, cluster(flux={"cluster-config": RIGHT}), world())

    assert found.verdict.state is ComplianceState.COMPLIANT
    assert found.matched is not None
    assert found.matched.name == "cluster-config"
    assert found.fix == ""


def test_an_exemption_is_shown_with_what_it_covers(policy: BoundPolicy, cluster: MakeCluster, world: MakeWorld) -> None:
    found = explain(policy, cluster(group="pay-prod"), world())

    assert found.exemption is not None
    assert found.exemption.name == "freeze"
    assert (found.verdict.state, found.underlying.state) == (ComplianceState.EXEMPT, ComplianceState.NON_COMPLIANT)
    assert found.fix.startswith("create ")


def test_an_expired_exemption_is_not_shown(policy: BoundPolicy, cluster: MakeCluster, world: MakeWorld) -> None:
    found = explain(policy, cluster(group="pay-prod"), world(datetime(2027, 2, 1, tzinfo=UTC)))

    assert found.exemption is None
    assert found.verdict.state is ComplianceState.NON_COMPLIANT


ANY_SIBLING = """
policyRule:
  if: {field: type, equals: Microsoft.Kubernetes/connectedClusters}
  then:
    effect: auditIfNotExists
    details:
      type: Microsoft.KubernetesConfiguration/fluxConfigurations
      existenceCondition:
        allOf:
          - {field: Microsoft.KubernetesConfiguration/fluxConfigurations/namespace, equals: flux-system}
          - {field: Microsoft.KubernetesConfiguration/fluxConfigurations/scope, equals: cluster}
          - anyOf:
              - {field: Microsoft.KubernetesConfiguration/fluxConfigurations/suspend, equals: false}
              - {field: Microsoft.KubernetesConfiguration/fluxConfigurations/suspend, exists: false}
"""


def test_the_nearest_comes_first(assigned: Callable[..., BoundPolicy], cluster: MakeCluster, world: MakeWorld) -> None:
    on = cluster(
        flux={
            "a-far": {"namespace": "x", "scope": "namespace", "suspend": True},
            "b-near": {"namespace": "flux-system", "scope": "namespace", "suspend": False},
            "c-middle": {"namespace": "flux-system", "scope": "namespace", "suspend": True},
        }
    )
    found = explain(assigned(ANY_SIBLING), on, world())

    assert [(c.resource.name, c.met, c.total) for c in found.candidates] == [
        ("b-near", 2, 3),
        ("c-middle", 1, 3),
        ("a-far", 0, 3),
    ]
    assert found.related_type == "Microsoft.KubernetesConfiguration/fluxConfigurations"


def test_an_audit_has_no_candidates_and_says_what_to_change(
    assigned: Callable[..., BoundPolicy], cluster: MakeCluster, world: MakeWorld
) -> None:
    rule = "policyRule: {if: {field: tags.owner, exists: false}, then: {effect: audit}}"
    found = explain(assigned(rule), cluster(), world())

    assert found.candidates == ()
    assert found.related_type is None
    assert found.fix == "change the cluster: tags.owner is missing"


@pytest.mark.parametrize(
    "rule",
    [
        "appliesTo: arc\nwhen: {field: tags.ring, exists: false}\npolicyRule: {if: %s, then: {effect: audit}}",
        "policyRule: {if: {allOf: [{field: type, like: M*}, {field: kind, exists: false}, %s]}, then: {effect: Audit}}",
    ],
)
def test_what_says_which_clusters_are_meant_is_not_blamed(
    assigned: Callable[..., BoundPolicy], cluster: MakeCluster, world: MakeWorld, rule: str
) -> None:
    found = explain(assigned(rule % "{field: location, equals: norwayeast}"), cluster(), world())

    assert found.fix == 'change the cluster: location must not equal "norwayeast"'


def test_an_audit_of_every_cluster_of_a_type_asks_for_no_change(
    assigned: Callable[..., BoundPolicy], cluster: MakeCluster, world: MakeWorld
) -> None:
    found = explain(assigned("policyRule: {if: {field: type, like: '*'}, then: {effect: audit}}"), cluster(), world())

    assert found.fix == ""
    assert found.verdict.reason is not None
    assert found.verdict.reason.message == "the rule holds for every resource of its type"


def test_an_error_is_shown_and_ends_the_look(
    assigned: Callable[..., BoundPolicy], cluster: MakeCluster, world: MakeWorld
) -> None:
    rule = "policyRule: {if: {value: \"[substring('a', 9, 1)]\", equals: x}, then: {effect: audit}}"
    found = explain(assigned(rule), cluster(), world())

    assert found.verdict.state is ComplianceState.ERROR
    assert found.condition is None


def test_a_policy_out_of_scope_is_not_looked_into(
    bound: Callable[..., tuple[BoundPolicy, ...]], cluster: MakeCluster, world: MakeWorld
) -> None:
    (policy,) = bound(BASELINE)
    elsewhere = replace(policy, assignment=replace(policy.assignment, scope=ResourceId("/subscriptions/elsewhere")))
    found = explain(elsewhere, cluster(), world())

    assert found.verdict.state is ComplianceState.NOT_APPLICABLE
    assert found.condition is None


def test_a_scope_that_is_not_known_leaves_the_state_unknown(
    bound: Callable[..., tuple[BoundPolicy, ...]], cluster: MakeCluster, world: MakeWorld
) -> None:
    """Who is excluded or exempt cannot be told either, so nobody may act on it."""
    (policy,) = bound(BASELINE.replace("mg-edge}", "mg-none}"))
    found = explain(policy, cluster(), world())

    assert found.verdict.state is ComplianceState.UNKNOWN
    assert found.verdict.reason is not None
    assert "`mg-none` is not known" in found.verdict.reason.message
    assert not found.is_mendable


def test_secrets_of_a_live_object_are_not_shown(
    assigned: Callable[..., BoundPolicy], cluster: MakeCluster, world: MakeWorld
) -> None:
    rule = """
policyRule:
  if: {field: type, equals: Microsoft.Kubernetes/connectedClusters}
  then:
    effect: auditIfNotExists
    details:
      type: Microsoft.KubernetesConfiguration/fluxConfigurations
      existenceCondition: {field: properties.configurationProtectedSettings.httpsKey, equals: hunter3}
"""
    found = explain(
        assigned(rule), cluster(flux={"c": {"configurationProtectedSettings": {"httpsKey": "hunter2"}}}), world()
    )

    assert found.verdict.state is ComplianceState.NON_COMPLIANT
    assert "hunter" not in repr(found.candidates[0].trace) + found.fix + str(found.verdict.reason)


def test_what_cannot_be_modified_is_no_fix(
    assigned: Callable[..., BoundPolicy], cluster: Callable[..., Cluster], world: Callable[..., World]
) -> None:
    alias = f"{ARC}/infrastructure"
    operation = f"{{operation: addOrReplace, field: {alias}, value: azure}}"
    then = f"{{effect: modify, details: {{operations: [{operation}]}}}}"
    rule = f"{{if: {{field: {alias}, notEquals: azure}}, then: {then}}}"
    fixed = AliasCatalogue.of([TypeAliases.of(ARC, [Alias(alias, modifiable=False)])])
    aliases = fixed.over(AliasCatalogue.packaged())

    found = explain(assigned(f"policyRule: {rule}"), cluster(), replace(world(), aliases=aliases))

    assert found.verdict.state is ComplianceState.NON_COMPLIANT
    assert (found.fix, found.is_mendable) == (f"no request mends it: `{alias}` cannot be modified", False)


@pytest.mark.parametrize(
    ("rule", "demands"),
    [
        (
            f"{{if: {{allOf: [{IS_ARC}, {{field: tags.ring, notIn: [a, b]}}]}}, then: {{effect: deny}}}}",
            [("tags.ring", 'must be in ["a", "b"]')],
        ),
        (f"{{if: {IS_ARC}, then: {{effect: audit}}}}", []),
        ("{if: {field: tags.ring, exists: true}, then: {effect: audit}}", []),
    ],
)
def test_a_rule_that_matched_demands_its_opposite(
    assigned: Callable[..., BoundPolicy],
    cluster: MakeCluster,
    world: MakeWorld,
    rule: str,
    demands: list[tuple[str, str]],
) -> None:
    found = explain(assigned(f"policyRule: {rule}"), cluster(), world())

    assert [(d.leaf.label, d.must) for d in found.demands] == demands


def test_a_message_for_a_reference_id_beats_the_one_for_all_and_the_author_s(
    bound: Callable[..., tuple[BoundPolicy, ...]],
) -> None:
    """Policy language §8.4."""
    for_all = '{message: "{policy} wants {cluster.name} otherwise"}'
    for_one = '{message: "only for {cluster.name}", policyDefinitionReferenceId: CONFIG}'
    spec = "{initiative: gitops-baseline, "

    def told(*messages: str) -> str | None:
        given = f"{spec}nonComplianceMessages: [{', '.join(messages)}], "
        return bound(BASELINE.replace(spec, given))[0].message_for("edge-1")

    assert told() == "edge-1 is off; see docs/flux.md"
    assert told(for_all) == "flux-cluster-config wants edge-1 otherwise"
    assert told(for_all, for_one) == "only for edge-1"
