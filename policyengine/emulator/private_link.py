"""Private link scopes: an Arc cluster joins one of its own region, and leaves it again (G45).

What works behind one is the affair of the installation and of the sources.
Source: GitOps behaviour G45; configuration API §8 (`privateLinkState`, `privateLinkScopeResourceId`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from policyengine.emulator.residency import short_name
from policyengine.emulator.state import EmulatedCluster
from policyengine.errors import ConfigError
from policyengine.model.values import JSON

PRIVATE_LINK_SCOPES: Final = "Microsoft.HybridCompute/privateLinkScopes"


def join_scope(cluster: EmulatedCluster, scope: Mapping[str, JSON]) -> None:
    """From now on the cluster is behind ``scope``. Raises ConfigError and changes nothing where that cannot be."""
    if not cluster.is_arc:
        raise ConfigError(f"`{cluster.id.name}` is no Arc cluster: only those join a private link scope")
    region = str(scope.get("location") or "")
    if short_name(region) != short_name(cluster.location):
        raise ConfigError(
            f"the private link scope is in `{region}` and `{cluster.id.name}` in `{cluster.location}`",
            help="make a scope in the region of the cluster",
        )
    cluster.document["properties"].update(privateLinkState="Enabled", privateLinkScopeResourceId=scope["id"])


def leave_scope(cluster: EmulatedCluster) -> None:
    cluster.document["properties"]["privateLinkState"] = "Disabled"
    cluster.document["properties"].pop("privateLinkScopeResourceId", None)
