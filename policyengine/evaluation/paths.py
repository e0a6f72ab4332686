"""Walks a path with ``[*]`` through a document, and remembers which array members were meant.

Pins say which single member of an array counts while a `count` looks at one of them: the array then behaves as if
that member were the only one. Source: policy language §4.4, §5.2.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from policyengine.language.aliases import Star, Step
from policyengine.model.values import JSON, UNDEFINED, get_folded, is_array

Steps: TypeAlias = Sequence[Step]
Pins: TypeAlias = Mapping[tuple[Step, ...], int]
"""From the folded path of an array, its ``[*]`` included, to the index of the one member that counts."""

NO_PINS: Pins = {}


@dataclass(frozen=True, slots=True)
class Selection:
    """What a path selects.

    Without ``[*]`` (``each`` false) there is exactly one value, UNDEFINED when absent. With it, one value per member,
    UNDEFINED where a member lacks the property; ``complete`` is false when an array on the way is missing.
    """

    values: tuple[JSON, ...]
    each: bool = False
    complete: bool = True


def select(document: JSON, steps: Steps, pins: Pins = NO_PINS) -> Selection:
    found: list[JSON] = []
    complete = _collect(document, steps, 0, pins, found)
    return Selection(tuple(found), any(isinstance(step, Star) for step in steps), complete)


def members(document: JSON, steps: Steps, pins: Pins = NO_PINS) -> Iterator[tuple[Pins, JSON]]:
    """Every member of the innermost array of ``steps`` with the pins that single it out; missing arrays have none."""
    inner = to_last_star(steps)
    if inner:
        yield from _members(document, inner, 0, pins)


def to_last_star(steps: Steps) -> tuple[Step, ...]:
    last = max((at for at, step in enumerate(steps) if isinstance(step, Star)), default=-1)
    return tuple(steps[: last + 1])


def is_pinned(steps: Steps, pins: Pins) -> bool:
    """True when every array on the way is down to one member, so that the path means one value."""
    return all(not isinstance(step, Star) or _folded(steps[: at + 1]) in pins for at, step in enumerate(steps))


def _collect(value: JSON, steps: Steps, at: int, pins: Pins, found: list[JSON]) -> bool:
    value, at = _descend(value, steps, at)
    if at == len(steps):
        found.append(value)
        return True
    if not is_array(value):
        return False
    complete = True
    for index in _indices(value, steps[: at + 1], pins):
        complete = _collect(value[index], steps, at + 1, pins, found) and complete
    return complete


def _members(value: JSON, steps: Steps, at: int, pins: Pins) -> Iterator[tuple[Pins, JSON]]:
    if at == len(steps):
        yield pins, value
        return
    value, at = _descend(value, steps, at)
    if not is_array(value):
        return
    array = steps[: at + 1]
    folded = _folded(array)
    for index in _indices(value, array, pins):
        yield from _members(value[index], steps, at + 1, {**pins, folded: index})


def _descend(value: JSON, steps: Steps, at: int) -> tuple[JSON, int]:
    """Follow names up to the next ``[*]`` or the end."""
    while at < len(steps):
        step = steps[at]
        if isinstance(step, Star):
            break
        value = _member(value, step, of_element=at > 0 and isinstance(steps[at - 1], Star))
        at += 1
    return value, at


def _member(value: JSON, name: str, *, of_element: bool) -> JSON:
    if not isinstance(value, Mapping):
        return UNDEFINED
    member = get_folded(value, name, UNDEFINED)
    if member is UNDEFINED and of_element:
        # Elements that are sub-resources keep their values one level down. Source: policy language §4.3 (a).
        inner = get_folded(value, "properties")
        if isinstance(inner, Mapping):
            return get_folded(inner, name, UNDEFINED)
    return member


def _indices(array: Sequence[JSON], steps: Steps, pins: Pins) -> Sequence[int]:
    pinned = pins.get(_folded(steps)) if pins else None
    return range(len(array)) if pinned is None else (pinned,)


def _folded(steps: Steps) -> tuple[Step, ...]:
    return tuple(step.casefold() if isinstance(step, str) else step for step in steps)
