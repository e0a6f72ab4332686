"""The statements that must be fast: sets in, sets out, no object per pair, and no layer between them and the driver.

Callers hold a transaction; nothing here begins or ends one. SQLite is given one statement for many rows; PostgreSQL
arrays that it unnests, or a COPY where rows are only added. Source: performance measurements, "Store".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from operator import itemgetter
from typing import Any, Final

import numpy as np
from sqlalchemy import Connection, bindparam, text
from sqlalchemy.orm import Session

from policyengine.errors import StoreError
from policyengine.model.states import Reason
from policyengine.model.values import fingerprint
from policyengine.store.blocks import CHUNK, States, unpacked
from policyengine.store.columns import UtcDateTime
from policyengine.store.ledger import Growth, Numbers, Place

Row = tuple[Any, ...]

COPY_FROM: Final = 1000
"""Rows from which on a COPY is worth its start."""

_BATCH: Final = 500
"""Names or numbers asked for at once; every SQLite takes so many."""

_AT_ONCE: Final = 5_000
"""Rows sent to PostgreSQL in one statement."""


@dataclass(frozen=True, slots=True)
class Batch:
    """One statement over many rows. ``columns`` are the members of a row with their PostgreSQL types.

    An insert ``into`` a table ends with ``conflict``; anything else is spelt twice, with ``?`` in the order of
    ``columns`` and with the unnested rows as ``u``.
    """

    columns: Mapping[str, str]
    into: str = ""
    conflict: str = ""
    sqlite: str = ""
    postgresql: str = ""

    def run(self, session: Session, rows: Iterable[Row]) -> None:
        connection = session.connection()
        if connection.dialect.name == "sqlite":
            self._on_sqlite(connection, rows)
        else:
            self._on_postgresql(connection, rows)

    def _on_sqlite(self, connection: Connection, rows: Iterable[Row]) -> None:
        found = rows if isinstance(rows, list) else list(rows)
        if found:
            marks = ", ".join("?" * len(self.columns))
            insert = f"INSERT INTO {self.into} ({', '.join(self.columns)}) VALUES ({marks}) {self.conflict}"
            connection.exec_driver_sql(self.sqlite or insert, found)

    def _on_postgresql(self, connection: Connection, rows: Iterable[Row]) -> None:
        waiting = iter(rows)
        while page := list(islice(waiting, _AT_ONCE)):
            if self.into and not self.conflict and len(page) >= COPY_FROM:
                self._copy(connection, page)
            else:
                arrays = tuple(list(column) for column in zip(*page, strict=True))
                connection.exec_driver_sql(self._unnested(), arrays)

    def _unnested(self) -> str:
        arrays = ", ".join(f"%s::{type}[]" for type in self.columns.values())
        rows = f"unnest({arrays}) AS u({', '.join(self.columns)})"
        if self.into:
            return f"INSERT INTO {self.into} ({', '.join(self.columns)}) SELECT * FROM {rows} {self.conflict}"
        return self.postgresql.format(rows=rows)

    def _copy(self, connection: Connection, rows: Iterable[Row]) -> None:
        cursor: Any = connection.connection.cursor()
        try:
            with cursor.copy(f"COPY {self.into} ({', '.join(self.columns)}) FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)
        except Exception as error:
            raise StoreError(f"rows cannot be copied into `{self.into}`: {str(error).partition(chr(10))[0]}") from error
        finally:
            cursor.close()


_INSTANT = "timestamptz"
_PAIR = {"cluster": "int", "assignment": "int"}

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
    {"removed": _INSTANT, "seq": "int", "due": "int", "number": "int"},
    sqlite="UPDATE cluster SET removed = ?, seq = ?, due = ?, unreachable = '' WHERE number = ?",
    postgresql="UPDATE cluster SET removed = u.removed, seq = u.seq, due = u.due, unreachable = '' FROM {rows}"
    " WHERE cluster.number = u.number",
)
_TOUCH_CLUSTER = Batch(
    {"due": "int", "number": "int"},
    sqlite="UPDATE cluster SET due = ? WHERE number = ?",
    postgresql="UPDATE cluster SET due = u.due FROM {rows} WHERE cluster.number = u.number",
)
_ASSIGNMENT_TEXTS = (
    *("digest", "assignment", "reference_id", "definition", "initiative", "display_name", "severity", "effect"),
    *("owner", "runbook", "message"),
)
_UPSERT_ASSIGNMENT = Batch(
    {"key": "text", "position": "int", **dict.fromkeys(_ASSIGNMENT_TEXTS, "text")},
    into="assignment",
    conflict="ON CONFLICT (key) DO UPDATE SET retired = NULL, position = excluded.position, "
    + ", ".join(f"{name} = excluded.{name}" for name in _ASSIGNMENT_TEXTS),
)
_UPSERT_BLOCK = Batch(
    {"assignment": "int", "chunk": "int", "states": "bytea"},
    into="state_block",
    conflict="ON CONFLICT (assignment, chunk) DO UPDATE SET states = excluded.states",
)
_UPSERT_MARK = Batch(
    {"assignment": "int", "chunk": "int", "digest": "text", "leave": "text", "seq": "int"},
    into="mark",
    conflict="ON CONFLICT (assignment, chunk) DO UPDATE"
    " SET digest = excluded.digest, leave = excluded.leave, seq = excluded.seq",
)
_INSERT_HISTORY = Batch(
    {"assignment": "int", "cluster": "int", "old": "text", "new": "text", "scan": "int", "at": _INSTANT},
    into="history",
)
_ADD_TO_ROLLUP = Batch(
    {"assignment": "int", "subscription": "text", "resource_group": "text", "state": "text", "n": "int"},
    into="rollup",
    conflict="ON CONFLICT (assignment, subscription, resource_group, state) DO UPDATE SET n = rollup.n + excluded.n",
)
_INSERT_FINDING = Batch({**_PAIR, "state": "text", "since": _INSTANT, "reason": "int"}, into="finding")
_TURN_FINDING = Batch(
    {"state": "text", "since": _INSTANT, "reason": "int", **_PAIR},
    sqlite="UPDATE finding SET state = ?, since = ?, reason = ? WHERE cluster = ? AND assignment = ?",
    postgresql="UPDATE finding SET state = u.state, since = u.since, reason = u.reason FROM {rows}"
    " WHERE finding.cluster = u.cluster AND finding.assignment = u.assignment",
)
_REWORD_FINDING = Batch(
    {"reason": "int", **_PAIR},
    sqlite="UPDATE finding SET reason = ? WHERE cluster = ? AND assignment = ?",
    postgresql="UPDATE finding SET reason = u.reason FROM {rows}"
    " WHERE finding.cluster = u.cluster AND finding.assignment = u.assignment",
)
_DELETE_FINDING = Batch(
    _PAIR,
    sqlite="DELETE FROM finding WHERE cluster = ? AND assignment = ?",
    postgresql="DELETE FROM finding USING {rows}"
    " WHERE finding.cluster = u.cluster AND finding.assignment = u.assignment",
)
_INSERT_REASON = Batch(
    dict.fromkeys(("hash", "code", "message"), "text"), into="reason", conflict="ON CONFLICT (hash) DO NOTHING"
)


def upsert_clusters(session: Session, rows: Iterable[Mapping[str, Any]]) -> None:
    """One dict per cluster, of ClusterRow's columns, the last of a key; an unchanged document keeps its ``seq``."""
    latest = {row["key"]: row for row in rows}
    names = list(_UPSERT_CLUSTER.columns)
    _UPSERT_CLUSTER.run(session, (tuple(row[name] for name in names) for row in latest.values()))


