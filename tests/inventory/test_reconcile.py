from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from policyengine.inventory import reconcile
from policyengine.model.fleet import Fleet, ScopeFailure
from policyengine.model.ids import ResourceId
from policyengine.model.resource import ARC, Cluster, Resource
from policyengine.model.scope import ScopeTree, Subscription

TREE = ScopeTree(subscriptions=(Subscription("a", "A"), Subscription("b", "B")))


def place(name: str, subscription: str = "a") -> ResourceId:
    return ResourceId(f"/subscriptions/{subscription}/resourceGroups/g/providers/{ARC}/{name}")


def cluster(name: str, *, version: int = 1, subscription: str = "a") -> Cluster:
    id = place(name, subscription)
    return Cluster(Resource(id, {"id": id.text, "version": version}))


def fleet(*clusters: Cluster, failed: tuple[str, ...] = ()) -> Fleet:
    failures = tuple(ScopeFailure(ResourceId(scope), "403") for scope in failed)
    return Fleet(TREE, clusters, failures)


def test_it_tells_added_changed_unchanged_and_removed_apart() -> None:
    known = {c.id: c.content_hash for c in (cluster("same"), cluster("new-body"), cluster("gone"))}
    changes = reconcile(fleet(cluster("added"), cluster("new-body", version=2), cluster("same")), known)

    assert [c.name for c in changes.added] == ["added"]
    assert [c.name for c in changes.changed] == ["new-body"]
    assert changes.unchanged == 1
    assert changes.removed == (place("gone"),)
    assert [c.name for c in changes.upserts] == ["added", "new-body"]


def test_ids_are_compared_without_case() -> None:
    one = cluster("c")
    changes = reconcile(fleet(one), {ResourceId(one.id.text.upper()): one.content_hash})

    assert changes.is_empty
    assert changes.unchanged == 1


def test_nothing_is_removed_where_the_reading_failed() -> None:
    known = {place("c"): "x", place("d", "b"): "x"}

    assert reconcile(fleet(failed=("/subscriptions/A",)), known).removed == (place("d", "b"),)
    assert reconcile(fleet(failed=(place("c").text,)), known).unseen == (place("c"),)
    assert reconcile(fleet(failed=("/",)), known).removed == ()


def test_a_subscription_that_is_not_shown_any_more_is_not_thought_empty() -> None:
    """A lost role must not look like a deleted fleet."""
    changes = reconcile(fleet(), {place("c", "hidden"): "x"})

    assert changes.removed == ()
    assert changes.unseen == (place("c", "hidden"),)


NAMES = st.sets(st.sampled_from("pqrstuvw"))


@given(NAMES, NAMES)
def test_applying_the_changes_leaves_nothing_to_do(present: set[str], known: set[str]) -> None:
    now = fleet(*(cluster(name) for name in sorted(present)))
    before = {place(name): "old" for name in known}
    changes = reconcile(now, before)
    after = {id: hash for id, hash in before.items() if id not in changes.removed}
    after |= {c.id: c.content_hash for c in changes.upserts}

    assert reconcile(now, after).is_empty
    assert set(after) == {place(name) for name in present}
