"""What a scan has to judge, cut into shards: as much as one transaction takes, and no block in two of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from policyengine.compliance.situation import is_deep
from policyengine.compliance.workset import Cause, Demand, Standing, demand
from policyengine.effects.base import World
from policyengine.language.documents import Exemption
from policyengine.model.ids import ResourceId
from policyengine.model.resource import Resource
from policyengine.model.states import ComplianceState
from policyengine.store.blocks import CHUNK
from policyengine.store.ledger import Numbers

if TYPE_CHECKING:
    from policyengine.store.scanning import Scanning, Survey

CHUNKS_AT_ONCE: Final = 5
CLUSTERS_AT_ONCE: Final = CHUNKS_AT_ONCE * CHUNK
"""Smaller shards cost more per cluster, larger ones memory. Source: performance measurements, "Parallel"."""


@dataclass(frozen=True, slots=True)
class Shard:
    """Some policies (by their place among those chosen) on the clusters with these numbers; on all of the chunks when
    there are none."""

    policies: tuple[int, ...]
    chunks: tuple[int, ...]
    numbers: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class Because:
    """Why something is judged: which policy, which exemption of it, or how many clusters."""

    cause: Cause
    policy: str = ""
    exemption: str = ""
    clusters: int = 0


@dataclass(frozen=True)
class Work:
    """``due`` tells of each policy (by place) and chunk which clusters are judged, None for all of them."""

    shards: tuple[Shard, ...]
    because: tuple[Because, ...]
    due: Mapping[tuple[int, int], Numbers | None] = field(default_factory=dict)
    last: int = 0  # the highest number there is

    def size(self, shard: Shard) -> int:
        """How many clusters it has, at most."""
        if shard.numbers is not None:
            return len(shard.numbers)
        return sum(min(CHUNK, self.last + 1 - chunk * CHUNK) for chunk in shard.chunks)

    @property
    def clusters(self) -> int:
        return sum(map(self.size, self.shards))


def everything(policies: int, survey: Survey) -> Work:
    """All policies on all clusters, whatever has changed."""
    chunks = range(survey.chunks)
    every = tuple(range(policies))
    shards = (Shard(every, tuple(chunks[at : at + CHUNKS_AT_ONCE])) for at in range(0, len(chunks), CHUNKS_AT_ONCE))
    return Work(tuple(shards), (Because(Cause.FULL),), {}, survey.last)


def evened(shards: Sequence[Shard], workers: int) -> Iterator[Shard]:
    """The last shards come a chunk at a time, so that ``workers`` who share them end together.

    Those of single clusters stay whole: each has little of a chunk.
    """
    whole = max(len(shards) - workers, 0)
    yield from shards[:whole]
    for shard in shards[whole:]:
        if shard.numbers is None:
            yield from (Shard(shard.policies, (chunk,)) for chunk in shard.chunks)
        else:
            yield shard


def find_work(scanning: Scanning, chosen: Sequence[Standing], survey: Survey, world: World) -> Work:
    """What has changed since it was judged last."""
    return _Finder(scanning, chosen, survey, world).work()


class _Finder:
    def __init__(self, scanning: Scanning, chosen: Sequence[Standing], survey: Survey, world: World) -> None:
        self._scanning, self._chosen, self._survey, self._world = scanning, chosen, survey, world
        self._because: dict[Because, None] = {}

    def work(self) -> Work:
        demands = self._demands()
        oldest = min((d.since for d in demands.values() if d.cause is None), default=self._survey.seq)
        numbers, since = self._scanning.due(oldest)
        begins = np.searchsorted(numbers, np.arange(self._survey.chunks + 1) * CHUNK).tolist()
        due: dict[tuple[int, int], Numbers | None] = {}
        changed = np.zeros(len(numbers), dtype=bool)
        later: dict[tuple[int, int], Numbers] = {}  # most policies ask the same of a chunk
        for (place, chunk), wanted in demands.items():
            here = slice(begins[chunk], begins[chunk + 1])
            if wanted.is_of_changes and here.start == here.stop:
                continue
            if wanted.cause is None and (chunk, wanted.since) not in later:
                is_later = since[here] > wanted.since
                changed[here] |= is_later
                later[chunk, wanted.since] = numbers[here][is_later]
            found = self._of_block(place, chunk, wanted, later)
            if found is None or found.size:
                due[place, chunk] = found
        if changed.any():
            self._because[Because(Cause.CLUSTERS, clusters=int(changed.sum()))] = None
        return Work(tuple(_shards(due, self._survey.chunks)), tuple(self._because), due, self._survey.last)

    def _demands(self) -> dict[tuple[int, int], Demand]:
        marks = self._scanning.marks()
        found: dict[tuple[int, int], Demand] = {}
        for place, standing in enumerate(self._chosen):
            own = marks.get(standing.key, {})
            each = {id(mark): mark for mark in (*own.values(), None)}  # few: most blocks share theirs
            demands = {key: demand(standing, mark) for key, mark in each.items()}
            found |= {(place, chunk): demands[id(own.get(chunk))] for chunk in range(self._survey.chunks)}
        return found

    def _of_block(
        self, place: int, chunk: int, wanted: Demand, later: Mapping[tuple[int, int], Numbers]
    ) -> Numbers | None:
        """``later``: the clusters of a chunk that changed after a reading."""
        key = self._chosen[place].key
        if wanted.cause is not None:
            self._because[Because(wanted.cause, key)] = None
            return None
        found = later[chunk, wanted.since]
        if wanted.is_of_changes:
            return found
        for name in (*wanted.ended, *(exemption.name for exemption in wanted.begun)):
            self._because[Because(Cause.EXEMPTION, key, name)] = None
        if wanted.ended:
            states = self._scanning.states(key, chunk)
            if states is not None:
                found = np.union1d(found, np.flatnonzero(states == ComplianceState.EXEMPT.code) + chunk * CHUNK)
        if wanted.begun:
            found = np.union1d(found, self._covered(self._chosen[place], chunk, wanted.begun))
        return found.astype(np.int64)

    def _covered(self, standing: Standing, chunk: int, begun: Sequence[Exemption]) -> Numbers:
        """The clusters of a chunk for which one of the exemptions may speak."""
        deep = any(is_deep(scope.text) for exemption in begun for scope in exemption.scopes)
        known: dict[tuple[str, str], bool] = {}
        found = []
        for number, id, location in self._scanning.headings(chunk):
            seen = (id if deep else id.rpartition("/")[0], location)
            if seen not in known:
                resource = Resource(ResourceId(id), {"location": location})
                known[seen] = any(self._covers(exemption, resource, standing) for exemption in begun)
            if known[seen]:
                found.append(number)
        return np.array(found, dtype=np.int64)

    def _covers(self, exemption: Exemption, resource: Resource, standing: Standing) -> bool:
        return exemption.covers(resource, standing.policy.reference_id, self._world.tree, at=self._world.at)


def _shards(due: Mapping[tuple[int, int], Numbers | None], chunks: int) -> Iterator[Shard]:
    """Policies of which the same is due in a chunk go together, and chunks of which the same policies are due."""
    by_chunk: dict[int, dict[bytes | None, list[int]]] = {}
    same: dict[int, bytes] = {}  # by identity: of the blocks of a chunk most are given one and the same array
    for (place, chunk), numbers in due.items():
        wanted = None if numbers is None else same.get(id(numbers)) or same.setdefault(id(numbers), numbers.tobytes())
        by_chunk.setdefault(chunk, {}).setdefault(wanted, []).append(place)
    whole: dict[tuple[int, ...], list[int]] = {}
    parts: dict[tuple[int, ...], tuple[list[int], list[int]]] = {}
    for chunk in range(chunks):
        for wanted, places in by_chunk.get(chunk, {}).items():
            key = tuple(places)
            if wanted is None:
                whole.setdefault(key, []).append(chunk)
                if len(whole[key]) == CHUNKS_AT_ONCE:
                    yield Shard(key, tuple(whole.pop(key)))
            else:
                of_chunks, numbers_ = parts.setdefault(key, ([], []))
                of_chunks.append(chunk)
                numbers_ += np.frombuffer(wanted, dtype=np.int64).tolist()
                if len(numbers_) >= CLUSTERS_AT_ONCE:
                    yield _part(key, *parts.pop(key))
    yield from (Shard(key, tuple(found)) for key, found in whole.items())
    yield from (_part(key, *found) for key, found in parts.items())


def _part(policies: tuple[int, ...], chunks: Sequence[int], numbers: Sequence[int]) -> Shard:
    return Shard(policies, tuple(chunks), tuple(numbers))
