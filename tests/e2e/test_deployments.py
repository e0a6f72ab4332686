"""What only Resource Manager can carry out, carried out: templates with vault secrets and live reads, to compliant."""

from __future__ import annotations

from collections.abc import Mapping

import httpx

from policyengine.model.states import ComplianceState
from policyengine.remediation.steps import StepState
from tests.e2e.conftest import Project
from tests.e2e.test_builtins import Walk
from tests.e2e.test_live_reads import VAULT
from tests.e2e.test_live_reads import assigned as assigned  # a fixture

__all__ = ["assigned"]


def put(project: Project, id: str, body: Mapping[str, object]) -> None:
    answer = httpx.put(
        f"{project.url}{id}?api-version=2023-07-01", json=body, headers={"Authorization": "Bearer x"}, verify=False
    )
    assert answer.status_code == 201, answer.text


def test_templates_with_secrets_and_live_reads_run_to_compliant(assigned: Project) -> None:
    put(assigned, VAULT, {"location": "norwayeast"})
    put(assigned, f"{VAULT}/secrets/minio-key", {"properties": {"value": "hunter2"}})
    walk = Walk(assigned.settings)
    walk.scan()

    done = walk.remediate(walk.plan())
    walk.scan()

    assert [outcome for outcome in done.outcomes if outcome.state is not StepState.SUCCEEDED] == []
    after = {state for states in walk.states().values() for state in states.values()}
    assert after == {ComplianceState.COMPLIANT, ComplianceState.NOT_APPLICABLE}
    deployed = assigned.emulator.state.deployments.values()
    assert {deployment.state for deployment in deployed} == {"Succeeded"}
    assert len(deployed) == 3
    assert "hunter2" not in httpx.get(f"{assigned.url}/_emulator/journal", verify=False).text
