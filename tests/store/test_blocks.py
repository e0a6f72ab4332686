"""State blocks: bytes in, states out."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from policyengine.model.states import ComplianceState
from policyengine.store.blocks import CHUNK, UNJUDGED, packed, state_of, unpacked

CODES = [UNJUDGED, *(state.code for state in ComplianceState)]


def test_a_block_is_small() -> None:
    """Views look into whole blocks: larger ones make a question about one cluster many times dearer. Pitfall 7."""
    assert CHUNK <= 4096


def test_what_a_short_block_does_not_reach_is_not_judged() -> None:
    states = unpacked(bytes([ComplianceState.COMPLIANT.code]))

    assert len(states) == CHUNK
    assert [state_of(int(code)) for code in states[:2]] == [ComplianceState.COMPLIANT, None]


def test_a_block_is_as_long_as_it_must_be() -> None:
    states = np.full(CHUNK, UNJUDGED, dtype=np.uint8)
    states[2] = ComplianceState.NON_COMPLIANT.code

    assert packed(states) == bytes([UNJUDGED, UNJUDGED, ComplianceState.NON_COMPLIANT.code])


def test_the_byte_of_no_state_means_unjudged() -> None:
    assert UNJUDGED not in {state.code for state in ComplianceState}


@given(st.lists(st.sampled_from(CODES), max_size=40))
def test_what_was_packed_is_what_is_unpacked(codes: list[int]) -> None:
    states = unpacked(bytes(codes))

    assert (unpacked(packed(states)) == states).all()
