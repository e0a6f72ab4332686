"""Clusters and the tree above them: what a reading of the inventory changes, and who asks about it.

INVARIANT: findings, blocks and roll-ups speak only of clusters that are in the inventory.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime
from itertools import count, starmap
from typing import Final

import numpy as np
from sqlalchemy import ColumnElement, Select, and_, delete, func, insert, or_, select, true
from sqlalchemy.orm import Session
from sqlmodel import SQLModel, col

from policyengine.model.cluster_text import from_texts, to_text
from policyengine.model.fleet import ScopeFailure
from policyengine.model.ids import ResourceId
from policyengine.model.resource import Cluster
from policyengine.model.scope import ManagementGroup, ScopeTree
from policyengine.store import census, deltas, driver, mapping, tallies
from policyengine.store.blocks import UNJUDGED
from policyengine.store.ledger import Place, Sheet, placed
from policyengine.store.places import Stirred, is_same, merged, stirred
from policyengine.store.records import SyncRecord
from policyengine.store.tables import (
    ClusterRow,
    ManagementGroupRow,
    ResourceGroupRow,
    StateBlockRow,
    SubscriptionRow,
    SyncRow,
)

_KEYS_AT_ONCE: Final = 500
"""Every SQLite takes so many parameters."""

_ABOVE: Final = (
    "SELECT name, display_name, parent FROM management_group",
    "SELECT subscription_id, display_name, management_group, tenant_id, tags FROM subscription",
    "SELECT id, location, tags FROM resource_group",
)
"""What the tree is made of: read by the driver itself, for there may be many thousands of groups."""


def apply_changes(
    session: Session,
    *,
    upserts: Sequence[Cluster],
    removed: Iterable[ResourceId],
    tree: ScopeTree,
    source: str,
    complete: bool,
    at: datetime,
    failures: Sequence[ScopeFailure],
    partial: bool,
) -> None:
    told = to_text([[failure.scope.text, failure.reason] for failure in failures])
    sync = SyncRow(at=at, source=source, complete=complete, clusters=0, partial=partial, failures=told)
    before = _clusters_before(session)
    session.add(sync)
    session.flush()
    gone = _remove(session, removed, seq=sync.seq, at=at)
    come = _upsert(session, upserts, seq=sync.seq)
    if not partial or tree != ScopeTree():
        trees = _tree_before(session, tree, replace=complete and not partial)
        failed_before = failures if partial else _failures_before(session, sync.seq)
        _touch(session, stirred(*trees, failed_before, failures), seq=sync.seq)
    sync.clusters = before - gone + come


def _clusters_before(session: Session) -> int:
    """As the last reading left them: whoever changes the inventory counts on, so that nobody has to count all."""
    return session.scalar(select(col(SyncRow.clusters)).order_by(col(SyncRow.seq).desc()).limit(1)) or 0


def _upsert(session: Session, clusters: Sequence[Cluster], *, seq: int) -> int:
    """How many are in the inventory now that were not.

    A cluster seen for the first time gets the next number; one that comes back gets its own.
    """
    if not clusters:
        return 0
    known = census.cluster_numbers(session, [cluster.id.key for cluster in clusters])
    numbers = {key: number for key, (number, _) in known.items()}
    following = count(census.last_number(session) + 1)
    stamp = {"seq": seq, "due": seq}
    rows = [
        {"number": _number(cluster.id.key, numbers, following), **stamp, **mapping.cluster_columns(cluster)}
        for cluster in clusters
    ]
    census.upsert_clusters(session, rows)
    come = {cluster.id.key: cluster.id for cluster in clusters if not known.get(cluster.id.key, (0, False))[1]}
    tallies.count_clusters(session, come.values(), by=1)
    return len(come)


def _number(key: str, numbers: dict[str, int], following: Iterator[int]) -> int:
    if key not in numbers:
        numbers[key] = next(following)
    return numbers[key]


def _remove(session: Session, ids: Iterable[ResourceId], *, seq: int, at: datetime) -> int:
    """How many of them were in the inventory."""
    known = {id.key: id for id in ids}
    present = census.places(session, known)
    gone = sorted(present.values())
    if gone:
        _retire(session, gone, at=at)
        tallies.count_clusters(session, (known[key] for key in present), by=-1)
        census.remove_clusters(session, (number for number, _ in gone), seq=seq, at=at)
    return len(gone)


def _retire(session: Session, gone: Sequence[tuple[int, Place]], *, at: datetime) -> None:
    """The clusters' pairs are judged no longer, whatever their state was."""
    assignments = list(session.scalars(select(col(StateBlockRow.assignment)).distinct().order_by("assignment")))
    shape = (len(assignments), len(gone))
    places, where = placed([place for _, place in gone])
    sheet = Sheet(
        assignments=assignments,
        numbers=np.array([number for number, _ in gone], dtype=np.int64),
        states=np.full(shape, UNJUDGED, dtype=np.uint8),
        reasons=np.zeros(shape, dtype=np.int32),
        texts=(None,),
        places=places,
        at=where,
    )
    deltas.write(session, sheet, scan=None, at=at)


def _tree_before(session: Session, read: ScopeTree, *, replace: bool) -> tuple[ScopeTree, ScopeTree]:
    """The tree as it was and as it is kept from now on. A partial reading takes nothing away."""
    known = tree(session)
    kept = merged(ScopeTree() if replace else known, read)
    if not is_same(known, kept):
        _keep(session, ManagementGroupRow, [mapping.management_group_row(group) for group in kept.management_groups])
        _keep(session, SubscriptionRow, [mapping.subscription_row(subscription) for subscription in kept.subscriptions])
        _keep(session, ResourceGroupRow, [mapping.resource_group_row(group) for group in kept.resource_groups])
    return known, kept


