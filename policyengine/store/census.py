"""The clusters of the inventory, many at once: what a sync writes of them, and what a scan reads.

Sets in, sets out, no object per cluster and no layer between them and the driver. Callers hold a transaction. Source:
performance measurements, "Store".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import numpy as np

from policyengine.store.driver import (
    INSTANT,
    Batch,
    Readable,
    Row,
    is_sqlite,
    joined,
    pages,
    read,
    read_of,
    stored_instant,
)
from policyengine.store.ledger import Numbers, Place

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

_UPSERT_CLUSTER = Batch(
    {
        **{"number": "int", "seq": "int", "due": "int"},
        **dict.fromkeys(("key", "id", "name", "subscription", "resource_group", "location", "type"), "text"),
        **dict.fromkeys(("document", "children", "content_hash"), "text"),
        "secretive": "bool",
        "unreachable": "text",
    },
    into="cluster",
    conflict="""ON CONFLICT (key) DO UPDATE SET
        seq = CASE WHEN cluster.content_hash = excluded.content_hash AND cluster.removed IS NULL
            THEN cluster.seq ELSE excluded.seq END,
        due = excluded.due, id = excluded.id, location = excluded.location, type = excluded.type,
        document = excluded.document, children = excluded.children, content_hash = excluded.content_hash,
        secretive = excluded.secretive, unreachable = excluded.unreachable, removed = NULL""",
)
_REMOVE_CLUSTER = Batch(
    {"removed": INSTANT, "seq": "int", "due": "int", "number": "int"},
    sqlite="UPDATE cluster SET removed = ?, seq = ?, due = ?, unreachable = '' WHERE number = ?",
    postgresql="UPDATE cluster SET removed = u.removed, seq = u.seq, due = u.due, unreachable = '' FROM {rows}"
    " WHERE cluster.number = u.number",
)
_TOUCH_CLUSTER = Batch(
    {"due": "int", "number": "int"},
    sqlite="UPDATE cluster SET due = ? WHERE number = ?",
    postgresql="UPDATE cluster SET due = u.due FROM {rows} WHERE cluster.number = u.number",
)


def upsert_clusters(session: Session, rows: Iterable[Mapping[str, Any]]) -> None:
    """One dict per cluster, of ClusterRow's columns, the last of a key; an unchanged document keeps its ``seq``."""
    latest = {row["key"]: row for row in rows}
    names = list(_UPSERT_CLUSTER.columns)
    _UPSERT_CLUSTER.run(session, (tuple(row[name] for name in names) for row in latest.values()))


def remove_clusters(session: Session, numbers: Iterable[int], *, seq: int, at: datetime) -> None:
    removed = stored_instant(session, at)
    _REMOVE_CLUSTER.run(session, ((removed, seq, seq, number) for number in numbers))


def touch_clusters(session: Session, numbers: Iterable[int], *, seq: int) -> None:
    """They are to be judged again, though their documents did not change."""
    _TOUCH_CLUSTER.run(session, ((seq, number) for number in numbers))


_PRESENT = "COALESCE(removed, NULL) IS NULL"
"""Of the column itself, not of a function, SQLite takes the index that begins with it, and sorts."""

_NONE = np.zeros(0, dtype=np.int64)
_END = "\U0010ffff"
"""Behind every key."""


def cluster_numbers(session: Session, keys: Sequence[str]) -> dict[str, tuple[int, bool]]:
    """Number of each of these clusters, gone ones included, and whether it is in the inventory; by folded id."""
    found: dict[str, tuple[int, bool]] = {}
    for page in pages(keys):
        rows = read_of(session, "SELECT key, number, removed FROM cluster WHERE key", page)
        found |= {key: (number, removed is None) for key, number, removed in rows}
    return found


def known_between(session: Session, after: str, until: str | None) -> dict[str, str]:
    """Content hashes of the inventory's clusters by folded id, behind ``after`` and up to ``until``.

    One index holds all of it: no document is read, and nothing but the range.
    """
    # asked without a word on `removed`, lest a database takes an index that begins with it
    query = "SELECT key, content_hash, removed FROM cluster WHERE key > {} AND key <= {}"
    rows = read(session, query, after, until if until is not None else _END)
    return {key: content_hash for key, content_hash, removed in rows if removed is None}


def places(session: Session, keys: Iterable[str]) -> dict[str, tuple[int, Place]]:
    """Number and place of those of the clusters that are in the inventory, by folded id."""
    found: dict[str, tuple[int, Place]] = {}
    for page in pages(keys):
        rows = read_of(
            session, "SELECT key, number, subscription, resource_group FROM cluster WHERE removed IS NULL AND key", page
        )
        found |= {key: (number, Place(subscription, group)) for key, number, subscription, group in rows}
    return found


def gone_since(session: Session, seq: int) -> Numbers:
    """The clusters that left the inventory after that reading."""
    return _due(session, seq, f"NOT {_PRESENT}")[0]


def documents(session: Readable, wanted: range | Sequence[int]) -> list[Row]:
    """Number, id, type, subscription, group, document, children and ``secretive`` of clusters, in order of number.

    Texts come as the driver has them: as bytes from SQLite, which saves it looking at every character.
    """
    cast = "CAST({} AS BLOB)" if is_sqlite(session) else "{}"
    texts = f"{cast.format('document')}, {cast.format('children')}"
    return _by_number(session, f"number, id, type, subscription, resource_group, {texts}, secretive", wanted)


def headings(session: Session, wanted: range) -> list[Row]:
    """Number, id and location of clusters of the inventory, in order of number."""
    return _by_number(session, "number, id, location", wanted)


def _by_number(session: Readable, columns: str, wanted: range | Sequence[int]) -> list[Row]:
    query = f"SELECT {columns} FROM cluster WHERE {_PRESENT} AND number"
    if isinstance(wanted, range):
        return read(session, f"{query} BETWEEN {{}} AND {{}} ORDER BY number", wanted[0], wanted[-1])
    return sorted((row for page in pages(wanted) for row in read_of(session, query, page)), key=itemgetter(0))


def counts(session: Session) -> list[Row]:
    """Each type of cluster, folded, and how many of it the inventory has; from sums that are kept, however many."""
    rows = read(session, "SELECT type, SUM(n) FROM cluster_total GROUP BY type ORDER BY type")
    return [(type, int(n)) for type, n in rows]


def last_number(session: Session) -> int:
    """-1 when no cluster was ever known."""
    ((number,),) = read(session, "SELECT MAX(number) FROM cluster")
    return -1 if number is None else int(number)


def due_clusters(session: Session, after: int) -> tuple[Numbers, Numbers]:
    """The clusters that are to be judged since a reading after that one, and since which."""
    return _due(session, after, _PRESENT)


def _due(session: Session, after: int, condition: str) -> tuple[Numbers, Numbers]:
    """A row for each reading: there may be a million clusters."""
    query = f"SELECT due, {joined(session, 'number')} FROM cluster WHERE due > {{}} AND {condition} GROUP BY due"
    rows = [(due, np.fromstring(text, dtype=np.int64, sep=",")) for due, text in read(session, query, after)]
    since = np.repeat([due for due, _ in rows], [len(found) for _, found in rows])
    return np.concatenate([_NONE, *(found for _, found in rows)]), since.astype(np.int64)
