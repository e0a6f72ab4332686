"""Questions asked of a report: totals, percentages, deltas, the worst, the oldest. Pure functions on its values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from policyengine.model.states import COUNTED, FAILING, ComplianceState, compliance_ratio
from policyengine.reports.report import (
    ChangeEntry,
    ClusterEntry,
    Counts,
    Direction,
    FindingEntry,
    PolicyEntry,
    Report,
    ScopeNode,
)

STATE_ORDER: Final = (
    ComplianceState.COMPLIANT,
    ComplianceState.NON_COMPLIANT,
    ComplianceState.CONFLICT,
    ComplianceState.ERROR,
    ComplianceState.UNKNOWN,
    ComplianceState.EXEMPT,
    ComplianceState.PROTECTED,
    ComplianceState.NOT_APPLICABLE,
)
"""The order in which states are read out."""

SEVERITIES: Final = ("critical", "high", "medium", "low")
"""Worst first."""

FORMULA: Final = "compliant / (compliant + non-compliant + error + conflict + unknown)"
AZURE_FORMULA: Final = (
    "(compliant + exempt + unknown) / (compliant + exempt + unknown + non-compliant + conflict + error)"
)
METHOD: Final = (
    "A pair is one cluster judged by one assigned policy. Each pair has exactly one state. "
    f"The compliance percentage is {FORMULA}. "
    "Exempt and not-applicable pairs are in neither part of it: they stand beside it. "
    "A pair is unknown when its cluster could not be read or the policy needs an attestation that is missing; "
    "unknown lowers the percentage. "
    f"The Azure portal counts otherwise, {AZURE_FORMULA}; its figure is given so that the two can be reconciled."
)


def add_counts(many: Iterable[Counts]) -> Counts:
    total: Counter[ComplianceState] = Counter()
    for counts in many:
        total.update(counts)
    return dict(total)


def with_not_applicable(report: Report) -> Report:
    """The report with every pair in its counts: a pair that nobody counted is one that does not apply."""
    policies = tuple(replace(p, counts=_filled(p.counts, len(report.clusters))) for p in report.policies)
    scopes = tuple(_filled_scope(node, len(policies)) for node in report.scopes)
    return replace(report, policies=policies, scopes=scopes)


def _filled_scope(node: ScopeNode, policies: int) -> ScopeNode:
    children = tuple(_filled_scope(child, policies) for child in node.children)
    return replace(node, counts=_filled(node.counts, node.clusters * policies), children=children)


def _filled(counts: Counts, pairs: int) -> Counts:
    rest = pairs - sum(counts.values())
    known = counts.get(ComplianceState.NOT_APPLICABLE, 0)
    return {**counts, ComplianceState.NOT_APPLICABLE: known + rest} if rest > 0 else counts


def totals(report: Report) -> Counts:
    """The fleet's counts: every pair of every policy."""
    return add_counts(policy.counts for policy in report.policies)


def counted(counts: Counts) -> int:
    """The denominator of the percentage."""
    return sum(counts.get(state, 0) for state in COUNTED)


def failing(counts: Counts) -> int:
    return sum(counts.get(state, 0) for state in FAILING)


def present(counts: Counts, states: Sequence[ComplianceState] = STATE_ORDER) -> tuple[tuple[ComplianceState, int], ...]:
    """The states that have any pair, in reading order, with their numbers."""
    return tuple((state, counts[state]) for state in states if counts.get(state))


def delta(report: Report) -> float | None:
    """How far the percentage moved since the earlier scan, as a ratio; None when either side has none."""
    now = compliance_ratio(totals(report))
    before = compliance_ratio(report.previous.counts) if report.previous else None
    return None if now is None or before is None else now - before


def direction_of(old: ComplianceState | None, new: ComplianceState, *, failed_before: bool) -> Direction:
    """``failed_before``: the pair has failed at some time earlier than ``old``."""
    if new in FAILING and old not in FAILING:
        return Direction.BACK if failed_before else Direction.NEW
    if new is ComplianceState.COMPLIANT and old in FAILING:
        return Direction.FIXED
    return Direction.CHANGED


def changes_towards(report: Report, direction: Direction, *, policy: str | None = None) -> tuple[ChangeEntry, ...]:
    """The changes of one direction, of one policy or of all, by cluster name."""
    found = (c for c in report.changes if c.direction is direction and policy in (None, c.policy))
    return tuple(sorted(found, key=lambda c: (c.cluster_name.casefold(), c.cluster.key, c.policy)))


def open_findings(report: Report) -> tuple[FindingEntry, ...]:
    """The findings that ask somebody to do something, in reading order."""
    return tuple(f for f in ordered_findings(report) if f.state in FAILING)


def oldest_open_finding(report: Report) -> FindingEntry | None:
    return min(open_findings(report), key=lambda f: (f.since, f.cluster.key, f.policy), default=None)


def ordered_findings(report: Report) -> tuple[FindingEntry, ...]:
    """Worst policies first; within a policy by state, then oldest first, then by name."""
    rank = {policy.key: at for at, policy in enumerate(worst_policies(report))}
    states = {state: at for at, state in enumerate(STATE_ORDER)}
    return tuple(
        sorted(
            report.findings,
            key=lambda f: (
                rank.get(f.policy, len(rank)),
                f.policy,
                states[f.state],
                f.since,
                f.cluster_name.casefold(),
                f.cluster.key,
            ),
        )
    )


def severity_rank(severity: str) -> int:
    """0 is worst; a word nobody knows comes last."""
    folded = severity.casefold()
    return SEVERITIES.index(folded) if folded in SEVERITIES else len(SEVERITIES)


def worst_policies(report: Report) -> tuple[PolicyEntry, ...]:
    """All policies: most failing pairs first, then by severity, then by key."""
    return tuple(
        sorted(report.policies, key=lambda p: (-failing(p.counts), severity_rank(p.severity), p.key.casefold()))
    )


def ordered_clusters(clusters: Iterable[ClusterEntry]) -> tuple[ClusterEntry, ...]:
    """By subscription, resource group and name, so that a cluster is found where people look for it."""
    return tuple(
        sorted(
            clusters,
            key=lambda c: (c.subscription.casefold(), c.resource_group.casefold(), c.name.casefold(), c.id.key),
        )
    )


def has_finding(cluster: ClusterEntry) -> bool:
    return any(state.is_finding for state in cluster.states.values())


def has_failure(cluster: ClusterEntry) -> bool:
    return any(state in FAILING for state in cluster.states.values())


def clusters_by_kind(report: Report) -> tuple[tuple[str, int], ...]:
    return tuple(sorted(Counter(c.kind for c in report.clusters).items()))


def count_states(clusters: Iterable[ClusterEntry], policy: str | None = None) -> Counts:
    """The states of these clusters' pairs, of one policy or of all."""
    if policy is None:
        return dict(Counter(state for c in clusters for state in c.states.values()))
    return dict(Counter(c.states[policy] for c in clusters if policy in c.states))
