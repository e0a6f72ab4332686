"""Which of Azure's built-in roles grants an action: what to ask for after a 403. Pure.

The least role that is likely to be given, not every role that would do.
Source: Azure built-in roles (containers, general, management and governance); policy built-ins' roleDefinitionIds.
"""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Final

ROLES: Final[Mapping[str, str]] = {
    "microsoft.kubernetesconfiguration/extensions/*": "Kubernetes Extension Contributor",
    "microsoft.management/managementgroups/*read": "Management Group Reader",
    "*/read": "Reader",
    "microsoft.containerservice/managedclusters/*": "Azure Kubernetes Service Contributor Role",
    "microsoft.resources/tags/*": "Tag Contributor",
    "microsoft.authorization/*": "User Access Administrator",
    "*": "Contributor",
}
"""Patterns of actions in lower case, the first that fits counts."""


def role_for(action: str) -> str:
    """The role's name."""
    folded = action.casefold()
    return next(role for pattern, role in ROLES.items() if fnmatchcase(folded, pattern))
