"""The shape of a request body, as data: canonical spelling, types, defaults, which values are secret.

Knows nothing of any one resource type. Property names are matched without regard to case and stored in their
canonical spelling; properties nobody knows are dropped, as the service does. Source: configuration API §2 and §4.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final

from policyengine.emulator.answers import invalid_content, validation_failed
from policyengine.model.values import JSON


class Kind(Enum):
    TEXT = auto()
    NUMBER = auto()
    FLAG = auto()
    TEXTS = auto()
    TEXT_MAP = auto()
    OBJECT = auto()
    MAP_OF = auto()
    LIST_OF = auto()
    ANYTHING = auto()


class _Absent(Enum):
    ABSENT = auto()


_LARGEST_INTEGER: Final = (1 << 63) - 1
ABSENT: Final = _Absent.ABSENT
"""No default: a property that was not sent is not shown."""


@dataclass(frozen=True, slots=True)
class Shape:
    """``words`` are the values an enumeration takes; ``items`` is the shape of a map's or list's members."""

    kind: Kind
    default: JSON = ABSENT
    words: tuple[str, ...] = ()
    fields: Mapping[str, Shape] = field(default_factory=dict)
    items: Shape | None = None
    secret: bool = False


def text(default: JSON = ABSENT, *, words: tuple[str, ...] = (), secret: bool = False) -> Shape:
    return Shape(Kind.TEXT, default, words=words, secret=secret)


def number(default: JSON = ABSENT) -> Shape:
    return Shape(Kind.NUMBER, default)


def flag(default: JSON = ABSENT) -> Shape:
    return Shape(Kind.FLAG, default)


def texts(default: JSON = ABSENT) -> Shape:
    return Shape(Kind.TEXTS, default)


def text_map(default: JSON = ABSENT, *, secret: bool = False) -> Shape:
    return Shape(Kind.TEXT_MAP, default, secret=secret)


def obj(**fields: Shape) -> Shape:
    return Shape(Kind.OBJECT, fields=fields)


def map_of(items: Shape) -> Shape:
    return Shape(Kind.MAP_OF, items=items)


def list_of(items: Shape) -> Shape:
    return Shape(Kind.LIST_OF, items=items)


def anything() -> Shape:
    return Shape(Kind.ANYTHING)


def read(shape: Shape, value: JSON, path: str) -> JSON:
    """The value in canonical spelling; what is not in the shape is left out. Nulls stay.

    Raises Refusal: InvalidRequestContent for a wrong type, ValidationFailed for a word that is not one of the words.
    """
    return None if value is None else _READERS[shape.kind](shape, value, path)


def complete(shape: Shape, value: JSON) -> JSON:
    """The value with every default filled in; a null counts as left out, in maps too."""
    if value is None:
        return None
    if shape.kind is Kind.TEXT_MAP:
        return {name: item for name, item in value.items() if item is not None}
    if shape.kind is Kind.OBJECT:
        return _complete_object(shape, value)
    if shape.items is not None and shape.kind is Kind.MAP_OF:
        return {name: complete(shape.items, item) for name, item in value.items() if item is not None}
    if shape.items is not None:
        return [complete(shape.items, item) for item in value]
    return value


def merge(shape: Shape, stored: JSON, patch: JSON) -> JSON:
    """``stored`` changed by ``patch``: absent is unchanged, objects merge by field, maps by key, null removes."""
    if not isinstance(stored, Mapping) or not isinstance(patch, Mapping):
        return patch
    merged = dict(stored)
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            below = shape.fields.get(name) or shape.items or anything()
            mergeable = below.kind in {Kind.OBJECT, Kind.MAP_OF, Kind.TEXT_MAP}
            merged[name] = merge(below, merged.get(name), value) if mergeable else value
    return merged


def split_secrets(shape: Shape, value: JSON) -> tuple[JSON, dict[str, JSON]]:
    """The value without its secrets, and the secrets by dotted path; empty ones and nulls are not kept."""
    secrets: dict[str, JSON] = {}
    return _strip(shape, value, "", secrets), secrets


def nulled_secrets(shape: Shape, value: JSON) -> frozenset[str]:
    """Names of the secrets that a PATCH takes away by a null: of properties, and of keys in maps of secrets."""
    if not isinstance(value, Mapping):
        return frozenset()
    if shape.secret:
        return frozenset(name for name, member in value.items() if member is None)
    names: set[str] = set()
    for name, below in shape.fields.items():
        if below.secret and below.kind is Kind.TEXT and name in value and value[name] is None:
            names.add(name)
        names |= nulled_secrets(below, value.get(name))
    return frozenset(names)


def secret_names(shape: Shape) -> frozenset[str]:
    """Folded names of the properties whose values must never be shown."""
    names = {name.casefold() for name, below in shape.fields.items() if below.secret}
    for below in (*shape.fields.values(), *((shape.items,) if shape.items else ())):
        names |= secret_names(below)
    return frozenset(names)


def _strip(shape: Shape, value: JSON, path: str, secrets: dict[str, JSON]) -> JSON:
    if not isinstance(value, Mapping) or shape.kind is not Kind.OBJECT:
        return value
    public: dict[str, JSON] = {}
    for name, member in value.items():
        below = shape.fields[name]
        if below.secret:
            kept = complete(below, member)
            if kept:
                secrets[f"{path}{name}"] = kept
        else:
            public[name] = _strip(below, member, f"{path}{name}.", secrets)
    return public


def _complete_object(shape: Shape, value: Mapping[str, JSON]) -> dict[str, JSON]:
    done: dict[str, JSON] = {}
    for name, below in shape.fields.items():
        member = value.get(name)
        if member is not None:
            done[name] = complete(below, member)
        elif below.default is not ABSENT:
            done[name] = dict(below.default) if isinstance(below.default, dict) else below.default
    return done


def _read_object(shape: Shape, value: JSON, path: str) -> JSON:
    members = {name.casefold(): member for name, member in _mapping(value, path).items()}
    return {
        name: read(below, members[name.casefold()], f"{path}.{name}")
        for name, below in shape.fields.items()
        if name.casefold() in members
    }


def _read_map(shape: Shape, value: JSON, path: str) -> JSON:
    assert shape.items is not None
    return {name: read(shape.items, item, f"{path}.{name}") for name, item in _mapping(value, path).items()}


def _read_list(shape: Shape, value: JSON, path: str) -> JSON:
    assert shape.items is not None
    return [read(shape.items, item, f"{path}[{at}]") for at, item in enumerate(_list(value, path))]


def _read_text_map(_: Shape, value: JSON, path: str) -> JSON:
    return {name: None if v is None else _as_text(v, f"{path}.{name}") for name, v in _mapping(value, path).items()}


def _read_texts(_: Shape, value: JSON, path: str) -> JSON:
    return [_as_text(item, f"{path}[{at}]") for at, item in enumerate(_list(value, path))]


def _read_text(shape: Shape, value: JSON, path: str) -> JSON:
    said = _as_text(value, path)
    if not shape.words:
        return said
    for word in shape.words:
        if word.casefold() == said.casefold():
            return word
    raise validation_failed(f"'{said}' is not a value of '{path}': use one of {', '.join(shape.words)}.", target=path)


def _read_number(_: Shape, value: JSON, path: str) -> JSON:
    try:
        if isinstance(value, bool) or int(value) != float(value) or int(value) > _LARGEST_INTEGER:
            raise ValueError
    except (TypeError, ValueError, OverflowError):
        raise invalid_content(f"Could not convert to integer: {value!s}. Path '{path}'") from None
    if int(value) < 1:
        raise validation_failed(f"'{path}' must be a positive integer, got {value}.", target=path)
    return int(value)


def _read_flag(_: Shape, value: JSON, path: str) -> JSON:
    if isinstance(value, bool):
        return value
    if str(value).casefold() in {"true", "false"}:
        return str(value).casefold() == "true"
    raise invalid_content(f"Could not convert to boolean: {value!s}. Path '{path}'")


def _mapping(value: JSON, path: str) -> Mapping[str, JSON]:
    if not isinstance(value, Mapping):
        raise invalid_content(f"Cannot read '{path}': an object is expected")
    return value


def _list(value: JSON, path: str) -> list[JSON]:
    if not isinstance(value, list):
        raise invalid_content(f"Cannot read '{path}': an array is expected")
    return value


def _as_text(value: JSON, path: str) -> str:
    # Azure's own built-ins send booleans in settings maps; the service keeps them as text.
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return str(value)
    raise invalid_content(f"Cannot read '{path}': a string is expected")


def _read_anything(_: Shape, value: JSON, path: str) -> JSON:  # noqa: ARG001 (one signature for all readers)
    return value


_READERS: Final[Mapping[Kind, Callable[[Shape, JSON, str], JSON]]] = {
    Kind.TEXT: _read_text,
    Kind.NUMBER: _read_number,
    Kind.FLAG: _read_flag,
    Kind.TEXTS: _read_texts,
    Kind.TEXT_MAP: _read_text_map,
    Kind.OBJECT: _read_object,
    Kind.MAP_OF: _read_map,
    Kind.LIST_OF: _read_list,
    Kind.ANYTHING: _read_anything,
}
