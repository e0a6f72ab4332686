"""Two bodies for one object: do they agree, and what satisfies both?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from policyengine.evaluation.masking import MASK, mask, names_secret
from policyengine.model.values import JSON
from policyengine.remediation.habits import is_same


@dataclass(frozen=True, slots=True)
class Clash:
    """One field that two bodies want to be different things; secrets are masked."""

    path: str
    one: JSON
    other: JSON


def find_clash(one: JSON, other: JSON, path: str = "") -> Clash | None:
    """The first field, in path order, on which the bodies disagree; a field only one of them names is no clash."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        theirs = {key.casefold(): value for key, value in other.items()}
        for key in sorted(one, key=str.casefold):
            if key.casefold() in theirs:
                found = find_clash(one[key], theirs[key.casefold()], f"{path}.{key}" if path else key)
                if found is not None:
                    return found
        return None
    if is_same(one, other, path.rpartition(".")[2].casefold()):
        return None
    return Clash(path, _shown(one, path), _shown(other, path))


def _shown(value: JSON, path: str) -> JSON:
    """``value`` for people; where a secret is kept is no secret."""
    return MASK if names_secret(path) and "secretref" not in path.casefold() else mask(value)


def merge(one: Mapping[str, JSON], other: Mapping[str, JSON]) -> dict[str, JSON]:
    """The union of two bodies that do not clash; keys keep the spelling of ``one``."""
    names = {key.casefold(): key for key in one}
    merged = dict(one)
    for key, value in other.items():
        own = names.get(key.casefold())
        if own is None:
            merged[key] = value
        elif isinstance(merged[own], Mapping) and isinstance(value, Mapping):
            merged[own] = merge(merged[own], value)
    return merged


def overlay(body: Mapping[str, JSON], change: Mapping[str, JSON]) -> dict[str, JSON]:
    """``body`` with ``change`` written over it, member by member."""
    names = {key.casefold(): key for key in body}
    changed = dict(body)
    for key, value in change.items():
        own = names.get(key.casefold(), key)
        inside = changed.get(own)
        if isinstance(inside, Mapping) and isinstance(value, Mapping):
            changed[own] = overlay(inside, value)
        else:
            changed[own] = value
    return changed


def without_nulls(body: Mapping[str, JSON]) -> dict[str, JSON]:
    """The body of an object that is made anew: what must be absent is left out."""
    return {
        key: without_nulls(value) if isinstance(value, Mapping) else value
        for key, value in body.items()
        if value is not None
    }
