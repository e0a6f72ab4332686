"""Pieces of templates, compiled once: a definition is expanded for every cluster, and its text stays the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from policyengine.expressions.compiled import CompiledValue, Where, compile_value
from policyengine.model.values import JSON, is_array

_MOST: Final = 4096


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """``loops``: a `copy` stands somewhere in it, so it must be taken apart. ``compiled`` is None then."""

    source: JSON
    loops: bool
    compiled: CompiledValue | None


_NOT_SENT: Final = frozenset(
    {"name", "type", "apiversion", "scope", "condition", "dependson", "comments", "copy", "resources", "metadata"}
)
"""Members of a resource that speak to the deployment engine, not to the resource provider."""

# Keyed by identity; each entry holds its source, so that no other object can have that identity meanwhile.
_PIECES: dict[int, Piece] = {}
_BODIES: dict[int, tuple[Mapping[str, JSON], dict[str, JSON]]] = {}


def piece(value: JSON) -> Piece:
    """``value`` compiled, at once when that very object was compiled before. Raises ExpressionError."""
    if isinstance(value, str):
        return _text(value)
    if not isinstance(value, Mapping) and not is_array(value):
        return Piece(value, False, compile_value(value, where=Where.TEMPLATE))
    known = _PIECES.get(id(value))
    if known is not None and known.source is value:
        return known
    loops = _has_loop(value)
    made = Piece(value, loops, None if loops else compile_value(value, where=Where.TEMPLATE))
    if len(_PIECES) >= _MOST:
        _PIECES.clear()
    _PIECES[id(value)] = made
    return made


@lru_cache(maxsize=_MOST)
def _text(text: str) -> Piece:
    return Piece(text, False, compile_value(text, where=Where.TEMPLATE))


def sent_of(resource: Mapping[str, JSON]) -> Mapping[str, JSON]:
    """The part of a template's resource that is sent; the same object for the same resource, so that it is a piece."""
    known = _BODIES.get(id(resource))
    if known is not None and known[0] is resource:
        return known[1]
    body = {key: value for key, value in resource.items() if key.casefold() not in _NOT_SENT}
    if len(_BODIES) >= _MOST:
        _BODIES.clear()
    _BODIES[id(resource)] = (resource, body)
    return body


def is_loop(key: str, value: JSON) -> bool:
    """True for ``"copy": [{"name": …, "count": …, "input": …}]``."""
    return key.casefold() == "copy" and is_array(value) and all(_is_turn(item) for item in value)


def _is_turn(item: JSON) -> bool:
    return isinstance(item, Mapping) and {"name", "count", "input"} <= {key.casefold() for key in item}


def _has_loop(value: JSON) -> bool:
    if isinstance(value, Mapping):
        return any(is_loop(key, member) or _has_loop(member) for key, member in value.items())
    return is_array(value) and any(_has_loop(item) for item in value)
