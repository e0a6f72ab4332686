from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from policyengine.inventory import reconcile
from policyengine.inventory.reconcile import told_apart
from policyengine.model.fleet import Fleet, ScopeFailure
from policyengine.model.ids import ResourceId
from policyengine.model.resource import ARC, Cluster, Resource
from policyengine.model.scope import ScopeTree, Subscription

TREE = ScopeTree(subscriptions=(Subscription("a", "A"), Subscription("b", "B")))


def place(name: str, subscription: str = "a") -> ResourceId:
    return ResourceId(f"/subscriptions/{subscription}/resourceGroups/g/providers/{ARC}/{name}")


def cluster(name: str, *, version: int = 1) -> Cluster:
    id = place(name)
    return Cluster(Resource(id, {"id": id.text, "version": version}))


def read(*failed: str) -> Fleet:
    return Fleet(TREE, (), tuple(ScopeFailure(ResourceId(scope), "403") for scope in failed))


def test_it_tells_added_changed_unchanged_and_absent_apart() -> None:
    known = {c.id.key: c.content_hash for c in (cluster("same"), cluster("new-body"), cluster("gone"))}
    changes = reconcile((cluster("added"), cluster("new-body", version=2), cluster("same")), known)

    assert [c.name for c in changes.added] == ["added"]
    assert [c.name for c in changes.changed] == ["new-body"]
    assert changes.unchanged == 1
    assert changes.absent == (place("gone").key,)
    assert [c.name for c in changes.upserts] == ["added", "new-body"]


def test_ids_are_compared_without_case() -> None:
    one = cluster("C")
    changes = reconcile((one,), {one.id.text.casefold(): one.content_hash})

    assert changes.is_empty
    assert changes.unchanged == 1


def test_nothing_is_gone_where_the_reading_failed() -> None:
    absent = (place("c"), place("d", "b"))

    assert told_apart(absent, read("/subscriptions/A")) == (absent[1:], absent[:1])
    assert told_apart(absent, read(place("c").text)) == (absent[1:], absent[:1])
    assert told_apart(absent, read("/")) == ((), absent)
    assert told_apart(absent, read()) == (absent, ())


def test_a_subscription_that_is_not_shown_any_more_is_not_thought_empty() -> None:
    """A lost role must not look like a deleted fleet."""
    assert told_apart((place("c", "hidden"),), read()) == ((), (place("c", "hidden"),))


NAMES = st.sets(st.sampled_from("pqrstuvw"))


@given(NAMES, NAMES)
def test_applying_the_changes_leaves_nothing_to_do(present: set[str], known: set[str]) -> None:
    now = [cluster(name) for name in sorted(present)]
    before = {place(name).key: "old" for name in known}
    changes = reconcile(now, before)
    after = {key: hash for key, hash in before.items() if key not in changes.absent}
    after |= {c.id.key: c.content_hash for c in changes.upserts}

    assert reconcile(now, after).is_empty
    assert set(after) == {place(name).key for name in present}
