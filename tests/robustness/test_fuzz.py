"""No bytes get anything out of a fuzz target but a result or a PolicyEngineError."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.targets import TARGETS

FOUND: tuple[tuple[str, bytes], ...] = (("reader", b"\xed"), ("reader", b"\xed\xa0\x80: \xed"))
"""What fuzzing found, and must not find again."""


@pytest.mark.parametrize("name", TARGETS)
@settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(data=st.binary(max_size=300))
def test_nothing_comes_out_but_answers_and_reasons(name: str, data: bytes) -> None:
    TARGETS[name](data)


@pytest.mark.parametrize(("name", "data"), FOUND)
def test_what_was_found_once_is_answered(name: str, data: bytes) -> None:
    TARGETS[name](data)
