from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import pytest

from policyengine.compliance.bind import BoundPolicy
from policyengine.model.resource import Cluster
from policyengine.remediation.steps import Plan, Preflight

Bound: TypeAlias = Callable[..., tuple[BoundPolicy, ...]]
MakeCluster: TypeAlias = Callable[..., Cluster]
Text: TypeAlias = Callable[..., str]
Planned: TypeAlias = Callable[..., Plan]

NEEDS_FLUX = "{extension: {extensionType: microsoft.flux, releaseTrain: Stable}}"
NEEDS_AGENT = "{extension: {extensionType: microsoft.policyinsights, name: policy}}"
NEEDS_CONFIG = "{fluxConfiguration: {name: config, gitRepository: {url: 'https://git.example/fleet'}}}"
FLUX = {"extensionType": "microsoft.flux", "releaseTrain": "Stable", "provisioningState": "Succeeded"}


def initiative(members: str) -> str:
    return f"""
apiVersion: policyengine/v1
kind: Initiative
metadata: {{name: baseline}}
spec: {{policies: {members}}}
"""


@pytest.fixture
def baseline(bound: Bound, definition: Text, assignment: Text) -> Callable[[str], tuple[BoundPolicy, ...]]:
    """The three policies as members of one initiative."""

    def baseline(members: str) -> tuple[BoundPolicy, ...]:
        return bound(
            definition("flux", NEEDS_FLUX),
            definition("agent", NEEDS_AGENT),
            definition("config", NEEDS_CONFIG),
            initiative(members),
            assignment("b", "initiative: baseline"),
        )

    return baseline


def reasons(plan: Plan) -> dict[str, str]:
    return {entry.policy: entry.reason for entry in plan.unmended}


def test_flux_goes_before_its_configurations_without_being_told(
    bound: Bound, required: Text, cluster: MakeCluster, planned: Planned
) -> None:
    """Across assignments, whatever their order."""
    extension, configuration = planned(
        bound(required("config", NEEDS_CONFIG), required("flux", NEEDS_FLUX)), cluster()
    ).steps

    assert (extension.id, extension.action, extension.preflight) == ("s001", "create extension flux", Preflight.READY)
    assert configuration.preflight is Preflight.WAITS
    assert configuration.after_steps == ("s001",)
    assert configuration.reason == "after create extension flux"


@pytest.mark.parametrize("state", ["Succeeded", "Failed"])
def test_a_change_of_flux_goes_first_too(
    bound: Bound, required: Text, cluster: MakeCluster, planned: Planned, state: str
) -> None:
    """Its request does not name the type: a PATCH holds what differs."""
    live = {**FLUX, "releaseTrain": "Preview", "provisioningState": state}

    plan = planned(
        bound(required("config", NEEDS_CONFIG), required("flux", NEEDS_FLUX)), cluster(extensions={"gitops": live})
    )

    assert [(step.write.method, step.write.id.name, step.after_steps) for step in plan.steps] == [
        ("PATCH", "gitops", ()),
        ("PUT", "config", ("s001",)),
    ]


def test_other_extensions_go_first_but_nobody_waits_for_them(
    bound: Bound, required: Text, cluster: MakeCluster, planned: Planned
) -> None:
    plan = planned(bound(required("config", NEEDS_CONFIG), required("agent", NEEDS_AGENT)), cluster())

    assert [(step.write.id.name, step.preflight) for step in plan.steps] == [
        ("policy", Preflight.READY),
        ("config", Preflight.READY),
    ]


def test_clusters_do_not_wait_for_each_other(
    bound: Bound, required: Text, cluster: MakeCluster, planned: Planned
) -> None:
    plan = planned(bound(required("flux", NEEDS_FLUX), required("config", NEEDS_CONFIG)), cluster("a"), cluster("b"))

    assert [(step.id, step.after_steps) for step in plan.steps] == [
        ("s001", ()),
        ("s002", ("s001",)),
        ("s003", ()),
        ("s004", ("s003",)),
    ]


def test_a_member_waits_for_those_it_depends_on(
    baseline: Callable[[str], tuple[BoundPolicy, ...]], cluster: MakeCluster, planned: Planned
) -> None:
    policies = baseline("[{ref: flux, id: flux, dependsOn: [agent]}, {ref: agent, id: agent}]")

    plan = planned(policies, cluster())

    assert [(step.policies, step.after_steps) for step in plan.steps] == [(("b/agent",), ()), (("b/flux",), ("s001",))]


def test_a_step_waits_for_all_that_go_before_it(
    baseline: Callable[[str], tuple[BoundPolicy, ...]], cluster: MakeCluster, planned: Planned
) -> None:
    policies = baseline("[{ref: config, id: c, dependsOn: [agent]}, {ref: flux, id: f}, {ref: agent, id: agent}]")

    *_, last = planned(policies, cluster()).steps

    assert last.write.id.name == "config"
    assert last.after_steps == ("s001", "s002")
    assert last.reason == "after create extension flux, create extension policy"


def test_a_policy_waits_for_the_definitions_it_names(
    bound: Bound, definition: Text, assignment: Text, cluster: MakeCluster, planned: Planned
) -> None:
    policies = bound(
        definition("agent", NEEDS_AGENT, "dependsOn: [flux]"),
        definition("flux", NEEDS_FLUX),
        initiative("[{ref: agent}, {ref: flux}]"),
        assignment("b", "initiative: baseline"),
    )

    assert [step.policies for step in planned(policies, cluster()).steps] == [("b/flux",), ("b/agent",)]


