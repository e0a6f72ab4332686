"""The id of a resource as templates name it, in any of the three spellings of an extension resource.

A `scope` beside type and name, the long type with `providers` in it, or a full id as `scope`: all give
``<target id>/providers/<type>/<name>``. Source: policy language §6.4.
"""

from __future__ import annotations

from policyengine.errors import TemplateError
from policyengine.model.ids import ResourceId

RESOURCE_GROUPS = "Microsoft.Resources/resourceGroups"


def place_resource(base: str, type: str, name: str) -> ResourceId:
    """The id of ``type`` ``name`` under the scope id ``base``; types and names are paired segment by segment.

    Raises TemplateError when they do not pair.
    """
    if type.casefold() == RESOURCE_GROUPS.casefold():
        return _id(f"{base}/resourceGroups/{name}")
    provider, *types = type.strip("/").split("/")
    names = name.split("/")
    if len(types) != len(names):
        raise TemplateError(
            f"`{type}` needs a name of {len(types)} segment{'' if len(types) == 1 else 's'}, got `{name}`"
        )
    path = "/".join(f"{kind}/{part}" for kind, part in zip(types, names, strict=True))
    return _id(f"{base}/providers/{provider}/{path}")


def resolve_scope(scope: str, base: str) -> str:
    """A resource's `scope`: a full id, or ``Namespace/type/name`` relative to ``base``."""
    if scope.startswith("/"):
        return scope.rstrip("/")
    return f"{base}/providers/{scope.rstrip('/')}"


def names_of(id: ResourceId, type: str, name: str, base: str) -> frozenset[str]:
    """Everything `dependsOn` may call the resource, folded: its id, its name, ``type/name``, its path under ``base``.

    `resourceId()` writes a resource group as if it were any resource, so that spelling is among them.
    """
    provider, *types = type.split("/")
    pairs = "/".join(f"{kind}/{part}" for kind, part in zip(types, name.split("/"), strict=False))
    spellings = {
        id.text,
        name,
        f"{type}/{name}",
        f"{provider}/{pairs}",
        f"{base}/providers/{provider}/{pairs}",
    }
    return frozenset(spelling.casefold() for spelling in spellings)


def _id(text: str) -> ResourceId:
    try:
        return ResourceId(text)
    except ValueError as error:
        raise TemplateError(error.args[0]) from error
