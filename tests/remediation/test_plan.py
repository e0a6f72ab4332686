from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policyengine.compliance.bind import BoundPolicy
from policyengine.compliance.judge import Verdict
from policyengine.model.resource import Cluster
from policyengine.model.states import ComplianceState
from policyengine.remediation.steps import FieldChange, Plan, Preflight, Step

Bound: TypeAlias = Callable[..., tuple[BoundPolicy, ...]]
MakeCluster: TypeAlias = Callable[..., Cluster]
Text: TypeAlias = Callable[..., str]
Planned: TypeAlias = Callable[..., Plan]

FLUX = {"extensionType": "microsoft.flux", "provisioningState": "Succeeded", "releaseTrain": "Stable"}
CONFIG = {
    "provisioningState": "Succeeded",
    "scope": "cluster",
    "namespace": "default",
    "sourceKind": "GitRepository",
    "suspend": False,
    "gitRepository": {"url": "https://git.example/fleet", "repositoryRef": {"branch": "main"}},
    "kustomizations": {"infra": {"path": "./infra"}},
}
NEEDS_FLUX = "{extension: {extensionType: microsoft.flux, releaseTrain: Stable}}"


def needs_config(*more: str, branch: str = "main", name: str = "cluster-config") -> str:
    """``require`` for a Flux configuration on ``branch``; ``more`` are further members of its body."""
    source = f"gitRepository: {{url: 'https://git.example/fleet', repositoryRef: {{branch: {branch}}}}}"
    return f"{{fluxConfiguration: {{{', '.join((f'name: {name}', source, *more))}}}}}"


def told(plan: Plan) -> list[tuple[str, str, Preflight]]:
    return [(step.write.method, step.write.id.name, step.preflight) for step in plan.steps]


def only(plan: Plan) -> Step:
    (step,) = plan.steps
    return step


def unmended(plan: Plan) -> dict[str, str]:
    return {entry.policy: entry.reason for entry in plan.unmended}


class TestStep:
    def test_it_says_what_it_changes(
        self, bound: Bound, required: Text, cluster: MakeCluster, planned: Planned
    ) -> None:
        live = {**CONFIG, "gitRepository": {**CONFIG["gitRepository"], "repositoryRef": {"branch": "release/1.8"}}}  # type: ignore[dict-item]

        step = only(planned(bound(required("config", needs_config())), cluster(flux={"cluster-config": live})))

        assert step.id == "s001"
        assert step.action == "update fluxConfiguration cluster-config"
        assert step.policies == ("config",)
        assert step.before is not None
        assert step.changes == (FieldChange("properties.gitRepository.repositoryRef.branch", "release/1.8", "main"),)
        assert (step.preflight, step.reason) == (Preflight.READY, "")

    def test_it_knows_that_there_was_nothing(
        self, bound: Bound, required: Text, cluster: MakeCluster, planned: Planned
    ) -> None:
        step = only(planned(bound(required("flux", NEEDS_FLUX)), cluster()))

        assert step.action == "create extension flux"
        assert step.before is None

    def test_ids_count_through_all_clusters_in_the_order_of_their_names(
        self, bound: Bound, required: Text, cluster: MakeCluster, planned: Planned
    ) -> None:
        policies = bound(required("flux", NEEDS_FLUX), required("config", needs_config()))

        plan = planned(policies, cluster("b"), cluster("a"))

        assert [(step.id, step.cluster.name) for step in plan.steps] == [
            ("s001", "a"),
            ("s002", "a"),
            ("s003", "b"),
            ("s004", "b"),
        ]


