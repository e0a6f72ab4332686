"""What follows from pairs that move from one state to another: history, roll-up deltas, findings that come and go.

Pure: states in, rows to be written out. UNJUDGED stands for a pair that no scan has judged, or judges any longer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from policyengine.model.states import ComplianceState, Reason
from policyengine.store.blocks import UNJUDGED, States

Numbers = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

WORDS: Final = tuple(ComplianceState.from_code(code).value for code in range(len(ComplianceState)))
_NOT_APPLICABLE: Final = ComplianceState.NOT_APPLICABLE.code
_COMPLIANT: Final = ComplianceState.COMPLIANT.code
_IS_FINDING: Final = np.array(
    [code < len(WORDS) and ComplianceState.from_code(code).is_finding for code in range(UNJUDGED + 1)]
)
_SHOWN: Final = np.array(
    [WORDS[code if code < len(WORDS) else _NOT_APPLICABLE] for code in range(UNJUDGED + 1)], dtype=object
)
"""The word of each code; what is not judged is told as not applicable."""


class Place(NamedTuple):
    """Where a cluster is counted; names are folded."""

    subscription: str
    resource_group: str


class Growth(NamedTuple):
    """By how much one cell of the roll-up grows, or shrinks."""

    assignment: int
    subscription: str
    resource_group: str
    state: str
    by: int


def placed(places: Sequence[Place]) -> tuple[list[Place], Numbers]:
    """The places, each once and as the roll-up's key is sorted, and for every cluster which of them is its own."""
    each = {place: at for at, place in enumerate(sorted(set(places)))}
    return list(each), np.array([each[place] for place in places], dtype=np.int64)


@dataclass(frozen=True)
class Sheet:
    """The states that some clusters have now under some policies.

    ``states[policy, cluster]`` is a code or UNJUDGED, ``reasons[policy, cluster]`` an index into ``texts``.
    ``numbers`` ascend; ``places[at[cluster]]`` is where a cluster is counted, see
    `placed`.
    """

    assignments: Sequence[int]
    numbers: Numbers
    states: States
    reasons: npt.NDArray[np.integer[Any]]
    texts: Sequence[Reason | None]
    places: Sequence[Place]
    at: Numbers

    def under(self, assignments: Sequence[int]) -> Sheet:
        """The sheet with the numbers of its policies."""
        return replace(self, assignments=assignments)

    def cut(self, columns: slice) -> Sheet:
        """The same of some clusters that stand together."""
        return replace(
            self,
            numbers=self.numbers[columns],
            states=self.states[:, columns],
            reasons=self.reasons[:, columns],
            at=self.at[columns],
        )

    def without(self, gone: Numbers) -> Sheet:
        """The sheet as if these clusters had not been looked at."""
        if not gone.size:
            return self
        stay = ~np.isin(self.numbers, gone)
        return replace(
            self,
            numbers=self.numbers[stay],
            states=self.states[:, stay],
            reasons=self.reasons[:, stay],
            at=self.at[stay],
        )


@dataclass(frozen=True)
class Found:
    """What was found of the clusters of a shard, by key of the policy. ``sheet`` has no assignments yet."""

    keys: Sequence[str]
    sheet: Sheet

    def state(self, policy: int, cluster: int) -> ComplianceState:
        return ComplianceState.from_code(int(self.sheet.states[policy, cluster]))


class Pair(NamedTuple):
    """One finding: ``reason`` is an index into the sheet's texts."""

    assignment: int
    cluster: int
    state: str
    reason: int


