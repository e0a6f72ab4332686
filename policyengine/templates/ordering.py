"""Declared resources → writes, each after those it depends on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from policyengine.errors import TemplateError
from policyengine.model.diagnostic import did_you_mean
from policyengine.model.ids import ResourceId
from policyengine.model.resource import ResourceWrite

MAX_RESOURCES: Final = 800
"""Source: Resource Manager's limit for a template."""


@dataclass(frozen=True, slots=True)
class Declared:
    """One entry of a template's `resources`: what it is called, what it waits for, what it writes.

    A nested deployment writes several resources; an entry whose `condition` is false writes none, and whoever
    waits for it does not wait. ``names`` and ``depends_on`` are folded.
    """

    place: str
    names: frozenset[str]
    depends_on: frozenset[str]
    writes: tuple[ResourceWrite, ...]


def link(entries: Sequence[Declared]) -> tuple[ResourceWrite, ...]:
    """The writes of one template with `dependsOn` resolved, in declaration order as far as it allows.

    Raises TemplateError for an unknown name, a circle, or one resource declared twice.
    """
    if len(entries) > MAX_RESOURCES:
        raise TemplateError(f"the template declares more than {MAX_RESOURCES} resources")
    named: dict[str, list[Declared]] = {}
    for entry in entries:
        for name in entry.names:
            named.setdefault(name, []).append(entry)
    linked = [write for entry in entries for write in _linked(entry, named)]
    _refuse_twins(linked)
    return _sorted(linked)


def _linked(entry: Declared, named: Mapping[str, Sequence[Declared]]) -> list[ResourceWrite]:
    waited_for: dict[ResourceId, None] = {}
    for name in sorted(entry.depends_on):
        targets = named.get(name)
        if not targets:
            raise TemplateError(
                f"{entry.place}: depends on `{name}`, which the template does not declare",
                help=did_you_mean(name, named),
            )
        waited_for.update((write.id, None) for other in targets for write in other.writes)
    return [
        replace(write, depends_on=tuple({**waited_for, **dict.fromkeys(write.depends_on)})) for write in entry.writes
    ]


def _refuse_twins(writes: Sequence[ResourceWrite]) -> None:
    seen: set[ResourceId] = set()
    for write in writes:
        if write.id in seen:
            raise TemplateError(f"the template declares `{write.id}` twice")
        seen.add(write.id)


def _sorted(writes: Sequence[ResourceWrite]) -> tuple[ResourceWrite, ...]:
    waiting, done = list(writes), dict[ResourceId, ResourceWrite]()
    while waiting:
        ready = next((write for write in waiting if all(id in done for id in write.depends_on)), None)
        if ready is None:
            names = ", ".join(f"`{write.id.name}`" for write in waiting)
            raise TemplateError(f"resources wait for each other in a circle: {names}")
        waiting.remove(ready)
        done[ready.id] = ready
    return tuple(done.values())
