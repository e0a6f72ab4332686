from __future__ import annotations

from typing import Any

import pytest

from policyengine.inventory.containers import read_tree

MG = "/providers/Microsoft.Management/managementGroups"
SUBSCRIPTION = {
    "id": "/subscriptions/s",
    "properties": {"managementGroupAncestorsChain": [{"name": "edge", "displayName": "E"}, {"name": "root"}]},
}
EDGE = {"id": f"{MG}/edge", "properties": {"displayName": "Edge"}}
ROOT = {"id": f"{MG}/root", "properties": {"displayName": "Root"}}


@pytest.mark.parametrize("documents", [[SUBSCRIPTION, EDGE, ROOT], [ROOT, EDGE, SUBSCRIPTION]])
def test_a_group_that_does_not_name_its_parent_has_it_from_a_chain(documents: list[Any]) -> None:
    tree = read_tree(documents)

    assert [(g.name, g.display_name, g.parent) for g in tree.management_groups] == [
        ("edge", "Edge", "root"),
        ("root", "Root", None),
    ]


def test_a_group_that_only_a_chain_speaks_of_is_known() -> None:
    tree = read_tree([SUBSCRIPTION])

    assert [(g.name, g.display_name, g.parent) for g in tree.management_groups] == [
        ("edge", "E", "root"),
        ("root", "root", None),
    ]
