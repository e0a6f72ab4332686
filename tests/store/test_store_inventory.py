"""The inventory: what a reading changes, what stays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from sqlalchemy import text

from policyengine.errors import StoreError
from policyengine.model.fleet import ScopeFailure
from policyengine.model.ids import ResourceId
from policyengine.model.resource import Cluster, Resource
from policyengine.model.scope import ManagementGroup, ResourceGroup, ScopeTree, Subscription
from policyengine.store.database import Database
from policyengine.store.store import Store

Make = Callable[..., Cluster]
Sync = Callable[..., None]

TREE = ScopeTree(
    (ManagementGroup("Edge", "Edge sites", "root"), ManagementGroup("root", "Contoso")),
    (Subscription("EDGE", "Edge Nordics", "Edge", "tenant-1", {"cost": 7}), Subscription("web", "Web")),
    (ResourceGroup(ResourceId("/subscriptions/EDGE/resourceGroups/Stores"), "norwayeast", {"owner": "ops"}),),
)


def seqs(database: Database) -> dict[str, int]:
    """The sequence number of every cluster by name, read as a user would: with SQL."""
    with database.read() as session:
        return {row.name: row.seq for row in session.execute(text("SELECT name, seq FROM cluster"))}


def test_a_cluster_comes_back_as_it_went_in(store: Store, sync: Sync, cluster: Make) -> None:
    bare = cluster("edge-1", version="1.31", nested={"b": [1, 1.0, True, None], "ä": "\u2028 \x00 \ud800"})
    child = {"name": "flux", "id": f"{bare.id}/providers/Microsoft.KubernetesConfiguration/extensions/flux"}
    full = replace(
        bare,
        extensions=(Resource.from_document(child),),
        flux_configurations=(Resource.from_document({"id": f"{bare.id}/providers/x/fluxConfigurations/c"}),),
        others=(Resource.from_document({"id": f"{bare.id}/agentPools/one"}),),
    )
    sync(full)

    (found,) = store.clusters()

    assert found == full
    assert found.content_hash == full.content_hash
    assert list(found.resource.document) == list(full.resource.document)


def test_a_document_without_an_id_is_given_its_own(store: Store, sync: Sync, cluster: Make) -> None:
    bare = cluster("edge-1")
    id = bare.id.extension("Microsoft.KubernetesConfiguration/extensions", "flux")
    sync(replace(bare, extensions=(Resource(id, {"name": "flux"}),)))

    (found,) = store.clusters()

    assert found.extensions[0].id == id


def test_clusters_come_in_order_of_folded_id_across_pages(store: Store, sync: Sync, cluster: Make) -> None:
    names = [f"Edge-{n:04d}" if n % 2 else f"edge-{n:04d}" for n in range(1203)]
    sync(*(cluster(name) for name in reversed(names)))

    assert [found.name for found in store.clusters()] == names


def test_ids_sort_by_code_point_on_every_database(store: Store, sync: Sync, cluster: Make) -> None:
    sync(*(cluster(name) for name in ("b-1", "b_1", "b1", "a~", "ä", "z")))

    found = [c.id for c in store.clusters()]

    assert found == sorted(found)
    assert len(found) == 6


@pytest.mark.parametrize(
    ("scope", "names"),
    [
        ("/", ["a", "b", "c", "d"]),
        ("/subscriptions/edge", ["a", "b", "c"]),
        ("/subscriptions/EDGE/resourceGroups/STORES", ["a", "b"]),
        ("/subscriptions/edge/resourceGroups/store", []),
        ("/providers/Microsoft.Management/managementGroups/edge", ["a", "b", "c"]),
        ("/providers/Microsoft.Management/managementGroups/root", ["a", "b", "c"]),
        ("/providers/Microsoft.Management/managementGroups/nowhere", []),
    ],
)
def test_a_scope_selects_what_stands_in_it(
    store: Store, sync: Sync, cluster: Make, scope: str, names: list[str]
) -> None:
    sync(
        *(cluster("a"), cluster("b", group="Stores"), cluster("c", group="stores-2"), cluster("d", subscription="web")),
        tree=TREE,
    )

    assert sorted(found.name for found in store.clusters(scope=ResourceId(scope))) == names


def test_a_cluster_scope_selects_that_cluster(store: Store, sync: Sync, cluster: Make) -> None:
    sync(cluster("a"), cluster("a-2"))

    assert [found.name for found in store.clusters(scope=cluster("A").id)] == ["a"]


def test_a_cluster_is_found_by_name_or_id_without_case(store: Store, sync: Sync, cluster: Make) -> None:
    here, there = cluster("Edge-1"), cluster("edge-1", group="labs")
    sync(here, there, cluster("edge-10"))

    assert store.find_clusters("EDGE-1") == [there, here]
    assert store.find_clusters(here.id.text.upper() + "/") == [here]
    assert store.find_clusters("edge") == []


def test_unchanged_documents_keep_their_sequence_number(
    store: Store, sync: Sync, cluster: Make, database: Database
) -> None:
    sync(cluster("a", v=1), cluster("b", v=1))
    sync(cluster("a", v=1), cluster("b", v=2))

    assert seqs(database) == {"a": 1, "b": 2}


def test_a_changed_child_bumps_its_owner(store: Store, sync: Sync, cluster: Make, database: Database) -> None:
    bare = cluster("a")
    sync(bare)
    sync(replace(bare, others=(Resource.from_document({"id": f"{bare.id}/agentPools/one"}),)))

    assert seqs(database) == {"a": 2}


def test_a_removed_cluster_is_gone_and_may_come_back(
    store: Store, sync: Sync, cluster: Make, database: Database
) -> None:
    a, b = cluster("a"), cluster("b")
    sync(a, b)
    sync(removed=[a, cluster("never-seen")])

    assert list(store.clusters()) == [b]
    assert store.find_clusters("a") == []
    assert store.known() == {b.id.key: b.content_hash}

    sync(a)

    assert list(store.clusters()) == [a, b]
    assert seqs(database) == {"a": 3, "b": 1}


def test_what_is_known_is_told_by_range(store: Store, sync: Sync, cluster: Make) -> None:
    a, b, c = (cluster(name) for name in "AbC")
    sync(a, b, c)

    assert store.known() == {one.id.key: one.content_hash for one in (a, b, c)}
    assert list(store.known(after=a.id.key)) == [b.id.key, c.id.key]
    assert list(store.known(after=a.id.key, until=b.id.key)) == [b.id.key]
    assert store.known(after=c.id.key) == {}
    assert store.spelt([c.id.key, a.id.key, "/nobody"]) == [a.id, c.id]
    assert [id.text for id in store.spelt([a.id.key])] == [a.id.text]


def test_it_tells_which_clusters_may_hold_secrets(store: Store, sync: Sync, cluster: Make, database: Database) -> None:
    plain, own, on_it = cluster("a", sasToken=""), cluster("b", AccountKey="k"), cluster("c")
    child = {"id": f"{on_it.id}/providers/x/fluxConfigurations/c", "configurationProtectedSettings": {"key": "v"}}
    sync(plain, own, replace(on_it, flux_configurations=(Resource.from_document(child),)))

    with database.read() as session:
        found = {row.name: bool(row.secretive) for row in session.execute(text("SELECT name, secretive FROM cluster"))}
    assert found == {"a": False, "b": True, "c": True}


def test_a_reading_counts_the_clusters_that_are_there(store: Store, sync: Sync, cluster: Make) -> None:
    a, b = cluster("a", v=1), cluster("b")
    for given, removed, count in (((a, b), (), 2), ((cluster("a", v=2),), (b, cluster("never")), 1), ((b,), (), 2)):
        sync(*given, removed=removed)

        last = store.last_sync()
        assert last is not None
        assert last.clusters == count == len(list(store.clusters()))


def test_the_tree_comes_back_as_it_went_in(store: Store, sync: Sync) -> None:
    sync(tree=TREE)

    assert store.tree() == TREE


def test_a_complete_reading_replaces_the_tree(store: Store, sync: Sync) -> None:
    sync(tree=TREE)
    smaller = ScopeTree(subscriptions=(Subscription("web", "The web"),))
    sync(tree=smaller)

    assert store.tree() == smaller


def test_a_partial_reading_takes_nothing_from_the_tree(store: Store, sync: Sync) -> None:
    sync(tree=TREE)
    sync(tree=ScopeTree(subscriptions=(Subscription("web", "The web"), Subscription("zoo", "Zoo"))), complete=False)

    tree = store.tree()

    assert tree.management_groups == TREE.management_groups
    assert tree.resource_groups == TREE.resource_groups
    assert [s.display_name for s in tree.subscriptions] == ["Edge Nordics", "The web", "Zoo"]


def test_a_fact_is_as_old_as_the_last_reading_that_could_see_it(
    store: Store, sync: Sync, cluster: Make, clock: Any
) -> None:
    a, b, c = cluster("a"), cluster("b", subscription="web"), cluster("c")
    times = [clock.now()]
    sync(a, b, c, tree=TREE)
    for failures in ((), (ScopeFailure(ResourceId("/subscriptions/web"), "no leave"),)):
        times.append(clock.advance(minutes=5))
        sync(tree=TREE, complete=not failures, failures=failures)
    times.append(clock.advance(minutes=5))
    sync(replace(c, resource=Resource(c.id, {**c.resource.document, "kind": "x"})), partial=True)

    assert {id.name: at for id, at in store.observed().items()} == {"a": times[2], "b": times[1], "c": times[3]}
    assert store.observed([b.id]) == {b.id: times[1]}


def test_the_last_sync_says_what_was_read(store: Store, sync: Sync, cluster: Make, clock: Any) -> None:
    assert store.last_sync() is None

    sync(cluster("a"), cluster("b"))
    at = clock.advance(minutes=5)
    sync(removed=[cluster("a")], complete=False)

    last = store.last_sync()
    assert last is not None
    assert (last.at, last.source, last.complete, last.clusters, last.seq) == (at, "file:fleet.yaml", False, 1, 2)


def test_times_come_back_in_utc_to_the_microsecond(store: Store) -> None:
    noon = datetime(2026, 7, 1, 12, 0, 0, 123456, tzinfo=timezone(timedelta(hours=2)))
    store.apply_changes(upserts=(), removed=(), tree=ScopeTree(), source="arm:", complete=True, at=noon)

    last = store.last_sync()

    assert last is not None
    assert last.at == noon
    assert last.at.tzinfo is UTC


def test_a_time_without_a_zone_is_refused_and_changes_nothing(store: Store, cluster: Make) -> None:
    with pytest.raises(StoreError, match="has no zone"):
        store.apply_changes(
            upserts=[cluster("a")],
            removed=(),
            tree=TREE,
            source="arm:",
            complete=True,
            at=datetime(2026, 7, 1),
        )

    assert store.last_sync() is None
    assert list(store.clusters()) == []
    assert store.tree() == ScopeTree()


def test_reading_stays_possible_while_pages_are_read(store: Store, sync: Sync, cluster: Make) -> None:
    """Nothing is held between two pages: the reader of a fleet does not stop the writer, nor itself."""
    sync(*(cluster(f"c-{n:04d}") for n in range(600)))
    reading = store.clusters()
    next(reading)

    sync(cluster("zz"))

    assert len(list(reading)) == 600
