"""Resource groups: list and get. Source: configuration API §10."""

from __future__ import annotations

from typing import Final

from policyengine.emulator.answers import Answer, ArmRequest, Refusal
from policyengine.emulator.emulator import Emulator
from policyengine.emulator.paging import page
from policyengine.emulator.routes.subscriptions import find_subscription
from policyengine.emulator.routing import Route
from policyengine.model.ids import ResourceId
from policyengine.model.scope import ResourceGroup
from policyengine.model.values import JSON


def find_resource_group(emulator: Emulator, request: ArmRequest) -> ResourceGroup:
    """The group in the path, under a subscription that exists, or the refusal it deserves."""
    subscription = find_subscription(emulator, request)
    wanted = request["group"]
    found = emulator.state.tree.resource_group(ResourceId(f"{subscription.id}/resourceGroups/{wanted}"))
    if found is None:
        raise Refusal(404, "ResourceGroupNotFound", f"Resource group '{wanted}' could not be found.")
    return found


def _list(emulator: Emulator, request: ArmRequest) -> Answer:
    subscription = find_subscription(emulator, request)
    groups = emulator.state.groups_below(subscription.subscription_id)
    return page(request, [_document(g) for g in groups], emulator.settings.page_size)


def _get(emulator: Emulator, request: ArmRequest) -> Answer:
    return Answer(200, _document(find_resource_group(emulator, request)))


def _document(group: ResourceGroup) -> dict[str, JSON]:
    return {
        "id": group.id.text,
        "name": group.name,
        "type": "Microsoft.Resources/resourceGroups",
        "location": group.location,
        "tags": dict(group.tags),
        "properties": {"provisioningState": "Succeeded"},
    }


ROUTES: Final = (
    Route("/subscriptions/{subscription}/resourceGroups", {"GET": _list}),
    Route("/subscriptions/{subscription}/resourceGroups/{group}", {"GET": _get}),
)
