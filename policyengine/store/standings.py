"""Clusters with the exact states of their pairs, in order and a page at a time: memory does not grow with the fleet.

The session's transaction stays open from the first page to the last, so all of it is of one instant.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Row, exists, select
from sqlalchemy.orm import Session
from sqlmodel import col

from policyengine.model.cluster_text import from_texts
from policyengine.model.ids import ResourceId
from policyengine.model.resource import Cluster
from policyengine.model.states import ComplianceState, Finding
from policyengine.store import bulk, compliance, inventory
from policyengine.store.blocks import CHUNK, States, state_of
from policyengine.store.records import Standing
from policyengine.store.tables import ClusterRow, FindingRow

PAGE: Final = 500
BYTES_KEPT: Final = 32 << 20
"""Of blocks, so that clusters whose numbers are not in the order of their ids do not read each block many times."""


_WHOLE: Final = tuple(getattr(ClusterRow, name) for name in ("key", "number", "id", "document", "children"))


@dataclass
class _Blocks:
    """The states of the bound policies, a chunk at a time; those used last are kept."""

    session: Session
    policies: Mapping[int, str] = field(init=False)
    _chunks: OrderedDict[int, Mapping[int, States]] = field(default_factory=OrderedDict)

    def __post_init__(self) -> None:
        self.policies = compliance.bound_keys(self.session)

    def states(self, number: int) -> dict[str, ComplianceState]:
        """By policy, of each pair that has been judged."""
        blocks = self._chunk(number // CHUNK)
        found = ((key, blocks.get(policy)) for policy, key in self.policies.items())
        judged = ((key, state_of(int(block[number % CHUNK]))) for key, block in found if block is not None)
        return {key: state for key, state in judged if state is not None}

    def _chunk(self, chunk: int) -> Mapping[int, States]:
        if chunk not in self._chunks:
            while len(self._chunks) * max(len(self.policies), 1) * CHUNK >= BYTES_KEPT:
                self._chunks.popitem(last=False)
            read = bulk.blocks(self.session, [chunk], self.policies)
            self._chunks[chunk] = {policy: states for (policy, _), states in read.items()}
        self._chunks.move_to_end(chunk)
        return self._chunks[chunk]


def states(session: Session) -> Iterator[tuple[ResourceId, dict[str, ComplianceState]]]:
    """Every cluster in order of its folded id, with the state of each pair that has been judged."""
    blocks = _Blocks(session)
    for page in _pages(session, (col(ClusterRow.key), col(ClusterRow.number), col(ClusterRow.id)), None, False):
        for row in page:
            yield ResourceId(row.id), blocks.states(row.number)


def standings(session: Session, scopes: Sequence[ResourceId], *, found_only: bool) -> Iterator[Standing]:
    """The clusters at or under each scope, in order of folded id; with ``found_only`` those that have a finding."""
    blocks = _Blocks(session)
    for scope in scopes:
        for page in _pages(session, _WHOLE, scope, found_only):
            yield from _stood(session, page, blocks)


def standings_of(session: Session, ids: Collection[ResourceId]) -> list[Standing]:
    """Those of these clusters that are in the inventory."""
    blocks = _Blocks(session)
    return [standing for page in _named(session, ids) for standing in _stood(session, page, blocks)]


def clusters_of(session: Session, ids: Collection[ResourceId]) -> list[Cluster]:
    return [from_texts(row.id, row.document, row.children) for page in _named(session, ids) for row in page]


def _named(session: Session, ids: Collection[ResourceId]) -> Iterator[Sequence[Row[Any]]]:
    keys = sorted(id.key for id in ids)
    for at in range(0, len(keys), PAGE):
        chosen = col(ClusterRow.key).in_(keys[at : at + PAGE])
        query = select(*_WHOLE).where(chosen, col(ClusterRow.removed).is_(None)).order_by(col(ClusterRow.key))
        yield session.execute(query).all()


def _pages(
    session: Session, columns: Sequence[Any], scope: ResourceId | None, found_only: bool
) -> Iterator[Sequence[Row[Any]]]:
    key = col(ClusterRow.key)
    query = select(*columns).where(col(ClusterRow.removed).is_(None)).order_by(key).limit(PAGE)
    if scope is not None:
        query = query.where(inventory.within(session, scope))
    if found_only:
        query = query.where(exists().where(col(FindingRow.cluster) == col(ClusterRow.number)))
    after = ""
    while page := session.execute(query.where(key > after)).all():
        yield page
        after = page[-1].key


def _stood(session: Session, rows: Sequence[Row[Any]], blocks: _Blocks) -> Iterator[Standing]:
    found: dict[str, dict[str, Finding]] = {}
    chosen = col(FindingRow.cluster).in_([row.number for row in rows])
    for finding in compliance.found(session, compliance.select_findings().where(chosen)):
        found.setdefault(finding.cluster.key, {})[finding.policy] = finding
    for row in rows:
        cluster = from_texts(row.id, row.document, row.children)
        yield Standing(cluster, blocks.states(row.number), found.get(row.key, {}))
