"""Definitions about Flux and its configurations, which go onto AKS and Arc clusters alike."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from policyengine.model.resource import Resource
from tests.conformance.clusters.scenes import (
    BOTH_KINDS,
    SCC,
    Case,
    aks,
    arc,
    extension,
    flux,
    on_cluster,
    other_service,
)

EVERY: Final = "the rule speaks about every AKS and every Arc cluster: only a cluster of another service is outside"
URL: Final = "https://git.example/fleet"


def gitops(satisfied: list[Resource], broken: list[Resource], **parameters: Any) -> Case:
    """A definition that wants one of ``satisfied`` on every cluster, and takes none of ``broken`` for it."""
    return Case(
        satisfied=(*map(arc, satisfied), aks(satisfied[0]), arc(broken[0], satisfied[0])),
        broken=(arc(), aks(), *map(aks, broken)),
        outside=(other_service(),),
        parameters=parameters,
        kinds=BOTH_KINDS,
        all_of_a_kind=EVERY,
    )


def extended(state: str = "Succeeded", **changed: Any) -> Resource:
    return extension("microsoft.flux", state, **{"releaseTrain": "Stable", "autoUpgradeMinorVersion": True, **changed})


FLUX_EXTENSION: Final = gitops(
    [extended(), extended(version="1.2.3"), extended(releaseTrain="stable")],
    [
        extended("Failed"),
        extended(releaseTrain="Preview"),
        extended(autoUpgradeMinorVersion=False),
        extension("microsoft.monitor", releaseTrain="Stable", autoUpgradeMinorVersion=True),
    ],
)

REPOSITORY: Final = {
    "url": URL,
    "timeoutInSeconds": 600,
    "syncIntervalInSeconds": 600,
    "repositoryRef": {"branch": "main"},
}


def synced(changed: Mapping[str, Any], **properties: Any) -> Resource:
    """A configuration of the cluster scope from the branch `main`, its repository ``changed``."""
    return flux(
        **{"scope": "cluster", "namespace": "default", "gitRepository": {**REPOSITORY, **changed}, **properties}
    )


def from_git(wanted: Mapping[str, Any], otherwise: Mapping[str, Any], **parameters: Any) -> Case:
    """A definition of a Git source: what its condition wants beside the repository, and what will not do."""
    return gitops(
        [
            synced(wanted),
            synced({**wanted, "syncIntervalInSeconds": "600"}, scope="Cluster"),
            synced(wanted, provisioningState="Updating"),
            # one part of the reference will do: an empty parameter is met by a part that is not there
            synced({**wanted, "repositoryRef": {"branch": "develop"}}),
        ],
        [
            synced({**wanted, "url": "https://git.example/another"}),
            synced({**wanted, "repositoryRef": {"branch": "b", "tag": "t", "semver": "s", "commit": "c"}}),
            synced({**wanted, "syncIntervalInSeconds": 60}),
            synced(wanted, scope="namespace"),
            synced(wanted, namespace="apps"),
            synced(wanted, provisioningState="Failed"),
            *([synced({**wanted, **otherwise})] if otherwise else []),
        ],
        configurationName="cluster-config",
        repositoryUrl=URL,
        repositoryRefBranch="main",
        **parameters,
    )


VAULT: Final = "/subscriptions/s/resourceGroups/g/providers/Microsoft.KeyVault/vaults/kv"
NO_SECRETS: Final = from_git({}, {})
HTTPS: Final = from_git(
    {"httpsUser": "reader"},
    {"httpsUser": "writer"},
    repositoryHttpsUser="reader",
    httpsKeyKeyVaultSecretName="git-key",
    keyVaultName=VAULT,
)
# The service calls the certificate `httpsCACert`, the condition `httpsCAFile`: no real configuration can satisfy it.
CA_CERT: Final = from_git(
    {"httpsCAFile": "Y2E="}, {"httpsCAFile": None, "httpsCACert": "Y2E="}, repositoryHttpsCACert="Y2E="
)
LOCAL: Final = from_git({"localAuthRef": "git-auth"}, {"localAuthRef": "another"}, repositoryLocalAuthRef="git-auth")
SSH: Final = from_git(
    {"sshKnownHosts": "Z2l0"},
    {"sshKnownHosts": None},
    repositorySshKnownHosts="Z2l0",
    keyVaultSecretName="git-ssh",
    keyVaultName=VAULT,
)

BUCKET: Final = {
    "url": "https://minio.example",
    "bucketName": "fleet",
    "timeoutInSeconds": 600,
    "syncIntervalInSeconds": 600,
    "insecure": False,
}


def filled(changed: Mapping[str, Any], **properties: Any) -> Resource:
    return flux(**{"scope": "cluster", "namespace": "default", "bucket": {**BUCKET, **changed}, **properties})


def from_bucket(wanted: Mapping[str, Any], otherwise: Mapping[str, Any], **parameters: Any) -> Case:
    """A definition of a bucket as source."""
    return gitops(
        [filled(wanted), filled(wanted, provisioningState="Creating")],
        [
            filled({**wanted, "bucketName": "another"}),
            filled({**wanted, "insecure": True}),
            filled({**wanted, "timeoutInSeconds": 60}),
            filled(wanted, namespace="apps"),
            filled(wanted, provisioningState="Failed"),
            filled({**wanted, **otherwise}),
        ],
        configurationName="cluster-config",
        bucketUrl="https://minio.example",
        bucketName="fleet",
        **parameters,
    )


IN_CLUSTER: Final = from_bucket({"localAuthRef": "minio"}, {"localAuthRef": None}, bucketLocalAuthRef="minio")
IN_VAULT: Final = from_bucket(
    {"accessKey": "reader"},
    {"accessKey": "writer"},
    bucketAccessKey="reader",
    keyVaultSecretName="minio-key",
    keyVaultName=VAULT,
)


def operated(name: str = "cluster-config", **changed: Any) -> Resource:
    """A configuration of Flux v1, without a Helm operator."""
    given = {"repositoryUrl": URL, "operatorParams": "--git-readonly --git-path=apps", "enableHelmOperator": "false"}
    return on_cluster(SCC, name, **{**given, **changed})


HELM: Final[Mapping[str, Any]] = {
    "enableHelmOperator": True,
    "helmOperatorProperties": {"chartVersion": "1.2.0", "chartValues": ""},
}


def first_generation(wanted: Mapping[str, Any], otherwise: Mapping[str, Any], **parameters: Any) -> Case:
    """A definition of Flux v1; its configuration is found by name."""
    return gitops(
        [
            operated(**wanted),
            operated(**{**wanted, "operatorParams": "--git-path=apps"}),
            operated(**wanted, **HELM),
            operated("Cluster-Config", **wanted),
        ],
        [
            operated("another", **wanted),
            operated(**{**wanted, "operatorParams": "--git-path=infra"}),
            operated(**{**wanted, "operatorParams": None}),
            operated(**{**wanted, "repositoryUrl": "https://git.example/another"}),
            operated(**wanted, **{**HELM, "helmOperatorProperties": {"chartVersion": "1.4.0"}}),
            operated(**{**wanted, "enableHelmOperator": None}),
            *([operated(**{**wanted, **otherwise})] if otherwise else []),
        ],
        configurationResourceName="cluster-config",
        operatorInstanceName="flux",
        operatorNamespace="flux",
        operatorParams="--git-path=apps",
        repositoryUrl=URL,
        **parameters,
    )


V2: Final = {
    "Deploy-GitOps-Flux2-Extension-to-Kubernetes-cluster_DINE": FLUX_EXTENSION,
    "Deploy-GitOps-Flux2-to-Kubernetes-cluster-HTTPS-secrets_DINE": HTTPS,
    "Deploy-GitOps-Flux2-to-Kubernetes-cluster-HTTPs-CA-Cert_DINE": CA_CERT,
    "Deploy-GitOps-Flux2-to-Kubernetes-cluster-LocalAuthRef_DINE": LOCAL,
    "Deploy-GitOps-Flux2-to-Kubernetes-cluster-SSH_DINE": SSH,
    "Deploy-GitOps-Flux2-to-Kubernetes-cluster-no-secrets_DINE": NO_SECRETS,
    "GitOps-Flux2-to-Kubernetes-cluster-Bucket-K8sSecret_DINE": IN_CLUSTER,
    "GitOps-Flux2-to-Kubernetes-cluster-Bucket-KVSecret_DINE": IN_VAULT,
}
"""Published in both clouds, word for word the same."""

CASES: Final[Mapping[str, Case]] = {
    **{f"government/{name}": case for name, case in V2.items()},
    **{f"public/{name}": case for name, case in V2.items()},
    "public/Deploy-GitOps-to-Kubernetes-cluster-HTTPS-secrets_DINE": first_generation({}, {}),
    "public/Deploy-GitOps-to-Kubernetes-cluster-SSH-secrets_DINE": first_generation(
        {"sshKnownHostsContents": "Z2l0"}, {"sshKnownHostsContents": None}, sshKnownHostsContents="Z2l0"
    ),
    "public/Deploy-GitOps-to-Kubernetes-cluster-no-secrets_DINE": first_generation({}, {}),
}
