"""The statements that must be fast: sets in, sets out, no object per pair.

The same SQL serves both databases. Callers hold a transaction; nothing here begins or ends one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import TextClause, bindparam, text
from sqlalchemy.orm import Session

from policyengine.model.states import Reason
from policyengine.model.values import fingerprint
from policyengine.store.blocks import StateBlocks
from policyengine.store.columns import UtcDateTime
from policyengine.store.ledger import Cell, Move, Place

_BATCH = 500


def _instants(statement: str, *names: str) -> TextClause:
    return text(statement).bindparams(*(bindparam(name, type_=UtcDateTime) for name in names))


_UPSERT_CLUSTER = text(
    """
    INSERT INTO cluster (number, seq, key, id, name, subscription, resource_group, location, type, document, children,
        content_hash, removed)
    VALUES (:number, :seq, :key, :id, :name, :subscription, :resource_group, :location, :type, :document, :children,
        :content_hash, NULL)
    ON CONFLICT (key) DO UPDATE SET
        seq = CASE WHEN cluster.content_hash = excluded.content_hash AND cluster.removed IS NULL
            THEN cluster.seq ELSE excluded.seq END,
        id = excluded.id, location = excluded.location, type = excluded.type, document = excluded.document,
        children = excluded.children, content_hash = excluded.content_hash, removed = NULL
    """
)
_REMOVE_CLUSTER = _instants("UPDATE cluster SET removed = :at, seq = :seq WHERE number = :number", "at")
_UPSERT_ASSIGNMENT = text(
    """
    INSERT INTO assignment (key, position, digest, assignment, reference_id, definition, initiative, display_name,
        severity, effect, owner, runbook, retired, message)
    VALUES (:key, :position, :digest, :assignment, :reference_id, :definition, :initiative, :display_name,
        :severity, :effect, :owner, :runbook, NULL, :message)
    ON CONFLICT (key) DO UPDATE SET
        position = excluded.position, digest = excluded.digest, assignment = excluded.assignment,
        reference_id = excluded.reference_id, definition = excluded.definition, initiative = excluded.initiative,
        display_name = excluded.display_name, severity = excluded.severity, effect = excluded.effect,
        owner = excluded.owner, runbook = excluded.runbook, retired = NULL, message = excluded.message
    """
)
_UPSERT_BLOCK = text(
    """
    INSERT INTO state_block (assignment, chunk, states) VALUES (:assignment, :chunk, :states)
    ON CONFLICT (assignment, chunk) DO UPDATE SET states = excluded.states
    """
)
_INSERT_HISTORY = _instants(
    """
    INSERT INTO history (assignment, cluster, old, new, scan, at)
    VALUES (:assignment, :cluster, :old, :new, :scan, :at)
    """,
    "at",
)
_ADD_TO_ROLLUP = text(
    """
    INSERT INTO rollup (assignment, subscription, resource_group, state, n)
    VALUES (:assignment, :subscription, :resource_group, :state, :n)
    ON CONFLICT (assignment, subscription, resource_group, state) DO UPDATE SET n = rollup.n + excluded.n
    """
)
_UPSERT_FINDING = _instants(
    """
    INSERT INTO finding (cluster, assignment, state, since, reason)
    VALUES (:cluster, :assignment, :state, :since, :reason)
    ON CONFLICT (cluster, assignment)
    DO UPDATE SET state = excluded.state, since = excluded.since, reason = excluded.reason
    """,
    "since",
)
_CHANGE_REASON = text("UPDATE finding SET reason = :reason WHERE cluster = :cluster AND assignment = :assignment")
_DELETE_FINDING = text("DELETE FROM finding WHERE cluster = :cluster AND assignment = :assignment")
_INSERT_REASON = text(
    "INSERT INTO reason (hash, code, message) VALUES (:hash, :code, :message) ON CONFLICT (hash) DO NOTHING"
)
_SELECT_REASONS = text("SELECT hash, number FROM reason WHERE hash IN :hashes").bindparams(
    bindparam("hashes", expanding=True)
)


def places(session: Session) -> dict[str, Place]:
    """Number and group of every cluster of the inventory, by folded id."""
    rows = session.execute(text("SELECT key, number, subscription, resource_group FROM cluster WHERE removed IS NULL"))
    return {key: Place(number, subscription, group) for key, number, subscription, group in rows}


def upsert_clusters(session: Session, rows: Sequence[Mapping[str, Any]]) -> None:
    """One dict per cluster, of ClusterRow's columns; an unchanged document keeps its ``seq``."""
    _many(session, _UPSERT_CLUSTER, rows)


