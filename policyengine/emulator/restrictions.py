"""What keeps a request back although its sender has every right: locks, and policies that deny.

Locks are resources like any other, `Microsoft.Authorization/locks`, written through the API. Denials are scripted:
no policy is evaluated here. Source: configuration API, "Errors".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final

from policyengine.emulator.answers import Refusal
from policyengine.emulator.resource_store import ResourceStore
from policyengine.errors import ConfigError
from policyengine.model.ids import ResourceId
from policyengine.model.values import JSON, walk

LOCKS: Final = "Microsoft.Authorization/locks"


@dataclass(frozen=True, slots=True)
class Denial:
    """A policy assignment that denies every write whose path matches ``path``, a glob without case."""

    path: str
    policy: str
    assignment: str

    @classmethod
    def read(cls, value: Mapping[str, JSON]) -> Denial:
        """Raises ConfigError."""
        if not value.get("path"):
            raise ConfigError("a denial needs the `path` it is for")
        policy = str(value.get("policy") or "Not allowed resource types")
        return cls(str(value["path"]).casefold(), policy, str(value.get("assignment") or policy))

    def document(self) -> dict[str, JSON]:
        return {"path": self.path, "policy": self.policy, "assignment": self.assignment}


def check_locks(store: ResourceStore, method: str, id: ResourceId) -> None:
    """`CanNotDelete` keeps deletions back, `ReadOnly` every write. Raises Refusal 409 ScopeLocked."""
    if method in {"GET", "HEAD"} or id.type.casefold() == LOCKS.casefold():
        return
    stopping = {"readonly", "cannotdelete"} if method == "DELETE" else {"readonly"}
    locked = [scope for scope, level in _locks(store) if level in stopping and scope.contains(id)]
    if locked:
        verb = "delete" if method == "DELETE" else "write"
        scopes = ", ".join(f"'{scope}'" for scope in locked)
        raise Refusal(
            409,
            "ScopeLocked",
            f"The scope '{id}' cannot perform {verb} operation because following scope(s) are locked: {scopes}. "
            "Please remove the lock and try again.",
        )


def check_denials(denials: list[Denial], method: str, id: ResourceId) -> None:
    """Raises Refusal 403 RequestDisallowedByPolicy."""
    denial = next((d for d in denials if fnmatchcase(id.key, d.path)), None)
    if denial is None or method not in {"PUT", "PATCH"}:
        return
    violation = {
        "type": "PolicyViolation",
        "info": {
            "policyDefinitionDisplayName": denial.policy,
            "policyDefinitionEffect": "deny",
            "policyAssignmentName": denial.assignment,
            "policyAssignmentDisplayName": denial.assignment,
        },
    }
    raise Refusal(
        403,
        "RequestDisallowedByPolicy",
        f"Resource '{id.name}' was disallowed by policy. Policy identifiers: "
        f'\'[{{"policyAssignment":{{"name":"{denial.assignment}"}},'
        f'"policyDefinition":{{"name":"{denial.policy}"}}}}]\'.',
        target=id.name,
        info=(violation,),
    )


def _locks(store: ResourceStore) -> list[tuple[ResourceId, str]]:
    return [
        (
            ResourceId(str(document["id"])).parent or ResourceId("/"),
            str(walk(document, "properties", "level")).casefold(),
        )
        for document in store.of_type(LOCKS)
    ]
