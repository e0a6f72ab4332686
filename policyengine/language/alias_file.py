"""Alias catalogues from outside: what Azure exports, and the file a project keeps.

Azure's export is what `az provider list --expand resourceTypes/aliases` prints, or the answer of
`GET /providers?$expand=resourceTypes/aliases`. Keys are read without case. Source: policy language §4.3.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Final

from policyengine.errors import PolicyError
from policyengine.language.aliases import Alias, AliasCatalogue, TypeAliases, default_path, parse_path
from policyengine.model.diagnostic import Diagnostic
from policyengine.model.values import JSON, get_folded, is_array

KIND: Final = "AliasCatalogue"
_INDEXED: Final = frozenset({"supportstags", "supportslocation"})


def catalogue_of(value: AliasCatalogue | Mapping[str, JSON] | Sequence[JSON] | None) -> AliasCatalogue:
    """A catalogue from any of its shapes, over the packaged one. Raises PolicyError for what is none of them."""
    if value is None:
        return AliasCatalogue.packaged()
    catalogue = value if isinstance(value, AliasCatalogue) else read_catalogue(value, "the catalogue")
    return _over_packaged(catalogue)


@lru_cache(maxsize=8)
def _over_packaged(catalogue: AliasCatalogue) -> AliasCatalogue:
    return catalogue.over(AliasCatalogue.packaged())


def read_catalogue(value: JSON, name: str) -> AliasCatalogue:
    """A catalogue file's content, or Azure's export. Raises PolicyError; ``name`` is what the message calls it."""
    if isinstance(value, Mapping) and value.get("kind") == KIND:
        return AliasCatalogue.of(_from_document(value, name))
    return import_providers(value, name)


def import_providers(value: JSON, name: str) -> AliasCatalogue:
    """Azure's list of providers as a catalogue. Raises PolicyError when it is no such list, or has no alias."""
    providers = get_folded(value, "value") if isinstance(value, Mapping) else value
    if not is_array(providers):
        raise _unusable(name, "it must be a list of providers")
    types = [entry for provider in providers for entry in _types_of(provider)]
    if not any(entry.aliases for entry in types):
        raise _unusable(name, "it has no aliases")
    return AliasCatalogue.of(types)


def to_document(catalogue: AliasCatalogue) -> dict[str, JSON]:
    """The content of a catalogue file; what the default-path rule gives is left out of it."""
    types = {
        entry.type: {
            **({"indexed": entry.indexed} if entry.indexed is not None else {}),
            "aliases": {alias.name: _written(alias) for alias in entry.aliases.values()},
        }
        for entry in catalogue.types
    }
    return {"apiVersion": "policyengine/v1", "kind": KIND, "types": types}


def _types_of(provider: JSON) -> Iterator[TypeAliases]:
    """The types of a provider that have aliases, or whose capabilities are told."""
    if not isinstance(provider, Mapping):
        return
    namespace = get_folded(provider, "namespace")
    for type in _list(provider, "resourceTypes"):
        name = get_folded(type, "resourceType")
        aliases = [alias for item in _list(type, "aliases") if (alias := _alias(item)) is not None]
        indexed = _indexed(get_folded(type, "capabilities"))
        if isinstance(namespace, str) and isinstance(name, str) and (aliases or indexed is not None):
            yield TypeAliases.of(f"{namespace}/{name}", aliases, indexed)


def _list(value: Mapping[str, JSON], key: str) -> Iterator[Mapping[str, JSON]]:
    found = get_folded(value, key)
    return (item for item in (found if is_array(found) else ()) if isinstance(item, Mapping))


def _indexed(capabilities: JSON) -> bool | None:
    if not isinstance(capabilities, str):
        return None
    return {part.strip().casefold() for part in capabilities.split(",")} >= _INDEXED