class TestNotPlanned:
    def test_a_satisfied_cluster_has_no_step(
        self, bound: Bound, required: Text, cluster: MakeCluster, planned: Planned
    ) -> None:
        plan = planned(bound(required("flux", NEEDS_FLUX)), cluster(extensions={"flux": FLUX}))

        assert (plan.steps, plan.unmended) == ((), ())

    @pytest.mark.parametrize(
        ("rule", "effect"),
        [
            ("{if: {field: type, like: 'Microsoft.*'}, then: {effect: audit}}", "audit"),
            (
                "{if: {field: type, like: 'Microsoft.*'}, then: {effect: AuditIfNotExists, "
                "details: {type: Microsoft.KubernetesConfiguration/extensions}}}",
                "auditIfNotExists",
            ),
        ],
    )
    def test_an_audit_reports_and_never_writes(
        self, bound: Bound, assignment: Text, cluster: MakeCluster, planned: Planned, rule: str, effect: str
    ) -> None:
        policies = bound(f"name: rule\nproperties: {{policyRule: {rule}}}", assignment("rule", "policy: rule"))

        plan = planned(policies, cluster())

        assert plan.steps == ()
        assert unmended(plan) == {"rule": f"{effect} reports and never writes"}

    def test_an_exempt_cluster_is_left_alone(
        self, bound: Bound, required: Text, cluster: MakeCluster, planned: Planned
    ) -> None:
        exemption = """
            apiVersion: policyengine/v1
            kind: Exemption
            metadata: {name: freeze}
            spec: {assignment: flux, category: Waiver, scopes: [/providers/Microsoft.Management/managementGroups/root]}
            """

        plan = planned(bound(required("flux", NEEDS_FLUX), exemption), cluster())

        assert (plan.steps, plan.unmended) == ((), ())

    def test_a_cluster_outside_the_scope_is_left_alone(
        self, bound: Bound, required: Text, cluster: MakeCluster, planned: Planned
    ) -> None:
        policies = bound(required("flux", NEEDS_FLUX, assignment=f"notScopes: ['{cluster('lab').id}']"))

        plan = planned(policies, cluster("lab"), cluster("prod"))

        assert [step.cluster.name for step in plan.steps] == ["prod"]

    def test_what_is_still_installing_waits_for_another_plan(
        self, bound: Bound, required: Text, cluster: MakeCluster, planned: Planned
    ) -> None:
        creating = {**FLUX, "provisioningState": "Creating"}

        plan = planned(bound(required("flux", NEEDS_FLUX)), cluster(extensions={"flux": creating}))

        assert plan.steps == ()
        assert unmended(plan) == {"flux": "`flux` is Creating; plan again when that has finished"}

    def test_a_template_that_cannot_be_expanded_is_told(
        self, bound: Bound, required: Text, cluster: MakeCluster, planned: Planned
    ) -> None:
        require = needs_config("kustomizations: {a: {retryIntervalInSeconds: \"[int(field('name'))]\"}}")

        plan = planned(bound(required("config", require)), cluster())

        assert plan.steps == ()
        assert unmended(plan)["config"].startswith("its deployment cannot be expanded: ")

    def test_policies_that_were_not_asked_for_are_not_mended(
        self, bound: Bound, required: Text, cluster: MakeCluster, planned: Planned
    ) -> None:
        policies = bound(required("flux", NEEDS_FLUX), required("config", needs_config()))

        plan = planned(policies, cluster(), selected=frozenset({"config"}))

        assert told(plan) == [("PUT", "cluster-config", Preflight.READY)]
        assert plan.unmended == ()


