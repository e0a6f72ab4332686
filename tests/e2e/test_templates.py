"""Azure's own templates that write only extensions and Flux configurations, run until every cluster complies."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from policyengine.model.fleet import FleetFile, parse_fleet
from policyengine.model.ids import ResourceId
from policyengine.model.resource import EXTENSIONS, FLUX_CONFIGURATIONS
from policyengine.model.states import ComplianceState
from policyengine.remediation.steps import StepState
from policyengine.text.reader import read, to_value
from tests.e2e.conftest import Project
from tests.e2e.test_builtins import Walk

GOLDEN = Path(__file__).resolve().parents[1] / "golden/templates"
FLEET = """
apiVersion: policyengine/v1
kind: Fleet
tenantId: 0d4f2b8c-0000-4000-8000-000000000000
subscriptions:
  - {subscriptionId: aaaaaaaa-0000-4000-8000-00000000000a, displayName: edge}
resourceGroups:
  - {subscription: edge, name: shops, location: norwayeast}
clusters:
  - {name: edge-01, kind: arc, subscription: edge, resourceGroup: shops}
  - {name: edge-02, kind: arc, subscription: edge, resourceGroup: shops}
  - {name: web-01, kind: aks, subscription: edge, resourceGroup: shops}
"""
GIT = {"repositoryUrl": "https://git.contoso.example/fleet", "repositoryRefBranch": "main"}
BUCKET = {"bucketUrl": "https://minio.contoso.example", "bucketName": "fleet", "bucketLocalAuthRef": "minio"}
CA_CERT = "Deploy-GitOps-Flux2-to-Kubernetes-cluster-HTTPs-CA-Cert_DINE"
ASSIGNED: Sequence[tuple[str, Mapping[str, str]]] = (
    ("ArcOpenServiceMeshExtension", {"ExtensionVersion": "1.0.0"}),
    ("ArcPolicyExtension_DINE", {}),
    ("ArcStrimziKafkaExtension", {"ExtensionVersion": "1.0.0"}),
    ("Deploy-GitOps-Flux2-Extension-to-Kubernetes-cluster_DINE", {}),
    (CA_CERT, {**GIT, "repositoryHttpsCACert": ""}),
    (CA_CERT, {**GIT, "repositoryHttpsCACert": "Y2VydA=="}),
    ("Deploy-GitOps-Flux2-to-Kubernetes-cluster-LocalAuthRef_DINE", {**GIT, "repositoryLocalAuthRef": "git-auth"}),
    ("Deploy-GitOps-Flux2-to-Kubernetes-cluster-no-secrets_DINE", GIT),
    ("GitOps-Flux2-to-Kubernetes-cluster-Bucket-K8sSecret_DINE", BUCKET),
)
"""Every definition of the kind with the parameters that have no default, `configurationName` excepted."""


NEVER = "assignment-5"
"""With a certificate, its template writes `httpsCACert` and its existence condition looks for `httpsCAFile`, which the
service does not know: no remediation satisfies it."""


@pytest.fixture(params=["public", "government"])
def assigned(request: pytest.FixtureRequest, corpus: Path, make_project: Callable[[FleetFile], Project]) -> Project:
    """Each definition of one cloud under an assignment of its own."""
    project = make_project(parse_fleet(to_value(read(FLEET, "fleet.yaml")[0])))
    for number, (name, parameters) in enumerate(ASSIGNED):
        source = corpus / "azure-policy/definitions" / request.param / "resource-manager" / f"{name}.json"
        if not source.is_file():
            continue
        shutil.copy(source, project.folder / "policies")
        needs = {"configurationName": f"configuration-{number}"} if "Repository" in source.read_text("utf-8") else {}
        assignment = {
            "apiVersion": "policyengine/v1",
            "kind": "Assignment",
            "metadata": {"name": f"assignment-{number}"},
            "spec": {
                "policy": json.loads(source.read_text("utf-8-sig"))["name"],
                "scope": "/subscriptions/aaaaaaaa-0000-4000-8000-00000000000a",
                "parameters": {**parameters, **needs},
            },
        }
        (project.folder / "policies" / f"assignment-{number}.json").write_text(json.dumps(assignment), "utf-8")
    return project


def test_templates_of_extensions_and_configurations_run_to_compliant(assigned: Project) -> None:
    walk = Walk(assigned.settings)
    walk.scan()
    before = {state for states in walk.states().values() for state in states.values()}

    done = walk.remediate(walk.plan())
    walk.scan()

    assert [outcome for outcome in done.outcomes if outcome.state is not StepState.SUCCEEDED] == []
    after = [(key, state) for states in walk.states().values() for key, state in states.items()]
    assert ComplianceState.COMPLIANT not in before
    assert {state for key, state in after if key != NEVER} == {
        ComplianceState.COMPLIANT,
        ComplianceState.NOT_APPLICABLE,
    }
    assert {state for key, state in after if key == NEVER} == {ComplianceState.NON_COMPLIANT}

    again = walk.plan().plan
    assert again.steps == ()
    assert {(unmended.policy, unmended.reason) for unmended in again.unmended} == {
        (NEVER, "what it deploys is already in place and does not satisfy its own existence condition")
    }


def test_no_definition_of_the_kind_is_left_out() -> None:
    """By what the golden files say that each template writes."""
    expansions = {path.name.partition(".")[0]: json.loads(path.read_text("utf-8")) for path in sorted(GOLDEN.iterdir())}

    assert {name for name, rounds in expansions.items() if writes_only_configuration(rounds)} == {
        n for n, _ in ASSIGNED
    }


def writes_only_configuration(rounds: Sequence[Mapping[str, Any]]) -> bool:
    types = {ResourceId(write["id"]).type for write in rounds[-1].get("writes", ())}
    return len(rounds) == 1 and bool(types) and types <= {EXTENSIONS, FLUX_CONFIGURATIONS}
