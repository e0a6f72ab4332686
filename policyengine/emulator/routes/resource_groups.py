"""Resource groups: list, get, create, tag. Source: configuration API §10."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from policyengine.emulator.answers import Answer, ArmRequest, Refusal, invalid_content
from policyengine.emulator.emulator import Emulator
from policyengine.emulator.paging import page
from policyengine.emulator.routes.subscriptions import find_subscription
from policyengine.emulator.routing import Route
from policyengine.model.ids import ResourceId
from policyengine.model.scope import ResourceGroup
from policyengine.model.values import JSON, get_folded

_NAME: Final = re.compile(r"[\w().-]{0,89}[\w()-]")


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
    return page(request, [document_of(g) for g in groups], emulator.settings.page_size)


def _get(emulator: Emulator, request: ArmRequest) -> Answer:
    return Answer(200, document_of(find_resource_group(emulator, request)))


def _head(emulator: Emulator, request: ArmRequest) -> Answer:
    subscription = find_subscription(emulator, request)
    found = emulator.state.tree.resource_group(ResourceId(f"{subscription.id}/resourceGroups/{request['group']}"))
    return Answer(404 if found is None else 204)


def _put(emulator: Emulator, request: ArmRequest) -> Answer:
    """The location of a group cannot be changed."""
    subscription, body = find_subscription(emulator, request), _object(request.body)
    location, tags = get_folded(body, "location"), _tags(body)
    id = ResourceId(f"{subscription.id}/resourceGroups/{request['group']}")
    old = emulator.state.tree.resource_group(id)
    if not _NAME.fullmatch(id.name):
        raise Refusal(400, "InvalidResourceGroup", f"The provided resource group name '{id.name}' is invalid.")
    if not isinstance(location, str) or not location:
        raise Refusal(400, "LocationRequired", "The location property is required for this definition.")
    if old is not None and _plain(old.location) != _plain(location):
        raise Refusal(
            409,
            "InvalidResourceGroupLocation",
            f"Invalid resource group location '{location}'. The Resource group already exists in location "
            f"'{old.location}'.",
        )
    group = ResourceGroup(id, location, tags) if old is None else replace(old, tags=tags)
    return Answer(201 if old is None else 200, _put_back(emulator, group))


def _patch(emulator: Emulator, request: ArmRequest) -> Answer:
    group, body = find_resource_group(emulator, request), _object(request.body)
    return Answer(200, _put_back(emulator, replace(group, tags=_tags(body)) if "tags" in body else group))


def _put_back(emulator: Emulator, group: ResourceGroup) -> dict[str, JSON]:
    tree = emulator.state.tree
    others = tuple(g for g in tree.resource_groups if g.id != group.id)
    emulator.state.tree = replace(tree, resource_groups=(*others, group))
    return document_of(group)


def _tags(body: Mapping[str, JSON]) -> dict[str, JSON]:
    return {name: str(value) for name, value in _object(get_folded(body, "tags") or {}).items()}


def _plain(location: str) -> str:
    return location.replace(" ", "").casefold()


def _object(value: JSON) -> Mapping[str, JSON]:
    if not isinstance(value, Mapping):
        raise invalid_content("an object is expected")
    return value


def document_of(group: ResourceGroup) -> dict[str, JSON]:
    return {
        "id": group.id.text,
        "name": group.name,
        "type": "Microsoft.Resources/resourceGroups",
        "location": group.location,
        "tags": dict(group.tags),
        "properties": {"provisioningState": "Succeeded"},
    }


SINCE: Final = "2016-02-01"
ROUTES: Final = (
    Route("/subscriptions/{subscription}/resourceGroups", {"GET": _list}, since=SINCE),
    Route(
        "/subscriptions/{subscription}/resourceGroups/{group}",
        {"GET": _get, "HEAD": _head, "PUT": _put, "PATCH": _patch},
        since=SINCE,
        missing=("DELETE",),
    ),
)
