"""A deployment template × parameters → ordered resource writes.

Pure: live reads, secrets of a Key Vault and chance are refused (`live_reads.py`). Outputs are not evaluated: nothing
here can read them. Source: policy language §6.4; ARM template syntax.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from policyengine.errors import TemplateError
from policyengine.expressions.compiled import ExpressionContext
from policyengine.expressions.functions.base import kind_of
from policyengine.model.ids import ResourceId
from policyengine.model.resource import ResourceWrite
from policyengine.model.values import JSON, get_folded, is_array
from policyengine.templates.copy import loop_of
from policyengine.templates.nested import DEPLOYMENTS, NestedDeployment, open_nested, target_of
from policyengine.templates.ordering import Declared, link
from policyengine.templates.placement import names_of, place_resource, resolve_scope
from policyengine.templates.scope import DeploymentScope
from policyengine.templates.surroundings import evaluated, surroundings

__all__ = ["DeploymentScope", "expand"]

_NOT_SENT = frozenset(
    {"name", "type", "apiversion", "scope", "condition", "dependson", "comments", "copy", "resources", "metadata"}
)
"""Members of a resource that speak to the deployment engine, not to the resource provider."""


def expand(
    template: Mapping[str, JSON], parameters: Mapping[str, JSON], scope: DeploymentScope
) -> tuple[ResourceWrite, ...]:
    """The writes that deploying ``template`` to ``scope`` would make, each after those it depends on.

    ``parameters`` has the shape of a deployment's own: ``{name: {"value": …}}``, values evaluated. A member whose
    value is null is sent as null. Raises TemplateError, which names the place in the template.
    """
    return _expand(NestedDeployment(template, surroundings(template, parameters, scope), scope), "")


def _expand(deployment: NestedDeployment, place: str) -> tuple[ResourceWrite, ...]:
    resources = get_folded(deployment.template, "resources")
    if not is_array(resources):
        raise TemplateError(
            f"{place}`resources` of the template must be an array, got {kind_of(resources)}",
            help="symbolic names (language version 2.0) are not supported by this release",
        )
    site = _Site(deployment.context, deployment.scope, place)
    return link([entry for index, resource in enumerate(resources) for entry in _loop(resource, site.at(index))])


@dataclass(frozen=True, slots=True)
class _Site:
    """Where a resource stands in the template: what it sees, where it goes, which resource it is a child of."""

    context: ExpressionContext
    scope: DeploymentScope
    place: str
    parent: _Header | None = None

    def at(self, index: int) -> _Site:
        return replace(self, place=f"{self.place}resources[{index}]")


@dataclass(frozen=True, slots=True)
class _Header:
    """What a resource is called, ancestors included, and the id of the scope it is put under."""

    type: str
    name: str
    base: str


def _loop(resource: JSON, site: _Site) -> Iterator[Declared]:
    if not isinstance(resource, Mapping):
        raise TemplateError(f"{site.place}: a resource must be an object, got {kind_of(resource)}")
    loop = loop_of(resource, site.context, site.place)
    for turn, context in enumerate(loop.contexts):
        for entry in _declared(resource, replace(site, context=context)):
            yield replace(
                entry,
                names=entry.names | loop.names(turn),
                depends_on=entry.depends_on | loop.waits_for(turn),
            )


def _declared(resource: Mapping[str, JSON], site: _Site) -> Iterator[Declared]:
    """The resource, then its child resources; a false `condition` does not reach the children."""
    header = _header(resource, site)
    is_deployment = header.type.casefold() == DEPLOYMENTS.casefold()
    entry = _deployment(resource, header, site) if is_deployment else _resource(resource, header, site)
    yield entry
    below = replace(site, place=f"{site.place}.", parent=header)
    for index, child in enumerate(get_folded(resource, "resources") or ()):
        for found in _loop(child, below.at(index)):
            yield replace(found, depends_on=found.depends_on | {_placed(header, site).key})


def _header(resource: Mapping[str, JSON], site: _Site) -> _Header:
    type, name = _text(resource, "type", site), _text(resource, "name", site)
    parent = site.parent
    if parent is not None:
        return _Header(f"{parent.type}/{type}", f"{parent.name}/{name}", parent.base)
    if get_folded(resource, "scope") is None or type.casefold() == DEPLOYMENTS.casefold():
        return _Header(type, name, site.scope.id)
    return _Header(type, name, resolve_scope(_text(resource, "scope", site), site.scope.id))


def _resource(resource: Mapping[str, JSON], header: _Header, site: _Site) -> Declared:
    id = _placed(header, site)
    names = names_of(id, header.type, header.name, header.base)
    if not _is_on(resource, site):
        return Declared(site.place, names, frozenset(), ())
    body = {key: value for key, value in resource.items() if key.casefold() not in _NOT_SENT}
    write = ResourceWrite(
        id=id,
        api_version=_text(resource, "apiVersion", site),
        body=evaluated(body, site.context, site.place),
    )
    return Declared(site.place, names, _depends_on(resource, site), (write,))


def _deployment(resource: Mapping[str, JSON], header: _Header, site: _Site) -> Declared:
    """A nested deployment: nothing is sent for itself, only for what is in it."""
    target = target_of(resource, header.name, site.context, site.scope, site.place)
    names = frozenset[str]().union(
        *(
            names_of(_placed(replace(header, base=base), site), header.type, header.name, base)
            for base in (site.scope.id, target.id)
        )
    )
    if not _is_on(resource, site):
        return Declared(site.place, names, frozenset(), ())
    nested = open_nested(resource, site.context, target, site.place)
    writes = _expand(nested, f"{site.place}.properties.template.")
    return Declared(site.place, names, _depends_on(resource, site), writes)


def _placed(header: _Header, site: _Site) -> ResourceId:
    try:
        return place_resource(header.base, header.type, header.name)
    except TemplateError as error:
        raise TemplateError(f"{site.place}: {error.message}", help=error.help) from error


def _is_on(resource: Mapping[str, JSON], site: _Site) -> bool:
    condition = evaluated(get_folded(resource, "condition", True), site.context, f"{site.place}: condition")
    if not isinstance(condition, bool):
        raise TemplateError(f"{site.place}: `condition` must be a boolean, got {kind_of(condition)}")
    return condition


def _depends_on(resource: Mapping[str, JSON], site: _Site) -> frozenset[str]:
    value = evaluated(get_folded(resource, "dependsOn") or [], site.context, f"{site.place}: dependsOn")
    if not is_array(value) or not all(isinstance(name, str) for name in value):
        raise TemplateError(f"{site.place}: `dependsOn` must be an array of texts")
    return frozenset(name.rstrip("/").casefold() for name in value)


def _text(resource: Mapping[str, JSON], key: str, site: _Site) -> str:
    value = evaluated(get_folded(resource, key), site.context, f"{site.place}: {key}")
    if not isinstance(value, str) or not value:
        raise TemplateError(f"{site.place}: `{key}` must be a text, got {kind_of(value) if value != '' else 'nothing'}")
    return value
