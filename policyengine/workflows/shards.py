"""One shard → what was found of it. Reads the store, writes nothing: whoever asked enters the answer.

A process of its own is given a brief, reads the policies from the same files once, and judges shard after shard.
"""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from time import perf_counter
from typing import Final

import numpy as np

from policyengine import __version__
from policyengine.compliance.block import Block
from policyengine.compliance.digest import SEMANTICS_VERSION
from policyengine.compliance.fleet_judge import FleetJudge
from policyengine.compliance.outline import Outline
from policyengine.compliance.workset import Standing, standings
from policyengine.effects.base import World
from policyengine.errors import PolicyEngineError, UsageError
from policyengine.model.fleet import ScopeFailure
from policyengine.model.scope import ScopeTree
from policyengine.model.values import fingerprint
from policyengine.store.documents import Documents
from policyengine.store.ledger import Found, Place, Sheet, placed
from policyengine.workflows.cycles import rare_collection
from policyengine.workflows.load import load
from policyengine.workflows.work import Shard
from policyengine.workflows.world import world_at

ENGINE: Final = f"{__version__}/{SEMANTICS_VERSION}"
"""What may answer differently for the same question."""


@dataclass(frozen=True)
class Brief:
    """All that a process must know of a scan to judge a shard of it: no documents, and no policies but their paths.

    ``id`` tells scans apart. ``keys`` are the chosen policies, ``digest`` that of all of them as they stood when the
    scan began.
    """

    id: str
    database: str
    paths: tuple[str, ...]
    aliases: str
    keys: tuple[str, ...]
    digest: str
    tree: ScopeTree
    failures: tuple[ScopeFailure, ...]
    at: datetime


@dataclass(frozen=True)
class Judged:
    """A shard with what was found. ``decoded`` clusters were read through the projection, ``whole`` in full.

    ``asked`` counts the calls of the scalar driver by policy.
    """

    shard: Shard
    found: Found
    decoded: int = 0
    whole: int = 0
    asked: Mapping[str, int] = field(default_factory=dict)
    reading_s: float = 0.0
    judging_s: float = 0.0


@dataclass(frozen=True)
class Refused:
    """Why a process could not judge: errors do not always travel."""

    message: str
    help: str | None


def digest_of(everyone: Sequence[Standing]) -> str:
    """Of all policies as they stand."""
    return fingerprint([[standing.key, standing.digest, dict(standing.leave)] for standing in everyone])


@dataclass
class Desk:
    """Where shards are judged: ``everyone`` are all bound policies, ``keys`` those whose states are wanted."""

    documents: Documents
    everyone: Sequence[Standing]
    keys: Sequence[str]
    world: World
    failures: Sequence[ScopeFailure] = ()
    _judges: dict[tuple[int, ...], FleetJudge] = field(default_factory=dict)

    @classmethod
    def open(cls, brief: Brief) -> Desk:
        """Raises UsageError when the files here say something else than where the scan began."""
        loaded = load(brief.paths, brief.aliases)
        world = world_at(brief.tree, loaded.aliases, brief.at)
        everyone = standings(loaded.policies, world, ENGINE)
        if digest_of(everyone) != brief.digest:
            raise UsageError(
                "the policies are not those that the scan began with",
                help="they changed meanwhile, or are others on this machine: scan again",
            )
        return cls(Documents.open(brief.database), everyone, brief.keys, world, brief.failures)

    def judge(self, shard: Shard) -> Judged:
        """Cycles that are left behind go at the end: one may hold on to the texts of a whole shard."""
        try:
            with rare_collection():
                return self._judged(shard)
        finally:
            gc.collect()

    def _judged(self, shard: Shard) -> Judged:
        began = perf_counter()
        rows = self.documents.documents(shard.chunks, shard.numbers)
        read = perf_counter()
        columns = zip(*rows, strict=True) if rows else [()] * 8
        _, ids, types, subscriptions, groups, documents, children, secretive = columns
        judge = self._judge(shard.policies)
        before = Counter(judge.asked)
        verdicts = judge.judge(Block(ids, types, documents, children, secretive))
        places, at = placed(list(map(Place, subscriptions, groups)))
        sheet = Sheet(
            assignments=(),
            numbers=np.array([row[0] for row in rows], dtype=np.int64),
            states=verdicts.states,
            reasons=verdicts.reasons,
            texts=verdicts.texts,
            places=places,
            at=at,
        )
        return Judged(
            shard,
            Found([self.keys[place] for place in shard.policies], sheet),
            verdicts.decoded,
            verdicts.whole,
            judge.asked - before,
            read - began,
            perf_counter() - read,
        )

    def outlines(self, type: str) -> Iterator[tuple[str, Outline]]:
        """How each chosen policy is evaluated on clusters of a type."""
        for policy, outline in self._judge(tuple(range(len(self.keys)))).outlines(type):
            yield policy.key, outline

    def _judge(self, places: tuple[int, ...]) -> FleetJudge:
        if places not in self._judges:
            standing = {one.key: one for one in self.everyone}
            chosen = [standing[self.keys[place]] for place in places]
            keys = {one.key for one in chosen}
            rivals = dict.fromkeys(key for one in chosen for key in one.partners if key not in keys)
            self._judges[places] = FleetJudge(
                [one.policy for one in chosen],
                self.world,
                rivals=[standing[key].policy for key in rivals],
                failures=self.failures,
            )
        return self._judges[places]


_desks: dict[str, Desk] = {}


def judge_shard(brief: Brief, shard: Shard) -> Judged | Refused:
    """In a process of its own. The desk of the last scan is kept for its next shard."""
    try:
        if brief.id not in _desks:
            gc.unfreeze()  # a worker of Dask may have judged for another scan before
            while _desks:
                _desks.popitem()[1].documents.close()
            _desks[brief.id] = Desk.open(brief)
            gc.freeze()  # policies are much, and stay: see `settled`
        return _desks[brief.id].judge(shard)
    except PolicyEngineError as error:
        return Refused(error.message, error.help)
