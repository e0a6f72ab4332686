"""One resource group to deploy to, and the shape of a small template."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime

import pytest

from policyengine.model.resource import ResourceWrite
from policyengine.model.values import JSON
from policyengine.templates import DeploymentScope, expand

SUBSCRIPTION = "11111111-2222-3333-4444-555555555555"

Expand = Callable[..., tuple[ResourceWrite, ...]]


@pytest.fixture
def scope() -> DeploymentScope:
    id = f"/subscriptions/{SUBSCRIPTION}"
    return DeploymentScope(
        subscription={"id": id, "subscriptionId": SUBSCRIPTION, "displayName": "Edge", "tenantId": "t-1"},
        resource_group={"id": f"{id}/resourceGroups/rg-edge", "name": "rg-edge", "location": "westeurope", "tags": {}},
        deployment_name="mend-edge-1",
        at=datetime(2026, 7, 2, 8, 0, tzinfo=UTC),
    )


@pytest.fixture
def expanded(scope: DeploymentScope) -> Expand:
    """``expanded(*resources, given={name: value}, **sections)``: the writes of a template made of them."""

    def run(*resources: JSON, given: Mapping[str, JSON] | None = None, **sections: JSON) -> tuple[ResourceWrite, ...]:
        parameters = {name: {"value": value} for name, value in (given or {}).items()}
        found = expand({"resources": list(resources), **sections}, parameters, scope)
        assert (found.reads, found.only_whole) == ((), "")
        return found.writes

    return run
