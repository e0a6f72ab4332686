"""Many clusters at once as they are kept, and what was found of them: no object for each pair."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from policyengine.evaluation.masking import may_hold_secrets
from policyengine.model.cluster_text import from_texts
from policyengine.model.resource import Cluster
from policyengine.model.states import ComplianceState, Reason

NO_REASON: Final = 0
"""The place of None among the reasons: memory that nobody has written to is all of these."""

States = npt.NDArray[np.uint8]
"""`ComplianceState.code` for each row."""


Reasons = npt.NDArray[np.uint16 | np.uint32]
"""The place of a reason, for each row."""


@dataclass(frozen=True)
class Block:
    """Clusters in the form of `model.cluster_text`, one row each; all sequences are equally long.

    ``secretive`` is false for those known to hold no secret; the texts of the others are looked through where that
    matters.
    """

    ids: Sequence[str]
    types: Sequence[str]
    documents: Sequence[str | bytes]
    children: Sequence[str | bytes]
    secretive: Sequence[bool] | None = None

    def __len__(self) -> int:
        return len(self.ids)

    def cluster(self, row: int) -> Cluster:
        """One row in full."""
        return from_texts(self.ids[row], self.documents[row], self.children[row])

    def may_hold_secrets(self, row: int) -> bool:
        """False only for a cluster that has none, neither itself nor on it."""
        if self.secretive is not None and not self.secretive[row]:
            return False
        return may_hold_secrets(self.documents[row], self.children[row])


@dataclass(frozen=True)
class BlockVerdicts:
    """``states[policy, row]`` is a state's code, ``reasons[policy, row]`` an index into ``texts``.

    ``decoded`` counts rows read through the projection, ``whole`` those that were read in full.
    """

    states: States
    reasons: Reasons
    texts: list[Reason | None] = field(default_factory=list)
    decoded: int = 0
    whole: int = 0

    def state(self, policy: int, row: int) -> ComplianceState:
        return ComplianceState.from_code(int(self.states[policy, row]))

    def reason(self, policy: int, row: int) -> Reason | None:
        return self.texts[int(self.reasons[policy, row])]
