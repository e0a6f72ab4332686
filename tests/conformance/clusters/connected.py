"""Definitions about Arc-enabled clusters: their private link, and the extensions on them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from policyengine.model.resource import ARC
from tests.conformance.clusters.scenes import SUBSCRIPTION, Case, Scene, aks, arc, extension

SCOPES: Final = f"{SUBSCRIPTION}/resourceGroups/net/providers/Microsoft.HybridCompute/privateLinkScopes"
DEFENDER: Final = "microsoft.azuredefender.kubernetes"
EVERY: Final = "the rule speaks about every Arc cluster: beside the type it holds only what must be mended"


def extended(type: str, *outside: Scene, **parameters: Any) -> Case:
    """A definition that wants an extension of ``type`` that has been installed."""
    return Case(
        satisfied=(arc(extension(type)), arc(extension("microsoft.flux"), extension(type.upper()))),
        broken=(
            arc(),
            arc(extension("microsoft.flux")),
            arc(extension(type, "Failed")),
            arc(extension(type, "Creating")),
        ),
        outside=(aks(extension(type)), *outside),
        parameters=parameters,
        kinds=frozenset({ARC}),
    )


OFFLINE: Final = arc(connectivityStatus="Offline")
ON_AKS: Final = arc(distribution="AKS")  # AKS on premises, which brings its own
MANAGED: Final = tuple(arc(distribution=name) for name in ("aks", "aks_management", "eks", "GKE"))
MESH: Final = extended("microsoft.openservicemesh", OFFLINE, ExtensionVersion="1.2.3")
POLICY: Final = extended("microsoft.policyinsights", ON_AKS)

CASES: Final[Mapping[str, Case]] = {
    "government/ASC_Azure_Defender_Arc_Extension_Audit": extended(DEFENDER, OFFLINE, *MANAGED),
    "government/ASC_Azure_Defender_Arc_Extension_DINE": extended(DEFENDER, *MANAGED),
    "government/ArcOpenServiceMeshExtension": MESH,
    "government/ArcPolicyExtension_Audit": POLICY,
    "government/ArcPolicyExtension_DINE": POLICY,
    "public/ASC_Azure_Defender_Arc_Extension_Audit": extended(DEFENDER, *MANAGED),
    "public/ASC_Azure_Defender_Arc_Extension_DINE": extended(DEFENDER, *MANAGED),
    "public/ArcOpenServiceMeshExtension": MESH,
    "public/ArcPolicyExtension_Audit": POLICY,
    "public/ArcPolicyExtension_DINE": POLICY,
    "public/ArcStrimziKafkaExtension": extended(
        "microsoft.streamingforstrimzikafka", OFFLINE, ExtensionVersion="1.0.0"
    ),
    "public/Arc_KubernetesCluster_PrivateLinkEnabled_Deny": Case(
        satisfied=(arc(privateLinkScopeResourceId=f"{SCOPES}/edge"),),
        broken=(arc(), arc(privateLinkScopeResourceId=None)),
        outside=(aks(),),
        kinds=frozenset({ARC}),
        all_of_a_kind=EVERY,
    ),
    "public/Arc_KubernetesCluster_PrivateLinkEnabled_Modify": Case(
        satisfied=(arc(privateLinkScopeResourceId=f"{SCOPES}/edge"), arc(privateLinkScopeResourceId=f"{SCOPES}/EDGE")),
        broken=(arc(), arc(privateLinkScopeResourceId=f"{SCOPES}/another")),
        outside=(aks(),),
        parameters={"privateLinkScopeId": f"{SCOPES}/edge"},
        kinds=frozenset({ARC}),
        all_of_a_kind=EVERY,
    ),
}
