"""The API server of a simulated cluster, for reading: discovery, lists, single objects, and failures as `Status`.

Enough for `kubectl get` and clients of its kind. Nothing is written this way: what a person would do by hand, the
control API does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from policyengine.emulator.answers import Answer
from policyengine.emulator.kinds import FLUX_CUSTOM_RESOURCES, KUBERNETES_KINDS, Kind
from policyengine.emulator.kubernetes_objects import KubernetesObject, objects_of
from policyengine.emulator.kubernetes_selectors import field_selector, label_selector
from policyengine.emulator.state import EmulatedCluster
from policyengine.model.values import JSON, walk

_VERBS: Final = ("get", "list")
_SHORT_NAMES: Final[Mapping[str, str]] = {
    "configmaps": "cm",
    "customresourcedefinitions": "crd",
    "deployments": "deploy",
    "gitrepositories": "gitrepo",
    "helmreleases": "hr",
    "helmrepositories": "helmrepo",
    "kustomizations": "ks",
    "namespaces": "ns",
    "ocirepositories": "ocirepo",
    "serviceaccounts": "sa",
    "services": "svc",
}
_DEFAULT_VERSION: Final = "1.29.0"


def answer_kubernetes(cluster: EmulatedCluster, method: str, path: Sequence[str], query: Mapping[str, str]) -> Answer:
    """What the API server says to a request for ``path``; ``query`` has folded names."""
    if method != "GET" or query.get("watch", "").casefold() in {"1", "true"}:
        return _failure(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")
    match list(path):
        case ["version"]:
            return Answer(200, _version(cluster))
        case ["api"]:
            return Answer(200, {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []})
        case ["apis"]:
            return Answer(200, {"kind": "APIGroupList", "apiVersion": "v1", "groups": _groups(cluster)})
        case ["apis", group]:
            return _group(cluster, group)
        case ["api", version, *rest]:
            return _resources(cluster, "", version, rest, query)
        case ["apis", group, version, *rest]:
            return _resources(cluster, group, version, rest, query)
    return _unknown()


def _resources(
    cluster: EmulatedCluster, group: str, version: str, path: Sequence[str], query: Mapping[str, str]
) -> Answer:
    kinds = [kind for kind in _kinds(cluster) if (kind.group, kind.version) == (group, version)]
    if not kinds:
        return _unknown()
    match list(path):
        case []:
            return Answer(200, _resource_list(kinds))
        case ["namespaces", namespace, plural, *name] if len(name) < 2:
            return _read(cluster, kinds, plural, namespace, "".join(name), query)
        case [plural, *name] if len(name) < 2:
            return _read(cluster, kinds, plural, "", "".join(name), query)
    return _unknown()


def _read(
    cluster: EmulatedCluster, kinds: Sequence[Kind], plural: str, namespace: str, name: str, query: Mapping[str, str]
) -> Answer:
    kind = next((kind for kind in kinds if kind.plural == plural), None)
    if kind is None or (namespace and not kind.namespaced) or (name and kind.namespaced and not namespace):
        return _unknown()
    found = [o for o in objects_of(cluster) if o.kind == kind and (not namespace or o.namespace == namespace)]
    if not name:
        try:
            chosen = _selector(query)
        except ValueError as error:
            return _failure(400, "BadRequest", str(error))
        items = [o.document for o in found if chosen(o)]
        head: dict[str, JSON] = {"kind": f"{kind.name}List", "apiVersion": kind.api_version}
        return Answer(200, {**head, "metadata": {"resourceVersion": "1"}, "items": items})
    one = next((o for o in found if o.name == name), None)
    if one is not None:
        return Answer(200, one.document)
    details = {"name": name, "group": kind.group, "kind": kind.plural}
    return _failure(404, "NotFound", f'{kind.definition.rstrip(".")} "{name}" not found', details)


def _selector(query: Mapping[str, str]) -> Callable[[KubernetesObject], bool]:
    """Raises ValueError for one that cannot be followed."""
    fields = field_selector(query.get("fieldselector", ""))
    labels = label_selector(query.get("labelselector", ""))
    return lambda o: fields({"metadata.name": o.name, "metadata.namespace": o.namespace}) and labels(o.labels)


def _kinds(cluster: EmulatedCluster) -> list[Kind]:
    """Flux's own while it is installed, and whatever custom ones there are objects of."""
    flux = FLUX_CUSTOM_RESOURCES if cluster.objects.flux_installed else ()
    others = {found.said.type for found in cluster.objects.applied.values() if not found.is_flux}
    kinds = {*KUBERNETES_KINDS, *flux, *others}
    return sorted(kinds, key=lambda kind: (kind.group, kind.version, kind.plural))


def _groups(cluster: EmulatedCluster) -> list[dict[str, JSON]]:
    versions: dict[str, list[str]] = {}
    for kind in _kinds(cluster):
        known = versions.setdefault(kind.group, [])
        if kind.group and kind.version not in known:
            known.append(kind.version)
    return [_group_document(group, found) for group, found in versions.items() if group]


def _group_document(group: str, versions: Sequence[str]) -> dict[str, JSON]:
    told = [{"groupVersion": f"{group}/{version}", "version": version} for version in versions]
    return {"name": group, "versions": told, "preferredVersion": told[0]}


def _group(cluster: EmulatedCluster, name: str) -> Answer:
    found = next((group for group in _groups(cluster) if group["name"] == name), None)
    return Answer(200, {"kind": "APIGroup", "apiVersion": "v1", **found}) if found else _unknown()


def _resource_list(kinds: Sequence[Kind]) -> dict[str, JSON]:
    resources = [
        {
            "name": kind.plural,
            "singularName": kind.name.casefold(),
            "namespaced": kind.namespaced,
            "kind": kind.name,
            "verbs": list(_VERBS),
            "shortNames": [_SHORT_NAMES[kind.plural]] if kind.plural in _SHORT_NAMES else [],
        }
        for kind in kinds
    ]
    head: dict[str, JSON] = {"kind": "APIResourceList", "apiVersion": "v1"}
    return {**head, "groupVersion": kinds[0].api_version, "resources": resources}


def _version(cluster: EmulatedCluster) -> dict[str, JSON]:
    said = walk(cluster.document, "properties", "kubernetesVersion") or _DEFAULT_VERSION
    version = str(said).removeprefix("v")
    major, _, rest = version.partition(".")
    minor = rest.partition(".")[0]
    return {"major": major, "minor": minor, "gitVersion": f"v{version}", "platform": "linux/amd64"}


def _unknown() -> Answer:
    return _failure(404, "NotFound", "the server could not find the requested resource")


def _failure(status: int, reason: str, message: str, details: Mapping[str, JSON] | None = None) -> Answer:
    return Answer(
        status,
        {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": message,
            "reason": reason,
            "details": dict(details or {}),
            "code": status,
        },
    )