def _alias(item: Mapping[str, JSON]) -> Alias | None:
    name = get_folded(item, "name")
    if not isinstance(name, str) or "/" not in name:
        return None
    default = get_folded(item, "defaultPath")
    path, versions = _versions(default) if isinstance(default, Mapping) else (default, [])
    paths = {version: path for version in versions if isinstance(path, str)}
    for entry in _list(item, "paths"):
        other, versions = _versions(entry)
        paths.update({version: other for version in versions if isinstance(other, str)})
        path = path if isinstance(path, str) else other
    path = path if isinstance(path, str) else ""
    own = {v: p for v, p in paths.items() if p != path}
    return Alias(name, _short(name, path), own, *_modifiable(item))


def _versions(entry: Mapping[str, JSON]) -> tuple[JSON, list[str]]:
    versions = get_folded(entry, "apiVersions")
    return get_folded(entry, "path"), [v for v in versions if isinstance(v, str)] if is_array(versions) else []


def _modifiable(item: Mapping[str, JSON]) -> tuple[bool | None, dict[str, bool]]:
    """What the default metadata says, else the first path that says it; and the API versions that differ."""
    said = _attribute(get_folded(item, "defaultMetadata"))
    in_version: dict[str, bool] = {}
    for path in _list(item, "paths"):
        here = _attribute(get_folded(path, "metadata"))
        said = here if said is None else said
        in_version.update({version: here for version in _versions(path)[1] if here is not None})
    return said, {version: here for version, here in in_version.items() if here is not said}


def _attribute(metadata: JSON) -> bool | None:
    attributes = get_folded(metadata, "attributes") if isinstance(metadata, Mapping) else None
    if not isinstance(attributes, str):
        return None
    return "modifiable" in {part.strip().casefold() for part in attributes.split(",")}


def _short(name: str, path: str) -> str:
    return "" if path and parse_path(path) == default_path(name) else path


def _written(alias: Alias) -> JSON:
    if not alias.versions and alias.modifiable is None:
        return alias.path
    more: dict[str, JSON] = {"path": alias.path}
    if alias.versions:
        more["versions"] = dict(alias.versions)
    if alias.modifiable is not None:
        more["modifiable"] = alias.modifiable
    if alias.modifiable_in:
        more["modifiableIn"] = dict(alias.modifiable_in)
    return more


def _from_document(document: Mapping[str, JSON], name: str) -> Iterator[TypeAliases]:
    types = document.get("types")
    if not isinstance(types, Mapping):
        raise _unusable(name, "it has no `types`")
    for type, entry in types.items():
        aliases = entry.get("aliases") if isinstance(entry, Mapping) else None
        if not isinstance(aliases, Mapping):
            raise _unusable(name, f"`types.{type}` has no `aliases`")
        indexed = entry.get("indexed")
        read = [_read(alias, written, name) for alias, written in aliases.items()]
        yield TypeAliases.of(type, read, indexed if isinstance(indexed, bool) else None)


def _read(alias: str, written: JSON, name: str) -> Alias:
    if isinstance(written, str):
        return Alias(alias, written)
    path = written.get("path") if isinstance(written, Mapping) else None
    versions = written.get("versions") or {} if isinstance(written, Mapping) else None
    if not isinstance(path, str) or not isinstance(versions, Mapping):
        raise _unusable(name, f"alias `{alias}` has no path")
    in_version = written.get("modifiableIn") or {}
    if not isinstance(in_version, Mapping):
        raise _unusable(name, f"`modifiableIn` of alias `{alias}` is no mapping")
    told = {str(version): value for version, value in in_version.items() if isinstance(value, bool)}
    return Alias(alias, path, {str(k): str(v) for k, v in versions.items()}, written.get("modifiable"), told)


def _unusable(name: str, why: str) -> PolicyError:
    help = "export it with `az provider list --expand resourceTypes/aliases`"
    return PolicyError([Diagnostic("invalid-catalogue", f"{name} is no catalogue of aliases: {why}", None, help)])
