"""What files of ARM documents have in common, whatever their form: which documents count, what is wrong with one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from policyengine.model.fleet import ScopeFailure
from policyengine.model.ids import ResourceId
from policyengine.model.resource import AKS, ARC, EXTENSIONS, FLUX_CONFIGURATIONS, Resource
from policyengine.model.values import JSON

Document = Mapping[str, JSON]

HELP: Final = "give it its full Azure resource id"
_CLUSTER_PATHS: Final = tuple(f"/providers/{type}/".casefold() for type in (AKS, ARC))
_ON_CLUSTERS: Final = frozenset({EXTENSIONS.casefold(), FLUX_CONFIGURATIONS.casefold()})


def problem_of(document: JSON) -> str | None:
    """Why this is no object with a usable id; None when it is."""
    if not isinstance(document, dict):
        return f"not an ARM document but {_noun(document)}"
    try:
        Resource.from_document(document)
    except ValueError as error:
        return str(error)
    return None


def cluster_key(id: ResourceId) -> str | None:
    """The folded id of the cluster that this is, or is on; None for anything else."""
    key = id.key + "/"
    for path in _CLUSTER_PATHS:
        before, found, after = key.partition(path)
        if found:
            return before + path + after.partition("/")[0]
    return None


def orphaned(resources: Iterable[Resource]) -> Iterator[ScopeFailure]:
    """A failure for each that says a cluster must be there, and it is not."""
    for resource in resources:
        if resource.type.casefold() in _ON_CLUSTERS:
            cluster = resource.id.parent or resource.id
            yield ScopeFailure(cluster, f"`{resource.name}` is listed, but its cluster `{cluster.name}` is not")


def _noun(value: JSON) -> str:
    return "a list" if isinstance(value, list) else "null" if value is None else f"`{value}`"
