"""JSON values, and the kinds of nothing that JSON has no word for.

Null is Python's None. The other two must never be mistaken for it, nor for each other.
Source: policy language, "Missing, null and empty".
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any, Final, TypeAlias

import msgspec

JSON: TypeAlias = Any
"""A JSON value: None, bool, int, float, str, list or dict. `Any` because every consumer narrows it."""


_SORTED: Final = msgspec.json.Encoder(order="deterministic")


class Nothing(Enum):
    """A value that is not there."""

    UNDEFINED = "undefined"  # an element selected by [*] that lacks the property
    NO_RESULT = "no result"  # an expression that yields nothing

    def __bool__(self) -> bool:
        return False


UNDEFINED: Final = Nothing.UNDEFINED
NO_RESULT: Final = Nothing.NO_RESULT


def canonical_json(value: JSON) -> str:
    """One text per value: keys sorted, no blanks. Equal values give equal text; 1, 1.0 and true stay apart."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def fingerprint(value: JSON) -> str:
    """A 128-bit hash of the canonical text, as 32 hexadecimal digits."""
    return hashlib.blake2b(canonical_json(value).encode(errors="surrogatepass"), digest_size=16).hexdigest()


def sorted_bytes(value: JSON) -> bytes:
    """As `canonical_json`, several times as fast; its texts are not the same, so hashes of the two never compare."""
    try:
        return _SORTED.encode(value)
    except (TypeError, UnicodeEncodeError):  # names that are no text, halves of surrogate pairs
        return canonical_json(value).encode(errors="surrogatepass")


def get_folded(mapping: Mapping[str, JSON], key: str, default: JSON = None) -> JSON:
    """The member whose name equals ``key`` without regard to case; an exact match wins."""
    if key in mapping:
        return mapping[key]
    folded = key.casefold()
    for name, value in mapping.items():
        if isinstance(name, str) and name.casefold() == folded:
            return value
    return default


def by_folded_key(mapping: Mapping[str, JSON]) -> dict[str, JSON]:
    """The members under their folded names; of several spellings of one name the first."""
    folded: dict[str, JSON] = {}
    for name, value in mapping.items():
        folded.setdefault(name.casefold(), value)
    return folded


def walk(value: JSON, *path: str) -> JSON:
    """The value at ``path`` through nested objects, keys folded; None as soon as a step is absent."""
    for key in path:
        if not isinstance(value, Mapping):
            return None
        value = get_folded(value, key)
    return value


def is_array(value: JSON) -> bool:
    """True for lists and tuples, false for text."""
    if isinstance(value, list | tuple):
        return True
    if value is None or isinstance(value, str | int | float | dict):  # the usual ones first: asking Sequence is slow
        return False
    return isinstance(value, Sequence) and not isinstance(value, bytes)
