"""Field names and aliases: from what a rule writes to a path in a resource's document.

A catalogue is keyed by resource type and alias, because one alias may mean different paths on different types.
Source: policy language §4.1 and §4.3.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from copy import copy
from dataclasses import dataclass, field
from enum import Enum
from functools import cache, lru_cache
from importlib.resources import files
from typing import Final, TypeAlias


class Star(Enum):
    """The step ``[*]``: every member of an array."""

    STAR = "[*]"


STAR: Final = Star.STAR
Step: TypeAlias = str | Star


@dataclass(frozen=True, slots=True)
class AliasPath:
    """A walk from the root of a resource's document. Names are matched without case."""

    steps: tuple[Step, ...]

    def __str__(self) -> str:
        return format_path(self.steps)


class FieldKind(Enum):
    BUILT_IN = "built-in field"
    TAG = "tag"
    ALIAS = "alias"
    PATH = "path"  # from the document's root; ours, Azure has no such fields


@dataclass(frozen=True, slots=True)
class FieldName:
    """What the name of a field means.

    ``name`` is the canonical built-in name, the tag's name, the alias, or the path as written.
    ``steps`` is the walk for paths, tags and the built-in fields that stand in the document; empty for aliases,
    and for ``id``, ``name``, ``fullName`` and ``type``, which the resource id tells.
    """

    kind: FieldKind
    name: str
    steps: tuple[Step, ...] = ()


_FROM_ID: Final = {"id": "id", "name": "name", "fullname": "fullName", "type": "type"}
_IN_DOCUMENT: Final = {"kind": "kind", "location": "location", "tags": "tags", "apiversion": "apiVersion"}
_IDENTITY: Final = "identity."

ENVELOPE: Final = frozenset(
    {
        *("sku", "identity", "kind", "zones", "plan", "tags", "location", "name", "id", "type"),
        *("extendedlocation", "managedby", "systemdata", "etag"),
    }
)
"""First parts that the default-path rule reads at the root of the document, folded."""

BUILT_IN_FIELDS: Final = (*_FROM_ID.values(), *_IN_DOCUMENT.values(), "identity.type")

_STEP = re.compile(
    r"""\[\*\]                                  # every member
      | \[ ' (?P<single> (?:[^']|'')* ) ' \]    # ['a name']
      | \[ " (?P<double> [^"]* ) " \]           # ["a name"]
      | \[ (?P<bare> [^\[\]]* ) \]              # [a name]
      | \.? (?P<name> [^.\[\]]+ )               # a name""",
    re.VERBOSE,
)
_PLAIN_STEP = re.compile(r"[^.\[\]'/]+")


@lru_cache(maxsize=4096)
def classify_field(name: str) -> FieldName:
    """Source: policy language §4.1 (built-in fields, tags), §4.3 (aliases, raw paths)."""
    folded = name.casefold()
    if folded in _FROM_ID:
        return FieldName(FieldKind.BUILT_IN, _FROM_ID[folded])
    if folded in _IN_DOCUMENT:
        canonical = _IN_DOCUMENT[folded]
        return FieldName(FieldKind.BUILT_IN, canonical, (canonical,))
    if (tag := _tag_name(name)) is not None:
        return FieldName(FieldKind.TAG, tag, ("tags", tag))
    if "/" in name.partition("[")[0]:
        return FieldName(FieldKind.ALIAS, name)
    kind = FieldKind.BUILT_IN if folded.startswith(_IDENTITY) else FieldKind.PATH
    return FieldName(kind, name, parse_path(name))


def _tag_name(name: str) -> str | None:
    """The tag in ``tags.x``, ``tags['x']``, ``tags["x"]`` or ``tags[x]``; None for any other field."""
    head, rest = name[:4].casefold(), name[4:]
    if head != "tags" or not rest:
        return None
    if rest.startswith("."):
        return rest[1:]
    inner = rest[1:-1] if rest.startswith("[") and rest.endswith("]") else None
    if not inner or inner == "*":
        return None
    if len(inner) > 1 and inner[0] == inner[-1] and inner[0] in {"'", '"'}:
        return inner[1:-1].replace("''", "'") if inner[0] == "'" else inner[1:-1]
    return inner


