"""State blocks as values: one byte per cluster number, 4,096 numbers to a chunk. Knows no database."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from policyengine.model.states import ComplianceState

CHUNK: Final = 4096
"""Larger blocks make the SQL view slow, smaller ones make many rows. Source: performance measurements, "Store"."""

UNJUDGED: Final = 0xFF
"""The byte of a pair that no scan has judged, or whose cluster or policy is gone."""


class StateBlocks:
    """The states of one policy's pairs, changed in place; remembers which chunks were touched."""

    def __init__(self, blocks: Mapping[int, bytes]) -> None:
        self._blocks = {chunk: bytearray(states) for chunk, states in blocks.items()}
        self._touched: set[int] = set()

    def get(self, number: int) -> ComplianceState | None:
        """None for a pair that has not been judged."""
        block = self._blocks.get(number // CHUNK, b"")
        at = number % CHUNK
        if at >= len(block) or block[at] == UNJUDGED:
            return None
        return ComplianceState.from_code(block[at])

    def put(self, number: int, state: ComplianceState | None) -> None:
        chunk, at = divmod(number, CHUNK)
        block = self._blocks.setdefault(chunk, bytearray())
        if at >= len(block):
            block.extend([UNJUDGED] * (at + 1 - len(block)))
        block[at] = UNJUDGED if state is None else state.code
        self._touched.add(chunk)

    def touched(self) -> Iterator[tuple[int, bytes]]:
        """The chunks that were put into, in order."""
        for chunk in sorted(self._touched):
            yield chunk, bytes(self._blocks[chunk])

    def judged(self) -> Iterator[tuple[int, ComplianceState]]:
        """Every judged number with its state, in order of number."""
        for chunk in sorted(self._blocks):
            for at, code in enumerate(self._blocks[chunk]):
                if code != UNJUDGED:
                    yield chunk * CHUNK + at, ComplianceState.from_code(code)
