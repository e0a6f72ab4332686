"""State blocks as values: one byte per cluster number, 4,096 numbers to a chunk. Knows no database."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from policyengine.model.states import ComplianceState

CHUNK: Final = 4096
"""Larger blocks make the SQL view slow, smaller ones make many rows. Source: performance measurements, "Store"."""

UNJUDGED: Final = 0xFF
"""The byte of a pair that no scan has judged, or whose cluster or policy is gone."""

States = npt.NDArray[np.uint8]


def unpacked(block: bytes) -> States:
    """The bytes of a whole chunk, to be read; what a short block does not reach is not judged."""
    if len(block) == CHUNK:
        return np.frombuffer(block, dtype=np.uint8)
    states = np.full(CHUNK, UNJUDGED, dtype=np.uint8)
    states[: len(block)] = np.frombuffer(block, dtype=np.uint8)
    return states


def packed(states: States) -> bytes:
    """The block to store: it ends with its last judged pair."""
    return states.tobytes().rstrip(bytes([UNJUDGED]))


def state_of(code: int) -> ComplianceState | None:
    """None for a pair that has not been judged."""
    return None if code == UNJUDGED else ComplianceState.from_code(code)
