"""The verdicts of one block while they are being found, and the clusters that had to be read in full for it."""

from __future__ import annotations

from typing import Final

import numpy as np

from policyengine.compliance.block import NO_REASON, Block, BlockVerdicts, Reasons
from policyengine.compliance.judge import Verdict
from policyengine.evaluation.columns import Rows
from policyengine.model.resource import Cluster
from policyengine.model.states import Reason

NARROW: Final = 1 << 16
"""So many reasons, more than there mostly are, can be told by two bytes."""

KEPT: Final = 1000
"""Clusters kept in full at a time."""


class Sheet:
    """One row of states and reasons per policy. ``decoded`` counts the clusters read through a projection."""

    def __init__(self, policies: int, block: Block) -> None:
        self.block = block
        shape = (policies, len(block))
        # NOT_APPLICABLE and NO_REASON, as most pairs stay: zeros take no time, nor room where nobody writes
        self.states = np.zeros(shape, dtype=np.uint8)
        self.reasons: Reasons = np.zeros(shape, dtype=np.uint16)
        self.decoded = 0
        self._texts: dict[Reason | None, int] = {None: NO_REASON}
        self._clusters: dict[int, Cluster] = {}
        self._read: set[int] = set()

    def cluster(self, row: int) -> Cluster:
        """A row in full. Those read last are kept: a cluster in full takes many times the room of its text."""
        found = self._clusters.get(row)
        if found is None:
            if len(self._clusters) >= KEPT:
                del self._clusters[next(iter(self._clusters))]
            found = self._clusters[row] = self.block.cluster(row)
            self._read.add(row)
        return found

    def reason(self, reason: Reason | None) -> int:
        return self._texts.setdefault(reason, len(self._texts))

    def put(self, policy: int, rows: int | Rows, verdict: Verdict) -> None:
        self.states[policy][rows] = verdict.state.code
        reason = self.reason(verdict.reason if verdict.state.is_finding else None)
        if reason >= NARROW and self.reasons.dtype == np.uint16:
            self.reasons = self.reasons.astype(np.uint32)
        self.reasons[policy][rows] = reason

    def verdicts(self) -> BlockVerdicts:
        return BlockVerdicts(self.states, self.reasons, list(self._texts), self.decoded, len(self._read))
