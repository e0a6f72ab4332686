"""Both cluster types: get, list by group and by subscription, PATCH; PUT of AKS. Source: configuration API §8.

Connectivity is not stored: an Arc cluster's document says what its agent's last heartbeat means at this instant.
"""

from __future__ import annotations

import copy
import uuid
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import partial
from typing import Final

from policyengine.emulator.answers import Answer, ArmRequest, Refusal, cluster_not_found, invalid_content
from policyengine.emulator.emulator import Emulator
from policyengine.emulator.paging import page_of
from policyengine.emulator.routes.resource_groups import find_resource_group
from policyengine.emulator.routes.subscriptions import find_subscription
from policyengine.emulator.routing import Handler, Route
from policyengine.emulator.state import ClusterHead, EmulatedCluster
from policyengine.model.ids import ResourceId
from policyengine.model.resource import AKS, ARC
from policyengine.model.values import JSON, fingerprint, get_folded

_AKS_READ_ONLY: Final = frozenset({"provisioningstate", "powerstate", "fqdn", "currentkubernetesversion", "etag"})
_ARC_PATCHABLE: Final = ("distribution", "distributionVersion", "azureHybridBenefit")


def find_cluster(emulator: Emulator, request: ArmRequest, type: str) -> EmulatedCluster:
    """The cluster of ``type`` in the path, in a group that exists, or the refusal it deserves."""
    found = emulator.state.find_cluster(_id_in(emulator, request, type))
    if found is None:
        raise cluster_not_found(type, request["cluster"], request["group"])
    if request.method not in {"GET", "HEAD"}:
        emulator.state.clusters.keep(found)
    return found


def document_of(emulator: Emulator, cluster: ClusterHead, request: ArmRequest) -> dict[str, JSON]:
    return document_at(emulator, cluster, request.at)


def document_at(emulator: Emulator, cluster: ClusterHead, at: datetime) -> dict[str, JSON]:
    """The cluster as Azure tells it at an instant."""
    if not cluster.is_arc:
        return {**cluster.document, "eTag": etag_of(cluster)}
    connectivity = emulator.agents.connectivity(cluster, at)
    return {**cluster.document, "properties": {**cluster.document["properties"], **connectivity}}


def _get(type: str, emulator: Emulator, request: ArmRequest) -> Answer:
    found = emulator.state.clusters.head(_id_in(emulator, request, type).key)
    if found is None:
        raise cluster_not_found(type, request["cluster"], request["group"])
    return Answer(200, document_of(emulator, found, request))


def _list_in_group(type: str, emulator: Emulator, request: ArmRequest) -> Answer:
    return _page(emulator, request, find_resource_group(emulator, request).id, type)


def _list(type: str, emulator: Emulator, request: ArmRequest) -> Answer:
    return _page(emulator, request, find_subscription(emulator, request).id, type)


def _page(emulator: Emulator, request: ArmRequest, scope: ResourceId, type: str) -> Answer:
    def later(after: str | None) -> Iterator[Mapping[str, JSON]]:
        heads = emulator.state.clusters.heads(scope, type, after)
        return (document_of(emulator, head, request) for head in heads)

    return page_of(request, later, emulator.settings.page_size)


def _id_in(emulator: Emulator, request: ArmRequest, type: str) -> ResourceId:
    """Of the cluster in the path, in a group that exists, or the refusal it deserves."""
    return find_resource_group(emulator, request).id.extension(type, request["cluster"])


def _patch(type: str, emulator: Emulator, request: ArmRequest) -> Answer:
    """Tags replace the whole map; of the properties, an Arc cluster takes what a person may know better."""
    cluster = find_cluster(emulator, request, type)
    _check_etag(cluster, request)
    body = _object(request.body)
    tags, properties = get_folded(body, "tags"), _object(get_folded(body, "properties") or {})
    if tags is not None:
        cluster.document["tags"] = {name: str(value) for name, value in _object(tags).items()}
    if cluster.is_arc:
        for name in _ARC_PATCHABLE:
            value = get_folded(properties, name)
            if value is not None:
                cluster.document["properties"][name] = value
    return Answer(200, document_of(emulator, cluster, request))


def _put(emulator: Emulator, request: ArmRequest) -> Answer:
    """Changes an AKS cluster that is there: members of the properties that are sent replace the stored ones.

    What is left out or null stays, and what only the service writes is not heard.
    """
    cluster = find_cluster(emulator, request, AKS)
    _check_etag(cluster, request)
    body = _object(request.body)
    for name in ("tags", "identity", "sku"):
        value = get_folded(body, name)
        if value is not None:
            cluster.document[name] = dict(_object(value))
    properties = cluster.document["properties"]
    known = {name.casefold(): name for name in properties}
    for name, value in _object(get_folded(body, "properties") or {}).items():
        if value is not None and name.casefold() not in _AKS_READ_ONLY:
            properties[known.get(name.casefold(), name)] = copy.deepcopy(value)
    return Answer(200, document_of(emulator, cluster, request))


def etag_of(cluster: ClusterHead) -> str:
    """Changes with everything the document says. Source: configuration API §4, "ETags"."""
    said = {name: value for name, value in cluster.document.items() if name != "eTag"}
    return str(uuid.UUID(fingerprint(said)))


def _check_etag(cluster: EmulatedCluster, request: ArmRequest) -> None:
    """Of the resources here only AKS clusters have one; it is compared as `If-Match` and `If-None-Match` ask."""
    if cluster.is_arc:
        return
    own = etag_of(cluster)
    match, none_match = (request.headers.get(name, "").strip('" ') for name in ("if-match", "if-none-match"))
    if (match and match not in {"*", own}) or (none_match and none_match in {"*", own}):
        raise Refusal(
            412,
            "PreconditionFailed",
            f"The precondition given in the request headers evaluated to false: the eTag is '{own}'.",
            cause="service",
        )


def _object(value: JSON) -> Mapping[str, JSON]:
    if not isinstance(value, Mapping):
        raise invalid_content("an object is expected")
    return value


def _routes(type: str) -> tuple[Route, ...]:
    group = f"/subscriptions/{{subscription}}/resourceGroups/{{group}}/providers/{type}"
    verbs: dict[str, Handler] = {"GET": partial(_get, type), "PATCH": partial(_patch, type)}
    if type == AKS:
        verbs["PUT"] = _put
    return (
        Route(f"/subscriptions/{{subscription}}/providers/{type}", {"GET": partial(_list, type)}),
        Route(group, {"GET": partial(_list_in_group, type)}),
        Route(f"{group}/{{cluster}}", verbs, missing=("PUT", "DELETE")),
    )


ROUTES: Final = (*_routes(AKS), *_routes(ARC))