class TestDoNotEnforce:
    UNENFORCED = "enforcementMode: DoNotEnforce"

    def test_an_assignment_that_is_not_enforced_is_not_planned(
        self, bound: Bound, required: Text, cluster: MakeCluster, planned: Planned
    ) -> None:
        plan = planned(bound(required("flux", NEEDS_FLUX, assignment=self.UNENFORCED)), cluster())

        assert plan.steps == ()
        assert unmended(plan) == {
            "flux": "its assignment is not enforced (DoNotEnforce); plan it by name to write all the same"
        }

    def test_asked_for_by_name_it_is(
        self, bound: Bound, required: Text, cluster: MakeCluster, planned: Planned
    ) -> None:
        policies = bound(required("flux", NEEDS_FLUX, assignment=self.UNENFORCED))

        plan = planned(policies, cluster(), selected=frozenset({"flux"}), unenforced=True)

        assert told(plan) == [("PUT", "flux", Preflight.READY)]

    @pytest.mark.parametrize("branch", ["main", "pilot"])
    def test_what_it_wants_hinders_nobody(
        self, bound: Bound, required: Text, cluster: MakeCluster, planned: Planned, branch: str
    ) -> None:
        """Neither what it has (`main` is live) nor what it would like to have."""
        policies = bound(
            required("quiet", needs_config(branch=branch), assignment=self.UNENFORCED),
            required("config", needs_config(branch="release")),
        )

        plan = planned(policies, cluster(flux={"cluster-config": CONFIG}), selected=frozenset({"config"}))

        assert told(plan) == [("PATCH", "cluster-config", Preflight.READY)]


ENROLLMENT = """
apiVersion: policyengine/v1
kind: Enrollment
metadata: {name: pilot}
spec: {assignment: flux, scopes: [/subscriptions/*/resourceGroups/stores-no]}
"""


class TestEnroll:
    @pytest.mark.parametrize(("enrollment", "steps"), [("", 0), (ENROLLMENT, 1)])
    def test_it_is_planned_where_an_enrollment_says_so(
        self, bound: Bound, required: Text, cluster: MakeCluster, planned: Planned, enrollment: str, steps: int
    ) -> None:
        text = required("flux", NEEDS_FLUX, assignment="enforcementMode: Enroll")

        plan = planned(bound(*filter(None, [text, enrollment])), cluster())

        assert len(plan.steps) == steps
        assert ("Enrollment says so" in unmended(plan).get("flux", "")) is (not steps)


class TestParked:
    def test_an_offline_agent_parks_every_step(
        self, bound: Bound, required: Text, cluster: MakeCluster, planned: Planned
    ) -> None:
        offline = cluster(connectivityStatus="Offline", lastConnectivityTime="2026-11-19T08:00:00Z")

        plan = planned(bound(required("flux", NEEDS_FLUX), required("config", needs_config())), offline)

        assert told(plan) == [("PUT", "flux", Preflight.PARKED), ("PUT", "cluster-config", Preflight.PARKED)]
        assert {step.reason for step in plan.steps} == {"agent offline, last seen 2026-11-19 08:00 UTC"}
        assert plan.runnable == ()

    def test_a_stopped_cluster_parks_every_step(
        self, bound: Bound, required: Text, aks: MakeCluster, planned: Planned
    ) -> None:
        plan = planned(bound(required("flux", NEEDS_FLUX)), aks(powerState={"code": "Stopped"}))

        assert (only(plan).preflight, only(plan).reason) == (Preflight.PARKED, "cluster is stopped")


