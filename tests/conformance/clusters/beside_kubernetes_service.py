"""Definitions that look beside an AKS cluster: at its extensions, its diagnostic settings, its backup, its fleet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from policyengine.model.resource import Resource
from tests.conformance.clusters.kubernetes_service import setting
from tests.conformance.clusters.scenes import (
    DIAGNOSTICS,
    SUBSCRIPTION,
    Case,
    Scene,
    aks,
    arc,
    child,
    extension,
    in_group,
    on_cluster,
)

BACKUP: Final = "microsoft.dataprotection.kubernetes"
BACKED_UP: Final = in_group("Microsoft.DataProtection/backupInstances", "web-01")
ELSEWHERE: Final = f"{SUBSCRIPTION}/resourceGroups/elsewhere"
STORAGE: Final = {
    "location": "westeurope",
    "storageAccountId": f"{ELSEWHERE}/providers/Microsoft.Storage/storageAccounts/st",
}

MEMBERSHIP: Final = "Microsoft.ContainerService/fleetMemberships"
MEMBER: Final = in_group(MEMBERSHIP, "default")
FLEET: Final = {"fleet-subscription-id": "s", "fleet-resource-group": "g", "fleet-name": "f"}
HUB: Final[Mapping[str, Any]] = {"name": "hub", "group": f"{SUBSCRIPTION}/resourceGroups/FL_fleet_1"}

WORKSPACE: Final = f"{ELSEWHERE}/providers/Microsoft.OperationalInsights/workspaces/logs"
CATEGORIES: Final = (
    *("kube-apiserver", "kube-audit", "kube-audit-admin", "kube-controller-manager", "kube-scheduler"),
    *("cluster-autoscaler", "cloud-controller-manager", "guard"),
    *("csi-azuredisk-controller", "csi-azurefile-controller", "csi-snapshot-controller"),
)
WINDOW: Final = {
    "schedule": {"weekly": {"intervalWeeks": 1, "dayOfWeek": "Sunday"}},
    "durationHours": 4,
    "startTime": "02:00",
}


def diagnostics(**properties: Any) -> Resource:
    return on_cluster(DIAGNOSTICS, "audit", **properties)


def to_workspace(**changed: Any) -> Resource:
    """The diagnostic setting that the definition for Log Analytics asks for."""
    logs = [{"category": category, "enabled": True} for category in CATEGORIES]
    metrics = [{"category": "AllMetrics", "enabled": True}]
    return diagnostics(**{"workspaceId": WORKSPACE, "logs": logs, "metrics": metrics, **changed})


def archived(days: int, *, enabled: bool = True, account: str | None = STORAGE["storageAccountId"]) -> Scene:
    """A setting with one log that goes to a storage account, where it is kept for so many days."""
    log = {"enabled": enabled, "retentionPolicy": {"enabled": True, "days": days}}
    return aks(diagnostics(logs=[log], storageAccountId=account))


def assessed(name: str, code: str) -> Resource:
    return in_group("Microsoft.Security/assessments", name, status={"code": code})


def assessment(name: str, **parameters: Any) -> Case:
    return setting(
        [aks(assessed(name, "Healthy")), aks(assessed(name, "NotApplicable")), aks(assessed(name.upper(), "healthy"))],
        [aks(), aks(assessed(name, "Unhealthy")), aks(assessed("another", "Healthy"))],
        **parameters,
    )


CASES: Final[Mapping[str, Case]] = {
    "public/AKS_Autojoin_Fleet_Manager_DINE": Case(
        satisfied=(
            aks(MEMBER),
            aks(MEMBER, identity={"type": "UserAssigned"}, tags={"no-fleet": "false"}),
            aks(MEMBER, name="hub"),
        ),
        broken=(aks(), aks(in_group(MEMBERSHIP, "another")), aks(in_group(MEMBERSHIP, "default", ELSEWHERE))),
        outside=(
            arc(MEMBER),
            aks(tags={"no-fleet": "True"}),
            aks(identity={"type": "None"}),
            aks(identity=None),
            aks(**HUB),
        ),
        parameters={**FLEET, "skip-cluster-tag": "no-fleet"},
    ),
    "public/AKS_Detect_Non_Fleet_Manager_Member_Audit": Case(
        satisfied=(aks(MEMBER), aks(MEMBER, identity=None)),
        broken=(aks(), aks(identity=None), aks(in_group(MEMBERSHIP, "another")), aks(tags={"no-fleet": "false"})),
        outside=(arc(MEMBER), aks(tags={"no-fleet": "true"}), aks(MEMBER, **HUB)),
        parameters={"skip-cluster-tag": "no-fleet"},
    ),
    "public/AKS_Maintenance_DINE": setting(
        [aks(child("maintenanceConfigurations", "aksManagedNodeOSUpgradeSchedule", maintenanceWindow={}))],
        [aks(), aks(child("maintenanceConfigurations", "default"))],
        configurationType="aksManagedNodeOSUpgradeSchedule",
        maintenanceWindow={"properties": {"maintenanceWindow": WINDOW}},
    ),
    "public/AuditDiagnosticLog_Audit": setting(
        [
            archived(365),
            archived(400),
            archived(0),  # for ever
            archived(30, account=None),  # goes elsewhere, where other rules hold
            aks(diagnostics(logs=[{"enabled": True}])),
            aks(diagnostics(logs=[{"enabled": False}, {"enabled": True}])),
            aks(diagnostics(logs=[]), on_cluster(DIAGNOSTICS, "more", logs=[{"enabled": True}])),
        ],
        [
            aks(),
            archived(30),
            archived(90),
            archived(365, enabled=False),
            aks(diagnostics(logs=[])),
            aks(diagnostics(logs=[{"enabled": False}])),
        ],
    ),
    "public/DataConnectorsAzureKubernetes_DINE": setting(
        [
            aks(to_workspace()),
            aks(to_workspace(workspaceId=WORKSPACE.upper())),
            aks(
                diagnostics(workspaceId="another"),
                on_cluster(DIAGNOSTICS, "all", **to_workspace().document["properties"]),
            ),
        ],
        [
            aks(),
            aks(to_workspace(workspaceId="another")),
            aks(to_workspace(metrics=[])),
            aks(to_workspace(logs=[{"category": category, "enabled": True} for category in CATEGORIES[1:]])),
            aks(to_workspace(logs=[{"category": category, "enabled": False} for category in CATEGORIES])),
        ],
        logAnalytics=WORKSPACE,
    ),
    "public/Kubernetes_EnableAzureBackup_Audit": setting(
        [aks(BACKED_UP)], [aks(), aks(in_group("Microsoft.DataProtection/backupInstances", "web-01", ELSEWHERE))]
    ),
    "public/Kubernetes_InstallAzureBackupExtensionWithTag_DINE": Case(
        satisfied=(
            aks(extension(BACKUP), tags={"backup": "yes"}),
            aks(extension(BACKUP, "Failed"), tags={"Backup": "YES"}),
        ),
        broken=(aks(tags={"backup": "always"}), aks(extension("microsoft.flux"), tags={"backup": "yes"})),
        outside=(
            aks(),
            aks(tags={"backup": "no"}),
            aks(tags={"backup": "yes"}, location="norwayeast"),
            arc(tags={"backup": "yes"}),
        ),
        parameters={**STORAGE, "inclusionTagName": "backup", "inclusionTagValues": ["yes", "always"]},
    ),
    "public/Kubernetes_InstallAzureBackupExtensionWithoutTag_DINE": Case(
        satisfied=(aks(extension(BACKUP)), aks(extension(BACKUP), tags={"backup": "yes"})),
        broken=(aks(), aks(tags={"backup": "yes"}), aks(extension("microsoft.flux"))),
        outside=(aks(tags={"backup": "no"}), aks(location="norwayeast"), arc()),
        parameters={**STORAGE, "exclusionTagName": "backup", "exclusionTagValues": ["no", "never"]},
    ),
    "public/Kubernetes_InstallAzureBackupExtension_Audit": setting(
        [aks(extension(BACKUP)), aks(extension(BACKUP.upper()))],
        [aks(), aks(extension(BACKUP, "Failed")), aks(extension("microsoft.flux"))],
    ),
    "public/ASC_KuberenetesRuningImagesVulnerabilityAssessment_Audit": assessment(
        "41503391-efa5-47ee-9282-4eff6131462c",
        effect="AuditIfNotExists",  # deprecated, and off by default
    ),
    "public/MDC_K8sRuningImagesVulnerabilityAssessmentBasedOnMDVM_Audit": assessment(
        "c609cf0f-71ab-41e9-a3c6-9a1f7fe1b8d5"
    ),
}
