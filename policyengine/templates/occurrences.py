"""The resources of a template, loops written out and children under their parents, each with where it stands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from policyengine.errors import TemplateError
from policyengine.expressions.compiled import ExpressionContext
from policyengine.expressions.functions.base import kind_of
from policyengine.model.ids import ResourceId
from policyengine.model.values import JSON, get_folded
from policyengine.templates.copy import evaluated, loop_of
from policyengine.templates.nested import DEPLOYMENTS, target_of
from policyengine.templates.placement import names_of, place_resource, resolve_scope
from policyengine.templates.scope import DeploymentScope


@dataclass(frozen=True, slots=True)
class Site:
    """Where a resource stands in the template: what it sees, where it goes, which resource it is a child of."""

    context: ExpressionContext
    scope: DeploymentScope
    place: str
    parent: Header | None = None

    def at(self, index: int) -> Site:
        return replace(self, place=f"{self.place}resources[{index}]")


@dataclass(frozen=True, slots=True)
class Header:
    """What a resource is called, ancestors included, and the id of the scope it is put under."""

    type: str
    name: str
    base: str

    @property
    def is_deployment(self) -> bool:
        return self.type.casefold() == DEPLOYMENTS.casefold()


@dataclass(frozen=True, slots=True, eq=False)
class Occurrence:
    """One resource in one turn of its loops. ``waits_for`` comes from loops and parents, beside its `dependsOn`."""

    resource: Mapping[str, JSON]
    header: Header
    site: Site
    extra_names: frozenset[str] = frozenset()
    waits_for: frozenset[str] = frozenset()

    @property
    def id(self) -> ResourceId:
        return _placed(self.header, self.site)

    @property
    def target(self) -> DeploymentScope:
        """Of a deployment: where it goes."""
        return target_of(self.resource, self.header.name, self.site.context, self.site.scope, self.site.place)

    @property
    def names(self) -> frozenset[str]:
        """Everything that `dependsOn` and `reference()` may call it, folded."""
        header = self.header
        bases = {header.base, self.site.scope.id, self.target.id} if header.is_deployment else {header.base}
        spellings = (
            names_of(_placed(replace(header, base=base), self.site), header.type, header.name, base) for base in bases
        )
        return frozenset[str]().union(self.extra_names, *spellings)

    @property
    def is_on(self) -> bool:
        """Whether its `condition` holds; one that is off is named, and not written."""
        place = f"{self.site.place}: condition"
        condition = evaluated(get_folded(self.resource, "condition", True), self.site.context, place)
        if not isinstance(condition, bool):
            raise TemplateError(f"{self.site.place}: `condition` must be a boolean, got {kind_of(condition)}")
        return condition


def occurrences(resources: Sequence[JSON], site: Site) -> Iterator[Occurrence]:
    for index, resource in enumerate(resources):
        yield from _looped(resource, site.at(index))


def text_of(resource: Mapping[str, JSON], key: str, site: Site) -> str:
    value = evaluated(get_folded(resource, key), site.context, f"{site.place}: {key}")
    if not isinstance(value, str) or not value:
        raise TemplateError(f"{site.place}: `{key}` must be a text, got {kind_of(value) if value != '' else 'nothing'}")
    return value


def _looped(resource: JSON, site: Site) -> Iterator[Occurrence]:
    if not isinstance(resource, Mapping):
        raise TemplateError(f"{site.place}: a resource must be an object, got {kind_of(resource)}")
    loop = loop_of(resource, site.context, site.place)
    for turn, context in enumerate(loop.contexts):
        for found in _with_children(resource, replace(site, context=context)):
            yield replace(
                found,
                extra_names=found.extra_names | loop.names(turn),
                waits_for=found.waits_for | loop.waits_for(turn),
            )


def _with_children(resource: Mapping[str, JSON], site: Site) -> Iterator[Occurrence]:
    """The resource, then its child resources; a false `condition` does not reach the children."""
    own = Occurrence(resource, _header(resource, site), site)
    yield own
    below = replace(site, place=f"{site.place}.", parent=own.header)
    for child in occurrences(get_folded(resource, "resources") or (), below):
        yield replace(child, waits_for=child.waits_for | {own.id.key})


def _header(resource: Mapping[str, JSON], site: Site) -> Header:
    type, name = text_of(resource, "type", site), text_of(resource, "name", site)
    parent = site.parent
    if parent is not None:
        return Header(f"{parent.type}/{type}", f"{parent.name}/{name}", parent.base)
    if get_folded(resource, "scope") is None or type.casefold() == DEPLOYMENTS.casefold():
        return Header(type, name, site.scope.id)
    return Header(type, name, resolve_scope(text_of(resource, "scope", site), site.scope.id))


def _placed(header: Header, site: Site) -> ResourceId:
    try:
        return place_resource(header.base, header.type, header.name)
    except TemplateError as error:
        raise TemplateError(f"{site.place}: {error.message}", help=error.help) from error