class TestRefused:
    def test_what_is_set_at_creation_only(
        self, bound: Bound, required: Text, cluster: MakeCluster, planned: Planned
    ) -> None:
        policies = bound(required("config", needs_config("namespace: flux-system")))

        step = only(planned(policies, cluster(flux={"cluster-config": CONFIG})))

        assert step.preflight is Preflight.REFUSED
        assert step.reason == "`namespace` can only be set at creation; delete `cluster-config` to change it"

    def test_does_not_hinder_others_who_write_the_same_object(
        self, bound: Bound, required: Text, cluster: MakeCluster, planned: Planned
    ) -> None:
        policies = bound(
            required("moves", needs_config("namespace: flux-system")),
            required("suspends", needs_config("suspend: true")),
        )

        plan = planned(policies, cluster(flux={"cluster-config": CONFIG}))

        assert [(step.policies, step.preflight) for step in plan.steps] == [
            (("moves",), Preflight.REFUSED),
            (("suspends",), Preflight.READY),
        ]

    def test_a_second_instance_of_one_extension_type(
        self, bound: Bound, assignment: Text, cluster: MakeCluster, planned: Planned
    ) -> None:
        plan = planned(
            bound(template("builtin", "flux", "releaseTrain: Stable"), assignment("builtin", "policy: builtin")),
            cluster(extensions={"gitops": {**FLUX, "extensionType": "Microsoft.Flux", "releaseTrain": "Preview"}}),
        )

        assert only(plan).preflight is Preflight.REFUSED
        assert only(plan).reason == "extension `gitops` of the same type is already on the cluster"

    def test_one_extension_under_two_names(
        self, bound: Bound, required: Text, cluster: MakeCluster, planned: Planned
    ) -> None:
        policies = bound(
            required("one", "{extension: {extensionType: microsoft.flux}}"),
            required("two", "{extension: {extensionType: Microsoft.Flux, name: gitops}}"),
        )

        plan = planned(policies, cluster())

        assert [(step.write.id.name, step.preflight, step.reason) for step in plan.steps] == [
            ("flux", Preflight.REFUSED, "`two` wants the same extension under the name `gitops`"),
            ("gitops", Preflight.REFUSED, "`one` wants the same extension under the name `flux`"),
        ]

    def test_but_not_under_a_name_that_nobody_asked_for(
        self, bound: Bound, required: Text, cluster: MakeCluster, planned: Planned
    ) -> None:
        """Whoever comes second finds the extension by its type."""
        policies = bound(
            required("one", "{extension: {extensionType: microsoft.flux}}"),
            required("two", "{extension: {extensionType: microsoft.flux, name: gitops}}"),
        )

        plan = planned(policies, cluster(), selected=frozenset({"one"}))

        assert told(plan) == [("PUT", "flux", Preflight.READY)]


CONFLICT = 'write conflict on `gitRepository.repositoryRef.branch`: `{}` wants "{}", `{}` wants "{}"'


class TestWriteConflict:
    def test_both_are_refused_naming_the_field_and_both_wants(
        self, bound: Bound, required: Text, cluster: MakeCluster, planned: Planned
    ) -> None:
        policies = bound(required("edge", needs_config()), required("pilot", needs_config(branch="pilot")))

        plan = planned(policies, cluster())

        assert [(step.policies, step.preflight) for step in plan.steps] == [
            (("edge",), Preflight.REFUSED),
            (("pilot",), Preflight.REFUSED),
        ]
        assert {step.reason for step in plan.steps} == {CONFLICT.format("edge", "main", "pilot", "pilot")}

    def test_a_satisfied_policy_defends_what_it_has(
        self, bound: Bound, required: Text, cluster: MakeCluster, planned: Planned
    ) -> None:
        policies = bound(required("edge", needs_config()), required("pilot", needs_config(branch="pilot")))

        step = only(planned(policies, cluster(flux={"cluster-config": CONFIG})))

        assert step.policies == ("pilot",)
        assert step.preflight is Preflight.REFUSED
        assert step.reason == CONFLICT.format("edge", "main", "pilot", "pilot")

    def test_a_finding_for_another_field_defends_what_it_has(
        self, bound: Bound, required: Text, cluster: MakeCluster, planned: Planned
    ) -> None:
        """`edge` would only send `suspend`; sending the other branch would break it all the same."""
        policies = bound(
            required("edge", needs_config("suspend: true")), required("pilot", needs_config(branch="pilot"))
        )

        plan = planned(policies, cluster(flux={"cluster-config": CONFIG}))

        assert {step.preflight for step in plan.steps} == {Preflight.REFUSED}
        assert {step.reason for step in plan.steps} == {CONFLICT.format("edge", "main", "pilot", "pilot")}

    def test_a_finding_that_no_request_mends_defends_what_it_has(
        self, bound: Bound, required: Text, cluster: MakeCluster, planned: Planned
    ) -> None:
        policies = bound(
            required("edge", needs_config(), "reconciled: {within: 15m}"),
            required("pilot", needs_config(branch="pilot")),
        )
        failing = {**CONFIG, "complianceState": "Non-Compliant"}

        plan = planned(policies, cluster(flux={"cluster-config": failing}))

        assert told(plan) == [("PATCH", "cluster-config", Preflight.REFUSED)]
        assert unmended(plan) == {"edge": "`cluster-config` is as declared; Flux reports Non-Compliant"}

    def test_so_does_a_policy_that_was_not_asked_for(
        self, bound: Bound, required: Text, cluster: MakeCluster, planned: Planned
    ) -> None:
        policies = bound(required("edge", needs_config()), required("pilot", needs_config(branch="pilot")))

        step = only(planned(policies, cluster(), selected=frozenset({"pilot"})))

        assert step.policies == ("pilot",)
        assert step.reason == CONFLICT.format("edge", "main", "pilot", "pilot")

    def test_absence_is_a_wish_too(self, bound: Bound, required: Text, cluster: MakeCluster, planned: Planned) -> None:
        policies = bound(
            required("any", "{extension: {extensionType: microsoft.flux, version: null}}"),
            required(
                "pinned",
                "{extension: {extensionType: microsoft.flux, autoUpgradeMinorVersion: false, version: 1.18.2}}",
            ),
        )

        plan = planned(policies, cluster())

        assert {step.reason for step in plan.steps} == {
            'write conflict on `version`: `any` wants null, `pinned` wants "1.18.2"'
        }

    def test_an_object_that_satisfies_nobody_else_is_free(
        self, bound: Bound, assignment: Text, required: Text, cluster: MakeCluster, planned: Planned
    ) -> None:
        """The template would write `baseline` too, but a sibling satisfies it already."""
        policies = bound(
            template("builtin", "baseline", "suspend: false", kind="fluxConfigurations"),
            assignment("builtin", "policy: builtin"),
            required("config", needs_config("suspend: true", name="baseline")),
        )

        plan = planned(policies, cluster(flux={"sibling": CONFIG}))

        assert told(plan) == [("PUT", "baseline", Preflight.READY)]


