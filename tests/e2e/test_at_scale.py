"""GitOps by policy over whole scopes: the number in a name is the statement's in the GitOps behaviour reference.

One fleet of two subscriptions, with an excluded group, a wrong branch, a failed configuration, a cluster that is
offline and one that has opted out by a tag.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from policyengine.emulator import Emulator, RunningEmulator
from policyengine.emulator import Settings as EmulatorSettings
from policyengine.model.fleet import parse_fleet
from policyengine.model.states import ComplianceState
from policyengine.remediation.steps import StepState
from tests.e2e.conftest import CLOCK, Project
from tests.e2e.test_builtins import Walk

SHOPS, WEB = "00000000-0000-4000-8000-000000000001", "00000000-0000-4000-8000-000000000002"
ROOT = "/providers/Microsoft.Management/managementGroups/contoso"
LAB = f"/subscriptions/{WEB}/resourceGroups/lab"
URL = "https://git.contoso.example/fleet"
REACHED = {"osl-01", "osl-02", "osl-03", "web-01"}
ASSIGNMENTS = """
apiVersion: policyengine/v1
kind: Assignment
metadata: {{name: extension}}
spec: {{policy: flux-extension-required, scope: {root}, notScopes: [{lab}]}}
---
apiVersion: policyengine/v1
kind: Assignment
metadata: {{name: fleet}}
spec:
  policy: flux-configuration-git
  scope: {root}
  notScopes: [{lab}]
  parameters: {{repositoryUrl: {url}, branch: {branch}}}
---
apiVersion: policyengine/v1
kind: Assignment
metadata: {{name: team}}
spec:
  policy: flux-configuration-git
  scope: /subscriptions/{shops}/resourceGroups/stores
  parameters: {{repositoryUrl: {url}, configurationName: team, basePath: ./team}}
---
apiVersion: policyengine/v1
kind: Assignment
metadata: {{name: announced}}
spec:
  policy: flux-configuration-git
  scope: {root}
  enforcementMode: DoNotEnforce
  parameters: {{repositoryUrl: {url}, configurationName: announced}}
