"""Property names as Resource Manager spells them. Resource Graph has its own way (`properties.ExtensionType`).

Names that users choose (settings, tags, kustomizations, substitutions) keep theirs, and so does whatever is not in
these tables. Source: configuration API §2, §3, §8 and §9.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, TypeAlias

from policyengine.model.resource import AKS, ARC, EXTENSIONS, FLUX_CONFIGURATIONS
from policyengine.model.values import JSON, is_array

Names: TypeAlias = Mapping[str, "Names"]
"""The members an object may have, and theirs; ``*`` is what stands under a name that a user chose."""

_ANY: Final = "*"


def _names(text: str, **inside: Names) -> Names:
    return {**{name: {} for name in text.split()}, **inside}


_ERROR: Final = _names("code message target details additionalInfo")
_TIMES: Final = "timeoutInSeconds syncIntervalInSeconds localAuthRef"
_OWNER: Final = _names("name namespace")
_SUBSTITUTES: Final = _names("kind name optional")

_EXTENSION: Final = _names(
    "extensionType autoUpgradeMode autoUpgradeMinorVersion releaseTrain version configurationSettings "
    "configurationProtectedSettings currentVersion provisioningState customLocationSettings packageUri extensionState "
    "isSystemExtension managementDetails",
    scope=_names("", cluster=_names("releaseNamespace"), namespace=_names("targetNamespace")),
    statuses=_names("code displayStatus level message time"),
    errorInfo=_ERROR,
    additionalDetails=_names("docs releaseNotes troubleshootingGuide"),
    aksAssignedIdentity=_names("principalId tenantId type objectId clientId url"),
)

_KUSTOMIZATION: Final = _names(
    "name path dependsOn timeoutInSeconds syncIntervalInSeconds retryIntervalInSeconds prune force wait",
    postBuild=_names("substitute", substituteFrom=_SUBSTITUTES),
)

_STATUS: Final = _names(
    "name namespace kind complianceState",
    appliedBy=_OWNER,
    statusConditions=_names("type status reason message lastTransitionTime"),
    helmReleaseProperties=_names(
        "lastRevisionApplied failureCount installFailureCount upgradeFailureCount", helmChartRef=_OWNER
    ),
)

_FLUX_CONFIGURATION: Final = _names(
    "scope namespace sourceKind suspend configurationProtectedSettings waitForReconciliation "
    "reconciliationWaitDuration repositoryPublicKey sourceSyncedCommitId sourceUpdatedAt statusUpdatedAt "
    "complianceState provisioningState errorMessage",
    gitRepository=_names(
        f"url {_TIMES} sshKnownHosts httpsUser httpsCACert provider",
        repositoryRef=_names("branch tag semver commit"),
    ),
    bucket=_names(f"url {_TIMES} bucketName insecure accessKey"),
    azureBlob=_names(
        f"url {_TIMES} containerName accountKey sasToken",
        servicePrincipal=_names(
            "clientId tenantId clientSecret clientCertificate clientCertificatePassword clientCertificateSendChain"
        ),
        managedIdentity=_names("clientId"),
    ),
    ociRepository=_names(
        f"url {_TIMES} insecure useWorkloadIdentity serviceAccountName",
        repositoryRef=_names("tag semver digest"),
        layerSelector=_names("mediaType operation"),
        verify=_names("provider verificationConfig", matchOidcIdentity=_names("issuer subject")),
        tlsConfig=_names("clientCertificate privateKey caCertificate"),
    ),
    kustomizations={_ANY: _KUSTOMIZATION},
    statuses=_STATUS,
)

_CONNECTED_CLUSTER: Final = _names(
    "connectivityStatus lastConnectivityTime managedIdentityCertificateExpirationTime privateLinkState "
    "privateLinkScopeResourceId kubernetesVersion agentVersion totalNodeCount totalCoreCount distribution "
    "distributionVersion infrastructure offering azureHybridBenefit provisioningState",
    arcAgentProfile=_names("agentAutoUpgrade desiredAgentVersion agentState"),
)

_MANAGED_CLUSTER: Final = _names(
    "currentKubernetesVersion nodeResourceGroup fqdn dnsPrefix provisioningState", powerState=_names("code")
)

PROPERTY_NAMES: Final[Mapping[str, Names]] = {
    AKS.casefold(): _MANAGED_CLUSTER,
    ARC.casefold(): _CONNECTED_CLUSTER,
    EXTENSIONS.casefold(): _EXTENSION,
    FLUX_CONFIGURATIONS.casefold(): _FLUX_CONFIGURATION,
}
"""By folded resource type, what stands under ``properties``."""


def known_paths(names: Names) -> Iterator[tuple[str, ...]]:
    """The way to each name, as far as no name on it is a user's."""
    for name, inside in names.items():
        if name != _ANY:
            yield (name,)
            yield from ((name, *rest) for rest in known_paths(inside))


def respelt(properties: JSON, type: str) -> JSON:
    """The ``properties`` of a resource of ``type`` with every name that is known in its own spelling."""
    return _respelt(properties, PROPERTY_NAMES.get(type.casefold(), {}))


def _respelt(value: JSON, names: Names) -> JSON:
    if not names:
        return value
    if is_array(value):
        return [_respelt(item, names) for item in value]
    if not isinstance(value, Mapping):
        return value
    if _ANY in names:
        return {key: _respelt(member, names[_ANY]) for key, member in value.items()}
    known = {name.casefold(): name for name in names}
    spelt = ((known.get(str(key).casefold()) or str(key), member) for key, member in value.items())
    return {name: _respelt(member, names.get(name, {})) for name, member in spelt}
