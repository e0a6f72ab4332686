"""What follows from pairs that moved from one state to another: history, roll-up deltas, findings that end.

Pure: states in, rows to be written out. A state of None is a pair that no scan has judged, or judges any longer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from policyengine.model.states import ComplianceState


class Place(NamedTuple):
    """Where a cluster is counted; names are folded."""

    number: int
    subscription: str
    resource_group: str


class Move(NamedTuple):
    """One pair's step from a state to another, by number."""

    assignment: int
    cluster: int
    old: ComplianceState | None
    new: ComplianceState | None

    @property
    def shown(self) -> tuple[ComplianceState, ComplianceState]:
        """Old and new as history tells them: a pair that is not judged is not applicable."""
        return self.old or ComplianceState.NOT_APPLICABLE, self.new or ComplianceState.NOT_APPLICABLE

    @property
    def is_change(self) -> bool:
        old, new = self.shown
        return old is not new

    @property
    def ends_finding(self) -> bool:
        was = self.old is not None and self.old.is_finding
        return was and (self.new is None or not self.new.is_finding)


class Cell(NamedTuple):
    """One cell of the roll-up."""

    assignment: int
    subscription: str
    resource_group: str
    state: ComplianceState


def rollup_deltas(moves: Iterable[Move], places: Mapping[int, Place]) -> dict[Cell, int]:
    """How much each cell grows or shrinks; cells that stay the same are left out."""
    deltas: Counter[Cell] = Counter()
    for move in moves:
        place = places[move.cluster]
        for state, by in ((move.old, -1), (move.new, 1)):
            if state is not None:
                deltas[Cell(move.assignment, place.subscription, place.resource_group, state)] += by
    return {cell: by for cell, by in deltas.items() if by}
