"""What happened in the period a report tells of: what changed, which plans were carried out, which exemptions hold."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Final

from policyengine.language.documents import Exemption
from policyengine.model.ids import ResourceId
from policyengine.model.states import FAILING
from policyengine.remediation.steps import Plan, StepOutcome, StepState
from policyengine.reports import (
    ChangeEntry,
    Direction,
    ExemptionEntry,
    FailureCause,
    MovedEntry,
    RemediationEntry,
    direction_of,
)
from policyengine.store.records import Move, ScanRecord
from policyengine.store.store import Store

PLANS: Final = 50
CHANGES: Final = 50
"""Named at most for each way to change, of the latest moves; the others are counted."""


def changes(store: Store, baseline: ScanRecord) -> tuple[tuple[MovedEntry, ...], tuple[ChangeEntry, ...]]:
    """How many pairs of each policy went which way since, and the latest of each way."""
    counts, latest = store.moves(baseline, limit=CHANGES)
    pairs: Counter[tuple[str, Direction]] = Counter()
    for move in counts:
        pairs[move.policy, direction_of(move.old, move.new, failed_before=move.again)] += move.pairs
    return tuple(MovedEntry(policy, way, n) for (policy, way), n in pairs.items()), tuple(_named(store, latest))


def _named(store: Store, latest: Iterable[Move]) -> Iterable[ChangeEntry]:
    ways: dict[Direction, list[Move]] = defaultdict(list)
    for move in latest:
        ways[direction_of(move.old, move.new, failed_before=move.again)].append(move)
    named = [(way, move) for way, found in ways.items() for move in found[:CHANGES]]
    reasons = _reasons(store, {move.cluster for _, move in named})
    mended = _mended(store)
    for way, move in named:
        yield ChangeEntry(
            cluster=move.cluster,
            cluster_name=move.cluster.name,
            policy=move.policy,
            old=move.old,
            new=move.new,
            at=move.at,
            direction=way,
            note=reasons.get((move.cluster, move.policy)) or mended.get((move.cluster, move.policy), ""),
        )


def _reasons(store: Store, clusters: Iterable[ResourceId]) -> dict[tuple[ResourceId, str], str]:
    found = store.findings_of(list(clusters))
    return {(finding.cluster, finding.policy): finding.reason.message for finding in found}


def _mended(store: Store) -> dict[tuple[ResourceId, str], str]:
    """Which plan last wrote for each pair, successfully."""
    return {
        (step.cluster, key): f"by plan {plan.id}"
        for plan in reversed(store.plans(PLANS))
        for progress in (store.progress(plan.id),)
        for step in plan.steps
        for key in step.policies
        if step.id in progress and progress[step.id].state is StepState.SUCCEEDED
    }


def remediations(store: Store) -> Iterable[RemediationEntry]:
    """The latest plans of which a step was begun."""
    for plan in store.plans(PLANS):
        progress = store.progress(plan.id)
        if any(outcome.state is not StepState.PLANNED for outcome in progress.values()):
            yield _remediation(plan, progress)


def _remediation(plan: Plan, progress: Mapping[str, StepOutcome]) -> RemediationEntry:
    states = Counter(
        (progress[step.id].state if step.id in progress else StepState.PLANNED).value for step in plan.steps
    )
    causes: dict[str, list[str]] = defaultdict(list)
    for step in plan.steps:
        outcome = progress.get(step.id)
        if outcome is not None and outcome.state is StepState.FAILED:
            causes[outcome.message].append(step.cluster.name)
    failures = tuple(FailureCause(cause, tuple(names)) for cause, names in causes.items())
    return RemediationEntry(plan.id, plan.created_at, plan.scope, dict(states), failures)


def exemptions(store: Store, declared: Iterable[Exemption]) -> Iterable[ExemptionEntry]:
    """Each with how many pairs the last scan found exempt by it, and whether any of them would fail without it."""
    for exemption in declared:
        told = _told(exemption)
        covers = store.exempted([told])
        yield ExemptionEntry(
            name=exemption.name,
            assignment=exemption.assignment,
            scopes=tuple(scope.text for scope in exemption.scopes),
            category=exemption.category.value,
            covers=covers,
            still_needed=covers > 0 and store.exempted([f"{told}{state.value}" for state in FAILING]) > 0,
            reference_ids=exemption.reference_ids,
            reason=exemption.reason,
            owner=exemption.owner,
            ticket=exemption.ticket,
            approved_by=exemption.approved_by,
            expires_on=exemption.expires_on,
        )


def _told(exemption: Exemption) -> str:
    """What the reason of a pair that is exempt by it holds, up to the state it would have."""
    because = f", {exemption.reason}" if exemption.reason else ""
    return f"by `{exemption.name}` ({exemption.category.value}{because}); otherwise "