_END = "\U0010ffff"
"""Behind every key."""

_SELECT_KNOWN = text("SELECT key, content_hash, removed FROM cluster WHERE key > :after AND key <= :until")
_SELECT_NUMBERS = text("SELECT key, number, removed IS NULL FROM cluster WHERE key IN :keys").bindparams(
    bindparam("keys", expanding=True)
)


def cluster_numbers(session: Session, keys: Sequence[str]) -> dict[str, tuple[int, bool]]:
    """Number of each of these clusters, gone ones included, and whether it is in the inventory; by folded id."""
    found: dict[str, tuple[int, bool]] = {}
    for at in range(0, len(keys), _BATCH):
        rows = session.execute(_SELECT_NUMBERS, {"keys": keys[at : at + _BATCH]})
        found |= {key: (number, present) for key, number, present in rows}
    return found


def known_between(session: Session, after: str, until: str | None) -> dict[str, str]:
    """Content hashes of the inventory's clusters by folded id, behind ``after`` and up to ``until``.

    One index holds all of it: no document is read, and nothing but the range.
    """
    # asked without a word on `removed`, lest a database takes an index that begins with it
    rows = session.execute(_SELECT_KNOWN, {"after": after, "until": until if until is not None else _END})
    return {key: content_hash for key, content_hash, removed in rows if removed is None}


