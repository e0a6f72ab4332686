"""modify over HTTP: tags set and taken away on every reachable cluster, the others left as they are."""

from __future__ import annotations

from collections.abc import Callable

from policyengine.model.fleet import FleetFile
from policyengine.model.states import ComplianceState
from policyengine.remediation.steps import StepState
from policyengine.store.store import Store
from tests.e2e.conftest import Project
from tests.e2e.test_builtins import Walk

POLICIES = """
name: no-tier
properties:
  policyRule:
    if: {field: tags.tier, exists: true}
    then:
      effect: modify
      details: {roleDefinitionIds: [x], operations: [{operation: remove, field: tags.tier}]}
---
apiVersion: policyengine/v1
kind: Assignment
metadata: {name: no-tier}
spec: {policy: no-tier, scope: /providers/Microsoft.Management/managementGroups/contoso}
---
apiVersion: policyengine/v1
kind: Assignment
metadata: {name: cost-center}
spec:
  policy: cluster-tag-required
  scope: /providers/Microsoft.Management/managementGroups/contoso
  parameters: {tagName: costCenter, tagValue: "4711"}
"""


def test_tags_are_changed_by_one_request_a_cluster(
    contoso: FleetFile, make_project: Callable[[FleetFile], Project]
) -> None:
    project = make_project(contoso)
    (project.folder / "policies" / "tags.yaml").write_text(POLICIES, encoding="utf-8")
    before = {cluster.id: dict(cluster.resource.tags) for cluster in contoso.fleet.clusters}
    walk = Walk(project.settings)

    walk.scan()
    plan = walk.plan()
    done = walk.remediate(plan)
    walk.scan()

    assert {o.state for o in done.outcomes} <= {StepState.SUCCEEDED, StepState.SKIPPED}
    assert len(plan.plan.steps) == len(before)
    sent = {step.cluster for step in plan.plan.runnable}
    mended = {id for id, states in walk.states().items() if set(states.values()) == {ComplianceState.COMPLIANT}}
    assert mended == sent
    assert sorted(project.accepted_writes()) == sorted(f"PATCH {id.key}" for id in sent)
    with Store.open(project.settings.database) as store:
        for cluster in store.clusters():
            kept = {name: value for name, value in before[cluster.id].items() if name != "tier"}
            if cluster.id in sent:
                assert dict(cluster.resource.tags) == {**kept, "costCenter": "4711"}
    assert walk.plan().plan.runnable == ()
