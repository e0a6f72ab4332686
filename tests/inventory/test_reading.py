"""Fleets that are read batch after batch: large files in any order, and fleets that nobody has."""

from __future__ import annotations

import asyncio
import json
import random
from pathlib import Path

import pytest

from policyengine.errors import InventoryError
from policyengine.inventory import Reading, open_source, read
from policyengine.inventory.reading import BATCH
from policyengine.model.fleet import Fleet
from policyengine.model.resource import Cluster
from policyengine.model.synthetic import SyntheticFleet

FLEET = SyntheticFleet(BATCH + 300)


def documents(fleet: SyntheticFleet) -> list[str]:
    """Every cluster and everything on it, a line each."""
    resources = (r for cluster in fleet for r in (cluster.resource, *cluster.children))
    return [json.dumps(resource.document) for resource in resources]


def taken(url: str) -> tuple[list[tuple[Cluster, ...]], Fleet, list[tuple[int, int]]]:
    """The batches, what is told after them, and what somebody who watches hears."""
    heard: list[tuple[int, int]] = []

    async def take() -> tuple[list[tuple[Cluster, ...]], Reading]:
        reading = await open_source(url, on_progress=lambda done, total: heard.append((done, total)))
        return [batch async for batch in reading.batches], reading

    batches, reading = asyncio.run(take())
    return batches, reading.rest(), heard


@pytest.fixture(scope="module")
def shuffled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    lines = documents(FLEET)
    random.Random(7).shuffle(lines)
    path = tmp_path_factory.mktemp("file") / "fleet.ndjson"
    path.write_text("\n".join(lines))
    return path


def test_lines_in_any_order_give_the_clusters_in_order_of_their_ids(shuffled: Path) -> None:
    batches, rest, heard = taken(f"file:{shuffled}")

    assert [len(batch) for batch in batches] == [BATCH, 300]
    assert [cluster for batch in batches for cluster in batch] == list(FLEET)
    assert heard == [(BATCH, len(FLEET)), (len(FLEET), len(FLEET))]
    assert rest.complete
    assert not rest.clusters
    assert [s.subscription_id for s in rest.tree.subscriptions] == [s.subscription_id for s in FLEET.tree.subscriptions]
    assert [g.id for g in rest.tree.resource_groups] == [g.id for g in FLEET.tree.resource_groups]


def test_ids_that_begin_alike_are_kept_apart(tmp_path: Path) -> None:
    """A hyphen sorts before the slash: the children of `a` do not stand beside it in order of text."""
    group = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Kubernetes/connectedClusters"
    on_it = "providers/Microsoft.KubernetesConfiguration/extensions/flux"
    ids = [f"{group}/a-b/{on_it}", f"{group}/A", f"{group}/a/{on_it}", f"{group}/a-b"]
    (tmp_path / "f.ndjson").write_text("\n".join(json.dumps({"id": id}) for id in ids))

    fleet = asyncio.run(read(f"file:{tmp_path / 'f.ndjson'}"))

    assert fleet.complete
    assert [(c.name, [e.id.text for e in c.extensions]) for c in fleet.clusters] == [
        ("A", [ids[2]]),
        ("a-b", [ids[0]]),
    ]


def test_of_two_lines_about_one_resource_the_later_wins(tmp_path: Path) -> None:
    id = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Kubernetes/connectedClusters/a"
    (tmp_path / "f.ndjson").write_text("\n".join(json.dumps({"id": id, "location": place}) for place in ("x", "y")))

    assert [c.resource.location for c in asyncio.run(read(f"file:{tmp_path / 'f.ndjson'}")).clusters] == ["y"]


def test_a_bad_line_is_told_before_any_cluster(shuffled: Path, tmp_path: Path) -> None:
    path = tmp_path / "fleet.jsonl"
    path.write_text(shuffled.read_text() + '\n{"id": "/subscriptions/s"')

    with pytest.raises(InventoryError, match=f"fleet.jsonl:{len(documents(FLEET)) + 1}: this line is not JSON"):
        asyncio.run(open_source(f"file:{path}"))


def test_a_synthetic_fleet_is_the_one_of_its_seed() -> None:
    batches, rest, heard = taken(f"synthetic:{len(FLEET)}?seed=7")

    assert [cluster for batch in batches for cluster in batch] == list(FLEET)
    assert rest.tree == FLEET.tree
    assert heard[-1] == (len(FLEET), len(FLEET))
    assert [c.resource.document for c in taken("synthetic:3?seed=8")[0][0]] != [
        c.resource.document for c in taken("synthetic:3")[0][0]
    ]


@pytest.mark.parametrize("text", ["", "0", "many", "5?seed=x", "1000001"])
def test_what_is_no_size_of_a_fleet_is_refused(text: str) -> None:
    with pytest.raises(InventoryError):
        asyncio.run(open_source(f"synthetic:{text}"))