@dataclass(frozen=True)
class Moves:
    """A sheet beside the states that were stored before it, of the same shape."""

    sheet: Sheet
    old: States

    @cached_property
    def moved(self) -> Mask:
        moved: Mask = self.old != self.sheet.states
        return moved

    @cached_property
    def changes(self) -> Mask:
        """What history tells. A pair that is judged for the first time and complies has not changed."""
        old = np.where(self.old == UNJUDGED, _NOT_APPLICABLE, self.old)
        new = np.where(self.sheet.states == UNJUDGED, _NOT_APPLICABLE, self.sheet.states)
        first = (self.old == UNJUDGED) & (new == _COMPLIANT)
        changes: Mask = (old != new) & ~first
        return changes

    def history(self) -> list[tuple[int, int, str, str]]:
        """Assignment, cluster, old and new word of each change; what is not judged is told as not applicable."""
        rows, columns = np.nonzero(self.changes)
        words = (_SHOWN[states[rows, columns]].tolist() for states in (self.old, self.sheet.states))
        return list(zip(*self._names(rows, columns), *words, strict=True))

    def begun(self) -> list[Pair]:
        """Pairs that are findings now and were none, in order of cluster."""
        return self._pairs(self.moved & self._finds & ~self._found)

    def turned(self) -> list[Pair]:
        """Findings that became another kind of finding."""
        return self._pairs(self.moved & self._finds & self._found)

    def stayed(self) -> list[Pair]:
        """Findings whose state is what it was; their reason may have changed."""
        return self._pairs(~self.moved & self._finds)

    def ended(self) -> list[tuple[int, int]]:
        """Cluster and assignment of each finding that is none any longer."""
        return [(pair.cluster, pair.assignment) for pair in self._pairs(self.moved & self._found & ~self._finds)]

    @cached_property
    def _finds(self) -> Mask:
        return np.asarray(_IS_FINDING[self.sheet.states])

    @cached_property
    def _found(self) -> Mask:
        return np.asarray(_IS_FINDING[self.old])

    def _pairs(self, mask: Mask) -> list[Pair]:
        columns, rows = np.nonzero(mask.T)
        words = _SHOWN[self.sheet.states[rows, columns]].tolist()
        return list(map(Pair, *self._names(rows, columns), words, self.sheet.reasons[rows, columns].tolist()))

    def _names(self, rows: Numbers, columns: Numbers) -> tuple[list[int], list[int]]:
        """The assignments and clusters of pairs."""
        assignments: list[int] = np.array(self.sheet.assignments)[rows].tolist()
        return assignments, self.sheet.numbers[columns].tolist()

    def rollup_deltas(self) -> list[Growth]:
        """How much each cell grows or shrinks; cells that stay the same are left out."""
        cells, by = self._grown
        pairs, states = np.divmod(cells, len(WORDS))
        rows, at = np.divmod(pairs, len(self.sheet.places))
        places = map(self.sheet.places.__getitem__, at.tolist())
        assignments = np.array(self.sheet.assignments)[rows].tolist()
        return [
            Growth(assignment, *place, word, n)
            for assignment, place, word, n in zip(
                assignments, places, _SHOWN[states].tolist(), by.tolist(), strict=True
            )
        ]

    def policy_deltas(self) -> list[tuple[int, str, int]]:
        """The same over all places: assignment, word and by how much."""
        cells, by = self._grown
        pairs, states = np.divmod(cells, len(WORDS))
        cells, by = _summed(pairs // len(self.sheet.places) * len(WORDS) + states, by)
        rows, states = np.divmod(cells, len(WORDS))
        assignments = np.array(self.sheet.assignments)[rows].tolist()
        return list(zip(assignments, _SHOWN[states].tolist(), by.tolist(), strict=True))

    def place_deltas(self) -> list[tuple[str, str, str, int]]:
        """The same over all policies: place, word and by how much."""
        cells, by = self._grown
        cells, by = _summed(cells % (len(self.sheet.places) * len(WORDS)), by)
        at, states = np.divmod(cells, len(WORDS))
        places = map(self.sheet.places.__getitem__, at.tolist())
        return [(*place, word, n) for place, word, n in zip(places, _SHOWN[states].tolist(), by.tolist(), strict=True)]

    @cached_property
    def _grown(self) -> tuple[Numbers, Numbers]:
        """Cells of the roll-up, numbered by policy, place and state, and by how much each grows."""
        rows, columns = np.nonzero(self.moved)
        begins = (rows * len(self.sheet.places) + self.sheet.at[columns]) * len(WORDS)
        came, went = (_judged_cells(begins, states[rows, columns]) for states in (self.sheet.states, self.old))
        both = np.sort(np.concatenate([came * 2, went * 2 + 1]))
        firsts = np.flatnonzero(np.diff(both >> 1, prepend=-1))
        by = np.add.reduceat(1 - 2 * (both & 1), firsts) if both.size else both
        grown = by != 0
        return both[firsts[grown]] >> 1, by[grown]


def _summed(cells: Numbers, by: Numbers) -> tuple[Numbers, Numbers]:
    """Each cell once, in order, and by how much it grows in all; those that stay the same are left out."""
    each, at = np.unique(cells, return_inverse=True)
    sums = np.bincount(at, weights=by, minlength=len(each)).astype(np.int64)
    grown = sums != 0
    return each[grown], sums[grown]


def _judged_cells(begins: Numbers, states: States) -> Numbers:
    """The cells in which pairs are counted; those that are not judged are in none."""
    judged = states != UNJUDGED
    cells: Numbers = begins[judged] + states[judged]
    return cells