def remove_clusters(session: Session, numbers: Iterable[int], *, seq: int, at: datetime) -> None:
    _many(session, _REMOVE_CLUSTER, [{"number": number, "seq": seq, "at": at} for number in numbers])


def upsert_assignments(session: Session, rows: Sequence[Mapping[str, Any]]) -> None:
    """One dict per bound policy, of AssignmentRow's columns; one that was retired is in force again."""
    _many(session, _UPSERT_ASSIGNMENT, rows)


def state_blocks(session: Session) -> dict[int, StateBlocks]:
    """The blocks of every policy that has any, by its number."""
    found: dict[int, dict[int, bytes]] = {}
    for assignment, chunk, states in session.execute(text("SELECT assignment, chunk, states FROM state_block")):
        found.setdefault(assignment, {})[chunk] = states
    return {assignment: StateBlocks(blocks) for assignment, blocks in found.items()}


def write_blocks(session: Session, blocks: Mapping[int, StateBlocks]) -> None:
    """Stores the chunks that were touched."""
    _many(
        session,
        _UPSERT_BLOCK,
        [
            {"assignment": assignment, "chunk": chunk, "states": states}
            for assignment, of_policy in blocks.items()
            for chunk, states in of_policy.touched()
        ],
    )


def write_history(session: Session, moves: Iterable[Move], *, scan: int | None, at: datetime) -> None:
    _many(
        session,
        _INSERT_HISTORY,
        [
            {
                "assignment": move.assignment,
                "cluster": move.cluster,
                "old": move.shown[0].value,
                "new": move.shown[1].value,
                "scan": scan,
                "at": at,
            }
            for move in moves
        ],
    )


def add_to_rollup(session: Session, deltas: Mapping[Cell, int]) -> None:
    _many(
        session,
        _ADD_TO_ROLLUP,
        [
            {
                "assignment": cell.assignment,
                "subscription": cell.subscription,
                "resource_group": cell.resource_group,
                "state": cell.state.value,
                "n": by,
            }
            for cell, by in deltas.items()
        ],
    )
    if deltas:
        session.execute(text("DELETE FROM rollup WHERE n = 0"))


def finding_reasons(session: Session) -> dict[tuple[int, int], int]:
    """The reason's number of every finding, by (cluster, assignment)."""
    rows = session.execute(text("SELECT cluster, assignment, reason FROM finding"))
    return {(cluster, assignment): reason for cluster, assignment, reason in rows}


def write_findings(session: Session, rows: Sequence[Mapping[str, Any]]) -> None:
    """Makes or replaces: dicts of cluster, assignment, state (the word), since, reason (its number)."""
    _many(session, _UPSERT_FINDING, rows)


def change_reasons(session: Session, rows: Sequence[Mapping[str, Any]]) -> None:
    """Dicts of cluster, assignment, reason (its number): the state and its ``since`` stay."""
    _many(session, _CHANGE_REASON, rows)


def delete_findings(session: Session, moves: Iterable[Move]) -> None:
    _many(session, _DELETE_FINDING, [{"cluster": move.cluster, "assignment": move.assignment} for move in moves])


def reason_numbers(session: Session, reasons: Iterable[Reason]) -> dict[Reason, int]:
    """The number of each reason in the dictionary, entered where it was not there."""
    by_hash = {fingerprint([reason.code, reason.message]): reason for reason in reasons}
    _many(
        session,
        _INSERT_REASON,
        [{"hash": key, "code": reason.code, "message": reason.message} for key, reason in by_hash.items()],
    )
    numbers: dict[Reason, int] = {}
    hashes = list(by_hash)
    for at in range(0, len(hashes), _BATCH):
        rows = session.execute(_SELECT_REASONS, {"hashes": hashes[at : at + _BATCH]})
        numbers |= {by_hash[key]: number for key, number in rows}
    return numbers


def _many(session: Session, statement: TextClause, rows: Sequence[Mapping[str, Any]]) -> None:
    if rows:
        session.connection().execute(statement, list(rows))
