"""The states of pairs, many at once: blocks, marks, findings, changes and sums, and the policies they are kept for.

Sets in, sets out, no object per pair and no layer between them and the driver. Callers hold a transaction. Source:
performance measurements, "Store".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from policyengine.model.states import Reason
from policyengine.model.values import fingerprint
from policyengine.store.blocks import States, unpacked
from policyengine.store.driver import INSTANT, Batch, Row, pages, read, read_of, stored_instant
from policyengine.store.ledger import Growth, Numbers
from policyengine.store.sums import Sums

Known = tuple[str, int, Any]
"""A finding as it is kept: the state's word, the reason's number and, as the driver has it, since when."""

_PAIR = {"cluster": "int", "assignment": "int"}
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
    {
        **{"assignment": "int", "cluster": "int", "old": "text", "new": "text"},
        **{"scan": "int", "at": INSTANT, "period": "int"},
    },
    into="history",
)
_ROLLUP = Sums("rollup", {"assignment": "int", "subscription": "text", "resource_group": "text", "state": "text"})
_INSERT_FINDING = Batch({**_PAIR, "state": "text", "since": INSTANT, "reason": "int"}, into="finding")
_TURN_FINDING = Batch(
    {"state": "text", "since": INSTANT, "reason": "int", **_PAIR},
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


def upsert_assignments(session: Session, rows: Iterable[Mapping[str, Any]]) -> None:
    """One dict per bound policy, of AssignmentRow's columns; one that was retired is in force again."""
    names = list(_UPSERT_ASSIGNMENT.columns)
    _UPSERT_ASSIGNMENT.run(session, (tuple(row[name] for name in names) for row in rows))


def blocks(session: Session, chunks: Sequence[int], assignments: Iterable[int]) -> dict[tuple[int, int], States]:
    """The states of these policies in these chunks, by assignment and chunk."""
    found: dict[tuple[int, int], States] = {}
    for policies in pages(assignments):
        # the policy first: that is how the key is sorted
        of_policies = f"assignment IN ({', '.join(f'{assignment:d}' for assignment in policies)})"
        query = f"SELECT assignment, chunk, states FROM state_block WHERE {of_policies} AND chunk"
        rows = (row for page in pages(chunks) for row in read_of(session, query, page))
        found |= {(assignment, chunk): unpacked(states) for assignment, chunk, states in rows}
    return found


def blocks_of(session: Session, assignment: int) -> dict[int, States]:
    """All states of one policy, by chunk."""
    rows = read(session, "SELECT chunk, states FROM state_block WHERE assignment = {} ORDER BY chunk", assignment)
    return {chunk: unpacked(states) for chunk, states in rows}


def write_blocks(session: Session, rows: Iterable[tuple[int, int, bytes]]) -> None:
    """Assignment, chunk and states of each block; a mark it has stays."""
    _UPSERT_BLOCK.run(session, rows)


def write_marks(session: Session, rows: Iterable[tuple[int, int, str, str, int]]) -> None:
    """Assignment, chunk, digest, leave and seq of each."""
    _UPSERT_MARK.run(session, rows)


def write_history(
    session: Session, rows: Iterable[tuple[int, int, str, str]], *, scan: int | None, period: int, at: datetime
) -> None:
    """Assignment, cluster, old and new word of each change."""
    instant = stored_instant(session, at)
    _INSERT_HISTORY.run(session, ((*row, scan, instant, period) for row in rows))


def history_rows(session: Session, clusters: Numbers) -> list[Row]:
    """Number, cluster, assignment, period, old and new word of every change of these clusters, which ascend."""
    query = "SELECT number, cluster, assignment, period, old, new FROM history WHERE cluster"
    return _on_clusters(session, query, clusters)


def add_to_rollup(session: Session, deltas: Sequence[Growth]) -> None:
    _ROLLUP.add(session, deltas)


def finding_rows(session: Session, clusters: Numbers) -> dict[tuple[int, int], Known]:
    """Every finding on these clusters, which ascend, by cluster and assignment."""
    query = "SELECT cluster, assignment, state, reason, since FROM finding WHERE cluster"
    return {row[:2]: row[2:] for row in _on_clusters(session, query, clusters)}


def finding_texts(session: Session, clusters: Numbers) -> dict[tuple[int, int], tuple[str, Reason]]:
    """The state's word and the reason of every finding on these clusters, by (cluster, assignment)."""
    query = "SELECT f.cluster, f.assignment, f.state, r.code, r.message FROM finding f JOIN reason r"
    rows = _on_clusters(session, f"{query} ON r.number = f.reason WHERE f.cluster", clusters)
    return {(cluster, assignment): (state, Reason(*reason)) for cluster, assignment, state, *reason in rows}


def _on_clusters(session: Session, query: str, clusters: Numbers) -> list[Row]:
    """The rows of these clusters, which ascend; as a range where most numbers of it are wanted."""
    if clusters.size and clusters[-1] - clusters[0] < 2 * clusters.size:
        return read(session, f"{query} BETWEEN {{}} AND {{}}", int(clusters[0]), int(clusters[-1]))
    return [row for page in pages(clusters.tolist()) for row in read_of(session, query, page)]


def insert_findings(session: Session, rows: Iterable[tuple[int, int, str, int]], *, since: datetime) -> None:
    """Cluster, assignment, state (the word) and reason (its number) of pairs that are no findings yet."""
    instant = stored_instant(session, since)
    _INSERT_FINDING.run(session, ((cluster, a, state, instant, reason) for cluster, a, state, reason in rows))


def turn_findings(session: Session, rows: Iterable[tuple[int, int, str, int]], *, since: datetime) -> None:
    """The same of findings that are in another state now."""
    instant = stored_instant(session, since)
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
    return {by_hash[key]: number for page in pages(by_hash) for key, number in read_of(session, query, page)}


def marks(session: Session) -> list[Row]:
    """Key, chunk, digest, leave and seq of each block of a bound policy."""
    query = "SELECT a.key, m.chunk, m.digest, m.leave, m.seq FROM mark m JOIN assignment a ON a.number = m.assignment"
    return read(session, f"{query} WHERE a.retired IS NULL")


def advance_marks(session: Session, assignments: Iterable[int], seq: int) -> None:
    """Nothing that changed up to that reading is still to be judged under these policies."""
    for assignment in assignments:
        connection = session.connection()
        mark = "?" if connection.dialect.name == "sqlite" else "%s"
        update = f"UPDATE mark SET seq = {mark} WHERE assignment = {mark} AND seq < {mark}"
        connection.exec_driver_sql(update, (seq, assignment, seq))
