"""States and reasons of pairs. Policy language §1.8, §6.3, §7; DESIGN's settled questions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from policyengine.compliance.bind import BoundPolicy
from policyengine.compliance.judge import Verdict, judge
from policyengine.effects.base import World
from policyengine.model.resource import Cluster, Resource
from policyengine.model.states import ComplianceState

NA, OK, BAD, EXEMPT, ERROR = (
    ComplianceState.NOT_APPLICABLE,
    ComplianceState.COMPLIANT,
    ComplianceState.NON_COMPLIANT,
    ComplianceState.EXEMPT,
    ComplianceState.ERROR,
)
ARC_TYPE = "{field: type, equals: Microsoft.Kubernetes/connectedClusters}"
AKS_TYPE = "{field: type, equals: Microsoft.ContainerService/managedClusters}"
EXTENSIONS = "Microsoft.KubernetesConfiguration/extensions"
FLUX = {"extensionType": "microsoft.flux", "provisioningState": "Succeeded", "releaseTrain": "Stable"}

Judge = Callable[..., Verdict]
MakeCluster = Callable[..., Cluster]


def audit(condition: str, effect: str = "audit") -> str:
    return f"policyRule: {{if: {condition}, then: {{effect: {effect}}}}}"


def if_not_exists(details: str, condition: str = ARC_TYPE) -> str:
    return f"policyRule: {{if: {condition}, then: {{effect: auditIfNotExists, details: {details}}}}}"


class TestApplicability:
    """Policy language §7: only `type`, `name` and `kind` decide; the rest never excludes."""

    @pytest.mark.parametrize(
        ("condition", "expected"),
        [
            # the type decides; whether the rest holds makes compliant or not
            (f"{{allOf: [{ARC_TYPE}, {{field: tags.x, equals: '1'}}]}}", OK),
            (f"{{allOf: [{ARC_TYPE}, {{field: tags.x, exists: false}}]}}", BAD),
            (f"{{allOf: [{AKS_TYPE}, {{field: tags.x, exists: false}}]}}", NA),
            (f"{{allOf: [{AKS_TYPE}, {{not: {{field: tags.x, exists: true}}}}]}}", NA),
            (f"{{allOf: [{ARC_TYPE}, {{not: {{field: tags.x, exists: false}}}}]}}", OK),
            (f"{{anyOf: [{AKS_TYPE}, {{field: tags.x, equals: '1'}}]}}", OK),
            (f"{{not: {AKS_TYPE}}}", BAD),
            (f"{{not: {ARC_TYPE}}}", NA),
            # only `name`, or only `kind`: applicable to all
            ("{field: name, equals: other}", OK),
            ("{field: kind, equals: other}", OK),
            # type with name or kind and nothing else: only the type counts
            (f"{{allOf: [{ARC_TYPE}, {{field: name, equals: other}}]}}", OK),
            (f"{{allOf: [{ARC_TYPE}, {{field: kind, equals: other}}]}}", OK),
            # with other conditions, name and kind count too
            (f"{{allOf: [{ARC_TYPE}, {{field: name, equals: other}}, {{field: tags.x, exists: false}}]}}", NA),
            (f"{{allOf: [{ARC_TYPE}, {{field: kind, equals: other}}, {{field: tags.x, exists: false}}]}}", NA),
            # no type at all
            ("{field: tags.x, equals: '1'}", OK),
            ("{field: tags.x, exists: false}", BAD),
            # an alias the type does not have
            (f"{{allOf: [{ARC_TYPE}, {{field: Microsoft.Kubernetes/connectedClusters/nosuch, exists: false}}]}}", NA),
        ],
    )
    def test_audit_is(self, verdict: Judge, cluster: MakeCluster, condition: str, expected: ComplianceState) -> None:
        assert verdict(audit(condition), cluster()).state is expected

    @pytest.mark.parametrize("condition", [AKS_TYPE, f"{{allOf: [{ARC_TYPE}, {{field: tags.x, exists: true}}]}}"])
    def test_if_not_exists_needs_the_whole_if(self, verdict: Judge, cluster: MakeCluster, condition: str) -> None:
        assert verdict(if_not_exists(f"{{type: {EXTENSIONS}}}", condition), cluster()).state is NA

    def test_an_unknown_alias_says_so(self, verdict: Judge, cluster: MakeCluster) -> None:
        found = verdict(audit("{field: Microsoft.Kubernetes/connectedClusters/nosuch, exists: false}"), cluster())

        assert found.reason is not None
        assert "nosuch" in found.reason.message

    @pytest.mark.parametrize(("mode", "expected"), [("mode: Indexed, ", NA), ("", NA), ("mode: All, ", BAD)])
    def test_a_mode_leaves_types_without_tags_out(
        self, bound: Callable[..., tuple[BoundPolicy, ...]], world: Callable[..., World], mode: str, expected: object
    ) -> None:
        rule = "policyRule: {if: {field: type, exists: true}, then: {effect: audit}}"
        spec = "{policy: rule, scope: /providers/Microsoft.Management/managementGroups/root}"
        head = "apiVersion: policyengine/v1\nkind: Assignment\nmetadata: {name: a}"
        (policy,) = bound(f"name: rule\nproperties: {{{mode}{rule}}}", f"{head}\nspec: {spec}")
        id = f"/subscriptions/5b0c0000-0000-0000-0000-000000000001/resourceGroups/g/providers/{EXTENSIONS}/flux"
        found = judge(policy, Cluster(Resource.from_document({"id": id})), world())

        assert found.state is expected
        assert (found.reason.code if found.reason else "") == ("outside-mode" if expected is NA else "matched")

    def test_disabled_is_never_evaluated(self, verdict: Judge, cluster: MakeCluster) -> None:
        failing = "{value: \"[substring('a', 9, 1)]\", equals: x}"

        assert verdict(audit(failing, "Disabled"), cluster()) == Verdict(NA)


class TestErrors:
    @pytest.mark.parametrize(
        "rule",
        [
            audit("{value: \"[substring('abc', 9, 1)]\", equals: x}"),
            if_not_exists(f"{{type: {EXTENSIONS}, name: \"[field('tags.none')]\"}}"),
            if_not_exists("{type: \"[field('tags.none')]\"}"),
            audit("{field: \"[field('tags.none')]\", equals: x}"),
        ],
    )
    def test_a_problem_of_the_pair_is_a_state(self, verdict: Judge, cluster: MakeCluster, rule: str) -> None:
        found = verdict(rule, cluster())

        assert found.state is ERROR
        assert found.reason is not None
        assert found.reason.code == "evaluation-error"


EXEMPTED = """
apiVersion: policyengine/v1
kind: Assignment
metadata: {name: edge}
spec:
  policy: rule
  scope: /providers/Microsoft.Management/managementGroups/mg-edge
  notScopes: [/subscriptions/5b0c0000-0000-0000-0000-000000000001/resourceGroups/lab-*]
  enforcementMode: DoNotEnforce
