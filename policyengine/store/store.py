"""The questions the program asks of its memory, and the facts it tells it. One transaction for each.

Values in, values out. Every failure of the database is a StoreError; a name nobody knows is a UsageError.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime
from types import TracebackType
from typing import Self

from policyengine.errors import PolicyEngineError
from policyengine.model.fleet import ScopeFailure
from policyengine.model.ids import ResourceId
from policyengine.model.resource import Cluster
from policyengine.model.scope import ScopeTree
from policyengine.model.states import ComplianceState, Finding
from policyengine.remediation.steps import Plan, StepOutcome
from policyengine.store import (
    census,
    compliance,
    inventory,
    leases,
    moves,
    plans,
    scans,
    schedules,
    secrets,
    standings,
    summaries,
)
from policyengine.store.database import BUSY_TIMEOUT_S, Database
from policyengine.store.records import (
    CauseRecord,
    Change,
    Move,
    MoveCount,
    PairVerdict,
    PolicyRecord,
    RollupRow,
    ScanRecord,
    Standing,
    SyncRecord,
)
from policyengine.store.scanning import Scanning
from policyengine.store.schema import prepare

LEASE_S = 30.0
"""How long a process may be silent before another one may take its plan over."""

PAGE = 500
"""Clusters read at a time: memory stays flat however large the fleet."""


class Store:
    """One database. Safe to use from several threads; several processes may have it open at once."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @classmethod
    def open(cls, url: str, *, busy_timeout_s: float = BUSY_TIMEOUT_S) -> Self:
        """The store at ``sqlite:///FILE`` or ``postgresql://…``, made or upgraded on first use.

        Raises StoreError for a URL that names no database, a server that does not answer, and a database that is
        not ours or is newer than this program. ``busy_timeout_s`` is how long to wait for another writer.
        """
        database = Database(url, busy_timeout_s=busy_timeout_s)
        try:
            prepare(database, busy_timeout_s=busy_timeout_s)
        except BaseException:
            database.close()
            raise
        return cls(database)

    def close(self) -> None:
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    # Inventory

    def apply_changes(
        self,
        *,
        upserts: Sequence[Cluster],
        removed: Sequence[ResourceId],
        tree: ScopeTree,
        source: str,
        complete: bool,
        at: datetime,
        failures: Sequence[ScopeFailure] = (),
        partial: bool = False,
    ) -> None:
        """Records one reading of the inventory: what is new or changed, what is gone, and the tree above.

        A removed cluster leaves findings, roll-ups and matrix at once; its history stays, and comes back with it.
        An incomplete reading adds to the tree, a complete one replaces it. A ``partial`` one looked at some
        clusters only: it does not count as the last reading.
        """
        with self._database.write() as session:
            inventory.apply_changes(
                session,
                upserts=upserts,
                removed=removed,
                tree=tree,
                source=source,
                complete=complete,
                at=at,
                failures=failures,
                partial=partial,
            )

    def known(self, *, after: str = "", until: str | None = None) -> dict[str, str]:
        """Content hashes of the clusters by folded id, behind ``after`` and up to ``until``."""
        with self._database.read() as session:
            return census.known_between(session, after, until)

    def spelt(self, keys: Sequence[str]) -> list[ResourceId]:
        """The clusters of these folded ids, as they are spelt, in order; those that were removed too."""
        with self._database.read() as session:
            return inventory.ids(session, keys)

    def clusters(self, *, scope: ResourceId | None = None) -> Iterator[Cluster]:
        """The clusters at or under ``scope`` (all of them without one), in order of folded id.

        Read a page at a time: a cluster changed meanwhile is seen as it was or as it is, never half.
        """
        after = ""
        while True:
            with self._database.read() as session:
                condition = None if scope is None else inventory.within(session, scope)
                page = inventory.page(session, after=after, limit=PAGE, scope=condition)
            yield from page
            if len(page) < PAGE:
                return
            after = page[-1].id.key

    def find_clusters(self, name_or_id: str) -> list[Cluster]:
        """The clusters with this name, or the one with this id, without regard to case."""
        with self._database.read() as session:
            return inventory.find(session, name_or_id)

    def tree(self) -> ScopeTree:
        with self._database.read() as session:
            return inventory.tree(session)

    def observed(self, clusters: Collection[ResourceId] | None = None) -> dict[ResourceId, datetime]:
        """When each cluster, or each of those, was last read, as far as its whole scope could be."""
        with self._database.read() as session:
            return inventory.observed(session, clusters)

    def cluster_counts(self) -> dict[ResourceId, dict[str, int]]:
        """The clusters of each resource group by type, from the roll-ups; ids and types are in lower case."""
        with self._database.read() as session:
            return summaries.cluster_counts(session)

    def unreachable(self, limit: int) -> tuple[int, list[tuple[ResourceId, str]]]:
        """How many clusters cannot act on a write now, and the first of them, with why, in order of folded id."""
        with self._database.read() as session:
            return summaries.unreachable(session, limit)

    def last_sync(self) -> SyncRecord | None:
        with self._database.read() as session:
            return inventory.last_sync(session)

    # Scans

    @property
    def scanning(self) -> Scanning:
        """The store as a scan sees it: a shard at a time."""
        return Scanning(self._database)

    def record_scan(
        self,
        *,
        started: datetime,
        finished: datetime,
        verdicts: Iterable[PairVerdict],
        policies: Sequence[PolicyRecord],
        complete: bool,
        at: datetime,
        inventory_seq: int | None = None,
        engine_digest: str = "",
        trigger: str = "scan",
    ) -> ScanRecord:
        """Makes the verdicts the present states, in one transaction: a scan killed at any moment changes nothing.

        ``policies`` are all that are bound, judged this time or not: what is not among them is retired. A pair
        without a verdict keeps its state. ``at`` is the instant of judgement; a pair that entered its state now is
        in it since then. ``inventory_seq`` is the reading that was judged, by default the last one.
        ``trigger`` is what asked for it: ``scan``, ``schedule``, or ``remediation`` for what was written to.
        """
        said = scans.Verdicts()
        said.fill(verdicts)
        with self._database.write() as session:
            seq = inventory_seq if inventory_seq is not None else inventory.last_seq(session)
            facts = scans.ScanFacts(started, at, complete, seq, engine_digest, trigger)
            scan = scans.begin(session, policies, facts)
            scans.record(session, said, scan, at=at)
            return scans.finish(session, scan, finished=finished)

    def findings(
        self,
        *,
        policy: str | None = None,
        cluster: ResourceId | None = None,
        states: Collection[ComplianceState] | None = None,
    ) -> list[Finding]:
        """The pairs that are not compliant now, in order of policy and cluster."""
        with self._database.read() as session:
            return compliance.findings(session, policy=policy, cluster=cluster, states=states)

    def first_findings(self, limit: int, *, states: Collection[ComplianceState] | None = None) -> list[Finding]:
        """At most so many of them, in the same order: policy after policy, those of one reason together."""
        with self._database.read() as session:
            return summaries.first_findings(session, states, limit)

    def findings_of(self, clusters: Collection[ResourceId]) -> list[Finding]:
        """All findings of these clusters."""
        with self._database.read() as session:
            return summaries.findings_of(session, clusters)

    def exempted(self, texts: Sequence[str]) -> int:
        """How many exempt pairs have a reason with one of these texts in it, without regard to case."""
        with self._database.read() as session:
            return summaries.exempted(session, texts)

    def causes(self, policy: str, *, limit: int) -> list[CauseRecord]:
        """Why pairs of a policy are not compliant, with how many, the commonest first; from the roll-ups."""
        with self._database.read() as session:
            return summaries.causes(session, policy, limit=limit)

    def examples(self, policy: str, *, causes: int, each: int) -> list[Finding]:
        """For so many of a policy's commonest causes so many of its oldest findings."""
        with self._database.read() as session:
            return summaries.examples(session, policy, causes=causes, each=each)

    def open_since(self, borders: Sequence[datetime]) -> list[int]:
        """How many pairs fail since after the first instant, since between it and the next, and so on; from the
        roll-ups. ``borders``: latest first; the last number is of those that fail since the last one or longer."""
        with self._database.read() as session:
            return summaries.open_since(session, borders)

    def oldest_failing(self) -> Finding | None:
        """The pair that has failed longest."""
        with self._database.read() as session:
            return summaries.oldest_failing(session)

    def failing_clusters(self) -> int:
        """How many clusters fail a policy, from the roll-ups."""
        with self._database.read() as session:
            return summaries.failing_clusters(session)

    def rollups(self) -> list[RollupRow]:
        with self._database.read() as session:
            return compliance.rollups(session)

    def policy_counts(self) -> dict[str, dict[ComplianceState, int]]:
        """The fleet's pairs by policy and state, from the roll-ups."""
        with self._database.read() as session:
            return compliance.policy_counts(session)

    def group_counts(self) -> dict[ResourceId, dict[ComplianceState, int]]:
        """The pairs of each resource group by state, from the roll-ups; ids are spelt as the tree spells them."""
        with self._database.read() as session:
            return compliance.group_counts(session)

    def state_matrix(self) -> Iterator[tuple[ResourceId, dict[str, ComplianceState]]]:
        """Every cluster in order of folded id, with the state of each pair that has been judged; all of one instant.

        Read a page at a time.
        """
        with self._database.read() as session:
            yield from standings.states(session)

    def standings(self, scopes: Sequence[ResourceId], *, found_only: bool = False) -> Iterator[Standing]:
        """The clusters at or under one scope after the other, in order of folded id, with states and findings.

        All of it is of one instant, and read a page at a time. ``found_only``: those that have a finding.
        """
        with self._database.read() as session:
            yield from standings.standings(session, scopes, found_only=found_only)

    def clusters_of(self, ids: Collection[ResourceId]) -> list[Cluster]:
        """Those of these clusters that are in the inventory, in order of folded id."""
        with self._database.read() as session:
            return standings.clusters_of(session, ids)

    def standings_of(self, ids: Collection[ResourceId]) -> list[Standing]:
        """Those of these clusters that are in the inventory, in order of folded id."""
        with self._database.read() as session:
            return standings.standings_of(session, ids)

    def history(
        self,
        *,
        cluster: ResourceId | None = None,
        policy: str | None = None,
        since: datetime | None = None,
        after: str | None = None,
    ) -> list[Change]:
        """What changed, oldest first; ``since`` is included. ``after``: since that scan ended, by its id."""
        with self._database.read() as session:
            return compliance.history(session, policy=policy, cluster=cluster, since=since, after=after)

    def moves(self, after: ScanRecord, *, limit: int) -> tuple[list[MoveCount], list[Move]]:
        """How many pairs went from which state to which since a scan, and the latest of each kind, at most so many.

        There and back is no move. Those named are among the latest `moves.LOOKED_AT` moves.
        """
        with self._database.read() as session:
            return moves.moves_since(session, after, limit)

    def scans(self, limit: int = 20, *, without: str | None = None) -> list[ScanRecord]:
        """The latest scans, newest first; ``without`` those of that trigger."""
        with self._database.read() as session:
            return compliance.scans(session, limit, without=without)

    def scan_before(self, instant: datetime) -> ScanRecord | None:
        """The latest scan that was finished by then, else the first one."""
        with self._database.read() as session:
            return compliance.scan_before(session, instant)

    def last_scan(self) -> ScanRecord | None:
        return next(iter(self.scans(1)), None)

    def begun_scan(self) -> ScanRecord | None:
        """The scan that was begun after the last one and is not finished: what it has judged is told already."""
        with self._database.read() as session:
            return compliance.begun_scan(session)

    def policies(self) -> list[PolicyRecord]:
        """What was bound at the last scan, in the order it gave."""
        with self._database.read() as session:
            return compliance.policies(session)

    # Plans

    def save_plan(self, plan: Plan) -> None:
        """Refuses a plan that holds a literal secret."""
        secrets.refuse_literals(plan)
        with self._database.write(durable=True) as session:
            plans.save(session, plan)

    def plan(self, id: str) -> Plan:
        """The plan with this id, or the only one whose id begins so."""
        with self._database.read() as session:
            return plans.value(session, plans.named(session, id))

    def plans(self, limit: int = 20) -> list[Plan]:
        """The plans stored last, newest first."""
        with self._database.read() as session:
            return plans.latest(session, limit)

    def latest_plan(self) -> Plan | None:
        return next(iter(self.plans(1)), None)

    def progress(self, plan_id: str) -> dict[str, StepOutcome]:
        """The last outcome of each step that has one, by step id."""
        with self._database.read() as session:
            return plans.progress(session, plans.named(session, plan_id))

    def record_outcome(self, plan_id: str, outcome: StepOutcome, *, owner: str | None = None) -> bool:
        """Durable when it returns. True: another plan has written to the object, which must be read once more.

        A move that `TRANSITIONS` does not allow raises and changes nothing. Neither does an INTENT that must not be:
        StoreError when the plan's lease is not ``owner``'s, RemediationError when another plan is writing to the
        object at this moment.
        """
        (result,) = self.record_outcomes(plan_id, [outcome], owner=owner)
        if isinstance(result, PolicyEngineError):
            raise result
        return result

    def record_outcomes(
        self, plan_id: str, outcomes: Sequence[StepOutcome], *, owner: str | None = None
    ) -> list[bool | PolicyEngineError]:
        """`record_outcome` for each, in order and in one transaction; what it would raise is given back, and does not
        keep the others from being recorded.
        """
        with self._database.write(durable=True) as session:
            return plans.record_outcomes(session, plans.named(session, plan_id), outcomes, owner)

    def written_since(self, instant: datetime) -> list[ResourceId]:
        """The clusters that some plan wrote to, or may have, since ``instant``."""
        with self._database.read() as session:
            return plans.written_since(session, instant)

    def take_lease(self, plan_id: str, owner: str, at: datetime, *, seconds: float = LEASE_S) -> None:
        """From now on only ``owner`` (an `Owner.text`) carries out the plan, for so long.

        Raises RemediationError naming the process that does so already.
        """
        with self._database.write(durable=True) as session:
            leases.take(session, plans.named(session, plan_id), owner, at=at, seconds=seconds)

    def renew_lease(self, plan_id: str, owner: str, at: datetime, *, seconds: float = LEASE_S) -> None:
        """Raises StoreError when another process has taken the plan over."""
        with self._database.write() as session:
            leases.renew(session, plans.named(session, plan_id), owner, at=at, seconds=seconds)

    def release_lease(self, plan_id: str, owner: str) -> None:
        with self._database.write() as session:
            leases.release(session, plans.named(session, plan_id), owner)

    def leased_plans(self, at: datetime) -> set[str]:
        """Ids of the plans that some process is carrying out."""
        with self._database.read() as session:
            return leases.held(session, at)

    def writing_processes(self, at: datetime) -> int:
        """How many processes are carrying out plans."""
        with self._database.read() as session:
            return leases.processes(session, at)

    def start_remediation(self, plan_id: str, at: datetime, by: str) -> None:
        """Starting again is resuming: who started first, and when, stays."""
        with self._database.write(durable=True) as session:
            plans.start(plans.named(session, plan_id), at=at, by=by)

    def finish_remediation(self, plan_id: str, at: datetime) -> None:
        with self._database.write(durable=True) as session:
            plans.finish(plans.named(session, plan_id), at=at)

    def unfinished_plans(self, *, started_by: str | None = None) -> list[str]:
        """Ids of plans whose remediation was started and that have steps which are not final, oldest first.

        ``started_by`` narrows them to those that it started first.
        """
        with self._database.read() as session:
            return plans.unfinished(session, started_by)

    # Schedules

    def record_fire(self, schedule: str, fire_time: datetime) -> bool:
        """True for the one caller that records this fire first."""
        with self._database.write(durable=True) as session:
            return schedules.record_fire(session, schedule, fire_time)

    def last_fire(self, schedule: str, *, until: datetime | None = None) -> datetime | None:
        """The latest fire, up to ``until``: what a wrong clock recorded ahead of it does not count."""
        with self._database.read() as session:
            return schedules.last_fire(session, schedule, until)
