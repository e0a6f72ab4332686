"""What people do to a cluster past Git: objects created, changed or deleted by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from policyengine.emulator.cluster_objects import ClusterObjects
from policyengine.emulator.kinds import kind_of
from policyengine.emulator.source_script import ScriptedObject


def put_by_hand(objects: ClusterObjects, said: ScriptedObject, at: datetime) -> None:
    """What a Kustomization keeps has drifted then; anything else is nobody's (G26)."""
    said = said.placed("default")
    held = objects.applied.get(said.key)
    if held is None or held.owner is None:
        objects.put(said, at)
    else:
        held.said, held.drifted = replace(said, immutable=held.said.immutable), True
        held.generation += 1


def delete_by_hand(objects: ClusterObjects, kind: str, namespace: str, name: str) -> bool:
    """False when there is no such object."""
    key = (kind_of(kind).name, namespace if kind_of(kind).namespaced else "", name)
    was_there = key in objects.applied
    objects.delete(key)
    return was_there