---
apiVersion: policyengine/v1
kind: Exemption
metadata: {name: freeze}
spec:
  assignment: edge
  scopes: [/subscriptions/5b0c0000-0000-0000-0000-000000000001/resourceGroups/pay-*]
  category: Waiver
  reason: year-end freeze
  expiresOn: 2027-01-05T00:00:00Z
"""
RULE = """
name: rule
properties:
  policyRule:
    if:
      allOf:
        - {field: type, equals: Microsoft.Kubernetes/connectedClusters}
        - {field: tags.good, notEquals: 'yes'}
    then: {effect: audit}
"""


class TestScopeAndExemptions:
    @pytest.fixture
    def policy(self, bound: Callable[..., tuple[BoundPolicy, ...]]) -> BoundPolicy:
        return bound(RULE, EXEMPTED)[0]

    @pytest.mark.parametrize(
        ("group", "expected"), [("stores-no", BAD), ("pay-prod", EXEMPT), ("lab-1", NA), ("laboratory", BAD)]
    )
    def test_scopes(
        self,
        policy: BoundPolicy,
        cluster: MakeCluster,
        world: Callable[..., World],
        group: str,
        expected: ComplianceState,
    ) -> None:
        assert judge(policy, cluster(group=group), world()).state is expected

    def test_a_cluster_above_or_beside_the_scope_is_not_spoken_of(
        self, policy: BoundPolicy, world: Callable[..., World]
    ) -> None:
        elsewhere = Resource.from_document(
            {"id": "/subscriptions/other/resourceGroups/g/providers/Microsoft.Kubernetes/connectedClusters/c"}
        )

        assert judge(policy, Cluster(elsewhere), world()).state is NA

    def test_the_reason_keeps_what_is_underneath(
        self, policy: BoundPolicy, cluster: MakeCluster, world: Callable[..., World]
    ) -> None:
        reason = judge(policy, cluster(group="pay-prod"), world()).reason

        assert reason is not None
        assert reason.message == (
            "exempt until 2027-01-05 by `freeze` (Waiver, year-end freeze); "
            'otherwise NonCompliant: tags.good is missing, wanted "yes"'
        )

    def test_a_compliant_cluster_is_exempt_too(
        self, policy: BoundPolicy, cluster: MakeCluster, world: Callable[..., World]
    ) -> None:
        found = judge(policy, cluster(group="pay-prod", document={"tags": {"good": "yes"}}), world())

        assert found.state is EXEMPT
        assert found.reason is not None
        assert found.reason.message.endswith("otherwise Compliant")

    def test_what_does_not_apply_is_not_exempt(
        self, policy: BoundPolicy, aks: MakeCluster, world: Callable[..., World]
    ) -> None:
        assert judge(policy, aks(group="pay-prod"), world()).state is NA

    @pytest.mark.parametrize(
        ("at", "expected"),
        [
            (datetime(2027, 1, 4, 23, 59, 59, tzinfo=UTC), EXEMPT),
            (datetime(2027, 1, 5, tzinfo=UTC), BAD),
        ],
    )
    def test_an_exemption_ends_at_its_instant(
        self,
        policy: BoundPolicy,
        cluster: MakeCluster,
        world: Callable[..., World],
        at: datetime,
        expected: ComplianceState,
    ) -> None:
        assert judge(policy, cluster(group="pay-prod"), world(at)).state is expected


def test_what_hangs_on_something_that_could_not_be_read_is_unknown(verdict: Judge, cluster: MakeCluster) -> None:
    locks = "Microsoft.Authorization/locks"
    on = replace(cluster(), looked_for={locks.casefold(): "403: no leave"})
    found = verdict(if_not_exists(f"{{type: {locks}}}"), on)

    assert found.state is ComplianceState.UNKNOWN
    assert found.reason is not None
    assert found.reason.code == "not-read"
    assert found.reason.message == f"`{locks}` on `edge-osl-03` could not be read: 403: no leave"
