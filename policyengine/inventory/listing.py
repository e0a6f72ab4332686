"""Lists of Resource Manager, and the versions in which things are read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from policyengine.errors import ArmError, ArmNotFound, InventoryError, PolicyEngineError
from policyengine.inventory.related_types import CLUSTER_VERSIONS
from policyengine.model.ids import ResourceId
from policyengine.model.resource import EXTENSIONS, FLUX_CONFIGURATIONS, Resource
from policyengine.model.values import JSON

if TYPE_CHECKING:
    from policyengine.arm.client import ArmClient

Document = Mapping[str, JSON]

API_VERSIONS: Final[Mapping[str, str]] = {
    "subscriptions": "2022-12-01",
    "resourceGroups": "2021-04-01",
    "managementGroups": "2020-05-01",
    **CLUSTER_VERSIONS,
    EXTENSIONS: "2024-11-01",
    FLUX_CONFIGURATIONS: "2024-11-01",
}
"""What each type is read with."""

_VERSIONS: Final = {type.casefold(): version for type, version in API_VERSIONS.items()}
# A provider that was never registered has no resources: that is an empty list, not a failure.
_NO_PROVIDER: Final = frozenset({"missingsubscriptionregistration", "subscriptionnotregistered"})


def version_of(type: str, otherwise: str | None = None) -> str:
    """What ``type``, without regard to case, is read with, as another version would show other members.

    ``otherwise`` is for a type that the inventory does not read; without it, that is a KeyError.
    """
    known = type.casefold()
    return _VERSIONS[known] if otherwise is None else _VERSIONS.get(known, otherwise)


async def list_documents(arm: ArmClient, path: str, api_version: str) -> list[Document]:
    """All members of a collection. Raises ArmError, InventoryError for a member without a usable id."""
    try:
        documents = [document async for document in arm.list(path, api_version)]
    except ArmError as error:
        if (error.code or "").casefold() in _NO_PROVIDER:
            return []
        raise
    for document in documents:
        try:
            Resource.from_document(document)
        except ValueError as error:
            raise InventoryError(f"GET {path} lists a document that cannot be used: {error}") from error
    return documents


async def is_gone(arm: ArmClient, cluster: ResourceId) -> bool:
    """True when the cluster itself was deleted; a 404 below it alone says no such thing."""
    try:
        await arm.get(cluster.text, version_of(cluster.type))
    except ArmNotFound:
        return True
    except PolicyEngineError:
        return False
    return False