def _keep(session: Session, table: type[SQLModel], rows: Sequence[SQLModel]) -> None:
    session.execute(delete(table))
    if rows:
        session.execute(insert(table), [row.model_dump() for row in rows])


def _failures_before(session: Session, seq: int) -> tuple[ScopeFailure, ...]:
    """What the whole reading before that one could not read."""
    whole = select(SyncRow).where(col(SyncRow.partial).is_(False), col(SyncRow.seq) < seq)
    row = session.scalar(whole.order_by(col(SyncRow.seq).desc()).limit(1))
    return mapping.sync_value(row).failures if row is not None else ()


def _touch(session: Session, changed: Stirred, *, seq: int) -> None:
    """Clusters whose surroundings changed are judged again, as if they had changed themselves."""
    if not changed:
        return
    rows = session.execute(
        select(
            col(ClusterRow.number), col(ClusterRow.id), col(ClusterRow.subscription), col(ClusterRow.resource_group)
        ).where(col(ClusterRow.due) < seq, _present())
    )
    census.touch_clusters(session, [number for number, *place in rows if changed.touches(*place)], seq=seq)


def tree(session: Session) -> ScopeTree:
    """Everything above the clusters, each kind in order of its folded name or id."""
    groups, subscriptions, resource_groups = (driver.read(session, f"{query} ORDER BY key") for query in _ABOVE)
    return ScopeTree(
        tuple(starmap(ManagementGroup, groups)),
        tuple(starmap(mapping.subscription_value, subscriptions)),
        tuple(starmap(mapping.resource_group_value, resource_groups)),
    )


def ids(session: Session, keys: Sequence[str]) -> list[ResourceId]:
    """The clusters of these folded ids, as they are spelt, in order."""
    key, found = col(ClusterRow.key), list[str]()
    for at in range(0, len(keys), _KEYS_AT_ONCE):
        found += session.scalars(select(col(ClusterRow.id)).where(key.in_(keys[at : at + _KEYS_AT_ONCE])))
    return sorted(map(ResourceId, found))


def page(session: Session, *, after: str, limit: int, scope: ColumnElement[bool] | None) -> list[Cluster]:
    """The next clusters behind the folded id ``after``, in order of folded id."""
    query = _select_documents().where(col(ClusterRow.key) > after)
    if scope is not None:
        query = query.where(scope)
    rows = session.execute(query.order_by(col(ClusterRow.key)).limit(limit))
    return [from_texts(id, document, children) for id, document, children in rows]


def within(session: Session, scope: ResourceId) -> ColumnElement[bool]:
    """The condition that a cluster stands at or under ``scope``, management groups included."""
    if scope.management_group is not None:
        known = tree(session)
        below = [s.subscription_id.casefold() for s in known.subscriptions if known.contains(scope, s.id)]
        return col(ClusterRow.subscription).in_(below)
    key = col(ClusterRow.key)
    if scope.key == "/":
        return key > "/"
    # `0` follows `/` in code point order: a range that an index can serve, unlike a LIKE pattern
    return or_(key == scope.key, and_(key >= f"{scope.key}/", key < f"{scope.key}0"))


def find(session: Session, name_or_id: str) -> list[Cluster]:
    wanted = name_or_id.rstrip("/").casefold()
    column = col(ClusterRow.key) if wanted.startswith("/") else col(ClusterRow.name)
    rows = session.execute(_select_documents().where(column == wanted).order_by(col(ClusterRow.key)))
    return [from_texts(id, document, children) for id, document, children in rows]


def observed(session: Session, clusters: Collection[ResourceId] | None) -> dict[ResourceId, datetime]:
    """By the last reading whose failures do not touch the cluster, or a later one that changed it."""
    readings, known = _readings(session), tree(session)
    seq, key = col(ClusterRow.seq), col(ClusterRow.key)
    query = select(col(ClusterRow.id), col(SyncRow.at)).join(SyncRow, col(SyncRow.seq) == seq).where(_present())
    keys = sorted(id.key for id in clusters) if clusters is not None else []
    pages = [key.in_(keys[at : at + _KEYS_AT_ONCE]) for at in range(0, len(keys), _KEYS_AT_ONCE)]
    found: dict[ResourceId, datetime] = {}
    for page in pages if clusters is not None else [true()]:
        for text, changed in session.execute(query.where(page)):
            id = ResourceId(text)
            whole = (r.at for r in readings if not any(known.contains(f.scope, id) for f in r.failures))
            found[id] = max(changed, next(whole, changed))
    return found


def _readings(session: Session) -> list[SyncRecord]:
    """Whole readings of the inventory, the last first, back to the last complete one."""
    seq, whole = col(SyncRow.seq), col(SyncRow.partial).is_(False)
    complete = session.scalar(select(func.max(seq)).where(whole, col(SyncRow.complete))) or 0
    rows = session.scalars(select(SyncRow).where(whole, seq >= complete).order_by(seq.desc()))
    return [mapping.sync_value(row) for row in rows]


def last_sync(session: Session) -> SyncRecord | None:
    row = session.scalar(
        select(SyncRow).where(col(SyncRow.partial).is_(False)).order_by(col(SyncRow.seq).desc()).limit(1)
    )
    return mapping.sync_value(row) if row else None


def last_seq(session: Session) -> int:
    """The number of the last reading, whole or not; 0 before the first."""
    return session.scalar(select(func.max(col(SyncRow.seq)))) or 0


def _present() -> ColumnElement[bool]:
    return col(ClusterRow.removed).is_(None)


def _select_documents() -> Select[str, str, str]:
    return select(col(ClusterRow.id), col(ClusterRow.document), col(ClusterRow.children)).where(_present())
