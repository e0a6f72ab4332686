from __future__ import annotations

from policyengine.model.scope import ManagementGroup, ScopeTree, Subscription
from policyengine.reports import Report, ScopeKind, ScopeNode, rollup_by_scope
from policyengine.reports.summary import add_counts, totals
from tests.reports.conftest import groups_of


def every(node: ScopeNode) -> list[ScopeNode]:
    return [node, *(below for child in node.children for below in every(child))]


def test_roots_add_up_to_the_fleet(contoso_report: Report) -> None:
    assert add_counts(root.counts for root in contoso_report.scopes) == totals(contoso_report)
    assert sum(root.clusters for root in contoso_report.scopes) == len(contoso_report.clusters)


def test_children_add_up_to_their_parent(contoso_report: Report) -> None:
    for node in (node for root in contoso_report.scopes for node in every(root)):
        if node.children:
            assert add_counts(child.counts for child in node.children) == node.counts


def test_tree_goes_from_management_group_to_resource_group(small_report: Report) -> None:
    (root,) = small_report.scopes

    assert [(node.name, node.kind) for node in every(root)] == [
        ("Contoso", ScopeKind.MANAGEMENT_GROUP),
        ("Edge", ScopeKind.MANAGEMENT_GROUP),
        ("Edge Nordics", ScopeKind.SUBSCRIPTION),
        ("stores-no", ScopeKind.RESOURCE_GROUP),
        ("stores-se", ScopeKind.RESOURCE_GROUP),
        ("Payments", ScopeKind.SUBSCRIPTION),
        ("payments-prod", ScopeKind.RESOURCE_GROUP),
    ]


def test_subscriptions_of_no_known_group_are_roots(small_report: Report) -> None:
    roots = rollup_by_scope(ScopeTree(), groups_of(small_report.clusters))

    assert [root.name for root in roots] == ["edge-nordics", "payments"]


def test_parent_that_cannot_be_read_makes_its_child_a_root(small_report: Report) -> None:
    tree = ScopeTree((ManagementGroup("mg-edge", "Edge", "hidden"),), (Subscription("Edge-Nordics", "E", "MG-Edge"),))
    roots = rollup_by_scope(tree, groups_of(small_report.clusters))

    assert [(root.name, root.clusters) for root in roots] == [("Edge", 2), ("payments", 1)]


def test_empty_places_are_left_out() -> None:
    tree = ScopeTree((ManagementGroup("mg", "Empty"),), (Subscription("s", "S", "mg"),))

    assert rollup_by_scope(tree, ()) == ()
