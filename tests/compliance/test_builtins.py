"""Azure's own definitions, unmodified, judged on clusters. The texts are not part of this project."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from policyengine.compliance.bind import BoundPolicy
from policyengine.compliance.judge import judge
from policyengine.effects.base import World
from policyengine.model.resource import Cluster
from policyengine.model.states import ComplianceState

NA, OK, BAD = ComplianceState.NOT_APPLICABLE, ComplianceState.COMPLIANT, ComplianceState.NON_COMPLIANT
FOLDER = "azure-policy/definitions/public/resource-manager"
MakeCluster = Callable[..., Cluster]
MakeWorld = Callable[..., World]


@pytest.fixture
def builtin(corpus: Path, bound: Callable[..., tuple[BoundPolicy, ...]]) -> Callable[..., BoundPolicy]:
    def builtin(file: str, **parameters: Any) -> BoundPolicy:
        text = (corpus / FOLDER / f"{file}.json").read_text(encoding="utf-8-sig")
        name = json.loads(text)["name"]
        values = "".join(f"\n    {key}: {value}" for key, value in parameters.items())
        assignment = f"""
apiVersion: policyengine/v1
kind: Assignment
metadata: {{name: builtin}}
spec:
  policy: {name}
  scope: /providers/Microsoft.Management/managementGroups/root
  parameters: {values or "{}"}
"""
        (policy,) = bound(text, assignment)
        return policy

    return builtin


FLUX = {
    "extensionType": "microsoft.flux",
    "provisioningState": "Succeeded",
    "releaseTrain": "Stable",
    "autoUpgradeMinorVersion": True,
}


@pytest.mark.parametrize(
    ("extensions", "expected", "reason"),
    [
        ({"flux": FLUX}, OK, None),
        ({"gitops": {**FLUX, "extensionType": "Microsoft.Flux"}}, OK, None),
        ({}, BAD, "no extension of type microsoft.flux"),
        ({"x": {**FLUX, "extensionType": "microsoft.monitor"}}, BAD, "no extension of type microsoft.flux"),
        (
            {"flux": {**FLUX, "provisioningState": "Failed"}},
            BAD,
            '`flux` matches 4 of 5: provisioningState is "Failed", wanted "Succeeded"',
        ),
        (
            {"flux": {**FLUX, "releaseTrain": "Preview"}},
            BAD,
            '`flux` matches 4 of 5: releaseTrain is "Preview", wanted "Stable"',
        ),
    ],
)
def test_flux_extension(
    builtin: Callable[..., BoundPolicy],
    cluster: MakeCluster,
    aks: MakeCluster,
    world: MakeWorld,
    extensions: dict[str, Any],
    expected: ComplianceState,
    reason: str | None,
) -> None:
    policy = builtin("Deploy-GitOps-Flux2-Extension-to-Kubernetes-cluster_DINE")

    for on in (cluster(extensions=extensions), aks(extensions=extensions)):
        found = judge(policy, on, world())

        assert found.state is expected
        assert (found.reason.message if found.reason else None) == reason


def test_a_pinned_extension_needs_its_version(
    builtin: Callable[..., BoundPolicy], cluster: MakeCluster, world: MakeWorld
) -> None:
    policy = builtin(
        "Deploy-GitOps-Flux2-Extension-to-Kubernetes-cluster_DINE", autoUpgradeMinorVersion="false", version="1.17.2"
    )
    pinned = {**FLUX, "autoUpgradeMinorVersion": False}

    assert judge(policy, cluster(extensions={"f": {**pinned, "version": "1.17.2"}}), world()).state is OK
    assert judge(policy, cluster(extensions={"f": {**pinned, "version": "1.17.1"}}), world()).state is BAD
    assert judge(policy, cluster(extensions={"f": FLUX}), world()).state is BAD


CONFIGURATION = {
    "scope": "cluster",
    "namespace": "default",
    "gitRepository": {
        "url": "https://git.example/fleet",
        "timeoutInSeconds": 600,
        "syncIntervalInSeconds": 600,
        "repositoryRef": {"branch": "main"},
    },
    "provisioningState": "Succeeded",
}
WRONG_BRANCH = {
    **CONFIGURATION,
    "gitRepository": {**CONFIGURATION["gitRepository"], "repositoryRef": {"branch": "x"}},  # type: ignore[dict-item]
}


@pytest.mark.parametrize(
    ("flux", "expected"),
    [
        ({"fleet-baseline": CONFIGURATION}, OK),
        ({"another-name": CONFIGURATION}, OK),  # the built-in does not look at the name
        ({}, BAD),
        ({"fleet-baseline": {**CONFIGURATION, "provisioningState": "Failed"}}, BAD),
        ({"fleet-baseline": {**CONFIGURATION, "provisioningState": "Creating"}}, OK),
        ({"fleet-baseline": {**CONFIGURATION, "namespace": "flux-system"}}, BAD),
        # G51: the parameters for tag, semver and commit are "", an absent one equals "", so any branch will do
        ({"fleet-baseline": WRONG_BRANCH}, OK),
    ],
)
def test_flux_configuration(
    builtin: Callable[..., BoundPolicy],
    cluster: MakeCluster,
    world: MakeWorld,
    flux: dict[str, Any],
    expected: ComplianceState,
) -> None:
    policy = builtin(
        "Deploy-GitOps-Flux2-to-Kubernetes-cluster-no-secrets_DINE",
        configurationName="fleet-baseline",
        repositoryUrl="https://git.example/fleet",
        repositoryRefBranch="main",
    )

    assert judge(policy, cluster(flux=flux), world()).state is expected


@pytest.mark.parametrize(
    ("distribution", "extensions", "expected"),
    [
        ("k3s", {"p": {"extensionType": "microsoft.policyinsights", "provisioningState": "Succeeded"}}, OK),
        ("k3s", {"p": {"extensionType": "microsoft.policyinsights", "provisioningState": "Creating"}}, BAD),
        ("k3s", {}, BAD),
        (None, {}, BAD),
        ("AKS", {}, NA),
    ],
)
def test_policy_extension_on_arc(
    builtin: Callable[..., BoundPolicy],
    cluster: MakeCluster,
    world: MakeWorld,
    distribution: str | None,
    extensions: dict[str, Any],
    expected: ComplianceState,
) -> None:
    on = cluster(document={"properties": {"distribution": distribution}}, extensions=extensions)

    assert judge(builtin("ArcPolicyExtension_DINE"), on, world()).state is expected


def test_policy_extension_does_not_speak_of_aks(
    builtin: Callable[..., BoundPolicy], aks: MakeCluster, world: MakeWorld
) -> None:
    assert judge(builtin("ArcPolicyExtension_DINE"), aks(), world()).state is NA
