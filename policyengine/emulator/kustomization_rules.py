"""What the kustomizations of a Flux configuration may be called, and what they may depend on.

Source: configuration API, the validation rules under "Errors"; GitOps behaviour G25.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Final

from policyengine.emulator.answers import validation_failed
from policyengine.model.values import JSON

DNS_NAME: Final = re.compile(r"[a-z0-9]([.\-a-z0-9]*[a-z0-9])?")


def check_kustomizations(name: str, kustomizations: Mapping[str, JSON], taken_away: Collection[str] | None) -> None:
    """Refuses names that cannot be, and dependencies on nothing or on themselves.

    ``taken_away`` are keys that were there before: others may still depend on them, and halt (G25). With None
    dependencies are not looked at.
    """
    for key in kustomizations:
        if not DNS_NAME.fullmatch(key) or len(name) + len(key) > 62:
            raise validation_failed(
                f"The kustomization name '{key}' is invalid: lower-case letters, digits, '-' and '.', "
                "at most 62 together with the configuration's name.",
                target=f"properties.kustomizations.{key}",
            )
    if taken_away is not None:
        _check_dependencies(kustomizations, taken_away)


def _check_dependencies(kustomizations: Mapping[str, JSON], taken_away: Collection[str]) -> None:
    for key, kustomization in kustomizations.items():
        for other in kustomization["dependsOn"] or ():
            if other not in kustomizations and other not in taken_away:
                raise validation_failed(f"Kustomization '{key}' depends on '{other}', which does not exist.")
    for key in kustomizations:
        if _reaches(key, key, kustomizations, set()):
            raise validation_failed(f"Kustomization '{key}' depends on itself.")


def known_kustomizations(properties: Mapping[str, JSON]) -> frozenset[str]:
    """Keys that are there, and those that others depend on though they are gone already."""
    kustomizations = properties.get("kustomizations") or {}
    return frozenset((*kustomizations, *(d for k in kustomizations.values() for d in k.get("dependsOn") or ())))


def _reaches(start: str, goal: str, kustomizations: Mapping[str, JSON], seen: set[str]) -> bool:
    for other in (kustomizations.get(start) or {}).get("dependsOn") or ():
        if other == goal:
            return True
        if other not in seen:
            seen.add(other)
            if _reaches(other, goal, kustomizations, seen):
                return True
    return False
