"""Azure's own definitions, unmodified, from non-compliant to compliant over HTTP."""

from __future__ import annotations

import asyncio
import shutil
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from policyengine.clock import SystemClock
from policyengine.model.fleet import FleetFile
from policyengine.model.ids import ResourceId
from policyengine.model.states import ComplianceState
from policyengine.remediation.steps import StepState
from policyengine.store.store import Store
from policyengine.workflows.plan import Planned, PlanRequest, make_plan
from policyengine.workflows.remediate import Remediated, remediate
from policyengine.workflows.scan import ScanRequest, ScanResult, scan
from policyengine.workflows.settings import Settings
from policyengine.workflows.sync import unwatched
from tests.e2e.conftest import Project

DEFINITIONS = (
    "Deploy-GitOps-Flux2-Extension-to-Kubernetes-cluster_DINE.json",
    "Deploy-GitOps-Flux2-to-Kubernetes-cluster-no-secrets_DINE.json",
    "ArcPolicyExtension_DINE.json",
)
ASSIGNMENTS = """
apiVersion: policyengine/v1
kind: Assignment
metadata: {name: flux-extension}
spec:
  policy: f9175d5f-abc8-1dc3-bd3c-5d7476ada3d1
  scope: /providers/Microsoft.Management/managementGroups/contoso
---
apiVersion: policyengine/v1
kind: Assignment
metadata: {name: flux-configuration}
spec:
  policy: /providers/Microsoft.Authorization/policyDefinitions/83ea2fd1-9eaf-2f6d-f672-cd7b2ac798f6
  scope: /providers/Microsoft.Management/managementGroups/contoso
  parameters:
    configurationName: fleet-baseline
    repositoryUrl: https://git.contoso.example/fleet
    repositoryRefBranch: main
---
apiVersion: policyengine/v1
kind: Assignment
metadata: {name: azure-policy-extension}
spec:
  policy: 0adc5395-9169-4b9b-8687-af838d69410a
  scope: /providers/Microsoft.Management/managementGroups/contoso
"""


class Walk:
    """The job's steps on one project, each with a store of its own, as separate commands would have."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.clock = SystemClock()

    def scan(self) -> ScanResult:
        with Store.open(self.settings.database) as store:
            return asyncio.run(
                scan(self.settings, store, self.clock, ScanRequest(), on_sync=unwatched, on_scan=unwatched)
            )

    def plan(self) -> Planned:
        with Store.open(self.settings.database) as store:
            return asyncio.run(make_plan(self.settings, store, self.clock, PlanRequest(), unwatched))

    def remediate(self, planned: Planned) -> Remediated:
        with Store.open(self.settings.database) as store:
            return asyncio.run(remediate(self.settings, store, self.clock, planned.plan.id))

    def states(self) -> Mapping[ResourceId, Mapping[str, ComplianceState]]:
        with Store.open(self.settings.database) as store:
            return dict(store.state_matrix())


@pytest.fixture
def builtins(corpus: Path, contoso: FleetFile, make_project: Callable[[FleetFile], Project]) -> Project:
    project = make_project(contoso)
    for name in DEFINITIONS:
        source = corpus / "azure-policy" / "definitions" / "public" / "resource-manager" / name
        shutil.copy(source, project.folder / "policies" / name)
    (project.folder / "policies" / "assignments.yaml").write_text(ASSIGNMENTS, encoding="utf-8")
    return project


def test_builtins_bring_every_reachable_cluster_to_compliant(builtins: Project, contoso: FleetFile) -> None:
    refusing = {id for id, told in contoso.simulations.items() if "installFailures" in told}
    unreachable = {c.id for c in contoso.fleet.clusters if c.unreachable_reason is not None}
    unreachable |= {id for id, told in contoso.simulations.items() if "offlineFor" in told}
    walk = Walk(builtins.settings)

    walk.scan()
    missing_before = {
        (cluster, key)
        for cluster, states in walk.states().items()
        for key, state in states.items()
        if state is ComplianceState.NON_COMPLIANT
    }
    planned = walk.plan()
    done = walk.remediate(planned)
    walk.scan()

    assert len(missing_before) > len(contoso.fleet.clusters)
    good = {ComplianceState.COMPLIANT, ComplianceState.NOT_APPLICABLE}
    bad = {id.name: dict(s) for id, s in walk.states().items() if not good.issuperset(s.values())}
    assert set(bad) == {id.name for id in refusing | unreachable}

    puts = Counter(write for write in builtins.accepted_writes() if write.startswith("PUT"))
    wanted = {f"PUT {step.write.id.key}" for step in planned.plan.runnable}
    sent = {o.step_id for o in done.outcomes if o.state in {StepState.SUCCEEDED, StepState.FAILED}}
    assert set(puts.values()) == {1}
    assert set(puts) == {f"PUT {step.write.id.key}" for step in planned.plan.runnable if step.id in sent}
    assert set(puts) <= wanted

    again = walk.plan().plan
    assert {step.cluster for step in again.runnable} <= refusing
    assert {step.cluster for step in again.steps} <= refusing | unreachable
    with Store.open(builtins.settings.database) as store:
        assert all(finding.reason.message for finding in store.findings())
