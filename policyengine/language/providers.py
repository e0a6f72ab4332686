"""Modes that a provider evaluates inside itself. Source: policy language §1.2."""

from __future__ import annotations

import re
from typing import Final

RESOURCE_MODES: Final = frozenset({"", "all", "indexed"})
"""The modes whose resources we hold, folded; an absent mode is like Indexed."""

PROVIDER_EFFECTS: Final = ("addToNetworkGroup", "auditAction", "enforceRegoPolicy", "enforceSetting", "mutate")
"""Effects that only providers have."""

_PROVIDER_MODE: Final = re.compile(r"microsoft\.[a-z0-9.]+\.data", re.IGNORECASE)
_IN_CLUSTERS: Final = frozenset({"microsoft.kubernetes.data", "microsoft.containerservice.data"})


def is_provider_mode(mode: str | None) -> bool:
    """True for modes such as ``Microsoft.KeyVault.Data``."""
    return _PROVIDER_MODE.fullmatch(mode or "") is not None


def handler_of(mode: str | None, effect: str) -> str:
    """Who evaluates a policy of that mode, or with that effect, in words."""
    if (mode or "").casefold() in _IN_CLUSTERS:
        return f"handled in the cluster, by its Azure Policy add-on or extension (mode {mode})"
    if is_provider_mode(mode):
        return f"handled by its provider (mode {mode})"
    return f"handled by its provider (effect {effect})"
