"""Extension types and their versions, as a cluster and as a region sees them. Source: configuration API §1.

Only types in the catalogue are told; any other installs all the same.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
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
from policyengine.emulator.versions import Viewpoint, version_key
from policyengine.model.resource import AKS, ARC
from policyengine.model.values import JSON

TYPE: Final = "Microsoft.KubernetesConfiguration/extensionTypes"
_OF_PLANS: Final = ("publisherid", "offerid", "planid")
_CLUSTER_TYPES: Final = {AKS: "managedClusters", ARC: "connectedClusters"}


@dataclass(frozen=True, slots=True)
class Place:
    """Where extension types are looked at: a cluster, or a region.

    ``base`` is the id of the collection, ``clusters`` the kinds of cluster it is about; what has not arrived in the
    region yet is not ``seen`` (G6).
    """

    base: str
    clusters: tuple[str, ...]
    seen: Viewpoint


Find = Callable[[Emulator, ArmRequest], Place]
"""Checks the path."""


def _on_cluster(type: str, emulator: Emulator, request: ArmRequest) -> Place:
    cluster = find_cluster(emulator, request, type)
    check_registered(emulator, request["subscription"])
    return Place(f"{cluster.id}/providers/{TYPE}", (_CLUSTER_TYPES[type],), Viewpoint(cluster.location, request.at))


def _in_location(emulator: Emulator, request: ArmRequest) -> Place:
    subscription = find_subscription(emulator, request)
    check_registered(emulator, request["subscription"])
    namespace, _, noun = TYPE.partition("/")
    location = request["location"]
    base = f"{subscription.id}/providers/{namespace}/locations/{location}/{noun}"
    return Place(base, tuple(sorted(_CLUSTER_TYPES.values())), Viewpoint(location, request.at))


def _list(find: Find, emulator: Emulator, request: ArmRequest) -> Answer:
    place, catalogue = find(emulator, request), emulator.catalogue
    asked = request.query.get("releasetrain")
    known = [
        type
        for type in (catalogue.types() if _asks_for(request, place) else ())
        if any(catalogue.published(type, train, place.seen) for train in ([asked] if asked else catalogue.trains(type)))
    ]
    return page(request, [_document(place, type) for type in known], emulator.settings.page_size)


def _get(find: Find, emulator: Emulator, request: ArmRequest) -> Answer:
    place = find(emulator, request)
    return Answer(200, _document(place, _known(emulator, request)))


def _versions(find: Find, emulator: Emulator, request: ArmRequest) -> Answer:
    place, type = find(emulator, request), _known(emulator, request)
    found = emulator.catalogue.published(type, request.query.get("releasetrain", "stable"), place.seen)
    major = request.query.get("majorversion")
    if major:
        found = tuple(v for v in found if version_key(v)[:1] == version_key(major)[:1])
    if request.query.get("showlatest", "").casefold() == "true":
        found = found[-1:]
    values = [_version(place, type, version) for version in (found if _asks_for(request, place) else ())]
    return page(request, sorted(values, key=lambda v: str(v["id"]).casefold()), emulator.settings.page_size)


def _get_version(find: Find, emulator: Emulator, request: ArmRequest) -> Answer:
    place, catalogue = find(emulator, request), emulator.catalogue
    type, version = _known(emulator, request), request["version"]
    if not any(version in catalogue.published(type, train, place.seen) for train in catalogue.trains(type)):
        message = f"Version '{version}' of extension type '{type}' not found."
        raise Refusal(404, "ResourceNotFound", message, cause="service")
    return Answer(200, _version(place, type, version))


def _known(emulator: Emulator, request: ArmRequest) -> str:
    wanted = request["type"].casefold()
    if wanted not in emulator.catalogue.types():
        message = f"Extension type with name '{request['type']}' not found."
        raise Refusal(404, "ResourceNotFound", message, cause="service")
    return wanted


def _asks_for(request: ArmRequest, place: Place) -> bool:
    """No type of the catalogue is sold in a marketplace: who asks for a plan finds none."""
    if any(request.query.get(name) for name in _OF_PLANS):
        return False
    wanted = request.query.get("clustertype")
    return not wanted or wanted.casefold() in {kind.casefold() for kind in place.clusters}


def _document(place: Place, type: str) -> dict[str, JSON]:
    namespace = DEFAULT_NAMESPACES.get(type, type.replace(".", "-"))
    settings = {"allowMultipleInstances": False, "defaultReleaseNamespace": namespace}
    return {
        "id": f"{place.base}/{type}",
        "name": type,
        "type": TYPE,
        "properties": {
            "isSystemExtension": False,
            "isManagedIdentityRequired": True,
            "description": f"The extension type {type}.",
            "publisher": "Microsoft",
            "supportedClusterTypes": list(place.clusters),
            "supportedScopes": {"defaultScope": "cluster", "clusterScopeSettings": {"properties": settings}},
        },
    }


def _version(place: Place, type: str, version: str) -> dict[str, JSON]:
    return {
        "id": f"{place.base}/{type}/versions/{version}",
        "name": version,
        "type": f"{TYPE}/versions",
        "properties": {
            "version": version,
            "unsupportedKubernetesVersions": {},
            "supportedClusterTypes": list(place.clusters),
        },
    }


def _routes(many: str, find: Find) -> tuple[Route, ...]:
    one = f"{many}/{{type}}"
    return (
        Route(many, {"GET": partial(_list, find)}),
        Route(one, {"GET": partial(_get, find)}),
        Route(f"{one}/versions", {"GET": partial(_versions, find)}),
        Route(f"{one}/versions/{{version}}", {"GET": partial(_get_version, find)}),
    )


_GROUP: Final = "/subscriptions/{subscription}/resourceGroups/{group}/providers"
_LOCATION: Final = "/subscriptions/{subscription}/providers/Microsoft.KubernetesConfiguration/locations/{location}"
ROUTES: Final = (
    *_routes(f"{_LOCATION}/extensionTypes", _in_location),
    *_routes(f"{_GROUP}/{AKS}/{{cluster}}/providers/{TYPE}", partial(_on_cluster, AKS)),
    *_routes(f"{_GROUP}/{ARC}/{{cluster}}/providers/{TYPE}", partial(_on_cluster, ARC)),
)
