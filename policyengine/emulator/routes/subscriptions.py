"""Subscriptions and tenants. Source: configuration API §10."""

from __future__ import annotations

import uuid
from typing import Final

from policyengine.emulator.answers import Answer, ArmRequest, Refusal
from policyengine.emulator.emulator import Emulator
from policyengine.emulator.paging import page
from policyengine.emulator.routing import Route
from policyengine.model.scope import Subscription
from policyengine.model.values import JSON

DEFAULT_TENANT: Final = "72f988bf-0000-4000-8000-2d7cd011db47"
"""The tenant of subscriptions that name none."""


def find_subscription(emulator: Emulator, request: ArmRequest) -> Subscription:
    """The subscription in the path, or the refusal it deserves. One that exists need not be a GUID."""
    wanted = request["subscription"]
    found = emulator.state.tree.subscription(wanted)
    if found is not None:
        return found
    try:
        uuid.UUID(wanted)
    except ValueError:
        raise Refusal(
            400,
            "InvalidSubscriptionId",
            f"The provided subscription identifier '{wanted}' is malformed or invalid.",
        ) from None
    raise Refusal(404, "SubscriptionNotFound", f"The subscription '{wanted}' could not be found.")


def tenant_of(emulator: Emulator) -> str:
    return next((s.tenant_id for s in emulator.state.tree.subscriptions if s.tenant_id), DEFAULT_TENANT)


def _list(emulator: Emulator, request: ArmRequest) -> Answer:
    known = sorted(emulator.state.tree.subscriptions, key=lambda s: s.id)
    found = [s for s in known if request.caller.sees(s.id)]
    return page(request, [document_of(s) for s in found], emulator.settings.page_size)


def _get(emulator: Emulator, request: ArmRequest) -> Answer:
    return Answer(200, document_of(find_subscription(emulator, request)))


def _tenants(emulator: Emulator, request: ArmRequest) -> Answer:
    tenants = sorted({s.tenant_id or DEFAULT_TENANT for s in emulator.state.tree.subscriptions} or {DEFAULT_TENANT})
    values = [{"id": f"/tenants/{tenant}", "tenantId": tenant, "tenantCategory": "Home"} for tenant in tenants]
    return page(request, values, emulator.settings.page_size)


def document_of(subscription: Subscription) -> dict[str, JSON]:
    return {
        "id": subscription.id.text,
        "subscriptionId": subscription.subscription_id,
        "displayName": subscription.display_name,
        "state": "Enabled",
        "tenantId": subscription.tenant_id or DEFAULT_TENANT,
        "subscriptionPolicies": {
            "locationPlacementId": "Public_2014-09-01",
            "quotaId": "EnterpriseAgreement_2014-09-01",
            "spendingLimit": "Off",
        },
        "authorizationSource": "RoleBased",
        "tags": dict(subscription.tags),
    }


ROUTES: Final = (
    Route("/subscriptions", {"GET": _list}),
    Route("/subscriptions/{subscription}", {"GET": _get}),
    Route("/tenants", {"GET": _tenants}),
)
