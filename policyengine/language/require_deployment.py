"""What `require` can ask for, and the deployment that makes it so: the shape of Azure's own templates.

Source: configuration API §1 to §3; policy language §6.4.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from policyengine.errors import ExpressionError
from policyengine.expressions.compiled import CompiledValue, compile_value, constant
from policyengine.language.require_schema import EXTENSION, FLUX_CONFIGURATION, Shape
from policyengine.language.syntax import Deployment
from policyengine.model.resource import AKS, ARC, EXTENSIONS, FLUX_CONFIGURATIONS
from policyengine.model.values import JSON

_SCHEMA: Final = "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#"


@dataclass(frozen=True, slots=True)
class Target:
    """One kind of object that `require` can ask for."""

    key: str
    type: str
    api_version: str
    shape: Mapping[str, Shape]
    identity: str  # how the live object is recognised, as in `Desired`
    create_only: frozenset[str]


TARGETS: Final = (
    Target("extension", EXTENSIONS, "2025-03-01", EXTENSION, "extensionType", frozenset({"scope", "extensionType"})),
    Target(
        "fluxConfiguration",
        FLUX_CONFIGURATIONS,
        "2025-04-01",
        FLUX_CONFIGURATION,
        "name",
        frozenset({"scope", "namespace"}),
    ),
)


def derive_deployment(target: Target, name: CompiledValue, properties: Mapping[str, JSON]) -> Deployment:
    """What Azure's own templates do: one resource per kind of cluster, chosen by `condition`."""
    written = _without_nulls(properties)
    return Deployment(
        template={
            "$schema": _SCHEMA,
            "contentVersion": "1.0.0.0",
            "parameters": {
                "clusterName": {"type": "string"},
                "clusterResourceType": {"type": "string"},
                "name": {"type": "string"},
                "properties": {"type": "object"},
            },
            "resources": [_template_resource(target, ARC), _template_resource(target, AKS)],
        },
        parameters={
            "clusterName": compile_value({"value": "[field('name')]"}),
            "clusterResourceType": compile_value({"value": "[field('type')]"}),
            "name": compile_value({"value": name.source}),
            "properties": compile_checked({"value": written}),
        },
    )


def _template_resource(target: Target, cluster_type: str) -> dict[str, JSON]:
    kind = cluster_type.rpartition("/")[2].casefold()
    resource: dict[str, JSON] = {
        "condition": f"[contains(toLower(parameters('clusterResourceType')), '{kind}')]",
        "type": target.type,
        "name": "[parameters('name')]",
        "apiVersion": target.api_version,
        "properties": "[parameters('properties')]",
        "scope": f"[concat('{cluster_type}/', parameters('clusterName'))]",
    }
    if target.type == EXTENSIONS and cluster_type == ARC:
        resource["identity"] = {"type": "SystemAssigned"}  # AKS refuses one
    return resource


def _without_nulls(value: JSON) -> JSON:
    """A new object has nothing to take away: null demands absence, and leaving out is absence."""
    if isinstance(value, Mapping):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    return value


def compile_checked(value: JSON) -> CompiledValue:
    """Never raises: what is wrong has been reported at its own place."""
    try:
        return compile_value(value)
    except ExpressionError:
        return constant(None)
