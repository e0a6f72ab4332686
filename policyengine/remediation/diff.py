"""Two documents, one question: what differs that somebody could have written?

Decides whether a live object changed since it was seen, whether it holds what was written, and what a write
would change; `habits` knows what the service does to a document. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from policyengine.model.ids import ResourceId
from policyengine.model.resource import ResourceWrite
from policyengine.model.values import JSON, fingerprint, get_folded, is_array, walk
from policyengine.remediation.deployments import is_deployment, parameters_of
from policyengine.remediation.habits import (
    ENVELOPE,
    Habits,
    habits_of,
    is_empty,
    is_kept_up_to_date,
    is_same,
    is_secret,
    without_states,
    writable_part,
)
from policyengine.remediation.steps import FieldChange

MASK: Final = "••••"
"""Stands for a secret wherever people look."""


def writable_fingerprint(document: Mapping[str, JSON] | None, type: str) -> str | None:
    """A hash of what a user can write of a live object of ``type``; None when it is not there.

    It stays the same while the service and the cluster's agent report progress.
    """
    return None if document is None else fingerprint(writable_part(document, habits_of(type)))


def holds(live: Mapping[str, JSON] | None, body: Mapping[str, JSON]) -> bool:
    """True when every declared field of ``body`` is in ``live``, as the service would store it.

    Secrets cannot be read back and are not compared; ``identity`` only where the service keeps one (it drops
    it on AKS). Tags are declared as a whole: one more than declared is not what was written.
    """
    return live is not None and not differences(live, body) and not _surplus_tags(live, body)


def differences(live: Mapping[str, JSON], body: Mapping[str, JSON]) -> tuple[FieldChange, ...]:
    """The declared fields of ``body`` that ``live`` does not hold, in the order of the body; secrets left out."""
    return tuple(_differences(live, body, _habits_of_document(live)))


def changes(live: Mapping[str, JSON] | None, write: ResourceWrite) -> tuple[FieldChange, ...]:
    """What ``write`` would change of ``live`` (None: absent), field by field, secrets masked.

    For a PUT over an existing object that includes what it resets without naming it, as far as that is
    known: properties with a default, and entries of settings and kustomizations that it leaves out.
    """
    if is_deployment(write.id.type):
        return tuple(_given(write.body))
    habits = habits_of(write.id.type)
    found = [*_differences(live, write.body, habits), *_secret_changes(live, write.body)]
    if live is not None and write.method == "PUT":
        found += _resets(live, write.body, habits)
    if live is not None:
        found += _surplus_tags(live, write.body)
    return tuple(found)


def _given(deployment: Mapping[str, JSON]) -> Iterator[FieldChange]:
    """What a deployment is given; what it makes of that, only Resource Manager knows."""
    for name, value, is_secure in parameters_of(deployment):
        is_vault = walk(value, "reference", "keyVault") is not None
        yield FieldChange(f"parameters.{name}", None, MASK if is_secure and not is_vault else _shown(value))


def has_secrets(body: Mapping[str, JSON]) -> bool:
    """True when ``body`` writes something that cannot be read back."""
    return any(True for _ in _secret_paths(body, ""))


def _habits_of_document(document: Mapping[str, JSON]) -> Habits:
    id = get_folded(document, "id")
    try:
        return habits_of(ResourceId(id).type if isinstance(id, str) else "")
    except ValueError:
        return habits_of("")


def _differences(live: Mapping[str, JSON] | None, body: Mapping[str, JSON], habits: Habits) -> Iterator[FieldChange]:
    left_out = ENVELOPE | habits.ignored
    if live is not None and not isinstance(get_folded(live, "identity"), Mapping):
        left_out |= {"identity"}
    for key, wanted in body.items():
        if key.casefold() in left_out:
            continue
        if key.casefold() == "properties" and isinstance(wanted, Mapping):
            wanted = _comparable(wanted, live or body, habits)
        yield from _compare(get_folded(live or {}, key), wanted, key, key)


def _comparable(properties: Mapping[str, JSON], document: Mapping[str, JSON], habits: Habits) -> dict[str, JSON]:
    return {
        key: value
        for key, value in properties.items()
        if key.casefold() not in habits.read_only and not (is_empty(value) and is_kept_up_to_date(key, document))
    }


def _compare(live: JSON, wanted: JSON, path: str, name: str) -> Iterator[FieldChange]:
    if is_secret(name, wanted):
        return
    if isinstance(wanted, Mapping):
        inside = live if isinstance(live, Mapping) else {}
        for key, member in wanted.items():
            yield from _compare(get_folded(inside, key), member, f"{path}.{key}", key)
    elif _are_items(live, wanted):
        for index, (item, member) in enumerate(zip(live, wanted, strict=True)):
            yield from _compare(item, without_states(member), f"{path}[{index}]", name)
    elif not is_same(live, wanted, name.casefold()):
        yield FieldChange(path, _shown(live), _shown(wanted))


def _are_items(live: JSON, wanted: JSON) -> bool:
    """Two lists of objects that can be compared one by one; the service adds members to each."""
    if not is_array(live) or not is_array(wanted) or len(live) != len(wanted) or not wanted:
        return False
    return all(isinstance(item, Mapping) for item in (*live, *wanted))


def _shown(value: JSON) -> JSON:
    """``value`` with every secret in it masked."""
    if isinstance(value, Mapping):
        return {key: MASK if is_secret(key, member) else _shown(member) for key, member in value.items()}
    return [_shown(item) for item in value] if is_array(value) else value


def _secret_changes(live: Mapping[str, JSON] | None, body: Mapping[str, JSON]) -> Iterator[FieldChange]:
    for path in _secret_paths(body, ""):
        yield FieldChange(path, None if walk(live, *path.split(".")) is None else MASK, MASK)


def _secret_paths(value: JSON, path: str) -> Iterator[str]:
    """Where ``value`` holds secrets; for a map of them, each of its keys."""
    for key, member in value.items() if isinstance(value, Mapping) else ():
        inner = f"{path}.{key}" if path else key
        if not is_secret(key, member):
            yield from _secret_paths(member, inner)
        elif isinstance(member, Mapping) and not is_secret("", member):
            yield from (f"{inner}.{name}" for name in member)
        elif not is_empty(member):
            yield inner


def _surplus_tags(live: Mapping[str, JSON], body: Mapping[str, JSON]) -> list[FieldChange]:
    """The tags that a write takes away by not naming them. Source: configuration API §8."""
    declared, habits = get_folded(body, "tags"), _habits_of_document(live)
    if not isinstance(declared, Mapping) or "tags" in habits.ignored:
        return []
    present = get_folded(live, "tags")
    names = present if isinstance(present, Mapping) else {}
    return [FieldChange(f"tags.{name}", names[name], None) for name in names if get_folded(declared, name) is None]


def _resets(live: Mapping[str, JSON], body: Mapping[str, JSON], habits: Habits) -> Iterator[FieldChange]:
    """What a PUT takes away by leaving it out: each goes back to its default, or is gone."""
    declared = get_folded(body, "properties") or {}
    for name, default in (habits.defaults or {}).items():
        now = walk(live, "properties", name)
        if not _names(declared, name) and now is not None and not is_same(now, default, name.casefold()):
            yield FieldChange(f"properties.{name}", now, default)
    told = {name.casefold() for name in habits.defaults or {}} | habits.read_only | habits.create_only
    kept = {
        key: value
        for key, value in (get_folded(live, "properties") or {}).items()
        if key.casefold() not in told and not is_kept_up_to_date(key, live)
    }
    yield from _lost(kept, declared, "properties", habits)


def _lost(have: Mapping[str, JSON], declared: Mapping[str, JSON], path: str, habits: Habits) -> Iterator[FieldChange]:
    for key, now in have.items():
        if is_secret(key, now) or is_empty(now):
            continue
        wanted = get_folded(declared, key)
        if isinstance(now, Mapping) and isinstance(wanted, Mapping):
            yield from _lost(now, wanted, f"{path}.{key}", habits)
        elif not _names(declared, key):
            yield from _gone(now, f"{path}.{key}", key, habits)


def _gone(now: JSON, path: str, name: str, habits: Habits) -> Iterator[FieldChange]:
    """An entry of a map goes as one, any other object member by member, as far as it is not at its default."""
    if isinstance(now, Mapping) and path.rpartition(".")[0].rpartition(".")[2].casefold() not in habits.maps:
        yield from _lost(now, {}, path, habits)
        return
    default = habits.leaf_defaults.get(name.casefold())
    if not is_same(now, default, name.casefold()):
        yield FieldChange(path, _shown(now), default)


def _names(declared: Mapping[str, JSON], name: str) -> bool:
    return any(key.casefold() == name.casefold() for key in declared)
