"""State blocks: bytes in, states out."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from policyengine.model.states import ComplianceState
from policyengine.store.blocks import CHUNK, UNJUDGED, StateBlocks

GOOD = ComplianceState.COMPLIANT
BAD = ComplianceState.NON_COMPLIANT


def test_a_number_that_was_never_put_is_not_judged() -> None:
    assert StateBlocks({}).get(0) is None
    assert StateBlocks({0: b"\x01"}).get(1) is None
    assert StateBlocks({0: bytes([UNJUDGED])}).get(0) is None


def test_a_block_is_as_long_as_it_must_be() -> None:
    blocks = StateBlocks({})
    blocks.put(CHUNK + 2, BAD)

    assert list(blocks.touched()) == [(1, bytes([UNJUDGED, UNJUDGED, BAD.code]))]


def test_only_chunks_that_were_put_into_are_touched() -> None:
    blocks = StateBlocks({0: b"\x01", 1: b"\x01"})
    blocks.put(CHUNK, BAD)

    assert list(blocks.touched()) == [(1, b"\x02")]
    assert list(blocks.judged()) == [(0, GOOD), (CHUNK, BAD)]


def test_the_byte_of_no_state_means_unjudged() -> None:
    assert UNJUDGED not in {state.code for state in ComplianceState}


@given(st.dictionaries(st.integers(0, 3 * CHUNK), st.sampled_from([*ComplianceState, None])))
def test_what_was_put_is_what_is_got_also_after_storing(states: dict[int, ComplianceState | None]) -> None:
    blocks = StateBlocks({})
    for number, state in states.items():
        blocks.put(number, state)
    again = StateBlocks(dict(blocks.touched()))

    assert {number: again.get(number) for number in states} == states
    assert dict(again.judged()) == {number: state for number, state in states.items() if state is not None}