def remove_clusters(session: Session, numbers: Iterable[int], *, seq: int, at: datetime) -> None:
    removed = _instant(session, at)
    _REMOVE_CLUSTER.run(session, ((removed, seq, seq, number) for number in numbers))


def touch_clusters(session: Session, numbers: Iterable[int], *, seq: int) -> None:
    """They are to be judged again, though their documents did not change."""
    _TOUCH_CLUSTER.run(session, ((seq, number) for number in numbers))


def upsert_assignments(session: Session, rows: Iterable[Mapping[str, Any]]) -> None:
    """One dict per bound policy, of AssignmentRow's columns; one that was retired is in force again."""
    names = list(_UPSERT_ASSIGNMENT.columns)
    _UPSERT_ASSIGNMENT.run(session, (tuple(row[name] for name in names) for row in rows))


def places(session: Session, keys: Iterable[str]) -> dict[str, tuple[int, Place]]:
    """Number and place of those of the clusters that are in the inventory, by folded id."""
    found: dict[str, tuple[int, Place]] = {}
    waiting = iter(keys)
    while page := list(islice(waiting, _BATCH)):
        rows = _ask(
            session, "SELECT key, number, subscription, resource_group FROM cluster WHERE removed IS NULL AND key", page
        )
        found |= {key: (number, Place(subscription, group)) for key, number, subscription, group in rows}
    return found


def gone_since(session: Session, seq: int) -> Numbers:
    """The clusters that left the inventory after that reading."""
    rows = _due(session, seq)
    return np.array([number for number, _, removed in rows if removed is not None], dtype=np.int64)


def blocks(session: Session, chunks: Sequence[int], assignments: Iterable[int]) -> dict[tuple[int, int], States]:
    """The states of these policies in these chunks, by assignment and chunk."""
    found: dict[tuple[int, int], States] = {}
    for assignment in assignments:
        # the policy first: that is how the key is sorted
        query = f"SELECT chunk, states FROM state_block WHERE assignment = {assignment:d} AND chunk"
        rows = (row for page in _pages(chunks) for row in _ask(session, query, page))
        found |= {(assignment, chunk): unpacked(states) for chunk, states in rows}
    return found


def blocks_of(session: Session, assignment: int) -> dict[int, States]:
    """All states of one policy, by chunk."""
    rows = _rows(session, "SELECT chunk, states FROM state_block WHERE assignment = {} ORDER BY chunk", assignment)
    return {chunk: unpacked(states) for chunk, states in rows}


def write_blocks(session: Session, rows: Iterable[tuple[int, int, bytes]]) -> None:
    """Assignment, chunk and states of each block; a mark it has stays."""
    _UPSERT_BLOCK.run(session, rows)


def write_marks(session: Session, rows: Iterable[tuple[int, int, str, str, int]]) -> None:
    """Assignment, chunk, digest, leave and seq of each."""
    _UPSERT_MARK.run(session, rows)


def write_history(
    session: Session, rows: Iterable[tuple[int, int, str, str]], *, scan: int | None, at: datetime
) -> None:
    """Assignment, cluster, old and new word of each change."""
    instant = _instant(session, at)
    _INSERT_HISTORY.run(session, ((*row, scan, instant) for row in rows))


