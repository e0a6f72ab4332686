"""Selectors choose, overrides change, enrollments enforce, place by place. Policy language §1.5, §1.6, §1.8."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from policyengine.compliance.bind import BoundPolicy
from policyengine.compliance.explain import explain
from policyengine.compliance.judge import judge
from policyengine.effects.base import World
from policyengine.model.diagnostic import Diagnostic
from policyengine.model.resource import Cluster
from policyengine.model.states import ComplianceState
from tests.compliance.conftest import SUBSCRIPTION, TREE, library_of

Bound = Callable[..., tuple[BoundPolicy, ...]]
Problems = Callable[..., tuple[Diagnostic, ...]]
MakeCluster = Callable[..., Cluster]
MakeWorld = Callable[..., World]

DEFINITION = """
name: rule
properties:
  version: {version}
  parameters:
    effect: {{type: String, allowedValues: [Audit, Disabled], defaultValue: Audit}}
  policyRule:
    if: {{field: tags.branch, notEquals: {branch}}}
    then: {{effect: "[parameters('effect')]"}}
"""
ONE, TWO = DEFINITION.format(version="1.0.0", branch="main"), DEFINITION.format(version="2.0.0", branch="next")
INITIATIVE = """
apiVersion: policyengine/v1
kind: Initiative
metadata: {name: both, version: 1.0.0}
spec:
  policies: [{ref: rule, id: one, definitionVersion: 1.*.*}, {ref: rule, id: two, definitionVersion: 1.*}]
"""


def assignment(more: str, target: str = "policy: rule@1.*") -> str:
    return f"""
apiVersion: policyengine/v1
kind: Assignment
metadata: {{name: edge}}
spec:
  {target}
  scope: /providers/Microsoft.Management/managementGroups/root
  {more}
"""


def at(cluster: MakeCluster, location: str, **tags: str) -> Cluster:
    return cluster(document={"location": location, "tags": tags})


NORWAY = "selectors: [{kind: resourceLocation, in: [Norway East]}]"


class TestSelectors:
    @pytest.mark.parametrize(
        ("groups", "selected"),
        [
            ("[]", True),
            ("[{name: a, selectors: [{kind: resourceLocation, in: [Norway East, westeurope]}]}]", True),
            ("[{name: a, selectors: [{kind: resourceLocation, in: [westeurope]}]}]", False),
            ("[{name: a, selectors: [{kind: resourceLocation, notIn: [NORWAYEAST]}]}]", False),
            ("[{name: a, selectors: [{kind: resourceType, in: [microsoft.kubernetes/CONNECTEDCLUSTERS]}]}]", True),
            ("[{name: a, selectors: [{kind: resourceType, notIn: [Microsoft.Kubernetes/connectedClusters]}]}]", False),
            ("[{name: a, selectors: [{kind: resourceWithoutLocation, in: [subscriptionLevelResources]}]}]", False),
            (
                "[{name: a, selectors: [{kind: resourceLocation, in: [norwayeast]}, {kind: resourceType, in: [x/y]}]}]",
                False,  # every selector of a group
            ),
            (
                "[{name: a, selectors: [{kind: resourceType, in: [x/y]}]},"
                " {name: b, selectors: [{kind: resourceLocation, in: [norwayeast]}]}]",
                True,  # any group
            ),
        ],
    )
    def test_they_choose_the_resources(
        self, bound: Bound, cluster: MakeCluster, world: MakeWorld, groups: str, selected: bool
    ) -> None:
        (policy,) = bound(ONE, assignment(f"resourceSelectors: {groups}"))

        state = judge(policy, at(cluster, "norwayeast"), world()).state

        assert state is (ComplianceState.NON_COMPLIANT if selected else ComplianceState.NOT_APPLICABLE)

    def test_they_change_the_digest(self, bound: Bound) -> None:
        (plain,) = bound(ONE, assignment(""))
        (same,) = bound(ONE, assignment("resourceSelectors: []"))
        (narrowed,) = bound(ONE, assignment(f"resourceSelectors: [{{{NORWAY}}}]"))

        assert plain.digest == same.digest != narrowed.digest

    def test_an_exemption_has_its_own(self, bound: Bound, cluster: MakeCluster, world: MakeWorld) -> None:
        exemption = f"""
apiVersion: policyengine/v1
kind: Exemption
metadata: {{name: freeze}}
spec:
  assignment: edge
  category: Waiver
  scopes: [{SUBSCRIPTION}]
  resourceSelectors: [{{{NORWAY}}}]
