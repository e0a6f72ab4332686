"""Management groups: list, get, and all that stands below one. Source: configuration API §10."""

from __future__ import annotations

from typing import Final

from policyengine.emulator.answers import Answer, ArmRequest, Refusal
from policyengine.emulator.emulator import Emulator
from policyengine.emulator.paging import page
from policyengine.emulator.routes.subscriptions import tenant_of
from policyengine.emulator.routing import Route
from policyengine.model.scope import ManagementGroup, ScopeTree
from policyengine.model.values import JSON

_TYPE: Final = "Microsoft.Management/managementGroups"


def _list(emulator: Emulator, request: ArmRequest) -> Answer:
    tenant = tenant_of(emulator)
    groups = sorted(emulator.state.tree.management_groups, key=lambda g: g.id)
    return page(request, [_head(g, tenant) for g in groups], emulator.settings.page_size)


def _get(emulator: Emulator, request: ArmRequest) -> Answer:
    group = _find(emulator, request)
    tree = emulator.state.tree
    document = _head(group, tenant_of(emulator))
    details: dict[str, JSON] = {"version": 1}
    parent = tree.management_group(group.parent) if group.parent else None
    if parent is not None:
        details["parent"] = {"id": parent.id.text, "name": parent.name, "displayName": parent.display_name}
    document["properties"]["details"] = details
    if "children" in request.query.get("$expand", "").casefold():
        recurse = request.query.get("$recurse", "").casefold() == "true"
        document["properties"]["children"] = _children(tree, group, recurse)
    return Answer(200, document)


def _descendants(emulator: Emulator, request: ArmRequest) -> Answer:
    tree = emulator.state.tree
    below = sorted(_below(tree, _find(emulator, request)), key=lambda d: str(d["id"]).casefold())
    return page(request, below, emulator.settings.page_size)


def _find(emulator: Emulator, request: ArmRequest) -> ManagementGroup:
    wanted = request["name"]
    found = emulator.state.tree.management_group(wanted)
    if found is None:
        id = f"/providers/{_TYPE}/{wanted}"
        raise Refusal(404, "NotFound", f"'{id}' not found")
    return found


def _head(group: ManagementGroup, tenant: str) -> dict[str, JSON]:
    return {
        "id": group.id.text,
        "name": group.name,
        "type": _TYPE,
        "properties": {"tenantId": tenant, "displayName": group.display_name},
    }


def _below(tree: ScopeTree, group: ManagementGroup) -> list[dict[str, JSON]]:
    """Every group and subscription under ``group``, at any depth, each naming its parent."""
    return [
        {"id": id, "type": type, "name": name, "properties": {"displayName": title, "parent": {"id": parent}}}
        for id, type, name, title, parent in _walk(tree, group)
    ]


def _walk(tree: ScopeTree, group: ManagementGroup) -> list[tuple[str, str, str, str, str]]:
    found = [
        (s.id.text, "/subscriptions", s.subscription_id, s.display_name, group.id.text)
        for s in tree.subscriptions
        if s.management_group is not None and s.management_group.casefold() == group.name.casefold()
    ]
    for child in _child_groups(tree, group):
        found.append((child.id.text, _TYPE, child.name, child.display_name, group.id.text))
        found += _walk(tree, child)
    return found


def _children(tree: ScopeTree, group: ManagementGroup, recurse: bool) -> list[dict[str, JSON]]:
    children: list[dict[str, JSON]] = []
    for child in _child_groups(tree, group):
        entry: dict[str, JSON] = {"type": _TYPE, "id": child.id.text, "name": child.name}
        entry["displayName"] = child.display_name
        if recurse:
            entry["children"] = _children(tree, child, recurse)
        children.append(entry)
    for id, type, name, title, parent in _walk(tree, group):
        if type == "/subscriptions" and parent == group.id.text:
            children.append({"type": type, "id": id, "name": name, "displayName": title})
    return children


def _child_groups(tree: ScopeTree, group: ManagementGroup) -> list[ManagementGroup]:
    return [g for g in tree.management_groups if g.parent is not None and g.parent.casefold() == group.name.casefold()]


_GROUP: Final = "/providers/Microsoft.Management/managementGroups/{name}"
ROUTES: Final = (
    Route("/providers/Microsoft.Management/managementGroups", {"GET": _list}),
    Route(_GROUP, {"GET": _get}, missing=("PUT", "PATCH", "DELETE")),
    Route(f"{_GROUP}/descendants", {"GET": _descendants}),
)
