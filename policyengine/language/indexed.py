"""Which resource types a definition of mode Indexed, or without a mode, looks at. Source: policy language §1.2."""

from __future__ import annotations

from typing import Final

from policyengine.language.aliases import AliasCatalogue

_NEVER: Final = (
    "microsoft.billing/",
    "microsoft.capacity/reservationorders",
    "microsoft.diagnostics/",
    "microsoft.help/",
    "microsoft.resources/",
)
_CONTAINERS: Final = frozenset(
    {
        "microsoft.resources/resourcegroups",
        "microsoft.resources/subscriptions",
        "microsoft.resources/subscriptions/resourcegroups",
    }
)
_WITHOUT_TAGS: Final = (
    "microsoft.kubernetesconfiguration/",
    "microsoft.containerservice/managedclusters/agentpools",
    "microsoft.containerservice/managedclusters/maintenanceconfigurations",
    "microsoft.insights/diagnosticsettings",
)


def looks_at(mode: str | None, type: str, aliases: AliasCatalogue) -> bool:
    """True when a definition of ``mode`` evaluates resources of ``type``.

    The mode Indexed asks for tags and a location: the catalogue knows which types have them, and a type nobody knows
    counts as one of those.
    """
    folded = type.casefold()
    if folded in _CONTAINERS:
        return (mode or "").casefold() == "all"
    if folded.startswith(_NEVER):
        return False
    if (mode or "indexed").casefold() != "indexed":
        return True
    known = aliases.is_indexed(type)
    return not folded.startswith(_WITHOUT_TAGS) if known is None else known
