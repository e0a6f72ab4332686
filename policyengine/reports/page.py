"""What stands where on the HTML page: anchors, groups of findings, rows of the matrix, and where each number leads.

Pure values for the templates. INVARIANT: every link made here has its anchor on the page.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from heapq import nlargest
from itertools import groupby
from typing import Final

from policyengine.model.ids import ResourceId
from policyengine.model.states import ComplianceState
from policyengine.reports.report import (
    ClusterEntry,
    Direction,
    FindingEntry,
    PolicyEntry,
    Report,
)
from policyengine.reports.summary import (
    STATE_ORDER,
    changes_towards,
    count_states,
    failing,
    has_finding,
    ordered_clusters,
    ordered_findings,
    worst_policies,
)

ALL_ROWS_UP_TO: Final = 300
"""In a larger fleet only clusters with findings are listed one by one; the others are counted."""

ROWS_AT_MOST: Final = 2_000
"""However many clusters have findings, the matrix holds the worst of them and leaves the rest to the CSV file."""


_MOVES: Final = (Direction.NEW, Direction.BACK, Direction.FIXED)


@dataclass(frozen=True, slots=True)
class Spot:
    """A finding at its place on the page; ``row`` is the anchor of its cluster's matrix row, if it has one."""

    anchor: str
    finding: FindingEntry
    row: str | None


@dataclass(frozen=True, slots=True)
class Cause:
    """Findings of one policy that say the same thing: one card, however many clusters it hits."""

    anchor: str
    spots: tuple[Spot, ...]

    @property
    def finding(self) -> FindingEntry:
        """Any of them: they differ in cluster, since and command only."""
        return self.spots[0].finding

    @property
    def message(self) -> str:
        """What the author says of all of them; empty when it differs."""
        said = {spot.finding.message for spot in self.spots}
        return said.pop() if len(said) == 1 else ""

    @property
    def commands(self) -> tuple[str, ...]:
        """The different commands, in order."""
        return tuple(dict.fromkeys(spot.finding.command for spot in self.spots if spot.finding.command))


@dataclass(frozen=True, slots=True)
class PolicyPart:
    """One policy, its causes, and how many pairs moved which way. ``anchors`` tells where a state's pairs are."""

    anchor: str
    policy: PolicyEntry
    causes: tuple[Cause, ...]
    anchors: dict[ComplianceState, str]
    moved: tuple[tuple[Direction, int], ...]  # since the earlier scan

    @property
    def findings(self) -> int:
        return sum(len(cause.spots) for cause in self.causes)


@dataclass(frozen=True, slots=True)
class MatrixRow:
    """One cluster; ``cells`` are in the order of the page's policies: the state and where it leads."""

    anchor: str
    cluster: ClusterEntry
    cells: tuple[tuple[ComplianceState, str | None], ...]

    @property
    def failing(self) -> int:
        return failing(count_states([self.cluster]))


@dataclass(frozen=True, slots=True)
class Page:
    """A report laid out."""

    report: Report
    parts: tuple[PolicyPart, ...]
    rows: tuple[MatrixRow, ...]
    row_anchors: dict[ResourceId, str]
    finding_anchors: dict[tuple[ResourceId, str], str]
    rows_by_group: dict[str, tuple[MatrixRow, ...]]

    @property
    def rows_left_out(self) -> int:
        return len(self.report.clusters) - len(self.rows)

    def part(self, key: str) -> PolicyPart | None:
        return next((part for part in self.parts if part.policy.key == key), None)

    def rows_in(self, resource_group: ResourceId) -> tuple[MatrixRow, ...]:
        return self.rows_by_group.get(resource_group.key, ())

    def parts_with(self, state: ComplianceState) -> tuple[PolicyPart, ...]:
        return tuple(part for part in self.parts if part.policy.counts.get(state))


def lay_out(report: Report) -> Page:
    """The page of a report. Anchors are stable for equal reports: ``p1`` policies, ``c1`` clusters, ``f1`` findings."""
    clusters = _listed(ordered_clusters(report.clusters))
    row_anchors = {cluster.id: f"c{at}" for at, cluster in enumerate(clusters, 1)}
    known = {policy.key for policy in report.policies}
    findings = [finding for finding in ordered_findings(report) if finding.policy in known]
    spots = [Spot(f"f{at}", finding, row_anchors.get(finding.cluster)) for at, finding in enumerate(findings, 1)]
    finding_anchors = {(spot.finding.cluster, spot.finding.policy): spot.anchor for spot in spots}
    by_policy = {key: tuple(own) for key, own in groupby(spots, key=lambda spot: spot.finding.policy)}
    parts = tuple(
        _part(f"p{at}", policy, by_policy.get(policy.key, ()), report)
        for at, policy in enumerate(worst_policies(report), 1)
    )
    rows = tuple(
        MatrixRow(
            row_anchors[cluster.id], cluster, tuple(_cell(cluster, part.policy.key, finding_anchors) for part in parts)
        )
        for cluster in clusters
    )
    return Page(report, parts, rows, row_anchors, finding_anchors, _by_group(rows))


def _by_group(rows: Sequence[MatrixRow]) -> dict[str, tuple[MatrixRow, ...]]:
    def group(row: MatrixRow) -> str:
        id = row.cluster.id
        return f"/subscriptions/{id.subscription}/resourceGroups/{id.resource_group}".casefold()

    return {key: tuple(own) for key, own in groupby(sorted(rows, key=group), key=group)}


def _listed(clusters: Sequence[ClusterEntry]) -> Sequence[ClusterEntry]:
    if len(clusters) <= ALL_ROWS_UP_TO:
        return clusters
    found = [cluster for cluster in clusters if has_finding(cluster)]
    worst = nlargest(ROWS_AT_MOST, found, key=lambda cluster: failing(count_states([cluster])))
    return found if len(worst) == len(found) else ordered_clusters(worst)


def _cell(
    cluster: ClusterEntry, policy: str, anchors: dict[tuple[ResourceId, str], str]
) -> tuple[ComplianceState, str | None]:
    return cluster.states.get(policy, ComplianceState.NOT_APPLICABLE), anchors.get((cluster.id, policy))


def _part(anchor: str, policy: PolicyEntry, spots: Sequence[Spot], report: Report) -> PolicyPart:
    causes = _causes(spots)
    anchors = {cause.finding.state: cause.anchor for cause in reversed(causes)}
    moved = ((way, len(changes_towards(report, way, policy=policy.key))) for way in _MOVES)
    return PolicyPart(anchor, policy, causes, anchors, tuple((way, n) for way, n in moved if n))


def _causes(spots: Sequence[Spot]) -> tuple[Cause, ...]:
    """By state in reading order; within a state the cause that hits most clusters first, then the oldest."""
    groups: dict[tuple[ComplianceState, str, str, str, str], list[Spot]] = {}
    for spot in spots:
        f = spot.finding
        groups.setdefault((f.state, f.reason, f.fix, f.owner, f.next_try), []).append(spot)
    ordered = sorted(
        groups.values(), key=lambda own: (STATE_ORDER.index(own[0].finding.state), -len(own), own[0].finding.since)
    )
    return tuple(Cause(f"{own[0].anchor}-cause", tuple(own)) for own in ordered)