def parse_path(text: str) -> tuple[Step, ...]:
    """``properties.a[*].b['c.d']`` as steps. Text that is no path at all is taken as one name."""
    steps: list[Step] = []
    at = 0
    while at < len(text):
        match = _STEP.match(text, at)
        if match is None:
            return (text,)
        quoted = match["single"]
        named = next((part for part in (match["double"], match["bare"], match["name"]) if part is not None), None)
        if quoted is not None:
            steps.append(quoted.replace("''", "'"))
        elif match[0] == "[*]" or named is None:
            steps.append(STAR)
        else:
            steps.append(named)
        at = match.end()
    return tuple(steps)


def format_path(steps: Iterable[Step]) -> str:
    """The inverse of `parse_path`: names that hold a dot, a bracket, a slash or a quote are quoted."""
    text = ""
    for step in steps:
        if isinstance(step, Star):
            text += step.value
        elif _PLAIN_STEP.fullmatch(step):
            text += f".{step}" if text else step
        else:
            quoted = step.replace("'", "''")
            text += f"['{quoted}']"
    return text


def begins_in_envelope(steps: tuple[Step, ...]) -> bool:
    """True for a path that starts with `properties` or another member that ARM documents have at their root."""
    first = steps[0] if steps else ""
    return isinstance(first, str) and first.casefold() in ENVELOPE | {"properties"}


def default_path(alias: str) -> tuple[Step, ...]:
    """The path an alias most often has: its last part under ``properties``, envelope fields at the root.

    Source: policy language §4.3, "default-path rule".
    """
    steps = parse_path(_last_part(alias))
    first = steps[0] if steps else ""
    if isinstance(first, str) and first.casefold() in ENVELOPE:
        return steps
    return ("properties", *steps)


@dataclass(frozen=True, slots=True)
class Alias:
    """One alias of one resource type.

    ``path`` is the default path as text, empty where the default-path rule gives it; ``versions`` maps API versions
    to paths of their own. ``modifiable`` tells whether `modify` may change it, None when the catalogue does not say;
    ``modifiable_in`` holds the API versions of which something else is so.
    """

    name: str
    path: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    modifiable: bool | None = None
    modifiable_in: Mapping[str, bool] = field(default_factory=dict)

    def is_modifiable(self, api_version: str | None = None) -> bool | None:
        return self.modifiable_in.get(api_version, self.modifiable) if api_version else self.modifiable

    def steps(self, api_version: str | None = None) -> tuple[Step, ...]:
        """The walk for a version; the default path for one that is not known. Source: policy language §4.3."""
        path = self.versions.get(api_version, self.path) if api_version else self.path
        return parse_path(path) if path else default_path(self.name)


@dataclass(frozen=True, slots=True)
class TypeAliases:
    """What a catalogue knows of one resource type; ``aliases`` is keyed by the folded name.

    ``indexed``: it supports tags and location, which the mode Indexed asks for; None when the catalogue does not say.
    """

    type: str
    aliases: Mapping[str, Alias]
    indexed: bool | None = None

    @classmethod
    def of(cls, type: str, aliases: Iterable[Alias], indexed: bool | None = None) -> TypeAliases:
        """Of names that differ in case only, such as `ExtensionType` and `extensionType`, the first counts."""
        table: dict[str, Alias] = {}
        for alias in aliases:
            table.setdefault(alias.name.casefold(), alias)
        return cls(type, table, indexed)

    def over(self, below: TypeAliases) -> TypeAliases:
        indexed = below.indexed if self.indexed is None else self.indexed
        return TypeAliases(self.type, {**below.aliases, **self.aliases}, indexed)