def template(name: str, object: str, properties: str, *, kind: str = "extensions") -> str:
    """A definition as Azure writes them: a template, and a condition that any object of the kind may satisfy."""
    type = f"Microsoft.KubernetesConfiguration/{kind}"
    key = properties.partition(":")[0]
    wanted = properties.partition(":")[2].strip()
    source = (
        "extensionType: microsoft.flux" if kind == "extensions" else "gitRepository: {url: 'https://git.example/x'}"
    )
    return f"""
name: {name}
properties:
  policyRule:
    if: {{field: type, like: Microsoft.*}}
    then:
      effect: deployIfNotExists
      details:
        type: {type}
        existenceCondition: {{field: {type}/{key}, equals: {wanted}}}
        deployment:
          properties:
            parameters: {{cluster: {{value: "[field('name')]"}}, type: {{value: "[field('type')]"}}}}
            template:
              parameters: {{cluster: {{type: string}}, type: {{type: string}}}}
              resources:
                - type: {type}
                  apiVersion: 2023-05-01
                  name: {object}
                  scope: "[concat(parameters('type'), '/', parameters('cluster'))]"
                  properties: {{{source}, {properties}}}
"""


class TestMerged:
    def test_compatible_wishes_become_one_step(
        self, bound: Bound, required: Text, cluster: MakeCluster, planned: Planned
    ) -> None:
        policies = bound(
            required("edge", needs_config("suspend: false")),
            required("apps", needs_config("kustomizations: {apps: {path: ./apps}}")),
        )

        step = only(planned(policies, cluster()))

        assert step.policies == ("edge", "apps")
        assert step.write.body["properties"]["suspend"] is False
        assert step.write.body["properties"]["kustomizations"] == {"apps": {"path": "./apps"}}

    def test_patches_of_one_object_become_one_patch(
        self, bound: Bound, required: Text, cluster: MakeCluster, planned: Planned
    ) -> None:
        policies = bound(
            required("edge", needs_config("suspend: true")),
            required("apps", needs_config("kustomizations: {apps: {path: ./apps}}")),
        )

        step = only(planned(policies, cluster(flux={"cluster-config": CONFIG})))

        assert step.write.method == "PATCH"
        assert step.write.body == {"properties": {"suspend": True, "kustomizations": {"apps": {"path": "./apps"}}}}

    @pytest.mark.parametrize("suspended", [False, True])
    def test_a_replacement_keeps_what_others_want_of_the_object(
        self,
        bound: Bound,
        required: Text,
        assignment: Text,
        cluster: MakeCluster,
        planned: Planned,
        applied: Callable[[Cluster, Plan], Cluster],
        verdict: Callable[[BoundPolicy, Cluster], Verdict],
        suspended: bool,
    ) -> None:
        """A PUT resets what it leaves out. The other policy is satisfied, or asks for one field of its own."""
        policies = bound(
            required(
                "apps",
                "{fluxConfiguration: {name: baseline, suspend: false, gitRepository: {url: 'https://git.example/x'}, "
                "kustomizations: {apps: {path: ./apps}}}}",
            ),
            template("builtin", "baseline", "namespace: team", kind="fluxConfigurations"),
            assignment("builtin", "policy: builtin"),
        )
        live = {
            "provisioningState": "Succeeded",
            "sourceKind": "GitRepository",
            "suspend": suspended,
            "gitRepository": {"url": "https://git.example/x"},
            "kustomizations": {"apps": {"path": "./apps"}},
        }
        before = cluster(flux={"baseline": live})

        plan = planned(policies, before)

        assert told(plan) == [("PUT", "baseline", Preflight.READY)]
        assert only(plan).policies == (("apps", "builtin") if suspended else ("builtin",))
        after = applied(before, plan)
        assert [verdict(policy, after).state for policy in policies] == [ComplianceState.COMPLIANT] * 2