"""
        (policy,) = bound(ONE, assignment(""), exemption)

        assert judge(policy, at(cluster, "norwayeast"), world()).state is ComplianceState.EXEMPT
        assert judge(policy, at(cluster, "swedencentral"), world()).state is ComplianceState.NON_COMPLIANT


class TestOverridesOfTheEffect:
    def test_without_selectors_it_holds_everywhere(self, bound: Bound) -> None:
        (policy,) = bound(ONE, assignment("overrides: [{kind: policyEffect, value: disabled}]"))

        assert (policy.effect, policy.effect_name, policy.variants) == (None, "disabled", ())

    def test_it_speaks_of_members(self, bound: Bound) -> None:
        only_two = "selectors: [{kind: policyDefinitionReferenceId, in: [TWO]}]"
        one, two = bound(
            ONE,
            INITIATIVE,
            assignment(f"overrides: [{{kind: policyEffect, value: Disabled, {only_two}}}]", "initiative: both"),
        )

        assert (one.effect_name, two.effect_name) == ("audit", "disabled")

    def test_it_speaks_of_places(self, bound: Bound, cluster: MakeCluster, world: MakeWorld) -> None:
        (policy,) = bound(ONE, assignment(f"overrides: [{{kind: policyEffect, value: Disabled, {NORWAY}}}]"))
        north, south = at(cluster, "norwayeast"), at(cluster, "westeurope")

        assert judge(policy, north, world()).state is ComplianceState.NOT_APPLICABLE
        assert judge(policy, south, world()).state is ComplianceState.NON_COMPLIANT
        assert policy.effect_name == "audit"
        assert explain(policy, north, world()).policy.effect_name == "disabled"

    def test_the_first_that_holds_wins_and_a_second_is_warned_about(
        self, bound: Bound, cluster: MakeCluster, world: MakeWorld
    ) -> None:
        text = assignment(
            f"overrides: [{{kind: policyEffect, value: Audit, {NORWAY}}}, {{kind: policyEffect, value: Disabled}}]"
        )
        (policy,) = bound(ONE, text)

        assert judge(policy, at(cluster, "norwayeast"), world()).state is ComplianceState.NON_COMPLIANT
        assert judge(policy, at(cluster, "westeurope"), world()).state is ComplianceState.NOT_APPLICABLE

    def test_it_changes_the_digest(self, bound: Bound) -> None:
        overrides = [
            "",
            "overrides: [{kind: policyEffect, value: Disabled}]",
            f"overrides: [{{kind: policyEffect, value: Disabled, {NORWAY}}}]",
            f"overrides: [{{kind: policyEffect, value: Audit, {NORWAY}}}]",
        ]

        assert len({bound(ONE, assignment(text))[0].digest for text in overrides}) == 4

    @pytest.mark.parametrize(
        ("value", "help"),
        [("Deny", "it allows `Audit`, `Disabled`"), ("Audlt", "did you mean `Audit`?")],
    )
    def test_the_definition_has_to_allow_it(self, problems: Problems, value: str, help: str) -> None:
        (problem,) = problems(ONE, assignment(f"overrides: [{{kind: policyEffect, value: {value}}}]"))

        assert (problem.code, problem.help) == ("not-allowed", help)
        assert problem.span is not None

    @pytest.mark.parametrize(("value", "code"), [("auditIfNotExists", "not-allowed"), ("manual", "not-allowed")])
    def test_a_literal_effect_allows_those_of_its_kind(self, problems: Problems, value: str, code: str) -> None:
        literal = ONE.replace("\"[parameters('effect')]\"", "audit")

        assert [
            p.code for p in problems(literal, assignment(f"overrides: [{{kind: policyEffect, value: {value}}}]"))
        ] == [code]

    def test_the_details_have_to_be_there(self, problems: Problems) -> None:
        bare = ONE.replace("[Audit, Disabled]", "[Audit, AuditIfNotExists]")

        (problem,) = problems(bare, assignment("overrides: [{kind: policyEffect, value: auditIfNotExists}]"))

        assert problem.code == "missing-key"


class TestVersions:
    def test_a_pin_beside_the_name(self, bound: Bound) -> None:
        (policy,) = bound(ONE, TWO, assignment("definitionVersion: 2.*.*", "policy: rule"))

        assert policy.definition.version == "2.0.0"

    def test_members_pin_their_own(self, bound: Bound) -> None:
        one, two = bound(ONE, TWO, INITIATIVE, assignment("", "initiative: both"))

        assert [one.definition.version, two.definition.version] == ["1.0.0", "1.0.0"]

    @pytest.mark.parametrize("kind", ["policyVersion", "definitionVersion"])
    def test_an_override_raises_the_version(self, bound: Bound, kind: str) -> None:
        (policy,) = bound(ONE, TWO, assignment(f"overrides: [{{kind: {kind}, value: 2.*.*}}]"))

        assert policy.definition.version == "2.0.0"

    def test_in_some_places(self, bound: Bound, cluster: MakeCluster, world: MakeWorld) -> None:
        (policy,) = bound(ONE, TWO, assignment(f"overrides: [{{kind: policyVersion, value: 2.*.*, {NORWAY}}}]"))
        world_ = world()

        assert judge(policy, at(cluster, "norwayeast", branch="next"), world_).state is ComplianceState.COMPLIANT
        assert judge(policy, at(cluster, "westeurope", branch="next"), world_).state is ComplianceState.NON_COMPLIANT
        assert policy.definition.version == "1.0.0"

    def test_a_member_that_only_the_other_version_has_is_silent_elsewhere(
        self, bound: Bound, cluster: MakeCluster, world: MakeWorld
    ) -> None:
        more = INITIATIVE.replace("1.0.0", "2.0.0").replace("}]", "}, {ref: rule, id: three}]")
        policies = bound(
            ONE,
            INITIATIVE,
            more,
            assignment(f"overrides: [{{kind: policyVersion, value: 2.*, {NORWAY}}}]", "initiative: both@1.*"),
        )

        assert [p.key for p in policies] == ["edge/one", "edge/two", "edge/three"]
        assert judge(policies[2], at(cluster, "norwayeast"), world()).state is ComplianceState.NON_COMPLIANT
        assert judge(policies[2], at(cluster, "westeurope"), world()).state is ComplianceState.NOT_APPLICABLE

    @pytest.mark.parametrize(("value", "code"), [("1.*", "invalid-override"), ("9.*", "missing-reference")])
    def test_it_may_not_lower_it_or_lead_nowhere(self, problems: Problems, value: str, code: str) -> None:
        text = assignment(f"overrides: [{{kind: policyVersion, value: {value}}}]", "policy: rule@2.*")

        assert [p.code for p in problems(ONE, TWO, text)] == [code]


def enrollment(more: str = "", assignment: str = "edge") -> str:
    return f"""
