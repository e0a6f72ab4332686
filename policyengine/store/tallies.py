"""The roll-ups of the whole fleet, kept by differences: what reports read, so that they need not count rows.

Each is a plain sum over `rollup`, `finding` or `cluster`, and holds no zero. In the caller's transaction; what is
still to be written is compared with what is stored, so findings are counted before they are written.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import chain
from operator import itemgetter
from typing import Any, Final

from sqlalchemy import delete, text
from sqlalchemy.orm import Session
from sqlmodel import col

from policyengine.model.ids import ResourceId
from policyengine.model.states import FAILING
from policyengine.store import bulk
from policyengine.store.columns import UtcDateTime
from policyengine.store.sums import Sums
from policyengine.store.tables import AgeRow, CauseRow, PolicyTotalRow

Entered = tuple[int, int, str, int]
"""Cluster, assignment, state and reason of a finding as it is now."""

_FAILING: Final = tuple(state.value for state in FAILING)
_PLACE: Final = {"subscription": "text", "resource_group": "text"}
_INSTANT: Final = "timestamptz"


_CLUSTERS: Final = Sums("cluster_total", {**_PLACE, "type": "text"})
_POLICIES: Final = Sums("policy_total", {"assignment": "int", "state": "text"})
_GROUPS: Final = Sums("group_total", {**_PLACE, "state": "text"})
_CAUSES: Final = Sums("cause", {"assignment": "int", "state": "text", "reason": "int"})
_AGES: Final = Sums("age", {"assignment": "int", "state": "text", "since": _INSTANT})
_FAILURES: Final = Sums("failure", {"policies": "int"})

_FAILURES_ANEW: Final = (
    "INSERT INTO failure SELECT policies, COUNT(*) FROM (SELECT COUNT(*) AS policies FROM finding"
    f" WHERE state IN {_FAILING} GROUP BY cluster) AS failing"
    " GROUP BY policies"
)
_GROUPS_ANEW: Final = (
    "INSERT INTO group_total SELECT subscription, resource_group, state, SUM(n)"
    " FROM rollup GROUP BY subscription, resource_group, state"
)


def count_clusters(session: Session, clusters: Iterable[ResourceId], *, by: int) -> None:
    """Clusters that came (``by`` 1) or went (-1)."""
    places: Counter[tuple[str, str, str]] = Counter()
    for id in clusters:
        cell = ((id.subscription or "").casefold(), (id.resource_group or "").casefold(), id.type.casefold())
        places[cell] += by
    _add(session, _CLUSTERS, places)


def count_pairs(
    session: Session, policies: Sequence[tuple[int, str, int]], places: Sequence[tuple[str, str, str, int]]
) -> None:
    """What was added to cells of the roll-up, summed by policy and by place; see `ledger.Moves`."""
    _POLICIES.add(session, policies)
    _GROUPS.add(session, places)


def count_findings(
    session: Session,
    old: Mapping[tuple[int, int], bulk.Known],
    *,
    begun: Sequence[Entered],
    turned: Sequence[Entered],
    reworded: Sequence[tuple[int, int, int]],
    ended: Sequence[tuple[int, int]],
    at: datetime,
) -> None:
    """Findings that will begin, turn into another kind, get another reason (reason, cluster, assignment) or end;
    ``old`` are all on these clusters as they are kept still, by cluster and assignment."""
    left = [*((cluster, assignment) for cluster, assignment, _, _ in turned), *ended]
    causes = Counter(map(itemgetter(1, 2, 3), begun)) + Counter(map(itemgetter(1, 2, 3), turned))
    now = UtcDateTime().process_bind_param(at, session.connection().dialect)
    ages: Counter[Any] = Counter()
    for (assignment, state, _), n in causes.items():
        ages[assignment, state, now] += n
    for cluster, assignment in left:
        state, reason, since = old[cluster, assignment]
        causes[assignment, state, reason] -= 1
        ages[assignment, state, since] -= 1
    for reason, cluster, assignment in reworded:
        state, before, _ = old[cluster, assignment]
        causes[assignment, state, before] -= 1
        causes[assignment, state, reason] += 1
    _add(session, _CAUSES, causes)
    _add(session, _AGES, ages)
    _add(session, _FAILURES, _failures(old, chain(begun, turned), left))


def _failures(
    old: Mapping[tuple[int, int], bulk.Known], new: Iterable[Entered], left: Iterable[tuple[int, int]]
) -> Counter[tuple[int]]:
    """By how much each class of clusters, those that fail so many policies, grows or shrinks."""
    moved = Counter(entry[0] for entry in new if entry[2] in _FAILING)
    moved.subtract(cluster for cluster, assignment in left if old[cluster, assignment][0] in _FAILING)
    before = Counter(cluster for (cluster, _), (state, *_) in old.items() if state in _FAILING)
    classes = Counter((before[cluster] + by,) for cluster, by in moved.items() if by)
    classes.subtract((before[cluster],) for cluster, by in moved.items() if by)
    del classes[0,]  # a cluster that fails none is not counted
    return classes


def forget_policies(session: Session, assignments: Sequence[int]) -> None:
    """Their findings and roll-ups are gone already."""
    if not assignments:
        return
    for table in (PolicyTotalRow, CauseRow, AgeRow):
        session.execute(delete(table).where(col(table.assignment).in_(assignments)))
    for name, anew in (("group_total", _GROUPS_ANEW), ("failure", _FAILURES_ANEW)):
        session.execute(text(f"DELETE FROM {name}"))
        session.execute(text(anew))


def _add(session: Session, sums: Sums, cells: Mapping[Any, int]) -> None:
    """``cells``: by key."""
    sums.add(session, [(*key, n) for key, n in sorted(cells.items(), key=itemgetter(0)) if n])
