"""How resources that hang on clusters are read, by type. Extensions and Flux configurations every inventory reads.

Child types of a cluster need no entry: they are listed below it, with the version of its own type.
Source: the REST references of the providers named, versions as of 2026; configuration API §9 for the tables.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from policyengine.model.ids import ResourceId
from policyengine.model.resource import AKS, ARC

CLUSTER_VERSIONS: Final[Mapping[str, str]] = {AKS: "2026-06-01", ARC: "2024-01-01"}


@dataclass(frozen=True, slots=True)
class Listing:
    """``table`` of Resource Graph has the type. ``only``: a cluster has at most one, of that name, and there is no list
    of them.

    ``elsewhere``: the list is of resources that are kept somewhere else, whose ids do not say on what they hang.
    """

    api_version: str
    table: str | None = None
    only: str | None = None
    elsewhere: bool = False


EXTENSION_LISTINGS: Final[Mapping[str, Listing]] = {
    "Microsoft.Authorization/locks": Listing("2020-05-01"),
    "Microsoft.Authorization/roleAssignments": Listing("2022-04-01"),
    "Microsoft.ContainerService/fleetMemberships": Listing("2024-04-01", only="default"),
    "Microsoft.DataProtection/backupInstances": Listing("2024-04-01", elsewhere=True),
    "Microsoft.Insights/dataCollectionRuleAssociations": Listing("2022-06-01"),
    "Microsoft.Insights/diagnosticSettings": Listing("2021-05-01-preview"),
    "Microsoft.KubernetesConfiguration/sourceControlConfigurations": Listing(
        "2023-05-01", table="kubernetesconfigurationresources"
    ),
    "Microsoft.Maintenance/configurationAssignments": Listing("2023-04-01"),
    "Microsoft.Security/assessments": Listing("2021-06-01", table="securityresources"),
}
"""Types that hang on a cluster of any kind."""

_BY_TYPE: Final = {type.casefold(): listing for type, listing in EXTENSION_LISTINGS.items()}


def listing_of(type: str) -> Listing | None:
    """None for what does not hang on clusters, or not as far as we know."""
    known = _BY_TYPE.get(type.casefold())
    if known is not None:
        return known
    for cluster_type, version in CLUSTER_VERSIONS.items():
        head, slash, tail = type.casefold().partition(f"{cluster_type}/".casefold())
        if slash and not head and tail and "/" not in tail:
            return Listing(version)
    return None


def hangs_on(type: str, cluster: ResourceId) -> bool:
    """Whether clusters of that kind may have such a thing at all: only of their own have they children."""
    if type.casefold() in _BY_TYPE:
        return True
    return listing_of(type) is not None and type.casefold().startswith(cluster.type.casefold() + "/")


def collection(type: str, cluster: ResourceId) -> str:
    """The path of the list of all of ``type`` on the cluster."""
    if type.casefold().startswith(cluster.type.casefold() + "/"):
        return f"{cluster}/{type.rpartition('/')[2]}"
    return f"{cluster}/providers/{type}"
