"""How the names of a document are spelled: once, when it is taken in, so that columns can be read by exact names.

Azure's names tell no case, and its answers differ: Resource Graph writes `ExtensionType` where Resource Manager
writes `extensionType`. A `Shape` holds the names that the packaged aliases of a type pass on their way, and those
that are documented; names beyond it (tags, settings, whatever people make up) are never touched.
Source: policy language §4.1; configuration API §9.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Final

from policyengine.language.aliases import AliasCatalogue, Star, Step
from policyengine.model.property_names import PROPERTY_NAMES, known_paths
from policyengine.model.resource import Cluster, Resource
from policyengine.model.values import JSON, is_array

PROPERTIES: Final = "properties"
_ENVELOPE: Final = (
    *("apiVersion", "etag", "extendedLocation", "id", "identity", "kind", "location", "managedBy", "name", "plan"),
    *("properties", "sku", "systemData", "tags", "type", "zones"),
)
_BESIDE: Final = ("cluster", "related", "subscription", "resourceGroup", "managementGroups", "parameters", "now")
"""Names that JMESPath sees beside those of the document, whose own come first."""
_BELOW: Final = (
    *(("identity", "type"), ("sku", "name"), ("sku", "tier")),
    *(("systemData", "createdAt"), ("systemData", "lastModifiedAt")),
)
_LEAVES: Final = frozenset({str, int, float, bool, type(None)})


@dataclass(frozen=True, slots=True)
class Shape:
    """The known names of one object, by their folded form, each with its spelling and what is below it.

    ``element`` is the shape of the members when the value is an array. ``spelled`` has what is below each name again,
    by its spelling: most documents need no other look.
    """

    names: dict[str, tuple[str, Shape]] = field(default_factory=dict)
    element: list[Shape] = field(default_factory=list)
    spelled: dict[str, Shape] = field(default_factory=dict)

    def below(self, step: Step) -> Shape | None:
        """The shape one step further; None where nothing is known of it."""
        if isinstance(step, Star):
            return self.element[0] if self.element else None
        known = self.names.get(step.casefold())
        return known[1] if known is not None else None

    def spelling(self, name: str) -> str | None:
        """The name as documents that were taken in have it, None for a name that is not known here."""
        known = self.names.get(name.casefold())
        return known[0] if known is not None else None

    def _grow(self, steps: tuple[Step, ...]) -> None:
        if not steps:
            return
        step, *rest = steps
        if isinstance(step, Star):
            self.element[:] = self.element or [Shape()]
            member = self.element[0]
            member._grow(tuple(rest))
            # members that are sub-resources keep their values one level down. Source: policy language §4.3 (a)
            member._named(PROPERTIES)._grow(tuple(rest))
        else:
            self._named(step)._grow(tuple(rest))

    def _named(self, name: str) -> Shape:
        spelling, below = self.names.setdefault(name.casefold(), (name, Shape()))
        self.spelled[spelling] = below
        return below


@cache
def shape_of(type: str) -> Shape:
    """What is known of documents of ``type`` (folded). The result is shared: nobody changes it."""
    catalogue, shape = AliasCatalogue.packaged(), Shape()
    for steps in (*((name,) for name in (*_ENVELOPE, *_BESIDE)), *_BELOW):
        shape._grow(steps)
    for path in known_paths(PROPERTY_NAMES.get(type, {})):
        shape._grow((PROPERTIES, *path))
    for alias in catalogue.names(type):
        found = catalogue.path_for(type, alias)
        if found is not None:
            shape._grow(found.steps)
    return shape


def respell(value: JSON, shape: Shape) -> JSON:
    """The value with the known names in their one spelling; the very same object when they are.

    Of several names that differ in case alone, the one that is spelled right counts, else the first.
    """
    if _is_right(value, shape):
        return value
    if isinstance(value, Mapping):
        return _respell_object(value, shape)
    return [respell(item, shape.element[0]) for item in value]


def _is_right(value: JSON, shape: Shape) -> bool:
    """True when there is nothing to mend: nearly always, so it builds nothing and stops where nothing is known."""
    if is_array(value):
        return not shape.element or all(_is_right(item, shape.element[0]) for item in value)
    if isinstance(value, (dict, Mapping)):  # the usual one first: asking Mapping is slow
        names, spelled = shape.names, shape.spelled
        for name, inner in value.items() if names else ():
            below = spelled.get(name)
            if below is None:
                if name.casefold() in names:
                    return False
            elif type(inner) not in _LEAVES and (below.names or below.element) and not _is_right(inner, below):
                return False
    return True


def respelled(cluster: Cluster) -> Cluster:
    """The cluster and all that is on it, each document in the spelling of its type."""
    resources = (cluster.resource, *cluster.children)
    own, *children = found = [_respelled(resource) for resource in resources]
    if all(new is old for new, old in zip(found, resources, strict=True)):
        return cluster
    extensions, rest = children[: len(cluster.extensions)], children[len(cluster.extensions) :]
    configurations, others = rest[: len(cluster.flux_configurations)], rest[len(cluster.flux_configurations) :]
    return replace(
        cluster,
        resource=own,
        extensions=tuple(extensions),
        flux_configurations=tuple(configurations),
        others=tuple(others),
    )


def _respelled(resource: Resource) -> Resource:
    document = respell(resource.document, shape_of(resource.type.casefold()))
    return resource if document is resource.document else replace(resource, document=document)


def _respell_object(value: Mapping[str, JSON], shape: Shape) -> dict[str, JSON]:
    result: dict[str, JSON] = {}
    for name, inner in value.items():
        known = shape.names.get(name.casefold())
        if known is None:
            result[name] = inner
            continue
        spelling, below = known
        if spelling == name or (spelling not in value and spelling not in result):
            result[spelling] = respell(inner, below)
    return result
