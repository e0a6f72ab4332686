"""The little that is known of resource types which are only stored: what the service adds, and what it never tells.

Everything else of such a resource is kept as it was written.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from policyengine.emulator.identifiers import digest_of
from policyengine.emulator.private_link import PRIVATE_LINK_SCOPES
from policyengine.model.ids import ResourceId
from policyengine.model.values import JSON, get_folded

Path: TypeAlias = tuple[str, ...]

VAULT_SECRETS: Final = "Microsoft.KeyVault/vaults/secrets"
FLEET_MEMBERS: Final = "microsoft.containerservice/fleets/members"
FLEET_MEMBERSHIPS: Final = "Microsoft.ContainerService/fleetMemberships"
WORKSPACES: Final = "Microsoft.OperationalInsights/workspaces"
_VAULT_BACKUPS: Final = "Microsoft.DataProtection/backupVaults/backupInstances"
ON_CLUSTERS: Final = frozenset(
    {
        "microsoft.authorization/locks",
        "microsoft.authorization/roleassignments",
        "microsoft.containerservice/fleetmemberships",
        "microsoft.containerservice/managedclusters/agentpools",
        "microsoft.containerservice/managedclusters/maintenanceconfigurations",
        "microsoft.containerservice/managedclusters/privateendpointconnections",
        "microsoft.containerservice/managedclusters/trustedaccessrolebindings",
        "microsoft.dataprotection/backupinstances",
        "microsoft.insights/datacollectionruleassociations",
        "microsoft.insights/diagnosticsettings",
        "microsoft.maintenance/configurationassignments",
        "microsoft.security/assessments",
    }
)
"""Folded types that hang on clusters: where there is none, the list is empty. Of others nobody can say."""
_SHOWN_ELSEWHERE: Final[Mapping[str, tuple[str, Path]]] = {
    "microsoft.dataprotection/backupinstances": (_VAULT_BACKUPS, ("dataSourceInfo", "resourceID")),
}
"""Types that are listed on a resource and kept elsewhere: as what, and which property names the resource."""
_SECRET_MEMBERS: Final[Mapping[str, frozenset[str]]] = {VAULT_SECRETS.casefold(): frozenset({"value"})}
_ADDED: Final[Mapping[str, Callable[[ResourceId], Mapping[str, JSON]]]] = {
    WORKSPACES.casefold(): lambda at: {"customerId": _guid(at, "customer")},
    PRIVATE_LINK_SCOPES.casefold(): lambda at: {"privateLinkScopeId": _guid(at, "scope")},
    "microsoft.authorization/roleassignments": lambda at: {"scope": str(at.parent or "/")},
    "microsoft.storage/storageaccounts": lambda at: {
        "primaryEndpoints": {"blob": f"https://{at.name.casefold()}.blob.core.windows.net/"}
    },
    "microsoft.managedidentity/userassignedidentities": lambda at: {
        "principalId": _guid(at, "principal"),
        "clientId": _guid(at, "client"),
    },
}


def secret_members(type: str) -> frozenset[str]:
    """Folded names of the properties that are written and never told again."""
    return _SECRET_MEMBERS.get(type.casefold(), frozenset())


def added_by_service(id: ResourceId) -> Mapping[str, JSON]:
    """Properties that the service sets, the same for the same id."""
    add = _ADDED.get(id.type.casefold())
    return add(id) if add is not None else {}


def brought_along(id: ResourceId, properties: Mapping[str, JSON]) -> dict[str, JSON] | None:
    """What the service makes elsewhere when ``id`` is written: a member of a fleet is told of on its cluster.

    Source: the existence condition of the built-in that joins clusters to a fleet.
    """
    if id.type.casefold() != FLEET_MEMBERS:
        return None
    try:
        cluster = ResourceId(str(get_folded(properties, "clusterResourceId")))
    except ValueError:
        return None
    membership = cluster.extension(FLEET_MEMBERSHIPS, "default")
    return {
        "id": membership.text,
        "name": membership.name,
        "type": FLEET_MEMBERSHIPS,
        "properties": {"memberId": id.text, "provisioningState": "Succeeded"},
    }


def kept_elsewhere(type: str) -> tuple[str, Path] | None:
    """As what type the resources are kept that a list of ``type`` shows, and the property that says on what."""
    return _SHOWN_ELSEWHERE.get(type.casefold())


def shown(document: Mapping[str, JSON]) -> dict[str, JSON]:
    """The document as a GET tells it."""
    secret = secret_members(str(document["type"]))
    if not secret:
        return dict(document)
    properties = {name: value for name, value in document["properties"].items() if name.casefold() not in secret}
    return {**document, "properties": properties}


def keys_of(document: Mapping[str, JSON]) -> dict[str, JSON]:
    """What `listKeys` gives: pretended keys that depend on the id alone, in the shapes of workspace and storage."""
    first, second = (digest_of(str(document["id"]).casefold(), which) for which in ("key1", "key2"))
    return {
        "primarySharedKey": first,
        "secondarySharedKey": second,
        "keys": [
            {"keyName": name, "value": value, "permissions": "FULL"}
            for name, value in (("key1", first), ("key2", second))
        ],
    }


def secret_value(document: Mapping[str, JSON]) -> str | None:
    """The value of a stored Key Vault secret."""
    value = get_folded(document.get("properties") or {}, "value")
    return None if value is None else str(value)


def _guid(id: ResourceId, what: str) -> str:
    return str(uuid.UUID(digest_of(id.key, what)[:32]))
