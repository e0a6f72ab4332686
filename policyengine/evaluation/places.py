"""What `resourceGroup()`, `subscription()` and `requestContext()` give back. Source: policy language §5.4."""

from __future__ import annotations

from policyengine.errors import ExpressionError
from policyengine.model.ids import ResourceId
from policyengine.model.resource import AKS, ARC, EXTENSIONS, FLUX_CONFIGURATIONS, Resource
from policyengine.model.scope import ScopeTree
from policyengine.model.values import JSON, get_folded

LATEST_API_VERSIONS = {
    AKS.casefold(): "2026-08-01",
    ARC.casefold(): "2026-05-01",
    EXTENSIONS.casefold(): "2025-03-01",
    FLUX_CONFIGURATIONS.casefold(): "2025-04-01",
}
"""What a scan answers when a rule asks for the request's API version. Source: configuration API §1."""


def api_version(resource: Resource) -> str | None:
    """The version the document says it was read with, else the latest of its type, else None."""
    written = get_folded(resource.document, "apiVersion")
    return written if isinstance(written, str) else LATEST_API_VERSIONS.get(resource.type.casefold())


def resource_group_value(id: ResourceId, tree: ScopeTree) -> dict[str, JSON]:
    """The group ``id`` stands in. What the tree does not know is null. Raises ExpressionError outside any group."""
    if id.subscription is None or id.resource_group is None:
        raise ExpressionError(f"`resourceGroup()` has no answer: `{id}` is not in a resource group")
    known = tree.resource_group(id)
    return {
        "id": f"/subscriptions/{id.subscription}/resourceGroups/{id.resource_group}",
        "name": known.name if known else id.resource_group,
        "type": "Microsoft.Resources/resourceGroups",
        "location": known.location if known else None,
        "managedBy": None,
        "tags": dict(known.tags) if known else {},
        "properties": {"provisioningState": "Succeeded"},
    }


def subscription_value(id: ResourceId, tree: ScopeTree) -> dict[str, JSON]:
    """The subscription ``id`` stands in. Raises ExpressionError above subscriptions."""
    if id.subscription is None:
        raise ExpressionError(f"`subscription()` has no answer: `{id}` is not in a subscription")
    known = tree.subscription(id.subscription)
    return {
        "id": f"/subscriptions/{id.subscription}",
        "subscriptionId": id.subscription,
        "displayName": known.display_name if known else None,
        "tenantId": known.tenant_id if known else None,
        "tags": dict(known.tags) if known else {},
    }
