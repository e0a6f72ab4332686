"""Both cluster types: get, list by group and by subscription, PATCH. Source: configuration API §8.

Connectivity is not stored: an Arc cluster's document says what its agent's last heartbeat means at this instant.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Final

from policyengine.emulator.answers import Answer, ArmRequest, cluster_not_found, invalid_content
from policyengine.emulator.emulator import Emulator
from policyengine.emulator.paging import page
from policyengine.emulator.routes.resource_groups import find_resource_group
from policyengine.emulator.routes.subscriptions import find_subscription
from policyengine.emulator.routing import Route
from policyengine.emulator.state import EmulatedCluster
from policyengine.model.ids import ResourceId
from policyengine.model.resource import AKS, ARC
from policyengine.model.values import JSON, get_folded

_ARC_PATCHABLE: Final = ("distribution", "distributionVersion", "azureHybridBenefit")


def find_cluster(emulator: Emulator, request: ArmRequest, type: str) -> EmulatedCluster:
    """The cluster of ``type`` in the path, in a group that exists, or the refusal it deserves."""
    group = find_resource_group(emulator, request)
    found = emulator.state.find_cluster(group.id.extension(type, request["cluster"]))
    if found is None:
        raise cluster_not_found(type, request["cluster"], request["group"])
    return found


def document_of(emulator: Emulator, cluster: EmulatedCluster, request: ArmRequest) -> dict[str, JSON]:
    if not cluster.is_arc:
        return cluster.document
    connectivity = emulator.agents.connectivity(cluster, request.at)
    return {**cluster.document, "properties": {**cluster.document["properties"], **connectivity}}


def _get(type: str, emulator: Emulator, request: ArmRequest) -> Answer:
    return Answer(200, document_of(emulator, find_cluster(emulator, request, type), request))


def _list_in_group(type: str, emulator: Emulator, request: ArmRequest) -> Answer:
    return _page(emulator, request, find_resource_group(emulator, request).id, type)


def _list(type: str, emulator: Emulator, request: ArmRequest) -> Answer:
    return _page(emulator, request, find_subscription(emulator, request).id, type)


def _page(emulator: Emulator, request: ArmRequest, scope: ResourceId, type: str) -> Answer:
    clusters = emulator.state.clusters_below(scope, type)
    return page(request, [document_of(emulator, c, request) for c in clusters], emulator.settings.page_size)


def _patch(type: str, emulator: Emulator, request: ArmRequest) -> Answer:
    """Tags replace the whole map; of the properties, an Arc cluster takes what a person may know better."""
    cluster = find_cluster(emulator, request, type)
    body = _object(request.body)
    tags, properties = get_folded(body, "tags"), _object(get_folded(body, "properties") or {})
    if tags is not None:
        cluster.document["tags"] = {name: str(value) for name, value in _object(tags).items()}
    if cluster.is_arc:
        for name in _ARC_PATCHABLE:
            value = get_folded(properties, name)
            if value is not None:
                cluster.document["properties"][name] = value
    elif "eTag" in cluster.document:
        cluster.document["eTag"] = emulator.identifiers.guid()
    return Answer(200, document_of(emulator, cluster, request))


def _object(value: JSON) -> Mapping[str, JSON]:
    if not isinstance(value, Mapping):
        raise invalid_content("an object is expected")
    return value


def _routes(type: str) -> tuple[Route, ...]:
    group = f"/subscriptions/{{subscription}}/resourceGroups/{{group}}/providers/{type}"
    return (
        Route(f"/subscriptions/{{subscription}}/providers/{type}", {"GET": partial(_list, type)}),
        Route(group, {"GET": partial(_list_in_group, type)}),
        Route(f"{group}/{{cluster}}", {"GET": partial(_get, type), "PATCH": partial(_patch, type)}),
    )


ROUTES: Final = (*_routes(AKS), *_routes(ARC))
