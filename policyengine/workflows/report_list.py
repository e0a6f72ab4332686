"""Findings, or every pair of the fleet, one after the other: for lists that are written while they are read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from policyengine.clock import Clock
from policyengine.errors import UsageError
from policyengine.model.ids import ResourceId
from policyengine.model.scope import ScopeTree
from policyengine.reports import PairEntry, PolicyEntry
from policyengine.store.records import Standing
from policyengine.store.store import Store
from policyengine.workflows.load import load
from policyengine.workflows.report_entries import Clerk
from policyengine.workflows.settings import Settings
from policyengine.workflows.world import world_of


def list_pairs(settings: Settings, store: Store, clock: Clock, *, everything: bool = False) -> Iterator[PairEntry]:
    """The findings of the last scan, or with ``everything`` all pairs, by subscription, group and cluster.

    Holds a page of clusters at a time. Raises UsageError before the first scan and PolicyError for policy files that
    cannot be used, both before the first pair.
    """
    if store.last_scan() is None:
        raise UsageError("nothing has been scanned yet", help="run `policyengine scan`")
    loaded = load(settings.policies, settings.aliases)
    tree, records = store.tree(), store.policies()
    clerk = Clerk(loaded, world_of(tree, loaded.aliases, clock), {record.key: record for record in records})
    standings = store.standings(_subscriptions(store, tree), found_only=not everything)
    return _pairs(clerk, standings, [clerk.policy(record, {}) for record in records], everything=everything)


def _pairs(
    clerk: Clerk, standings: Iterable[Standing], policies: Sequence[PolicyEntry], *, everything: bool
) -> Iterator[PairEntry]:
    for standing in standings:
        cluster = clerk.cluster(standing)
        for policy in policies:
            finding = standing.findings.get(policy.key)
            if everything or finding is not None:
                yield PairEntry(cluster, policy, clerk.finding(finding, standing.cluster) if finding else None)


def _subscriptions(store: Store, tree: ScopeTree) -> list[ResourceId]:
    """Those that hold a cluster, by the name people know."""

    def name(folded: str) -> tuple[str, str]:
        known = tree.subscription(folded)
        return (known.display_name if known else folded).casefold(), folded

    held = {(group.subscription or "").casefold() for group in store.cluster_counts()}
    return [ResourceId.for_subscription(folded) for folded in sorted(held, key=name)]
