"""Variables in what a Kustomization applies: `${name}` and `${name:=default}`, as `postBuild` gives them (G30)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from policyengine.emulator.cluster_objects import ClusterObjects
from policyengine.emulator.flux_objects import FluxObject
from policyengine.emulator.simulation import ReconcileFailure
from policyengine.emulator.source_script import ScriptedObject
from policyengine.model.values import JSON

_VARIABLE: Final = re.compile(r"\$\{([_A-Za-z]\w*)(?::[=-]([^}]*))?\}")


def missing_reference(objects: ClusterObjects, kustomization: FluxObject) -> ReconcileFailure | None:
    """The failure that a ConfigMap or Secret causes which is neither there nor optional."""
    for kind, name, optional in _references(kustomization):
        if not optional and (kind, kustomization.namespace, name) not in objects.applied:
            where = f"{kustomization.namespace}/{name}"
            message = f"post build failed: substitute from '{kind}/{name}' error: {kind} \"{where}\" not found"
            return ReconcileFailure("BuildFailed", message)
    return None


def substituted(objects: ClusterObjects, kustomization: FluxObject, said: ScriptedObject) -> ScriptedObject:
    """``said`` with its variables replaced; without a `postBuild` they stay as they are."""
    if not kustomization.spec.get("postBuild"):
        return said
    variables = _variables(objects, kustomization)
    return said.rewritten(lambda text: _VARIABLE.sub(lambda m: variables.get(m[1], m[2] or ""), text))


def _variables(objects: ClusterObjects, kustomization: FluxObject) -> Mapping[str, str]:
    """Later references win over earlier ones, and what is said in place over all."""
    found: dict[str, str] = {}
    for kind, name, _ in _references(kustomization):
        held = objects.applied.get((kind, kustomization.namespace, name))
        found.update(held.said.data if held else {})
    said: Mapping[str, JSON] = kustomization.spec["postBuild"].get("substitute") or {}
    return {**found, **{name: str(value) for name, value in said.items()}}


def _references(kustomization: FluxObject) -> list[tuple[str, str, bool]]:
    post_build = kustomization.spec.get("postBuild") or {}
    return [
        (str(said.get("kind") or "ConfigMap"), str(said.get("name")), bool(said.get("optional")))
        for said in post_build.get("substituteFrom") or ()
    ]
