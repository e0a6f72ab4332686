"""A remedy that only Resource Manager can carry out: its whole deployment as one write.

The template goes as its author wrote it; a Key Vault reference goes untouched, so the secret passes by us. Pure.
Source: policy language §6.4.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from policyengine.compliance.bind import BoundPolicy
from policyengine.effects.base import Remedy
from policyengine.model.ids import ResourceId
from policyengine.model.resource import Cluster, ResourceWrite
from policyengine.model.values import JSON, fingerprint, get_folded, walk
from policyengine.templates import DeploymentScope

DEPLOYMENTS: Final = "Microsoft.Resources/deployments"
API_VERSION: Final = "2021-04-01"
MAX_NAME: Final = 64


def deployment_name(policy: BoundPolicy, cluster: Cluster) -> str:
    """The same for the same assignment, reference and cluster, so that a repeated deployment replaces its record."""
    mark = fingerprint([policy.identity["assignmentId"], policy.reference_id, cluster.id.key])[:16]
    return f"{f'policyengine-{cluster.name}'[: MAX_NAME - len(mark) - 1]}-{mark}"


def deployment_write(remedy: Remedy, scope: DeploymentScope) -> ResourceWrite:
    """The PUT of the deployment to ``scope``; its ``parameters`` as the policy evaluates them."""
    properties = {
        "mode": "Incremental",
        "template": remedy.deployment.template,
        "parameters": dict(remedy.parameters),
    }
    location = {} if scope.location is None else {"location": scope.location}
    return ResourceWrite(
        ResourceId(f"{scope.id}/providers/{DEPLOYMENTS}/{scope.deployment_name}"),
        API_VERSION,
        {**location, "properties": properties},
    )


def is_deployment(type: str) -> bool:
    return type.casefold() == DEPLOYMENTS.casefold()


def parameters_of(body: Mapping[str, JSON]) -> Iterator[tuple[str, JSON, bool]]:
    """Each parameter a deployment is given: its name, its value or vault reference, and whether it is secure."""
    declared = walk(body, "properties", "template", "parameters")
    for name, holder in (walk(body, "properties", "parameters") or {}).items():
        is_given = isinstance(holder, Mapping) and "value" in {key.casefold() for key in holder}
        yield name, get_folded(holder, "value") if is_given else holder, _is_secure(declared, name)


def literal_secret(template: Mapping[str, JSON], parameters: Mapping[str, JSON]) -> str | None:
    """The first secure parameter that is given its value itself, and not a reference to it."""
    body = {"properties": {"template": template, "parameters": parameters}}
    return next((name for name, value, secure in parameters_of(body) if secure and not _is_harmless(value)), None)


def _is_secure(declared: JSON, name: str) -> bool:
    return str(walk(declared, name, "type") or "").casefold().startswith("secure")


def _is_harmless(value: JSON) -> bool:
    """Nothing at all, or a reference to a secret kept elsewhere."""
    if not isinstance(value, Mapping):
        return value is None or value == ""
    kinds = {key.casefold() for key in value}
    return not kinds or kinds == {"secretref"} or kinds == {"reference"}
