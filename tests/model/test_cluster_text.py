"""Clusters as two texts and back."""

from __future__ import annotations

import json
from dataclasses import replace

from policyengine.model.cluster_text import from_texts, to_texts
from policyengine.model.resource import ARC, Cluster, Resource

ID = f"/subscriptions/s/resourceGroups/g/providers/{ARC}/c"
PLAIN = Cluster(Resource.from_document({"id": ID, "properties": {}}))
LOCK = Resource.from_document({"id": f"{ID}/providers/Microsoft.Authorization/locks/l", "properties": {"level": "x"}})


def test_what_was_looked_for_comes_back_with_the_cluster() -> None:
    told = replace(PLAIN, others=(LOCK,), looked_for={"microsoft.authorization/locks": None, "a.b/c:d": "refused"})

    assert from_texts(ID, *to_texts(told)) == told


def test_a_cluster_on_which_nothing_else_was_looked_for_says_nothing_of_it() -> None:
    assert json.loads(to_texts(PLAIN)[1]) == {"extensions": [], "fluxConfigurations": [], "others": []}
    assert from_texts(ID, *to_texts(PLAIN)).looked_for == {}