apiVersion: policyengine/v1
kind: Enrollment
metadata: {{name: pilot}}
spec:
  assignment: {assignment}
  scopes: [{SUBSCRIPTION}/resourceGroups/stores-*]
  {more}
"""


@pytest.mark.parametrize(
    ("mode", "enrolled", "enforced"),
    [
        ("Default", "", True),
        ("DoNotEnforce", enrollment(), False),
        ("Enroll", "", False),
        ("enroll", enrollment(), True),
        ("Enroll", enrollment("resourceSelectors: [{selectors: [{kind: resourceLocation, in: [westus]}]}]"), False),
        ("Enroll", enrollment("policyDefinitionReferenceIds: [one]"), True),
        ("Enroll", enrollment("policyDefinitionReferenceIds: [two]"), False),
    ],
)
def test_what_is_enforced(bound: Bound, cluster: MakeCluster, mode: str, enrolled: str, enforced: bool) -> None:
    texts = [ONE, INITIATIVE, assignment(f"enforcementMode: {mode}", "initiative: both")]
    one, _ = bound(*texts, *filter(None, [enrolled]))

    assert one.is_enforced_on(cluster().resource, TREE) is enforced


def test_azures_full_id_names_the_assignment_and_another_scope_does_not(bound: Bound, cluster: MakeCluster) -> None:
    id = (
        "/providers/Microsoft.Management/managementGroups/root/providers/Microsoft.Authorization/policyAssignments/EDGE"
    )
    (policy,) = bound(ONE, assignment("enforcementMode: Enroll"), enrollment(assignment=id))

    assert policy.is_enforced_on(cluster().resource, TREE)
    assert policy.identity["assignmentId"] == id.replace("EDGE", "edge")


def test_selectors_leave_a_cluster_out_also_where_a_management_group_is_not_known(
    bound: Bound, cluster: MakeCluster, world: MakeWorld
) -> None:
    away = "notScopes: [/providers/Microsoft.Management/managementGroups/nobody]\n  resourceSelectors: "
    for location, state in (("norwayeast", ComplianceState.UNKNOWN), ("westus", ComplianceState.NOT_APPLICABLE)):
        more = f"{away}[{{selectors: [{{kind: resourceLocation, in: [{location}]}}]}}]"
        (policy,) = bound(ONE, assignment(more))
        assert judge(policy, cluster(), world()).state is state


def test_an_override_to_manual_hears_the_attestations(bound: Bound, cluster: MakeCluster, world: MakeWorld) -> None:
    definition = ONE.replace("[Audit, Disabled]", "[Audit, Manual]")
    said = f"""
apiVersion: policyengine/v1
kind: Attestation
metadata: {{name: said}}
spec: {{assignment: edge, scopes: ["{SUBSCRIPTION}/resourceGroups/stores-*"], complianceState: Compliant}}
"""
    (policy,) = bound(definition, assignment("overrides: [{kind: policyEffect, value: Manual}]"), said)

    assert judge(policy, cluster(), world()).state is ComplianceState.COMPLIANT


def test_a_library_holds_enrollments() -> None:
    library: Any = library_of(ONE, assignment("enforcementMode: Enroll"), enrollment())

    assert [e.name for e in library.enrollments] == ["pilot"]
