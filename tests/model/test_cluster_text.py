"""Clusters as two texts and back."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from policyengine.errors import InventoryError
from policyengine.model.cluster_text import MAX_LEVELS, from_texts, to_texts
from policyengine.model.resource import ARC, Cluster, Resource
from policyengine.model.values import JSON

ID = f"/subscriptions/s/resourceGroups/g/providers/{ARC}/c"
PLAIN = Cluster(Resource.from_document({"id": ID, "properties": {}}))
LOCK = Resource.from_document({"id": f"{ID}/providers/Microsoft.Authorization/locks/l", "properties": {"level": "x"}})


def test_what_was_looked_for_comes_back_with_the_cluster() -> None:
    told = replace(PLAIN, others=(LOCK,), looked_for={"microsoft.authorization/locks": None, "a.b/c:d": "refused"})

    assert from_texts(ID, *to_texts(told)) == told


def test_a_cluster_on_which_nothing_else_was_looked_for_says_nothing_of_it() -> None:
    assert json.loads(to_texts(PLAIN)[1]) == {"extensions": [], "fluxConfigurations": [], "others": []}
    assert from_texts(ID, *to_texts(PLAIN)).looked_for == {}


def nested(levels: int) -> Cluster:
    """The document as a whole has two levels more."""
    deep: JSON = "[" * MAX_LEVELS  # brackets in a text are no levels
    for _ in range(levels):
        deep = {"a": deep}
    return Cluster(Resource(PLAIN.id, {"id": ID, "properties": {"settings": deep}}))


def test_a_document_of_the_greatest_depth_can_be_kept() -> None:
    deepest = nested(MAX_LEVELS - 2)
    assert from_texts(ID, *to_texts(deepest)) == deepest


@pytest.mark.parametrize("levels", [MAX_LEVELS - 1, 600, 2_000])
def test_a_deeper_one_is_refused_and_named(levels: int) -> None:
    with pytest.raises(InventoryError, match=f"cluster `{ID}`, or something on it, is nested deeper than 200 levels"):
        to_texts(nested(levels))
    with pytest.raises(InventoryError, match="nested deeper than 200 levels"):
        to_texts(replace(PLAIN, extensions=(nested(levels).resource,)))