class TestPlan:
    def test_equal_plans_have_equal_hashes_and_ids_that_tell_the_time(
        self, bound: Bound, required: Text, cluster: MakeCluster, planned: Planned
    ) -> None:
        policies = bound(required("flux", NEEDS_FLUX))
        plan, again = planned(policies, cluster()), planned(policies, cluster())
        later = Plan(datetime(2026, 11, 23, tzinfo=UTC), plan.steps, plan.unmended, plan.scope)

        assert plan == again
        assert plan.hash == again.hash == later.hash
        assert plan.id == again.id != later.id

    def test_the_order_of_clusters_makes_no_difference(
        self, bound: Bound, required: Text, cluster: MakeCluster, planned: Planned
    ) -> None:
        policies = bound(required("flux", NEEDS_FLUX))

        assert planned(policies, cluster("a"), cluster("b")) == planned(policies, cluster("b"), cluster("a"))

    def test_another_live_object_makes_another_plan(
        self, bound: Bound, required: Text, cluster: MakeCluster, planned: Planned
    ) -> None:
        policies = bound(required("flux", NEEDS_FLUX))
        hashes = {
            planned(policies, on).hash
            for on in (
                cluster(),
                cluster(connectivityStatus="Offline"),
                cluster(extensions={"flux": {**FLUX, "releaseTrain": "Preview"}}),
                cluster(extensions={"flux": {**FLUX, "releaseTrain": "Preview", "autoUpgradeMode": "none"}}),
            )
        }

        assert len(hashes) == 4


