import pytest

from policyengine.model.ids import ResourceId
from policyengine.model.scope import (
    ManagementGroup,
    ResourceGroup,
    ScopePattern,
    ScopeTree,
    Subscription,
    covers_any,
)

LAB = ResourceId("/subscriptions/dev/resourceGroups/lab-ml")
TREE = ScopeTree(
    (
        ManagementGroup("contoso", "Contoso"),
        ManagementGroup("mg-edge", "Edge", "contoso"),
        ManagementGroup("mg-online", "Online", "contoso"),
    ),
    (Subscription("nordics", "edge-nordics", "mg-edge"), Subscription("dev", "online-dev", "MG-Online")),
    (ResourceGroup(LAB, "westeurope"),),
)
SHOP = ResourceId("/subscriptions/Nordics/resourceGroups/stores/providers/Microsoft.Kubernetes/connectedClusters/osl")
LAB_CLUSTER = ResourceId(f"{LAB}/providers/Microsoft.ContainerService/managedClusters/lab-ml-01")
ROOT, EDGE = ResourceId.for_management_group("contoso"), ResourceId.for_management_group("mg-edge")


def test_management_groups_above_are_told_nearest_first() -> None:
    assert [g.name for g in TREE.management_groups_above(SHOP)] == ["mg-edge", "contoso"]
    assert [g.name for g in TREE.management_groups_above(EDGE)] == ["contoso"]
    assert TREE.management_groups_above(ROOT) == ()


def test_a_cycle_of_management_groups_ends() -> None:
    cycle = ScopeTree((ManagementGroup("a", "A", "b"), ManagementGroup("b", "B", "a")), (Subscription("s", "S", "a"),))

    assert [g.name for g in cycle.management_groups_above(ResourceId("/subscriptions/s"))] == ["a", "b"]


def test_a_management_group_contains_its_subscriptions_and_itself() -> None:
    assert TREE.contains(ROOT, SHOP)
    assert TREE.contains(EDGE, SHOP)
    assert TREE.contains(EDGE, EDGE)
    assert TREE.contains(ROOT, EDGE)
    assert not TREE.contains(EDGE, LAB_CLUSTER)
    assert not TREE.contains(EDGE, ROOT)


def test_a_subscription_of_an_unknown_tree_is_in_no_management_group() -> None:
    assert not TREE.contains(ROOT, ResourceId("/subscriptions/elsewhere/resourceGroups/g"))


def test_names_are_looked_up_without_case() -> None:
    subscription = TREE.subscription("NORDICS")
    group = TREE.resource_group(LAB_CLUSTER)

    assert subscription is not None
    assert subscription.display_name == "edge-nordics"
    assert group is not None
    assert group.name == "lab-ml"
    assert TREE.management_group("MG-EDGE") is not None


def test_places_outside_the_tree_are_not_found() -> None:
    assert TREE.subscription(None) is None
    assert TREE.resource_group(ResourceId("/subscriptions/dev")) is None
    assert TREE.resource_group(SHOP) is None


@pytest.mark.parametrize(
    ("pattern", "covered"),
    [
        ("/subscriptions/dev/resourceGroups/lab-*", True),
        ("/SUBSCRIPTIONS/DEV/RESOURCEGROUPS/LAB-*/", True),
        ("/subscriptions/*/resourceGroups/lab-ml", True),
        ("/subscriptions/dev/resourceGroups/lab-net*", False),
        ("/subscriptions/dev/resourceGroups/*-ml/providers/Microsoft.ContainerService/managedClusters/*", True),
        ("/subscriptions/*", True),
        ("/subscriptions/d*/lab-ml", False),
        ("/subscriptions/dev/resourceGroups/lab-m", False),  # no wildcard: segment borders hold
        ("/providers/Microsoft.Management/managementGroups/mg-online", True),
        ("/providers/Microsoft.Management/managementGroups/mg-edge", False),
    ],
)
def test_a_wildcard_stays_within_one_segment(pattern: str, covered: bool) -> None:
    assert ScopePattern(pattern).covers(LAB_CLUSTER, TREE) is covered


def test_a_pattern_does_not_read_its_text_as_a_regular_expression() -> None:
    pattern = ScopePattern("/subscriptions/d.v/resourceGroups/lab-*")

    assert not pattern.covers(LAB_CLUSTER, TREE)


def test_no_pattern_covers_nothing() -> None:
    assert not covers_any([], SHOP, TREE)
    assert covers_any([ScopePattern("/subscriptions/x"), ScopePattern(EDGE.text)], SHOP, TREE)
