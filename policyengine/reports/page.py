"""What stands where on the HTML page: anchors, groups of findings, rows of the matrix, and where each number leads.

Pure values for the templates. INVARIANT: every link made here has its anchor on the page.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
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
    ScopeKind,
    ScopeNode,
)
from policyengine.reports.summary import (
    STATE_ORDER,
    count_states,
    failing,
    moved_towards,
    ordered_clusters,
    ordered_findings,
    worst_policies,
)

PLACES_AT_MOST: Final = 400
"""Places the tree shows; of more, those that fail most."""

_MOVES: Final = (Direction.NEW, Direction.BACK, Direction.FIXED)


@dataclass(frozen=True, slots=True)
class Spot:
    """A finding at its place on the page; ``row`` is the anchor of its cluster's matrix row, if it has one."""

    anchor: str
    finding: FindingEntry
    row: str | None


@dataclass(frozen=True, slots=True)
class Cause:
    """Findings of one policy that say the same thing: one card, however many clusters it hits.

    ``others`` are not named: as many more for the same reason.
    """

    anchor: str
    spots: tuple[Spot, ...]
    others: int = 0

    @property
    def clusters(self) -> int:
        return len(self.spots) + self.others

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
        return sum(n for state, n in self.policy.counts.items() if state.is_finding)

    @property
    def left_out(self) -> int:
        """Findings for reasons that have no card."""
        return self.findings - sum(cause.clusters for cause in self.causes)


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
class Place:
    """A place of the tree; ``left_out`` are the places right under it that are not shown."""

    node: ScopeNode
    children: tuple[Place, ...] = ()
    left_out: int = 0


@dataclass(frozen=True, slots=True)
class Page:
    """A report laid out."""

    report: Report
    parts: tuple[PolicyPart, ...]
    rows: tuple[MatrixRow, ...]
    row_anchors: dict[ResourceId, str]
    finding_anchors: dict[tuple[ResourceId, str], str]
    rows_by_group: dict[str, tuple[MatrixRow, ...]]
    places: tuple[Place, ...]

    @property
    def rows_left_out(self) -> int:
        return self.report.fleet.clusters - len(self.rows)

    def part(self, key: str) -> PolicyPart | None:
        return next((part for part in self.parts if part.policy.key == key), None)

    def rows_in(self, resource_group: ResourceId) -> tuple[MatrixRow, ...]:
        return self.rows_by_group.get(resource_group.key, ())

    def parts_with(self, state: ComplianceState) -> tuple[PolicyPart, ...]:
        return tuple(part for part in self.parts if part.policy.counts.get(state))


def lay_out(report: Report) -> Page:
    """The page of a report. Anchors are stable for equal reports: ``p1`` policies, ``c1`` clusters, ``f1`` findings."""
    clusters = ordered_clusters(report.clusters)
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
    return Page(report, parts, rows, row_anchors, finding_anchors, _by_group(rows), _places(report.scopes))


def _by_group(rows: Sequence[MatrixRow]) -> dict[str, tuple[MatrixRow, ...]]:
    def group(row: MatrixRow) -> str:
        id = row.cluster.id
        return f"/subscriptions/{id.subscription}/resourceGroups/{id.resource_group}".casefold()

    return {key: tuple(own) for key, own in groupby(sorted(rows, key=group), key=group)}


def _places(roots: Sequence[ScopeNode]) -> tuple[Place, ...]:
    """The tree with no more places than a page has room for; subscriptions first, then resource groups."""
    inner = [node for root in roots for node in _every(root) if node.kind is not ScopeKind.RESOURCE_GROUP]
    groups = sum(len(node.children) for node in inner if node.kind is ScopeKind.SUBSCRIPTION)
    subscriptions = sum(node.kind is ScopeKind.SUBSCRIPTION for node in inner)
    above = max(len(inner) - subscriptions, 1)
    room = {
        ScopeKind.SUBSCRIPTION: max(PLACES_AT_MOST // above, 1),
        ScopeKind.RESOURCE_GROUP: max(PLACES_AT_MOST - len(inner), 0) // max(subscriptions, 1),
    }
    enough = {
        ScopeKind.SUBSCRIPTION: len(inner) <= PLACES_AT_MOST,
        ScopeKind.RESOURCE_GROUP: len(inner) + groups <= PLACES_AT_MOST,
    }
    return tuple(_place(root, {kind: n for kind, n in room.items() if not enough[kind]}) for root in roots)


def _every(node: ScopeNode) -> Iterator[ScopeNode]:
    yield node
    for child in node.children:
        yield from _every(child)


def _place(node: ScopeNode, room: Mapping[ScopeKind, int]) -> Place:
    """With those of its children that fail most, where there is not ``room`` for all of a kind."""
    shown = [child for child in node.children if child.kind not in room]
    for kind, most in room.items():
        shown += nlargest(most, (c for c in node.children if c.kind is kind), key=lambda c: failing(c.counts))
    kept = {child.id for child in shown}
    children = tuple(_place(child, room) for child in node.children if child.id in kept)
    return Place(node, children, len(node.children) - len(children))


def _cell(
    cluster: ClusterEntry, policy: str, anchors: dict[tuple[ResourceId, str], str]
) -> tuple[ComplianceState, str | None]:
    return cluster.states.get(policy, ComplianceState.NOT_APPLICABLE), anchors.get((cluster.id, policy))


def _part(anchor: str, policy: PolicyEntry, spots: Sequence[Spot], report: Report) -> PolicyPart:
    reasons = {(c.state, c.reason): c.findings for c in report.causes if c.policy == policy.key}
    causes = _causes(spots, reasons)
    anchors = {cause.finding.state: cause.anchor for cause in reversed(causes)}
    moved = ((way, moved_towards(report, way, policy=policy.key)) for way in _MOVES)
    return PolicyPart(anchor, policy, causes, anchors, tuple((way, n) for way, n in moved if n))


def _causes(spots: Sequence[Spot], reasons: Mapping[tuple[ComplianceState, str], int]) -> tuple[Cause, ...]:
    """By state in reading order; within a state the cause that hits most clusters first, then the oldest.

    ``reasons``: how many findings have each. Those that are not named stand on the first card with their reason.
    """
    groups: dict[tuple[ComplianceState, str, str, str, str], list[Spot]] = {}
    for spot in spots:
        f = spot.finding
        groups.setdefault((f.state, f.reason, f.fix, f.owner, f.next_try), []).append(spot)
    named = Counter((spot.finding.state, spot.finding.reason) for spot in spots)
    others = {key: max(n - named[key], 0) for key, n in reasons.items()}
    causes = [
        Cause(f"{own[0].anchor}-cause", tuple(own), others.pop((state, reason), 0))
        for (state, reason, *_), own in groups.items()
    ]
    return tuple(sorted(causes, key=lambda c: (STATE_ORDER.index(c.finding.state), -c.clusters, c.finding.since)))
