"""Definitions about one setting of an AKS cluster: read off the cluster itself, whatever the effect.

`audit` and `deny` are broken where `if` holds. Those that deploy look at the cluster again as their related resource.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from tests.conformance.clusters.scenes import Case, Scene, aks, arc

EVERY: Final = "the rule speaks about every AKS cluster: beside the type it holds only what must be mended"


def setting(satisfied: list[Scene], broken: list[Scene], **parameters: Any) -> Case:
    """A definition that speaks about every AKS cluster, and about no Arc cluster."""
    return Case(tuple(satisfied), tuple(broken), (arc(),), parameters, all_of_a_kind=EVERY)


def pools(*profiles: Mapping[str, Any]) -> Scene:
    """A cluster with these node pools."""
    named = [{"name": f"pool{number}", "count": 3, **profile} for number, profile in enumerate(profiles)]
    return aks(agentPoolProfiles=named)


def api_server(**profile: Any) -> Scene:
    return aks(apiServerAccessProfile=profile)


def security(**profile: Any) -> Scene:
    return aks(securityProfile=profile)


def upgrades(**profile: Any) -> Scene:
    return aks(autoUpgradeProfile=profile)


def storage(**drivers: bool) -> Scene:
    return aks(storageProfile={name: {"enabled": enabled} for name, enabled in drivers.items()})


POLICY_ADDON: Final = setting(
    [aks(addonProfiles={"azurepolicy": {"enabled": True}}), aks(addonProfiles={"azurePolicy": {"enabled": True}})],
    [aks(), aks(addonProfiles={}), aks(addonProfiles={"azurepolicy": {"enabled": False}})],
)
DEFENDER: Final = setting(
    [security(defender={"securityMonitoring": {"enabled": True}})],
    [aks(), security(), security(defender={"securityMonitoring": {"enabled": False}})],
)
IP_RANGES: Final = setting(
    [
        api_server(authorizedIPRanges=["203.0.113.0/24"]),
        api_server(authorizedIPRanges=[]),  # an empty list exists
        api_server(enablePrivateCluster=True),
    ],
    [aks(), api_server(enablePrivateCluster=False), api_server(authorizedIPRanges=None)],
)
POD_SECURITY: Final = setting(
    [aks(enablePodSecurityPolicy=True)],
    [aks(), aks(enablePodSecurityPolicy=False)],
    effect="Audit",  # deprecated, and off by default
)
RBAC: Final = setting([aks(enableRBAC=True), aks(enableRBAC=None)], [aks(enableRBAC=False)])
VERSION: Final = setting(
    [aks(kubernetesVersion=version) for version in ("1.31.2", "1.13.5", "1.12.7", "1.11.9", "1.100.0", None)],
    [aks(kubernetesVersion=version) for version in ("1.13.4", "1.12.0", "1.11.8", "1.10.13", "1.9.11", "1.0.1")],
)
RUN_COMMAND: Final = setting(
    [api_server(disableRunCommand=True), api_server(disableRunCommand="True")],
    [aks(), api_server(), api_server(disableRunCommand=False)],
)
IMAGE_CLEANER: Final = setting(
    [security(imageCleaner={"enabled": True, "intervalHours": 24})],
    [aks(), security(imageCleaner=None), security(imageCleaner={"enabled": False})],
)

CASES: Final[Mapping[str, Case]] = {
    "government/AKS_AzurePolicyAddOn_Audit": POLICY_ADDON,
    "government/AKS_AzurePolicyAddOn_DINE": POLICY_ADDON,
    "government/ASC_Azure_Defender_AKS_SecurityProfile_DINE": DEFENDER,
    "government/ASC_EnableIpRanges_KubernetesService_Audit": IP_RANGES,
    "government/ASC_EnablePSP_KubernetesService_Audit_Deprecated": POD_SECURITY,
    "government/ASC_EnableRBAC_KubernetesService_Audit": RBAC,
    "government/ASC_UpgradeVersion_KubernetesService_Audit": VERSION,
    "public/AKS_AAD_AdminGroup_DINE": Case(
        satisfied=(
            aks(aadProfile={"managed": True, "adminGroupObjectIDs": ["ops", "sre"]}),
            aks(aadProfile={"managed": True, "adminGroupObjectIDs": ["SRE", "ops"]}),
        ),
        broken=(
            aks(aadProfile={"managed": True}),
            aks(aadProfile={"managed": True, "adminGroupObjectIDs": ["ops"]}),
            aks(aadProfile={"managed": True, "adminGroupObjectIDs": ["ops", "sre", "all"]}),
            aks(aadProfile={"managed": True, "adminGroupObjectIDs": ["ops", "dev"]}),
        ),
        outside=(aks(), aks(aadProfile=None), arc()),
        parameters={"adminGroupObjectIDs": ["ops", "sre"]},
    ),
    "public/AKS_AAD_Integration_Audit": setting(
        [aks(aadProfile={"managed": True}), aks(aadProfile={})],  # an empty object exists
        [aks(), aks(aadProfile=None)],
    ),
    "public/AKS_Autoupgrade_Cluster_Audit": setting(
        [upgrades(upgradeChannel="stable"), upgrades(upgradeChannel="Rapid")],
        [aks(), upgrades(nodeOSUpgradeChannel="NodeImage"), upgrades(upgradeChannel="node-image")],
    ),
    "public/AKS_Autoupgrade_NodeOS_Audit": setting(
        [
            upgrades(nodeOSUpgradeChannel="SecurityPatch"),
            upgrades(upgradeChannel="node-image"),
            upgrades(upgradeChannel="node-image", nodeOSUpgradeChannel="None"),
        ],
        [aks(), upgrades(upgradeChannel="stable"), upgrades(upgradeChannel="stable", nodeOSUpgradeChannel="Unmanaged")],
    ),
    "public/AKS_Autoupgrade_NodeOS_DINE": setting(
        [upgrades(nodeOSUpgradeChannel="NodeImage"), upgrades(nodeOSUpgradeChannel="Unmanaged")],
        [aks(), upgrades(upgradeChannel="stable"), upgrades(nodeOSUpgradeChannel="None")],
    ),
    "public/AKS_AzurePolicyAddOn_Audit": POLICY_ADDON,
    "public/AKS_AzurePolicyAddOn_DINE": POLICY_ADDON,
    "public/AKS_CMK_Deny": setting(
        [aks(diskEncryptionSetID="/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/diskEncryptionSets/d")],
        [aks(), aks(diskEncryptionSetID="")],
    ),
    "public/AKS_CSI": setting(
        [aks(), storage(diskCSIDriver=True, fileCSIDriver=True, snapshotController=True)],
        [
            storage(diskCSIDriver=False),
            storage(fileCSIDriver=False),
            storage(diskCSIDriver=True, snapshotController=False),
        ],
    ),
    "public/AKS_DisableLocalAccounts_Deny": setting(
        [aks(disableLocalAccounts=True)], [aks(), aks(disableLocalAccounts=False)]
    ),
    "public/AKS_DisableRunCommand_Audit": RUN_COMMAND,
    "public/AKS_DisableRunCommand_DINE": RUN_COMMAND,
    "public/AKS_DisableSSH_Audit": setting(
        [pools({"securityProfile": {"sshAccess": "Disabled"}}), pools(), aks(agentPoolProfiles=None)],
        [
            pools({}),
            pools({"securityProfile": {"sshAccess": "LocalUser"}}),
            pools({"securityProfile": {"sshAccess": "Disabled"}}, {"securityProfile": {}}),
        ],
    ),
    "public/AKS_EnableCNI": setting(
        [aks(), aks(networkProfile={"networkPlugin": "Azure"})],
        [aks(networkProfile={"networkPlugin": "kubenet"}), aks(networkProfile=None)],
    ),
    "public/AKS_EnableKMS": setting(
        [security(azureKeyVaultKms={"enabled": True, "keyId": "https://kv.vault.azure.net/keys/etcd/1"})],
        [aks(), security(azureKeyVaultKms={"enabled": False})],
    ),
    "public/AKS_EncryptionAtHost_Deny": setting(
        [pools({"enableEncryptionAtHost": True}, {"enableEncryptionAtHost": True}), pools()],
        [pools({}), pools({"enableEncryptionAtHost": True}, {"enableEncryptionAtHost": False})],
    ),
    "public/AKS_ImageCleaner_Audit": IMAGE_CLEANER,
    "public/AKS_ImageCleaner_DINE": IMAGE_CLEANER,
    "public/AKS_ImageIntegrity_DINE": setting(
        [security(imageIntegrity={"enabled": True})], [aks(), security(imageIntegrity={"enabled": False})]
    ),
    "public/AKS_MSI_Audit": setting(
        [aks(), aks(servicePrincipalProfile=None), aks(servicePrincipalProfile={"clientId": "MSI"})],
        [aks(servicePrincipalProfile={"clientId": "11111111-2222-3333-4444-555555555555"})],
    ),
    "public/AKS_PrivateCluster_Deny": setting(
        [api_server(enablePrivateCluster=True)], [aks(), api_server(enablePrivateCluster=False)]
    ),
    "public/AKS_WorkloadIdentity_Audit": setting(
        [security(workloadIdentity={"enabled": True})], [aks(), security(workloadIdentity={"enabled": False})]
    ),
    "public/ASC_Azure_Defender_AKS_SecurityProfile_Audit": DEFENDER,
    "public/ASC_Azure_Defender_AKS_SecurityProfile_DINE": DEFENDER,
    "public/ASC_EnableIpRanges_KubernetesService_Audit": IP_RANGES,
    "public/ASC_EnablePSP_KubernetesService_Audit_Deprecated": POD_SECURITY,
    "public/ASC_EnableRBAC_KubernetesService_Audit": RBAC,
    "public/ASC_UpgradeVersion_KubernetesService_Audit": VERSION,
    "public/ContainerService_managedclusters_ZoneRedundant_Audit": setting(
        [pools({"availabilityZones": ["1", "2", "3"]}), pools()],
        [
            pools({}),
            pools({"availabilityZones": ["1", "2"]}),
            pools({"availabilityZones": ["1", "2", "3"], "count": 2}),
            pools({"availabilityZones": ["1", "2", "3"]}, {"availabilityZones": []}),
        ],
    ),
}
