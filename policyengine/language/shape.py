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


@dataclass(frozen=True, slots=True)
class Shape:
    """The known names of one object, by their folded form, each with its spelling and what is below it.

    ``element`` is the shape of the members when the value is an array.
    """

    names: dict[str, tuple[str, Shape]] = field(default_factory=dict)
    element: list[Shape] = field(default_factory=list)

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
            member.names.setdefault(PROPERTIES, (PROPERTIES, Shape()))[1]._grow(tuple(rest))
        else:
            self.names.setdefault(step.casefold(), (step, Shape()))[1]._grow(tuple(rest))


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
    if isinstance(value, Mapping):
        return _respell_object(value, shape)
    if is_array(value) and shape.element:
        items = [respell(item, shape.element[0]) for item in value]
        return items if any(new is not old for new, old in zip(items, value, strict=True)) else value
    return value


def respelled(cluster: Cluster) -> Cluster:
    """The cluster and all that is on it, each document in the spelling of its type."""
    own, *children = (_respelled(resource) for resource in (cluster.resource, *cluster.children))
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
    return replace(resource, document=respell(resource.document, shape_of(resource.type.casefold())))


def _respell_object(value: Mapping[str, JSON], shape: Shape) -> JSON:
    changed, result = False, {}
    for name, inner in value.items():
        known = shape.names.get(name) or shape.names.get(name.casefold())
        if known is None:
            result[name] = inner
            continue
        spelling, below = known
        new = respell(inner, below)
        changed = changed or spelling != name or new is not inner
        if spelling == name or (spelling not in value and spelling not in result):
            result[spelling] = new
    return result if changed else value