def test_a_step_shares_the_fate_of_the_one_before_it(
    bound: Bound, required: Text, cluster: MakeCluster, planned: Planned
) -> None:
    moved = "{extension: {extensionType: microsoft.flux, scope: {cluster: {releaseNamespace: gitops}}}}"
    live = {**FLUX, "scope": {"cluster": {"releaseNamespace": "flux-system"}}}

    _, step = planned(
        bound(required("flux", moved), required("config", NEEDS_CONFIG)), cluster(extensions={"flux": live})
    ).steps

    assert step.preflight is Preflight.REFUSED
    assert step.reason == (
        "needs `update extension flux`, which is refused: "
        "`scope` can only be set at creation; delete `flux` to change it"
    )


def test_a_parked_step_does_not_wait(bound: Bound, required: Text, cluster: MakeCluster, planned: Planned) -> None:
    policies = bound(required("flux", NEEDS_FLUX), required("config", NEEDS_CONFIG))

    plan = planned(policies, cluster(connectivityStatus="Offline"))

    assert [(step.preflight, step.reason, step.after_steps) for step in plan.steps] == [
        (Preflight.PARKED, "agent offline", ()),
        (Preflight.PARKED, "agent offline", ()),
    ]


class TestHeldBack:
    MEMBERS = "[{ref: flux, id: flux}, {ref: config, id: config, dependsOn: [flux]}]"

    def test_a_step_whose_prerequisite_is_unmet_and_has_no_request(
        self, baseline: Callable[[str], tuple[BoundPolicy, ...]], cluster: MakeCluster, planned: Planned
    ) -> None:
        plan = planned(baseline(self.MEMBERS), cluster(extensions={"flux": {**FLUX, "provisioningState": "Creating"}}))

        assert plan.steps == ()
        assert reasons(plan) == {
            "b/flux": "`flux` is Creating; plan again when that has finished",
            "b/config": "waits for `b/flux`, which is not compliant here and has no request in this plan",
        }

    def test_also_when_the_prerequisite_was_not_asked_for(
        self, baseline: Callable[[str], tuple[BoundPolicy, ...]], cluster: MakeCluster, planned: Planned
    ) -> None:
        plan = planned(baseline(self.MEMBERS), cluster(), selected=frozenset({"b/config"}))

        assert plan.steps == ()
        assert set(reasons(plan)) == {"b/config"}

    def test_and_so_on_down_the_line(
        self, baseline: Callable[[str], tuple[BoundPolicy, ...]], cluster: MakeCluster, planned: Planned
    ) -> None:
        """The step in the middle is held back, so the last one has nothing to wait for either."""
        policies = baseline(
            "[{ref: config, id: c, dependsOn: [agent]}, {ref: agent, id: agent, dependsOn: [flux]}, "
            "{ref: flux, id: flux}]"
        )

        plan = planned(policies, cluster(extensions={"flux": {**FLUX, "provisioningState": "Creating"}}))

        assert plan.steps == ()
        assert reasons(plan)["b/c"].startswith("waits for `b/agent`")
        assert reasons(plan)["b/agent"].startswith("waits for `b/flux`")

    def test_not_when_one_request_serves_both(
        self, bound: Bound, definition: Text, assignment: Text, cluster: MakeCluster, planned: Planned
    ) -> None:
        policies = bound(
            definition("config", NEEDS_CONFIG),
            definition("apps", NEEDS_CONFIG.replace("name: config,", "name: config, suspend: false,")),
            initiative("[{ref: config, id: c}, {ref: apps, id: a, dependsOn: [c]}]"),
            assignment("b", "initiative: baseline"),
        )

        plan = planned(policies, cluster())

        assert [(step.policies, step.preflight) for step in plan.steps] == [(("b/c", "b/a"), Preflight.READY)]

    def test_a_parked_step_stays_to_be_seen(
        self, baseline: Callable[[str], tuple[BoundPolicy, ...]], cluster: MakeCluster, planned: Planned
    ) -> None:
        creating = {**FLUX, "provisioningState": "Creating"}

        plan = planned(baseline(self.MEMBERS), cluster(extensions={"flux": creating}, connectivityStatus="Offline"))

        assert [(step.policies, step.preflight) for step in plan.steps] == [(("b/config",), Preflight.PARKED)]

    def test_not_when_the_prerequisite_is_met(
        self, baseline: Callable[[str], tuple[BoundPolicy, ...]], cluster: MakeCluster, planned: Planned
    ) -> None:
        plan = planned(baseline(self.MEMBERS), cluster(extensions={"flux": FLUX}), selected=frozenset({"b/config"}))

        assert [(step.policies, step.preflight) for step in plan.steps] == [(("b/config",), Preflight.READY)]

    def test_nor_when_the_prerequisite_does_not_apply(
        self, bound: Bound, definition: Text, assignment: Text, cluster: MakeCluster, planned: Planned
    ) -> None:
        policies = bound(
            definition("flux", NEEDS_FLUX, "when: {field: location, equals: nowhere}"),
            definition("config", NEEDS_CONFIG),
            initiative(self.MEMBERS),
            assignment("b", "initiative: baseline"),
        )

        assert [step.policies for step in planned(policies, cluster()).steps] == [("b/config",)]
