"""What follows from pairs that move from one state to another: history, roll-up deltas, findings that come and go.

Pure: states in, rows to be written out. UNJUDGED stands for a pair that no scan has judged, or judges any longer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final, NamedTuple

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


class Place(NamedTuple):
    """Where a cluster is counted; names are folded."""

    subscription: str
    resource_group: str


class Cell(NamedTuple):
    """One cell of the roll-up."""

    assignment: int
    subscription: str
    resource_group: str
    state: ComplianceState


@dataclass(frozen=True)
class Sheet:
    """The states that some clusters have now under some policies.

    ``states[policy, cluster]`` is a code or UNJUDGED, ``reasons[policy, cluster]`` an index into ``texts`` (-1: none).
    ``numbers`` ascend; ``places[at[cluster]]`` is where a cluster is counted.
    """

    assignments: Sequence[int]
    numbers: Numbers
    states: States
    reasons: npt.NDArray[np.int32]
    texts: Sequence[Reason | None]
    places: Sequence[Place]
    at: Numbers

    def under(self, assignments: Sequence[int]) -> Sheet:
        """The sheet with the numbers of its policies."""
        return replace(self, assignments=assignments)

    def without(self, gone: Numbers) -> Sheet:
        """The sheet as if these clusters had not been looked at."""
        stay = ~np.isin(self.numbers, gone)
        if stay.all():
            return self
        return replace(
            self,
            numbers=self.numbers[stay],
            states=self.states[:, stay],
            reasons=self.reasons[:, stay],
            at=self.at[stay],
        )


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

    def history(self) -> Iterator[tuple[int, int, str, str]]:
        """Assignment, cluster, old and new word of each change; what is not judged is told as not applicable."""
        rows, columns = np.nonzero(self.changes)
        for row, cluster, old, new in zip(
            rows.tolist(),
            self.sheet.numbers[columns].tolist(),
            self.old[rows, columns].tolist(),
            self.sheet.states[rows, columns].tolist(),
            strict=True,
        ):
            yield self.sheet.assignments[row], cluster, _shown(old), _shown(new)

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
        codes = self.sheet.states[rows, columns].tolist()
        return [
            Pair(self.sheet.assignments[row], cluster, _shown(code), reason)
            for row, cluster, code, reason in zip(
                rows.tolist(),
                self.sheet.numbers[columns].tolist(),
                codes,
                self.sheet.reasons[rows, columns].tolist(),
                strict=True,
            )
        ]

    def rollup_deltas(self) -> dict[Cell, int]:
        """How much each cell grows or shrinks; cells that stay the same are left out."""
        deltas: Counter[Cell] = Counter()
        for row, assignment in enumerate(self.sheet.assignments):
            moved = np.flatnonzero(self.moved[row])
            if not moved.size:
                continue
            at = self.sheet.at[moved]
            for states, by in ((self.old[row, moved], -1), (self.sheet.states[row, moved], 1)):
                judged = states != UNJUDGED
                keys, counts = np.unique(at[judged] * (UNJUDGED + 1) + states[judged], return_counts=True)
                for key, count in zip(keys.tolist(), counts.tolist(), strict=True):
                    place, code = divmod(key, UNJUDGED + 1)
                    subscription, group = self.sheet.places[place]
                    deltas[Cell(assignment, subscription, group, ComplianceState.from_code(code))] += by * count
        return {cell: by for cell, by in deltas.items() if by}


def _shown(code: int) -> str:
    return WORDS[_NOT_APPLICABLE if code == UNJUDGED else code]
