"""How a document becomes a row: the columns and the casing of Resource Graph.

Types and groups are in lower case, ids as stored; properties of extensions begin with a capital, those of other
resources do not. Source: configuration API, "Resource Graph"; that there is `systemData` is what published queries
read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from policyengine.emulator.emulator import Emulator
from policyengine.emulator.routes.subscriptions import DEFAULT_TENANT, tenant_of
from policyengine.model.ids import ResourceId
from policyengine.model.resource import EXTENSIONS
from policyengine.model.values import JSON, get_folded

COLUMNS: Final = (
    *("id", "name", "type", "tenantId", "kind", "location", "resourceGroup", "subscriptionId", "managedBy", "sku"),
    *("plan", "properties", "tags", "identity", "zones", "extendedLocation", "systemData"),
)
_TEXTS: Final = ("kind", "location", "managedBy")
_DYNAMIC: Final = ("sku", "plan", "tags", "identity", "zones", "extendedLocation", "systemData")


def resource_row(document: Mapping[str, JSON], emulator: Emulator) -> dict[str, JSON]:
    id = ResourceId(str(document["id"]))
    row: dict[str, JSON] = dict.fromkeys(COLUMNS)
    row.update({name: str(get_folded(document, name) or "") for name in _TEXTS})
    row.update({name: get_folded(document, name) for name in _DYNAMIC})
    row.update(
        id=id.text,
        name=str(document["name"]),
        type=str(document["type"]).casefold(),
        tenantId=_tenant(emulator, id),
        resourceGroup=(id.resource_group or "").casefold(),
        subscriptionId=id.subscription or "",
        properties=document.get("properties"),
    )
    return row


def configuration_row(document: Mapping[str, JSON], emulator: Emulator) -> dict[str, JSON]:
    row = resource_row(document, emulator)
    if str(document["type"]).casefold() == EXTENSIONS.casefold():
        row["properties"] = {name[:1].upper() + name[1:]: value for name, value in document["properties"].items()}
    return row


def _tenant(emulator: Emulator, id: ResourceId) -> str:
    subscription = emulator.state.tree.subscription(id.subscription)
    return (subscription.tenant_id if subscription else tenant_of(emulator)) or DEFAULT_TENANT