"""


def fleet() -> Mapping[str, Any]:
    def cluster(name: str, group: str = "stores", **more: Any) -> dict[str, Any]:
        kind, subscription = ("arc", "shops") if group == "stores" else ("aks", "web")
        return {"name": name, "kind": kind, "subscription": subscription, "resourceGroup": group, **more}

    flux = {"name": "flux", "properties": {"extensionType": "microsoft.flux"}}

    def configuration(branch: str, **more: Any) -> dict[str, Any]:
        git = {"url": URL, "repositoryRef": {"branch": branch}}
        kustomizations = {
            "infra": {"path": "./infrastructure", "prune": True},
            "apps": {"path": "./apps", "prune": True, "dependsOn": ["infra"]},
        }
        properties = {"namespace": "flux-system", "gitRepository": git, "kustomizations": kustomizations, **more}
        return {"name": "cluster-config", "properties": properties}

    return {
        "apiVersion": "policyengine/v1",
        "kind": "Fleet",
        "tenantId": "00000000-0000-4000-8000-00000000000f",
        "managementGroups": [{"name": "contoso", "displayName": "Contoso"}],
        "subscriptions": [
            {"subscriptionId": SHOPS, "displayName": "shops", "managementGroup": "contoso"},
            {"subscriptionId": WEB, "displayName": "web", "managementGroup": "contoso"},
        ],
        "resourceGroups": [
            {"subscription": "shops", "name": "stores", "location": "norwayeast"},
            {"subscription": "web", "name": "web", "location": "westeurope"},
            {"subscription": "web", "name": "lab", "location": "westeurope"},
        ],
        "clusters": [
            cluster("osl-01"),
            cluster("osl-02", extensions=[flux], fluxConfigurations=[configuration("wrong")]),
            cluster(
                "osl-03",
                extensions=[flux],
                fluxConfigurations=[configuration("main", provisioningState="Failed")],
            ),
            cluster("osl-04", simulation={"offlineFor": "3d"}),
            cluster("osl-05", tags={"gitops": "disabled"}),
            cluster("web-01", "web"),
            cluster("lab-01", "lab"),
        ],
    }


@dataclass
class Story:
    """A scan, a remediation and a scan again: what was found before and after, and what was written."""

    project: Project
    walk: Walk
    before: Mapping[tuple[str, str], ComplianceState]
    after: Mapping[tuple[str, str], ComplianceState]
    writes_of_the_scan: list[str]
    writes: list[str]

    def configuration(self, cluster: str, name: str = "cluster-config") -> Mapping[str, Any]:
        for record in self.project.emulator.cluster(cluster).records.values():
            if record.name == name:
                return record.document()["properties"]  # type: ignore[no-any-return]
        raise LookupError(cluster)


def states(walk: Walk) -> dict[tuple[str, str], ComplianceState]:
    return {(id.name, key): state for id, found in walk.states().items() for key, state in found.items()}


def assign(project: Project, branch: str = "main") -> None:
    text = ASSIGNMENTS.format(root=ROOT, lab=LAB, shops=SHOPS, url=URL, branch=branch)
    (project.folder / "policies" / "assignments.yaml").write_text(text, encoding="utf-8")


def mend(walk: Walk) -> None:
    walk.scan()
    done = walk.remediate(walk.plan())
    assert {o.state for o in done.outcomes} <= {StepState.SUCCEEDED, StepState.SKIPPED}
    walk.scan()


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    folder = tmp_path_factory.mktemp("scale")
    (folder / "policies").mkdir()
    emulator = Emulator(parse_fleet(fleet()), clock=CLOCK, settings=EmulatorSettings(throttling=False))
    with RunningEmulator(emulator) as running:
        project = Project(folder, running.url, emulator)
        assign(project)
        walk = Walk(project.settings)
        walk.scan()
        before, idle = states(walk), project.accepted_writes()
        mend(walk)
        yield Story(project, walk, before, states(walk), idle, project.accepted_writes())


def cluster_of(write: str) -> str:
    parts = write.split("/")
    return parts[parts.index("microsoft.kubernetesconfiguration") - 2]


def bad(found: Mapping[tuple[str, str], ComplianceState], assignment: str) -> set[str]:
    return {c for (c, key), state in found.items() if assignment in key and state is ComplianceState.NON_COMPLIANT}


def test_g47_aks_and_arc_of_all_subscriptions_get_the_same_configuration(story: Story) -> None:
    wanted = ("scope", "namespace", "gitRepository", "kustomizations", "suspend")
    found = {c: {name: story.configuration(c)[name] for name in wanted} for c in ("osl-01", "web-01")}
    assert found["osl-01"] == found["web-01"]
    assert found["osl-01"]["gitRepository"]["url"] == URL


def test_g48_what_is_excluded_or_not_enforced_is_not_written(story: Story) -> None:
    assert {cluster_of(write) for write in story.writes if "/fluxconfigurations/" in write} == REACHED
    assert not any(cluster_of(write) == "lab-01" for write in story.writes)
    assert not any(write.endswith("/announced") for write in story.writes)
    assert bad(story.after, "announced") >= REACHED, "it is evaluated all the same"
    assert "lab-01" not in bad(story.before, "fleet")


def test_g49_the_extension_comes_before_the_configuration(story: Story) -> None:
    for cluster in ("osl-01", "web-01"):
        kinds = [write.split("/")[-2] for write in story.writes if cluster_of(write) == cluster]
        assert kinds[0] == "extensions"
        assert set(kinds[1:]) == {"fluxconfigurations"}


def test_g50_what_is_there_already_waits_for_a_remediation(story: Story) -> None:
    assert story.writes_of_the_scan == []
    assert bad(story.before, "fleet") >= REACHED
    assert bad(story.after, "fleet") & REACHED == set()


def test_g51_a_failed_configuration_or_a_wrong_branch_does_not_count(story: Story) -> None:
    assert {"osl-02", "osl-03"} <= bad(story.before, "fleet")
    assert story.configuration("osl-02")["gitRepository"]["repositoryRef"]["branch"] == "main"
    assert story.configuration("osl-03")["provisioningState"] == "Succeeded"


def test_g52_several_assignments_put_several_configurations_on_a_cluster(story: Story) -> None:
    names = {write.rpartition("/")[2] for write in story.writes if cluster_of(write) == "osl-01"}
    assert names == {"flux", "cluster-config", "team"}
    assert story.configuration("osl-01", "team")["kustomizations"]["apps"]["path"] == "./team/apps"


def test_g52_azures_own_have_at_most_twenty_parameters_and_one_kustomization(corpus: Path) -> None:
    folder = corpus / "azure-policy" / "definitions" / "public" / "resource-manager"
    found = sorted(folder.glob("Deploy-GitOps-Flux2-*to-Kubernetes-cluster*_DINE.json"))
    assert found
    for file in found:
        text = file.read_text(encoding="utf-8")
        properties = json.loads(text)["properties"]
        assert len(set(properties["parameters"]) - {"effect"}) <= 20, file.name
        assert text.count('"kustomizations"') <= 2, file.name


def test_g53_new_parameters_reach_every_cluster_and_hand_edits_are_put_back(story: Story) -> None:
    assign(story.project, branch="release")
    web = next(c.id.text for c in story.project.emulator.state.clusters.values() if c.id.name == "web-01")
    path = f"{web}/providers/Microsoft.KubernetesConfiguration/fluxConfigurations/cluster-config"
    edited = httpx.patch(
        f"{story.project.url}{path}?api-version=2025-04-01",
        json={"properties": {"suspend": True}},
        headers={"Authorization": "Bearer somebody"},
    )
    assert edited.status_code == 202
    mend(story.walk)
    for cluster in REACHED:
        found = story.configuration(cluster)
        assert (found["gitRepository"]["repositoryRef"]["branch"], found["suspend"]) == ("release", False)
    assert story.walk.plan().plan.runnable == ()
