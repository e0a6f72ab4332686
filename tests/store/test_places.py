"""What two readings tell differently of the places that clusters stand in."""

from __future__ import annotations

from typing import Any

import pytest

from policyengine.model.fleet import ScopeFailure
from policyengine.model.ids import ResourceId
from policyengine.model.scope import ManagementGroup, ResourceGroup, ScopeTree, Subscription
from policyengine.store.places import Stirred, stirred

GROUP = "/subscriptions/one/resourceGroups/a"
CLUSTER = f"{GROUP}/providers/Microsoft.Kubernetes/connectedClusters/k"


def tree(
    *, parent: str | None = None, above: str = "edge", shown: str = "Edge", group: Any = None, **subscription: Any
) -> ScopeTree:
    """One subscription under ``above``, which is under ``parent``, with one resource group."""
    return ScopeTree(
        (ManagementGroup("top", "Top"), ManagementGroup(above, shown, parent)),
        (Subscription("one", **{"display_name": "One", "management_group": above, **subscription}),),
        (group or ResourceGroup(ResourceId(GROUP), "westeurope", {"env": "prod"}),),
    )


def told(before: ScopeTree, after: ScopeTree) -> Stirred:
    return stirred(before, after, (), ())


@pytest.mark.parametrize(
    "after",
    [
        tree(parent="top"),
        tree(above="other"),
        tree(shown="The edge"),
        tree(display_name="Uno"),
        tree(tenant_id="t"),
        tree(tags={"cost": "7"}),
    ],
    ids=["parent", "group", "group's name", "name", "tenant", "tags"],
)
def test_a_cluster_is_touched_by_its_subscription_and_any_group_above_it(after: ScopeTree) -> None:
    found = told(tree(), after)

    assert found.touches(CLUSTER, "one", "a")
    assert not found.touches(CLUSTER.replace("/one/", "/two/"), "two", "a")


@pytest.mark.parametrize(
    "group",
    [
        ResourceGroup(ResourceId(GROUP), "northeurope", {"env": "prod"}),
        ResourceGroup(ResourceId(GROUP), "westeurope", {"env": "test"}),
        ResourceGroup(ResourceId(GROUP.replace("/a", "/A")), "westeurope", {"env": "prod"}),
    ],
    ids=["location", "tags", "spelling"],
)
def test_a_cluster_is_touched_by_its_resource_group(group: ResourceGroup) -> None:
    found = told(tree(), tree(group=group))

    assert found.touches(CLUSTER, "one", "a")
    assert not found.touches(CLUSTER.replace("/a/", "/b/"), "one", "b")


def test_nothing_is_touched_where_nothing_differs() -> None:
    assert not told(tree(), tree())


def test_a_failure_that_comes_goes_or_is_told_differently_touches_what_it_covers() -> None:
    one, other = (ScopeFailure(ResourceId(GROUP), why) for why in ("403", "500"))

    for before, after in (((), (one,)), ((one,), ()), ((one,), (other,))):
        assert stirred(tree(), tree(), before, after).touches(CLUSTER, "one", "a")
    assert not stirred(tree(), tree(), (one,), (one,))
