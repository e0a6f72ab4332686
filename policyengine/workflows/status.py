"""Where the fleet stands, read from the roll-ups and findings of the last scan. Evaluates nothing."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from policyengine.compliance.bound import CLUSTER_NAME
from policyengine.errors import UsageError
from policyengine.model.ids import ResourceId
from policyengine.model.scope import ScopeTree
from policyengine.model.states import ComplianceState, Finding
from policyengine.store.records import ScanRecord
from policyengine.store.store import Store
from policyengine.workflows.scan import PolicyLine, policy_lines

Counts = Mapping[ComplianceState, int]


@dataclass(frozen=True)
class ScopeLine:
    """One container's states, its members' included. ``depth`` counts from the top of the tree."""

    id: ResourceId
    name: str
    depth: int
    counts: Counts


@dataclass(frozen=True)
class Status:
    """``findings`` are as many as were asked for, of so many ``in_all``; with them ``observed``: when each cluster of
    theirs was last read. ``begun`` is a later scan that is not finished, and has judged some of this."""

    scan: ScanRecord
    policies: tuple[PolicyLine, ...]
    scopes: tuple[ScopeLine, ...]
    findings: tuple[Finding, ...]
    in_all: int
    observed: Mapping[ResourceId, datetime]
    begun: ScanRecord | None = None

    def message_of(self, finding: Finding) -> str:
        """What the policy's author says of it; empty where nothing is said, or where it is not non-compliant."""
        if finding.state is not ComplianceState.NON_COMPLIANT:
            return ""
        return self._messages.get(finding.policy, "").replace(CLUSTER_NAME, finding.cluster.name)

    @cached_property
    def _messages(self) -> Mapping[str, str]:
        return {line.policy.key: line.policy.message for line in self.policies}


def read_status(store: Store, *, states: Sequence[ComplianceState] | None = None, findings: int = 0) -> Status:
    """At most so many ``findings``, of these states. Counts come from the roll-ups.

    Raises UsageError when nothing was ever scanned.
    """
    last = store.last_scan()
    if last is None:
        raise UsageError("nothing has been scanned yet", help="run `policyengine scan`")
    lines = policy_lines(store, last, store.policies())
    wanted = [state for state in states or ComplianceState if state.is_finding]
    named = store.first_findings(findings, states=wanted) if findings else []
    return Status(
        scan=last,
        policies=lines,
        scopes=tuple(scope_lines(store.tree(), store.group_counts())),
        findings=tuple(named),
        in_all=sum(line.counts.get(state, 0) for line in lines for state in wanted),
        observed=store.observed({finding.cluster for finding in named}) if named else {},
        begun=judging(store),
    )


def judging(store: Store) -> ScanRecord | None:
    """The scan that was begun after the last finished one, as soon as what it has judged is told."""
    begun = store.begun_scan()
    return begun if begun is not None and begun.evaluated else None


def scope_lines(tree: ScopeTree, by_group: Mapping[ResourceId, Counts]) -> list[ScopeLine]:
    """The containers that hold anything, parents before children, in the order of their names."""
    names = {g.id: g.display_name for g in tree.management_groups}
    names |= {s.id: s.display_name for s in tree.subscriptions}
    names |= {g.id: g.name for g in tree.resource_groups}
    totals: dict[ResourceId, Counter[ComplianceState]] = defaultdict(Counter)
    paths: dict[ResourceId, tuple[ResourceId, ...]] = {}
    for group, counts in by_group.items():
        above = tuple(g.id for g in reversed(tree.management_groups_above(group)))
        path = (*above, *((group.parent,) if group.parent else ()), group)
        for depth, id in enumerate(path):
            totals[id].update(counts)
            paths[id] = path[: depth + 1]

    def place(id: ResourceId) -> tuple[str, ...]:
        return tuple(names.get(step, step.name).casefold() for step in paths[id])

    ordered = sorted(paths, key=place)
    return [ScopeLine(id, names.get(id, id.name), len(paths[id]) - 1, totals[id]) for id in ordered]