SETTLED = st.sampled_from(["Succeeded", "Failed", "Canceled"])
EXTENSION = st.fixed_dictionaries(
    {"extensionType": st.sampled_from(["microsoft.flux", "Microsoft.Flux"]), "provisioningState": SETTLED},
    optional={
        "releaseTrain": st.sampled_from(["Stable", "stable", "Preview"]),
        "autoUpgradeMinorVersion": st.booleans(),
        "version": st.sampled_from([None, "1.18.2"]),
        "configurationSettings": st.dictionaries(
            st.sampled_from(["helm-controller.enabled", "mine"]), st.sampled_from(["true", "false"]), max_size=2
        ),
    },
)
CONFIGURATION = st.fixed_dictionaries(
    {"provisioningState": SETTLED, "scope": st.just("cluster"), "sourceKind": st.just("GitRepository")},
    optional={
        "suspend": st.booleans(),
        "gitRepository": st.fixed_dictionaries(
            {"url": st.sampled_from(["https://git.example/fleet", "https://git.example/fork"])},
            optional={"repositoryRef": st.fixed_dictionaries({}, optional={"branch": st.sampled_from(["main", "x"])})},
        ),
        "kustomizations": st.dictionaries(
            st.sampled_from(["apps", "mine"]), st.fixed_dictionaries({"path": st.sampled_from(["./apps", "./x"])})
        ),
    },
)
FLEETS = st.fixed_dictionaries(
    {
        "extensions": st.none() | st.fixed_dictionaries({"gitops": EXTENSION}),
        "flux": st.none() | st.fixed_dictionaries({"cluster-config": CONFIGURATION}),
    }
)


@pytest.fixture(scope="module")
def baseline(bound: Bound, required: Text) -> tuple[BoundPolicy, ...]:
    """Two policies write one configuration, and one takes away a setting of an extension."""
    settings = "configurationSettings: {helm-controller.enabled: true, mine: null}"
    return bound(
        required("flux", f"{{extension: {{extensionType: microsoft.flux, releaseTrain: Stable, {settings}}}}}"),
        required("config", needs_config("suspend: false")),
        required("apps", needs_config("kustomizations: {apps: {path: ./apps}}")),
    )


def test_putting_again_what_failed_keeps_nothing_that_another_policy_wants_changed(
    baseline: tuple[BoundPolicy, ...], cluster: MakeCluster, planned: Planned
) -> None:
    """`apps` is content with its part of a failed configuration, `config` wants it resumed: one request does both."""
    live = {**CONFIG, "provisioningState": "Failed", "suspend": True, "kustomizations": {"apps": {"path": "./apps"}}}
    plan = planned(baseline, cluster(extensions={"flux": FLUX}, flux={"cluster-config": live}))
    (step,) = (step for step in plan.steps if step.write.id.name == "cluster-config")

    assert step.write.method == "PUT"
    assert step.write.body["properties"]["suspend"] is False


@given(live=FLEETS)
def test_planning_after_remediation_is_empty(
    baseline: tuple[BoundPolicy, ...],
    cluster: MakeCluster,
    planned: Planned,
    applied: Callable[[Cluster, Plan], Cluster],
    live: dict[str, Any],
) -> None:
    before = cluster(**live)

    after = applied(before, planned(baseline, before))

    assert planned(baseline, after) == planned(baseline)


@given(live=CONFIGURATION)
def test_remediation_leaves_what_nobody_declared(
    baseline: tuple[BoundPolicy, ...],
    cluster: MakeCluster,
    planned: Planned,
    applied: Callable[[Cluster, Plan], Cluster],
    live: dict[str, Any],
) -> None:
    live = {**live, "kustomizations": {**live.get("kustomizations", {}), "mine": {"path": "./mine"}}}
    before = cluster(flux={"cluster-config": live})

    (configuration,) = applied(before, planned(baseline, before)).flux_configurations

    assert configuration.property("kustomizations", "mine") == {"path": "./mine"}


class TestAnotherThing:
    """What a name stands for is never changed into something else."""

    def test_a_required_extension_does_not_take_the_name_of_another(
        self, bound: Bound, required: Text, cluster: MakeCluster, planned: Planned
    ) -> None:
        body = "{extension: {name: monitor, extensionType: microsoft.flux}}"
        other = {"extensionType": "contoso.monitoring", "provisioningState": "Succeeded", "version": "1.0.0"}
        (step,) = planned(bound(required("flux", body)), cluster(extensions={"monitor": other})).steps

        assert not step.will_run
        assert "`extensionType` can only be set at creation" in step.reason