def add_to_rollup(session: Session, deltas: Sequence[Growth]) -> None:
    _ADD_TO_ROLLUP.run(session, deltas)
    if any(growth.by < 0 for growth in deltas):
        session.connection().exec_driver_sql("DELETE FROM rollup WHERE n = 0")


def finding_reasons(session: Session, clusters: Numbers) -> dict[tuple[int, int], int]:
    """The reason's number of every finding on these clusters, by (cluster, assignment); ``clusters`` ascend."""
    rows = _on_clusters(session, "SELECT cluster, assignment, reason FROM finding WHERE cluster", clusters)
    return {(cluster, assignment): reason for cluster, assignment, reason in rows}


def finding_rows(session: Session, clusters: Numbers) -> dict[tuple[int, int], tuple[str, int, Any]]:
    """State, reason and, as the driver has it, since of every finding on these clusters, which ascend."""
    query = "SELECT cluster, assignment, state, reason, since FROM finding WHERE cluster"
    rows = _on_clusters(session, query, clusters)
    return {(cluster, assignment): (state, reason, since) for cluster, assignment, state, reason, since in rows}


def finding_texts(session: Session, clusters: Numbers) -> dict[tuple[int, int], tuple[str, Reason]]:
    """The state's word and the reason of every finding on these clusters, by (cluster, assignment)."""
    query = "SELECT f.cluster, f.assignment, f.state, r.code, r.message FROM finding f JOIN reason r"
    rows = _on_clusters(session, f"{query} ON r.number = f.reason WHERE f.cluster", clusters)
    return {(cluster, assignment): (state, Reason(*reason)) for cluster, assignment, state, *reason in rows}


def _on_clusters(session: Session, query: str, clusters: Numbers) -> list[Row]:
    """The rows of these clusters, which ascend; as a range where most numbers of it are wanted."""
    if clusters.size and clusters[-1] - clusters[0] < 2 * clusters.size:
        return _rows(session, f"{query} BETWEEN {{}} AND {{}}", int(clusters[0]), int(clusters[-1]))
    return [row for page in _pages(clusters.tolist()) for row in _ask(session, query, page)]


def insert_findings(session: Session, rows: Iterable[tuple[int, int, str, int]], *, since: datetime) -> None:
    """Cluster, assignment, state (the word) and reason (its number) of pairs that are no findings yet."""
    instant = _instant(session, since)
    _INSERT_FINDING.run(session, ((cluster, a, state, instant, reason) for cluster, a, state, reason in rows))


def turn_findings(session: Session, rows: Iterable[tuple[int, int, str, int]], *, since: datetime) -> None:
    """The same of findings that are in another state now."""
    instant = _instant(session, since)
    _TURN_FINDING.run(session, ((state, instant, reason, cluster, a) for cluster, a, state, reason in rows))


def reword_findings(session: Session, rows: Iterable[tuple[int, int, int]]) -> None:
    """Reason, cluster and assignment of each: the state and its ``since`` stay."""
    _REWORD_FINDING.run(session, rows)


def delete_findings(session: Session, pairs: Iterable[tuple[int, int]]) -> None:
    """By cluster and assignment."""
    _DELETE_FINDING.run(session, pairs)


def reason_numbers(session: Session, reasons: Iterable[Reason]) -> dict[Reason, int]:
    """The number of each reason in the dictionary, entered where it was not there."""
    by_hash = {fingerprint([reason.code, reason.message]): reason for reason in reasons}
    numbers = _known_reasons(session, by_hash)
    new = {key: reason for key, reason in by_hash.items() if reason not in numbers}
    if new:
        _INSERT_REASON.run(session, ((key, reason.code, reason.message) for key, reason in new.items()))
        numbers |= _known_reasons(session, new)
    return numbers


def _known_reasons(session: Session, by_hash: Mapping[str, Reason]) -> dict[Reason, int]:
    query = "SELECT hash, number FROM reason WHERE hash"
    return {by_hash[key]: number for page in _pages(by_hash) for key, number in _ask(session, query, page)}


