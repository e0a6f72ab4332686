"""Rows of Resource Graph → the documents that Resource Manager would have given. Pure.

Source: configuration API §9; Azure Resource Graph, tables and columns.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from policyengine.errors import InventoryError
from policyengine.model.ids import ResourceId
from policyengine.model.property_names import respelt
from policyengine.model.resource import AKS, ARC, EXTENSIONS, FLUX_CONFIGURATIONS
from policyengine.model.values import JSON, get_folded

Document = Mapping[str, JSON]

# What the table adds to a resource: parts of its id, and where it was found.
_ADDED: Final = frozenset({"subscriptionid", "resourcegroup", "apiversion"})
_TENANT: Final = "tenantid"
_TYPES: Final = {type.casefold(): type for type in (AKS, ARC, EXTENSIONS, FLUX_CONFIGURATIONS)}


def resource_document(row: Document) -> Document:
    """A cluster, extension or configuration, types and property names spelt as Resource Manager spells them.

    Columns that say nothing are left out: a table has every column for every row. Raises InventoryError for a row
    without a usable id.
    """
    id = id_of(row)
    document = {key: value for key, value in row.items() if _says_something(key, value)}
    properties = respelt(get_folded(row, "properties"), id.type)
    named = {"id": id.text, "name": id.name, "type": _TYPES.get(id.type.casefold(), id.type)}
    return {**document, **named, **({"properties": properties} if properties is not None else {})}


def container_document(row: Document) -> Document:
    """A subscription, resource group or management group; a subscription's name is for people, its id is not."""
    id = id_of(row)
    if len(id.segments) == 2 and id.subscription is not None:
        return {**row, "subscriptionId": id.subscription}
    return row


def id_of(row: Document) -> ResourceId:
    text = get_folded(row, "id")
    try:
        return ResourceId(text if isinstance(text, str) else "")
    except ValueError as error:
        raise InventoryError(f"Resource Graph gave a row that cannot be used: {error}") from error


def _says_something(key: str, value: JSON) -> bool:
    return key.casefold() not in _ADDED | {_TENANT} and value not in (None, "")
