"""Selectors of the Kubernetes API: by labels as sets or equalities, by the two fields every object has.

Source: Kubernetes API concepts, "Labels and selectors" and "Field selectors".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

Selector: TypeAlias = Callable[[Mapping[str, str]], bool]
"""Whether labels, or fields, are those that were asked for."""

FIELDS: Final = ("metadata.name", "metadata.namespace")
_BETWEEN: Final = re.compile(r",(?![^()]*\))")
_EQUALITY: Final = re.compile(r"([\w./-]+)\s*(==?|!=)\s*([\w.-]*)")
_SET: Final = re.compile(r"([\w./-]+)\s+(in|notin)\s*\(([\w.,\s-]*)\)")
_PRESENCE: Final = re.compile(r"(!?)\s*([\w./-]+)")


def label_selector(text: str) -> Selector:
    """All requirements together. Raises ValueError for one that cannot be read."""
    return _all([_by_label(part) for part in _parts(text)])


def field_selector(text: str) -> Selector:
    """The same by fields. Raises ValueError also for a field by which nothing is selected."""
    return _all([_by_field(part) for part in _parts(text)])


def _parts(text: str) -> list[str]:
    return [part.strip() for part in _BETWEEN.split(text) if part.strip()]


def _all(requirements: list[Selector]) -> Selector:
    return lambda found: all(holds(found) for holds in requirements)


def _by_field(text: str) -> Selector:
    match = _EQUALITY.fullmatch(text)
    if match is None:
        raise ValueError(f"invalid selector: '{text}'; can't understand it")
    if match[1] not in FIELDS:
        raise ValueError(f"field label not supported: {match[1]}")
    return _one_of(match[1], {match[3]}, negated=match[2] == "!=")


def _by_label(text: str) -> Selector:
    if match := _SET.fullmatch(text):
        return _one_of(match[1], {value.strip() for value in match[3].split(",")}, negated=match[2] == "notin")
    if match := _EQUALITY.fullmatch(text):
        return _one_of(match[1], {match[3]}, negated=match[2] == "!=")
    if match := _PRESENCE.fullmatch(text):
        key, absent = match[2], bool(match[1])
        return lambda labels: (key in labels) != absent
    raise ValueError(f"unable to parse requirement: '{text}'")


def _one_of(key: str, wanted: set[str], *, negated: bool) -> Selector:
    """What is not there differs from everything."""
    return lambda found: (found.get(key) in wanted) != negated
