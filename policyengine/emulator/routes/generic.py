"""Every resource type without rules of its own: stored as written, and told again. Source: configuration API §10.

So that templates which also make a workspace, a role assignment or a diagnostic setting run to their end. Namespaces
that are emulated are not taken in: what they lack is said to be missing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from policyengine.emulator.answers import Answer, ArmRequest, Refusal, cluster_not_found, invalid_content
from policyengine.emulator.emulator import Emulator
from policyengine.emulator.generic_rules import (
    ON_CLUSTERS,
    added_by_service,
    brought_along,
    kept_elsewhere,
    keys_of,
    shown,
)
from policyengine.emulator.paging import page
from policyengine.emulator.routes.lifecycle import system_data
from policyengine.emulator.routes.providers import check_registered
from policyengine.emulator.routes.resource_groups import find_resource_group
from policyengine.emulator.routes.subscriptions import find_subscription
from policyengine.emulator.routing import Handler, not_emulated
from policyengine.model.ids import ResourceId
from policyengine.model.resource import AKS, ARC
from policyengine.model.values import JSON, get_folded, walk

EMULATED: Final = frozenset(
    {
        "microsoft.kubernetesconfiguration",
        "microsoft.resourcegraph",
        "microsoft.resources",
        "microsoft.management",
    }
)
"""Folded namespaces whose types are served by routes of their own, or not at all."""
_CLUSTERS: Final = frozenset({AKS.casefold(), ARC.casefold()})
_ENVELOPE: Final = ("id", "name", "type", "systemData", "apiVersion", "dependsOn")
"""Members of a body that the service sets itself."""


def find_generic(method: str, parts: Sequence[str]) -> tuple[Handler, dict[str, str]] | None:
    """The handler for a path below a subscription that no route knows; None when nothing is stored there."""
    folded = [part.casefold() for part in parts]
    if not folded or folded[0] != "subscriptions" or "providers" not in folded[2:]:
        return None
    at = len(folded) - 1 - folded[::-1].index("providers")
    own = parts[at + 1 :]
    if len(own) < 2 or own[0].casefold() in EMULATED or (f"{own[0]}/{own[1]}".casefold() in _CLUSTERS and len(own) < 4):
        return None
    variables = {"subscription": parts[1]}
    if folded[2] == "resourcegroups":
        variables["group"] = parts[3]
    handler = _for_one(method) if len(own) % 2 else _for_many(method, own[-1])
    return (handler, variables) if handler is not None else None


def exists(emulator: Emulator, id: ResourceId) -> bool:
    """Whether there is any resource of that id: a cluster, one on a cluster, or a stored one."""
    state, parent = emulator.state, id.parent
    cluster = state.find_cluster(parent) if parent is not None else None
    return (
        state.find_cluster(id) is not None
        or state.resources.get(id) is not None
        or (cluster is not None and id.key in cluster.records)
    )


def _for_one(method: str) -> Handler | None:
    handlers: Mapping[str, Handler] = {"GET": _get, "HEAD": _head, "PUT": _put, "PATCH": _patch, "DELETE": _delete}
    return handlers.get(method)


def _for_many(method: str, last: str) -> Handler | None:
    if method == "GET":
        return _list
    return _list_keys if method == "POST" and last.casefold() == "listkeys" else None


def _get(emulator: Emulator, request: ArmRequest) -> Answer:
    return Answer(200, shown(_found(emulator, request)))


def _head(emulator: Emulator, request: ArmRequest) -> Answer:
    _check_containers(emulator, request)
    return Answer(204 if exists(emulator, ResourceId(request.path)) else 404)


def _put(emulator: Emulator, request: ArmRequest) -> Answer:
    asked, body = ResourceId(request.path), _object(request.body)
    _check_containers(emulator, request)
    _check_registered(emulator, request, asked)
    _check_parents(emulator, asked)
    old = emulator.state.resources.get(asked)
    id = ResourceId(str(old["id"])) if old else asked
    return _store(emulator, request, id, body, old)


def _patch(emulator: Emulator, request: ArmRequest) -> Answer:
    """Tags replace the whole map, properties are merged."""
    old = _found(emulator, request)
    body = dict(_object(request.body))
    properties = {**old["properties"], **_object(get_folded(body, "properties") or {})}
    kept = {name: value for name, value in old.items() if name not in _ENVELOPE}
    return _store(emulator, request, ResourceId(old["id"]), {**kept, **body, "properties": properties}, old)


def _store(
    emulator: Emulator, request: ArmRequest, id: ResourceId, body: Mapping[str, JSON], old: Mapping[str, JSON] | None
) -> Answer:
    ignored = {name.casefold() for name in (*_ENVELOPE, "properties")}
    properties = _object(get_folded(body, "properties") or {})
    document = {
        "id": id.text,
        "name": id.name,
        "type": id.type,
        **{name: value for name, value in body.items() if name.casefold() not in ignored},
        "systemData": system_data(request, (old or {}).get("systemData", {})),
        "properties": {**properties, **added_by_service(id), "provisioningState": "Succeeded"},
    }
    emulator.state.resources.put(id, document)
    companion = brought_along(id, properties)
    if companion is not None:
        emulator.state.resources.put(ResourceId(companion["id"]), companion)
    return Answer(200 if old else 201, shown(document))


def _delete(emulator: Emulator, request: ArmRequest) -> Answer:
    _check_containers(emulator, request)
    id, resources = ResourceId(request.path), emulator.state.resources
    companion = brought_along(id, (resources.get(id) or {}).get("properties", {}))
    if companion is not None:
        resources.remove(ResourceId(companion["id"]))
    return Answer(200 if resources.remove(id) else 204)


def _list(emulator: Emulator, request: ArmRequest) -> Answer:
    """Those of the type at or under the scope.

    Of a type that we neither know nor were ever told of we cannot say there are none.
    """
    _check_containers(emulator, request)
    scope, _, tail = request.path.rpartition("/providers/")
    namespace, *pairs = tail.split("/")
    type = "/".join((namespace, *pairs[::2]))
    resources = emulator.state.resources
    if not resources.knows_type(type) and type.casefold() not in ON_CLUSTERS:
        raise not_emulated("GET", type)
    above = ResourceId(scope if len(pairs) == 1 else request.path.rpartition("/")[0])
    if above.type.casefold() in _CLUSTERS and not exists(emulator, above):
        raise _missing(above)
    found = [shown(d) for d in resources.of_type(type) if above.contains(ResourceId(d["id"]))]
    return page(request, [*found, *_kept_elsewhere(emulator, type, above)], emulator.settings.page_size)


def _kept_elsewhere(emulator: Emulator, type: str, on: ResourceId) -> Iterator[dict[str, JSON]]:
    """Such as the backups of a cluster, which are in a vault."""
    kept = kept_elsewhere(type)
    if kept is None:
        return
    of_type, path = kept
    for document in emulator.state.resources.of_type(of_type):
        if str(walk(document, "properties", *path)).casefold() == on.key:
            yield shown(document)


def _list_keys(emulator: Emulator, request: ArmRequest) -> Answer:
    document = emulator.state.resources.get(ResourceId(request.path.rpartition("/")[0]))
    if document is None:
        raise _missing(ResourceId(request.path.rpartition("/")[0]))
    return Answer(200, keys_of(document))


def _found(emulator: Emulator, request: ArmRequest) -> dict[str, JSON]:
    _check_containers(emulator, request)
    id = ResourceId(request.path)
    document = emulator.state.resources.get(id)
    if document is None:
        raise _missing(id)
    return document


def _check_containers(emulator: Emulator, request: ArmRequest) -> None:
    if "group" in request.variables:
        find_resource_group(emulator, request)
    else:
        find_subscription(emulator, request)


def _check_registered(emulator: Emulator, request: ArmRequest, id: ResourceId) -> None:
    check_registered(emulator, request["subscription"], id.type.partition("/")[0])


def _check_parents(emulator: Emulator, id: ResourceId) -> None:
    """What a resource hangs on must be there; levels between, such as `blobServices/default`, come of themselves."""
    parent = id.parent
    while parent is not None and "/providers/" in parent.key:
        if parent.type.count("/") == 1 and not exists(emulator, parent):
            if parent.type.casefold() in _CLUSTERS:
                raise _missing(parent)
            raise Refusal(
                404,
                "ParentResourceNotFound",
                "Failed to perform 'write' on resource(s) of type "
                f"'{id.type.partition('/')[2]}', because the parent resource '{parent}' could not be found.",
            )
        parent = parent.parent


def _missing(id: ResourceId) -> Refusal:
    return cluster_not_found(id.type, id.full_name, id.resource_group or "<null>")


def _object(value: JSON) -> Mapping[str, JSON]:
    if not isinstance(value, Mapping):
        raise invalid_content("an object is expected")
    return value
