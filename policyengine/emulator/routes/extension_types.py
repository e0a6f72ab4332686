"""Extension types and their versions, as a cluster and as a region sees them. Source: configuration API §1.

Only types in the catalogue are told; any other installs all the same.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

from policyengine.emulator.answers import Answer, ArmRequest, Refusal
from policyengine.emulator.emulator import Emulator
from policyengine.emulator.extension_rules import DEFAULT_NAMESPACES
from policyengine.emulator.paging import page
from policyengine.emulator.routes.clusters import find_cluster
from policyengine.emulator.routes.providers import check_registered
from policyengine.emulator.routes.subscriptions import find_subscription
from policyengine.emulator.routing import Route
from policyengine.emulator.versions import version_key
from policyengine.model.resource import AKS, ARC
from policyengine.model.values import JSON

TYPE: Final = "Microsoft.KubernetesConfiguration/extensionTypes"
_CLUSTER_TYPES: Final = {AKS: "managedClusters", ARC: "connectedClusters"}
Place = Callable[[Emulator, ArmRequest], tuple[str, tuple[str, ...]]]
"""Checks the path; the id of the collection, and the kinds of cluster it is about."""


def _on_cluster(type: str, emulator: Emulator, request: ArmRequest) -> tuple[str, tuple[str, ...]]:
    cluster = find_cluster(emulator, request, type)
    check_registered(emulator, request["subscription"])
    return f"{cluster.id}/providers/{TYPE}", (_CLUSTER_TYPES[type],)


def _in_location(emulator: Emulator, request: ArmRequest) -> tuple[str, tuple[str, ...]]:
    subscription = find_subscription(emulator, request)
    check_registered(emulator, request["subscription"])
    namespace, _, noun = TYPE.partition("/")
    base = f"{subscription.id}/providers/{namespace}/locations/{request['location']}/{noun}"
    return base, tuple(sorted(_CLUSTER_TYPES.values()))


def _list(place: Place, emulator: Emulator, request: ArmRequest) -> Answer:
    base, clusters = place(emulator, request)
    train = request.query.get("releasetrain")
    known = [type for type in emulator.catalogue.types() if train is None or emulator.catalogue.published(type, train)]
    if not _asks_for(request, clusters):
        known = []
    return page(request, [_document(base, type, clusters) for type in known], emulator.settings.page_size)


def _get(place: Place, emulator: Emulator, request: ArmRequest) -> Answer:
    base, clusters = place(emulator, request)
    return Answer(200, _document(base, _known(emulator, request), clusters))


def _versions(place: Place, emulator: Emulator, request: ArmRequest) -> Answer:
    base, clusters = place(emulator, request)
    type = _known(emulator, request)
    found = emulator.catalogue.published(type, request.query.get("releasetrain", "stable"))
    major = request.query.get("majorversion")
    if major:
        found = tuple(v for v in found if version_key(v)[:1] == version_key(major)[:1])
    if request.query.get("showlatest", "").casefold() == "true":
        found = found[-1:]
    values = [_version(base, type, version, clusters) for version in (found if _asks_for(request, clusters) else ())]
    return page(request, sorted(values, key=lambda v: str(v["id"]).casefold()), emulator.settings.page_size)


def _get_version(place: Place, emulator: Emulator, request: ArmRequest) -> Answer:
    base, clusters = place(emulator, request)
    type, version = _known(emulator, request), request["version"]
    if not any(version in emulator.catalogue.published(type, train) for train in emulator.catalogue.trains(type)):
        message = f"Version '{version}' of extension type '{type}' not found."
        raise Refusal(404, "ResourceNotFound", message, cause="service")
    return Answer(200, _version(base, type, version, clusters))


def _known(emulator: Emulator, request: ArmRequest) -> str:
    wanted = request["type"].casefold()
    if wanted not in emulator.catalogue.types():
        message = f"Extension type with name '{request['type']}' not found."
        raise Refusal(404, "ResourceNotFound", message, cause="service")
    return wanted


def _asks_for(request: ArmRequest, clusters: tuple[str, ...]) -> bool:
    wanted = request.query.get("clustertype")
    return not wanted or wanted.casefold() in {kind.casefold() for kind in clusters}


def _document(base: str, type: str, clusters: tuple[str, ...]) -> dict[str, JSON]:
    namespace = DEFAULT_NAMESPACES.get(type, type.replace(".", "-"))
    settings = {"allowMultipleInstances": False, "defaultReleaseNamespace": namespace}
    return {
        "id": f"{base}/{type}",
        "name": type,
        "type": TYPE,
        "properties": {
            "isSystemExtension": False,
            "isManagedIdentityRequired": True,
            "description": f"The extension type {type}.",
            "publisher": "Microsoft",
            "supportedClusterTypes": list(clusters),
            "supportedScopes": {"defaultScope": "cluster", "clusterScopeSettings": {"properties": settings}},
        },
    }


def _version(base: str, type: str, version: str, clusters: tuple[str, ...]) -> dict[str, JSON]:
    return {
        "id": f"{base}/{type}/versions/{version}",
        "name": version,
        "type": f"{TYPE}/versions",
        "properties": {
            "version": version,
            "unsupportedKubernetesVersions": {},
            "supportedClusterTypes": list(clusters),
        },
    }


def _routes(many: str, place: Place) -> tuple[Route, ...]:
    one = f"{many}/{{type}}"
    return (
        Route(many, {"GET": partial(_list, place)}),
        Route(one, {"GET": partial(_get, place)}),
        Route(f"{one}/versions", {"GET": partial(_versions, place)}),
        Route(f"{one}/versions/{{version}}", {"GET": partial(_get_version, place)}),
    )


_GROUP: Final = "/subscriptions/{subscription}/resourceGroups/{group}/providers"
_LOCATION: Final = "/subscriptions/{subscription}/providers/Microsoft.KubernetesConfiguration/locations/{location}"
ROUTES: Final = (
    *_routes(f"{_LOCATION}/extensionTypes", _in_location),
    *_routes(f"{_GROUP}/{AKS}/{{cluster}}/providers/{TYPE}", partial(_on_cluster, AKS)),
    *_routes(f"{_GROUP}/{ARC}/{{cluster}}/providers/{TYPE}", partial(_on_cluster, ARC)),
)
