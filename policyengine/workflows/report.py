"""The store and the policy files → a report that is no larger for a million clusters than for a thousand.

Counts come from roll-ups. Of clusters, findings and changes some are named: all of them in a small fleet, of a large
one the oldest findings of each policy's commonest causes, and the clusters that have them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, TypeAlias

from policyengine import __version__
from policyengine.clock import Clock
from policyengine.effects.base import World
from policyengine.errors import UsageError
from policyengine.model.ids import ResourceId
from policyengine.model.resource import ARC, Cluster
from policyengine.model.states import FAILING, Finding
from policyengine.remediation.remains import why_unmended
from policyengine.reports import (
    CauseEntry,
    FindingEntry,
    FleetEntry,
    GroupEntry,
    IncompleteScope,
    InventoryEntry,
    PolicyEntry,
    Report,
    ScanEntry,
    TrendPoint,
    UnreachedEntry,
    by_initiative,
    rollup_by_scope,
)
from policyengine.reports.words import AGES
from policyengine.store.records import CauseRecord, ScanRecord, Standing
from policyengine.store.store import Store
from policyengine.workflows.load import Loaded, load
from policyengine.workflows.report_entries import Clerk, Pair
from policyengine.workflows.report_period import changes, exemptions, remediations
from policyengine.workflows.scan import REMEDIATION
from policyengine.workflows.settings import Settings
from policyengine.workflows.status import judging
from policyengine.workflows.world import world_of

Places: TypeAlias = Mapping[ResourceId, Mapping[str, int]]
"""How many clusters of each type a resource group has."""
Clusters: TypeAlias = Mapping[ResourceId, Cluster]

LOOK_BACK: Final = timedelta(days=7)
"""What changed is told since the last scan at least this old, or since the first."""
TREND_POINTS: Final = 90

FINDINGS: Final = 1_000
"""Named at most, shared by the policies that have any."""
CAUSES: Final = 20
"""Of a policy, with findings of their own, where not all of its findings are named."""
SMALL: Final = 300
"""Of a fleet of so many clusters all are listed, of a larger one those whose findings are named."""
CLUSTERS: Final = 100
"""Of a large fleet, those with most failures."""
UNREACHED: Final = 50


def make_report(settings: Settings, store: Store, clock: Clock) -> Report:
    """Raises UsageError before the first scan, PolicyError for policy files that cannot be used."""
    last = next(iter(store.scans(1, without=REMEDIATION)), None)
    if last is None:
        raise UsageError("nothing has been scanned yet", help="run `policyengine scan`")
    loaded = load(settings.policies, settings.aliases)
    return _Desk(loaded, store, world_of(store.tree(), loaded.aliases, clock), last).report()


@dataclass(frozen=True)
class _Desk:
    """What the parts of one report are made from."""

    loaded: Loaded
    store: Store
    world: World
    last: ScanRecord

    def report(self) -> Report:
        records, counts = self.store.policies(), self.store.policy_counts()
        clerk = Clerk(self.loaded, self.world, {r.key: r for r in records}, self._next_tries())
        policies = tuple(clerk.policy(record, counts.get(record.key, {})) for record in records)
        found, causes = self._chosen(policies)
        oldest = self.store.oldest_failing()
        places = self.store.cluster_counts()
        standings, known = self._known(_in_all(places), [*found, *([oldest] if oldest else [])])
        unreachable, unreached = self.store.unreachable(UNREACHED)
        baseline = self._baseline()
        moved, named = changes(self.store, baseline) if baseline else ((), ())
        return Report(
            generated_at=self.world.at,
            engine_version=__version__,
            scan=self._scan(),
            inventory=self._inventory(),
            policies=policies,
            initiatives=by_initiative(policies),
            scopes=rollup_by_scope(self.world.tree, self._groups(places, known)),
            clusters=tuple(map(clerk.cluster, standings)),
            findings=tuple(_entries(clerk, found, known)),
            causes=tuple(CauseEntry(c.policy, c.state, c.reason.message, c.findings) for c in causes),
            oldest=next(iter(_entries(clerk, [oldest], known)), None) if oldest else None,
            ages=tuple(self.store.open_since([self.world.at - below for _, below in AGES[:-1]])),
            changes=named,
            moved=moved,
            previous=TrendPoint(baseline.finished, baseline.counts) if baseline else None,
            trend=tuple(TrendPoint(s.finished, s.counts) for s in reversed(self.store.scans(TREND_POINTS))),
            remediations=tuple(remediations(self.store)),
            exemptions=tuple(exemptions(self.store, self.loaded.library.exemptions)),
            fleet=self._fleet(places, unreachable),
            unreached=tuple(UnreachedEntry(id, reason) for id, reason in unreached),
        )

    def _scan(self) -> ScanEntry:
        last, begun = self.last, judging(self.store)
        return ScanEntry(last.id, last.started, last.finished, last.complete, begun.id if begun is not None else None)

    def _chosen(self, policies: Iterable[PolicyEntry]) -> tuple[list[Finding], list[CauseRecord]]:
        """The findings that are named, and the causes of those and of as many more."""
        sizes = {policy.key: sum(n for state, n in policy.counts.items() if state.is_finding) for policy in policies}
        busy = {key: size for key, size in sizes.items() if size}
        room = FINDINGS if sum(busy.values()) <= FINDINGS else max(FINDINGS // max(len(busy), 1), 1)
        found, causes = list[Finding](), list[CauseRecord]()
        for key, size in busy.items():
            common = self.store.causes(key, limit=room if size <= room else CAUSES)
            causes += common
            if size <= room:
                found += self.store.findings(policy=key)
            else:
                found += self.store.examples(key, causes=CAUSES, each=max(room // max(len(common), 1), 1))
        return found, causes

    def _known(self, in_all: int, found: Iterable[Finding]) -> tuple[list[Standing], Clusters]:
        """The clusters that are listed, and those with what is on them whose findings are named."""
        if in_all <= SMALL:
            standings = list(self.store.standings([ResourceId("/")]))
            return standings, {standing.cluster.id: standing.cluster for standing in standings}
        known = {cluster.id: cluster for cluster in self.store.clusters_of({finding.cluster for finding in found})}
        failures = Counter(finding.cluster for finding in self.store.findings_of(known) if finding.state in FAILING)
        most = sorted(known, key=lambda one: (-failures[one], one.key))[:CLUSTERS]
        return self.store.standings_of(most), known

    def _groups(self, places: Places, known: Iterable[ResourceId]) -> Iterable[GroupEntry]:
        """Every resource group, spelt as the tree spells it, else as a cluster in it does."""
        spelt = {id.key: id for id in map(_group_of, known)}
        spelt |= {group.id.key: group.id for group in self.world.tree.resource_groups}
        counts = self.store.group_counts()
        for group, types in places.items():
            yield GroupEntry(spelt.get(group.key, group), sum(types.values()), counts.get(group, {}))

    def _fleet(self, places: Places, unreachable: int) -> FleetEntry:
        kinds: Counter[str] = Counter()
        for types in places.values():
            for type, n in types.items():
                kinds["Arc" if type == ARC.casefold() else "AKS"] += n
        return FleetEntry(_in_all(places), dict(kinds), unreachable, self.store.failing_clusters())

    def _next_tries(self) -> Mapping[Pair, str]:
        """What the latest plan says of each pair it did not mend."""
        latest = self.store.latest_plan()
        if latest is None:
            return {}
        return why_unmended(latest, self.store.progress(latest.id))

    def _baseline(self) -> ScanRecord | None:
        """The scan that changes are told since; None when there is nothing to compare with."""
        found = self.store.scan_before(self.world.at - LOOK_BACK)
        latest = self.store.last_scan()
        return None if found is None or latest is None or found.id == latest.id else found

    def _inventory(self) -> InventoryEntry:
        sync = self.store.last_sync()
        if sync is None:
            return InventoryEntry()
        incomplete = tuple(IncompleteScope(failure.scope.text, failure.reason) for failure in sync.failures)
        return InventoryEntry(sync.source, sync.at, incomplete)


def _in_all(places: Places) -> int:
    return sum(n for types in places.values() for n in types.values())


def _entries(clerk: Clerk, found: Iterable[Finding], known: Clusters) -> Iterable[FindingEntry]:
    """A finding whose cluster has left since it was read is passed over."""
    for finding in found:
        cluster = known.get(finding.cluster)
        entry = clerk.finding(finding, cluster) if cluster is not None else None
        if entry is not None:
            yield entry


def _group_of(cluster: ResourceId) -> ResourceId:
    return ResourceId(f"/subscriptions/{cluster.subscription}/resourceGroups/{cluster.resource_group}")
