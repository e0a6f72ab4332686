"""Built-in roles, and who has one where. Source: configuration API, "Errors" (403)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final

from policyengine.errors import ConfigError
from policyengine.model.diagnostic import did_you_mean
from policyengine.model.ids import ResourceId
from policyengine.model.values import JSON, walk


@dataclass(frozen=True, slots=True)
class Role:
    """``actions`` and ``not_actions`` are globs over actions such as `Microsoft.Kubernetes/connectedClusters/read`."""

    definition: str
    actions: tuple[str, ...]
    not_actions: tuple[str, ...] = ()

    def allows(self, action: str) -> bool:
        return _matches(self.actions, action) and not _matches(self.not_actions, action)


ROLES: Final[Mapping[str, Role]] = {
    "Owner": Role("8e3af657-a8ff-443c-a75c-2fe8c4bcb635", ("*",)),
    "Contributor": Role(
        "b24988ac-6180-42a0-ab88-20f7382dd24c",
        ("*",),
        ("Microsoft.Authorization/*/write", "Microsoft.Authorization/*/delete"),
    ),
    "Reader": Role("acdd72a7-3385-48ef-bd42-f606fba81ae7", ("*/read",)),
    "User Access Administrator": Role("18d7d88d-d35e-4fb5-a5c3-7773c20a72d9", ("*/read", "Microsoft.Authorization/*")),
    "Kubernetes Extension Contributor": Role(
        "85cb6faf-e071-4c9b-8136-154b5a04f717",
        (
            "Microsoft.KubernetesConfiguration/extensions/*",
            "Microsoft.Resources/subscriptions/resourceGroups/read",
            "Microsoft.Resources/deployments/*",
        ),
    ),
    "Azure Kubernetes Service Contributor Role": Role(
        "ed7f3fbd-7b88-4dd4-9017-9adb7ce333f8",
        (
            "Microsoft.ContainerService/managedClusters/*",
            "Microsoft.Resources/subscriptions/resourceGroups/read",
            "Microsoft.Resources/deployments/*",
        ),
    ),
    "Log Analytics Contributor": Role(
        "92aaf0da-9dab-42b6-94a3-d43ce8d16293",
        (
            "*/read",
            "Microsoft.OperationalInsights/*",
            "Microsoft.Insights/diagnosticSettings/*",
            "Microsoft.Resources/deployments/*",
        ),
    ),
}
"""Built-in roles, in so far as the resources here are concerned."""

ROLE_HELP: Final = 'write it like `[{"role": "Reader", "scope": "/subscriptions/…"}]`'


def role_name(role: Role) -> str:
    return next(name for name, known in ROLES.items() if known is role)


@dataclass(frozen=True, slots=True)
class Grant:
    role: Role
    scope: ResourceId


def read_grant(value: JSON) -> Grant:
    """Of `{"role", "scope"}`. Raises ConfigError for a role nobody knows and for a scope that is none."""
    name = str(walk(value, "role") or "")
    found = next((role for known, role in ROLES.items() if known.casefold() == name.casefold()), None)
    if found is None:
        raise ConfigError(f"`{name}` is not a role of this emulator", help=did_you_mean(name, ROLES) or ROLE_HELP)
    try:
        return Grant(found, ResourceId(str(walk(value, "scope") or "/")))
    except ValueError as error:
        raise ConfigError(str(error)) from error


def stored_grant(document: Mapping[str, JSON]) -> Grant | None:
    """Of a role assignment written through the API; None for a role that says nothing of the resources here."""
    definition = str(walk(document, "properties", "roleDefinitionId") or "").rpartition("/")[2].casefold()
    role = next((role for role in ROLES.values() if role.definition == definition), None)
    scope = ResourceId(str(document["id"])).parent
    return Grant(role, scope or ResourceId("/")) if role is not None else None


def _matches(globs: Iterable[str], action: str) -> bool:
    return any(fnmatchcase(action.casefold(), glob.casefold()) for glob in globs)
