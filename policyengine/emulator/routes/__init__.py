"""What the emulator answers: one module per kind of resource, each with its table, and the one table of them all."""

from __future__ import annotations

from typing import Final

from policyengine.emulator.routes import (
    clusters,
    deployments,
    extension_types,
    extensions,
    flux_configurations,
    management_groups,
    providers,
    resource_graph,
    resource_groups,
    resources,
    source_control_configurations,
    subscriptions,
)
from policyengine.emulator.routing import Route

ROUTES: Final[tuple[Route, ...]] = (
    *subscriptions.ROUTES,
    *resource_groups.ROUTES,
    *resources.ROUTES,
    *providers.ROUTES,
    *management_groups.ROUTES,
    *clusters.ROUTES,
    *extensions.ROUTES,
    *flux_configurations.ROUTES,
    *source_control_configurations.ROUTES,
    *extension_types.ROUTES,
    *resource_graph.ROUTES,
    *deployments.ROUTES,
)

__all__ = ["ROUTES"]