class AliasCatalogue:
    """Aliases per resource type. Types and aliases are looked up without case."""

    raw_paths: bool
    """Whether a name that is no alias is read as a path from the root, wherever it begins; if not, only paths that
    begin with `properties` or another member of ARM's envelope are."""

    def __init__(self, types: Mapping[str, Mapping[str, tuple[Step, ...]]]) -> None:
        """``types``: resource type → full alias → path."""
        self._fill(
            TypeAliases.of(type, (Alias(alias, format_path(steps)) for alias, steps in aliases.items()))
            for type, aliases in types.items()
        )

    def _fill(self, types: Iterable[TypeAliases], *, raw_paths: bool = True) -> None:
        self._types = {entry.type.casefold(): entry for entry in types}
        self._found: dict[tuple[str, str, str | None], AliasPath | None] = {}
        self.raw_paths = raw_paths

    @classmethod
    def of(cls, types: Iterable[TypeAliases], *, raw_paths: bool = True) -> AliasCatalogue:
        catalogue = cls({})
        catalogue._fill(types, raw_paths=raw_paths)
        return catalogue

    @classmethod
    @cache
    def packaged(cls) -> AliasCatalogue:
        """The table that comes with this package: resource types that have to do with clusters."""
        text = files("policyengine.language").joinpath("data/aliases.json").read_text(encoding="utf-8")
        types = json.loads(text)["types"]
        return cls.of(_expand(type, entry) for type, entry in types.items())

    def over(self, below: AliasCatalogue) -> AliasCatalogue:
        """Both: what this one says of an alias wins, what it does not have is looked for in ``below``."""
        merged = dict(below._types)
        for key, entry in self._types.items():
            merged[key] = entry.over(merged[key]) if key in merged else entry
        return AliasCatalogue.of(merged.values(), raw_paths=self.raw_paths)

    def reading_raw_paths(self, raw_paths: bool) -> AliasCatalogue:
        """The same aliases; see ``raw_paths``."""
        if raw_paths is self.raw_paths:
            return self
        other = copy(self)  # shares what was looked up: where an alias leads does not depend on it
        other.raw_paths = raw_paths
        return other

    @property
    def types(self) -> tuple[TypeAliases, ...]:
        """Every type, sorted by name."""
        return tuple(self._types[key] for key in sorted(self._types))

    def is_known_type(self, type: str) -> bool:
        return type.casefold() in self._types

    def is_indexed(self, type: str) -> bool | None:
        """Whether the type supports tags and location; None when the catalogue does not say."""
        entry = self._types.get(type.casefold())
        return entry.indexed if entry is not None else None

    def names(self, type: str) -> tuple[str, ...]:
        """The aliases of ``type``, sorted; empty for a type outside the catalogue."""
        entry = self._types.get(type.casefold())
        if entry is None:
            return ()
        return tuple(sorted((alias.name for alias in entry.aliases.values()), key=str.casefold))

    def alias(self, resource_type: str, name: str) -> Alias | None:
        """What the catalogue says of an alias; None for one it does not have."""
        entry = self._types.get(resource_type.casefold())
        return entry.aliases.get(name.casefold()) if entry is not None else None

    def path_for(self, resource_type: str, field_name: str, api_version: str | None = None) -> AliasPath | None:
        """Where ``field_name``, an alias, is found in a document of ``resource_type`` read with ``api_version``.

        None when a catalogued type has no such alias, and when the alias belongs to another type. A document that
        does not say its type (empty) is taken for one of the alias's own.
        """
        key = (resource_type, field_name, api_version)
        if key not in self._found:
            self._found[key] = self._look_up(*key)
        return self._found[key]

    def _look_up(self, resource_type: str, name: str, api_version: str | None) -> AliasPath | None:
        if self.is_known_type(resource_type):
            alias = self.alias(resource_type, name)
            return AliasPath(alias.steps(api_version)) if alias is not None else None
        owner = name[: -len(_last_part(name)) - 1].casefold()
        # Legacy aliases name only the provider: `Microsoft.Compute/imagePublisher`.
        if not resource_type or owner in {resource_type.casefold(), resource_type.partition("/")[0].casefold()}:
            return AliasPath(default_path(name))
        return None

    def type_of(self, alias: str) -> str | None:
        """The catalogued type an alias claims to belong to, by its text; None when the catalogue has none such."""
        owner = alias[: -len(_last_part(alias)) - 1]
        return owner if self.is_known_type(owner) else None

    def alias_for(self, resource_type: str, steps: tuple[Step, ...]) -> str | None:
        """The alias that reads exactly ``steps`` on ``resource_type``, spelt as catalogued; None when there is none."""
        alias = self.alias(resource_type, f"{resource_type}/{format_path(steps[1:])}")
        return alias.name if alias is not None and _folded(alias.steps()) == _folded(steps) else None


def _last_part(alias: str) -> str:
    head, bracket, rest = alias.partition("[")
    return head.rpartition("/")[2] + bracket + rest


def _folded(steps: tuple[Step, ...]) -> tuple[Step, ...]:
    return tuple(step.casefold() if isinstance(step, str) else step for step in steps)


def _expand(type: str, entry: Mapping[str, object]) -> TypeAliases:
    names, exceptions = entry["aliases"], entry.get("paths", {})
    assert isinstance(names, list)
    assert isinstance(exceptions, dict)
    return TypeAliases.of(type, (Alias(f"{type}/{name}", exceptions.get(name, "")) for name in names))
