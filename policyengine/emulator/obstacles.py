"""What keeps an extension from being installed on a cluster, apart from its simulation.

G-numbers are the statements of the GitOps behaviour reference.
"""

from __future__ import annotations

from typing import Final

from policyengine.emulator.settings import Settings
from policyengine.emulator.source_control_rules import SOURCE_CONTROL_CONFIGURATIONS
from policyengine.emulator.source_controller import is_private
from policyengine.emulator.state import FLUX_EXTENSION, EmulatedCluster, Record
from policyengine.model.values import walk

PRIVATE_LINK_TYPES: Final = frozenset(
    {FLUX_EXTENSION, "microsoft.azuremonitor.containers", "microsoft.azuremonitor.containers.metrics"}
)
"""The extension types that work end to end behind a private link (G45)."""


def obstacle(cluster: EmulatedCluster, record: Record, settings: Settings) -> str | None:
    """Why the installation of ``record`` fails; None when nothing is in its way."""
    if settings.private_link_refuses and lacks_private_link(cluster, record):
        return f"the extension type '{record.extension_type}' does not support private link"
    if record.extension_type != FLUX_EXTENSION:
        return None
    legacy = (
        [found.name for found in cluster.of_type(SOURCE_CONTROL_CONFIGURATIONS)]
        if settings.flux_v1_blocks_install
        else []
    )
    if legacy:
        return (
            "Flux v2 cannot be installed while Flux v1 configurations exist on the cluster: "
            f"delete the sourceControlConfigurations {', '.join(legacy)} first"
        )
    if not cluster.is_arc and not settings.aks_extension_manager:
        return "the feature 'Microsoft.ContainerService/AKS-ExtensionManager' is not registered"
    if _has_service_principal(cluster):
        return "the cluster uses a service principal: extensions need a cluster with a managed identity (MSI)"
    return None


def lacks_private_link(cluster: EmulatedCluster, record: Record) -> bool:
    return is_private(cluster) and record.extension_type not in PRIVATE_LINK_TYPES


def _has_service_principal(cluster: EmulatedCluster) -> bool:
    """As its simulation says, or its document: a client id that is not `msi` (G13)."""
    if cluster.is_arc or cluster.simulation.service_principal:
        return not cluster.is_arc
    client = str(walk(cluster.document, "properties", "servicePrincipalProfile", "clientId") or "msi")
    return client.casefold() != "msi"