def documents(session: Session, wanted: range | Sequence[int]) -> list[Row]:
    """Number, id, type, subscription, group, document, children and ``secretive`` of clusters, in order of number.

    Texts come as the driver has them: as bytes from SQLite, which saves it looking at every character.
    """
    cast = "CAST({} AS BLOB)" if session.connection().dialect.name == "sqlite" else "{}"
    texts = f"{cast.format('document')}, {cast.format('children')}"
    return _by_number(session, f"number, id, type, subscription, resource_group, {texts}, secretive", wanted)


def headings(session: Session, wanted: range) -> list[Row]:
    """Number, id and location of clusters of the inventory, in order of number."""
    return _by_number(session, "number, id, location", wanted)


def _by_number(session: Session, columns: str, wanted: range | Sequence[int]) -> list[Row]:
    """Asked without a word on ``removed``: with one, SQLite takes the index that begins with it, and sorts."""
    query = f"SELECT {columns}, removed FROM cluster WHERE number"
    if isinstance(wanted, range):
        rows = _rows(session, f"{query} BETWEEN {{}} AND {{}} ORDER BY number", wanted[0], wanted[-1])
    else:
        rows = sorted((row for page in _pages(wanted) for row in _ask(session, query, page)), key=itemgetter(0))
    return [row[:-1] for row in rows if row[-1] is None]


def counts(session: Session) -> list[Row]:
    """Each type of cluster, folded, and how many of it the inventory has; from sums that are kept, however many."""
    rows = _rows(session, "SELECT type, SUM(n) FROM cluster_total GROUP BY type ORDER BY type")
    return [(type, int(n)) for type, n in rows]


def last_number(session: Session) -> int:
    """-1 when no cluster was ever known."""
    ((number,),) = _rows(session, "SELECT MAX(number) FROM cluster")
    return -1 if number is None else int(number)


def due_clusters(session: Session, after: int) -> list[Row]:
    """Number and ``due`` of the clusters that are to be judged since a reading after that one."""
    return [(number, due) for number, due, removed in _due(session, after) if removed is None]


def _due(session: Session, after: int) -> list[Row]:
    """Asked without a word on ``removed``: with one, SQLite takes the index that begins with it."""
    return _rows(session, "SELECT number, due, removed FROM cluster WHERE due > {}", after)


def marks(session: Session) -> list[Row]:
    """Key, chunk, digest, leave and seq of each block of a bound policy."""
    query = "SELECT a.key, m.chunk, m.digest, m.leave, m.seq FROM mark m JOIN assignment a ON a.number = m.assignment"
    return _rows(session, f"{query} WHERE a.retired IS NULL")


def advance_marks(session: Session, assignments: Iterable[int], seq: int) -> None:
    """Nothing that changed up to that reading is still to be judged under these policies."""
    for assignment in assignments:
        connection = session.connection()
        mark = "?" if connection.dialect.name == "sqlite" else "%s"
        update = f"UPDATE mark SET seq = {mark} WHERE assignment = {mark} AND seq < {mark}"
        connection.exec_driver_sql(update, (seq, assignment, seq))


def _pages(names: Iterable[Any]) -> Iterable[list[Any]]:
    waiting = iter(names)
    while page := list(islice(waiting, _BATCH)):
        yield page


def _ask(session: Session, query: str, page: list[Any]) -> list[Row]:
    """The rows whose column, the last word of ``query``, is one of ``page``."""
    if session.connection().dialect.name == "sqlite":
        marks = ", ".join("?" * len(page))
        return _rows(session, f"{query} IN ({marks})", *page)
    return _rows(session, f"{query} = ANY({{}})", page)


def _rows(session: Session, query: str, *values: Any) -> list[Row]:
    """The driver's own rows; ``{}`` in the query stands for a value."""
    connection = session.connection()
    mark = "?" if connection.dialect.name == "sqlite" else "%s"
    result = connection.exec_driver_sql(query.replace("{}", mark), values)
    cursor: Any = result.cursor
    rows: list[Row] = cursor.fetchall()
    result.close()
    return rows


def _instant(session: Session, at: datetime) -> Any:
    return UtcDateTime().process_bind_param(at, session.connection().dialect)


def chunks_of(numbers: Numbers) -> list[int]:
    """The chunks that clusters stand in, in order."""
    return [int(chunk) for chunk in np.unique(numbers // CHUNK)]
