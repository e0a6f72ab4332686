"""What a scan works with: the policies as they stand now, the inventory as it was read last, where both are judged."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from policyengine.clock import Clock
from policyengine.compliance.bound import BoundPolicy
from policyengine.compliance.workset import Mark, Standing, standings
from policyengine.model.fleet import ScopeFailure
from policyengine.model.resource import AKS, ARC
from policyengine.store.scanning import Scanning, Survey
from policyengine.store.store import Store
from policyengine.workflows.load import Loaded
from policyengine.workflows.settings import Settings
from policyengine.workflows.shards import ENGINE, Brief, Desk, digest_of
from policyengine.workflows.work import Shard, Work, find_work
from policyengine.workflows.world import world_at

_SPELT: Final = {type.casefold(): type for type in (AKS, ARC)}


@dataclass(frozen=True)
class Bench:
    """``chosen`` are the policies whose states are wanted, in the order of the brief's keys.

    ``whole``: the inventory was read to its end; what it could not read on the way are the brief's failures.
    """

    started: datetime
    scanning: Scanning
    survey: Survey
    chosen: Sequence[Standing]
    brief: Brief
    desk: Desk
    whole: bool = True

    def work(self) -> Work:
        """What has changed since it was judged last."""
        return find_work(self.scanning, self.chosen, self.survey, self.desk.world)

    def marks(self, shard: Shard) -> dict[str, Mark]:
        """What the blocks of a shard hold for once it was judged, by key of the policy."""
        return {self.chosen[place].key: self.chosen[place].mark(self.survey.seq) for place in shard.policies}

    def only(self, keys: Sequence[str]) -> Bench:
        """The same for fewer policies."""
        chosen = [one for one in self.chosen if one.key in keys]
        brief = replace(self.brief, keys=tuple(one.key for one in chosen))
        desk = Desk(self.scanning, self.desk.everyone, brief.keys, self.desk.world, brief.failures)
        return replace(self, chosen=chosen, brief=brief, desk=desk)

    @property
    def types(self) -> list[str]:
        """The types of clusters there are."""
        return [_SPELT.get(type, type) for type in self.survey.counts]

    @property
    def kinds(self) -> Mapping[str, int]:
        """How many clusters there are, by kind."""
        found: Counter[str] = Counter()
        for type, count in self.survey.counts.items():
            found["Arc" if type == ARC.casefold() else "AKS"] += count
        return found


def set_up(
    settings: Settings,
    store: Store,
    clock: Clock,
    loaded: Loaded,
    chosen: Sequence[BoundPolicy],
    failures: Sequence[ScopeFailure] | None = None,
) -> Bench:
    """``failures`` are the scopes that this sync could not read; without one those of the last sync count."""
    whole = True
    if failures is None and (last := store.last_sync()) is not None:
        failures, whole = last.failures, last.complete or bool(last.failures)
    tree, at = store.tree(), clock.now()
    world = world_at(tree, loaded.aliases, at)
    everyone = standings(loaded.policies, world, ENGINE)
    keys = tuple(policy.key for policy in chosen)
    brief = Brief(
        id=uuid.uuid4().hex,
        database=settings.database,
        paths=tuple(settings.policies),
        aliases=settings.aliases,
        keys=keys,
        digest=digest_of(everyone),
        tree=tree,
        failures=tuple(failures or ()),
        at=at,
    )
    standing = {one.key: one for one in everyone}
    scanning = store.scanning
    desk = Desk(scanning, everyone, keys, world, brief.failures)
    return Bench(at, scanning, scanning.survey(), [standing[key] for key in keys], brief, desk, whole)
