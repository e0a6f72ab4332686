"""Questions asked of a report: totals, percentages, deltas, the worst. Pure functions on its values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from policyengine.model.states import COUNTED, FAILING, ComplianceState, compliance_ratio, roll_up
from policyengine.reports.report import (
    ChangeEntry,
    ClusterEntry,
    Counts,
    Direction,
    FindingEntry,
    InitiativeEntry,
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
    policies = tuple(replace(p, counts=_filled(p.counts, report.fleet.clusters)) for p in report.policies)
    scopes = tuple(_filled_scope(node, len(policies)) for node in report.scopes)
    initiatives = tuple(
        replace(i, counts=_filled(i.counts, report.fleet.clusters * i.policies)) for i in report.initiatives
    )
    return replace(report, policies=policies, scopes=scopes, initiatives=initiatives)


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
    """The named changes of one direction, of one policy or of all, by cluster name."""
    found = (c for c in report.changes if c.direction is direction and policy in (None, c.policy))
    return tuple(sorted(found, key=lambda c: (c.cluster_name.casefold(), c.cluster.key, c.policy)))


def moved_towards(report: Report, direction: Direction, *, policy: str | None = None) -> int:
    """How many pairs went that way, of one policy or of all, named or not."""
    return sum(m.pairs for m in report.moved if m.direction is direction and policy in (None, m.policy))


def by_initiative(policies: Iterable[PolicyEntry]) -> tuple[InitiativeEntry, ...]:
    """The initiatives of these policies, by name."""
    members: dict[str, list[PolicyEntry]] = {}
    for policy in policies:
        if policy.initiative:
            members.setdefault(policy.initiative, []).append(policy)
    return tuple(
        InitiativeEntry(name, len(own), add_counts(policy.counts for policy in own))
        for name, own in sorted(members.items(), key=lambda item: item[0].casefold())
    )


def initiative_states(cluster: ClusterEntry, policies: Iterable[PolicyEntry]) -> dict[str, ComplianceState]:
    """The one state that a cluster has under each initiative with a policy that was judged on it."""
    states: dict[str, list[ComplianceState]] = {}
    for policy in policies:
        if policy.initiative and policy.key in cluster.states:
            states.setdefault(policy.initiative, []).append(cluster.states[policy.key])
    return {name: roll_up(own) for name, own in sorted(states.items())}


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


def clusters_by_kind(report: Report) -> tuple[tuple[str, int], ...]:
    return tuple(sorted(report.fleet.by_kind.items()))


def count_states(clusters: Iterable[ClusterEntry], policy: str | None = None) -> Counts:
    """The states of these clusters' pairs, of one policy or of all."""
    if policy is None:
        return dict(Counter(state for c in clusters for state in c.states.values()))
    return dict(Counter(c.states[policy] for c in clusters if policy in c.states))
