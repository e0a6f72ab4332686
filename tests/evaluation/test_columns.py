"""A column gives every row the value that was put in, whatever else came before it."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policyengine.evaluation.columns import Column, Gathered, alike, combined, examples
from policyengine.evaluation.projection import ABSENT
from policyengine.model.values import UNDEFINED

ODD: list[Any] = [
    ABSENT,
    None,
    True,
    False,
    0,
    1,
    1.0,
    0.0,
    -0.0,
    "",
    "1",
    "true",
    [],
    [1],
    [1.0],
    [True],
    {},
    {"a": 1},
]
odd = st.sampled_from(ODD)


def spelt(value: Any) -> str:
    return "absent" if value is ABSENT or value is UNDEFINED else json.dumps(value)


@given(st.lists(st.lists(odd, max_size=6), max_size=5))
def test_values_come_back_as_they_were(batches: list[list[Any]]) -> None:
    gathered = Gathered()
    for batch in batches:
        gathered.add(batch)
    column, values = gathered.column(), [value for batch in batches for value in batch]
    assert [spelt(column.values[code]) for code in column.codes] == [spelt(value) for value in values]
    assert len(column.values) == len(set(map(spelt, values)))


@given(st.lists(odd, min_size=1), st.lists(odd, min_size=1))
def test_equal_keys_stand_for_equal_values_in_any_column(some: list[Any], others: list[Any]) -> None:
    one, other = Column.of(some), Column.of(others)
    for key, value in zip(one.keys, one.values, strict=True):
        same = [spelt(found) == spelt(value) for found in other.values]
        assert [key == theirs for theirs in other.keys] == same


@given(st.lists(st.tuples(odd, odd, odd), min_size=1, max_size=30))
def test_rows_share_a_number_when_they_share_all_values(rows: list[tuple[Any, Any, Any]]) -> None:
    columns = [Column.of(list(values)) for values in zip(*rows, strict=True)]
    codes, count = combined(columns, len(rows))
    spelling = [tuple(map(spelt, row)) for row in rows]
    assert count >= len(set(spelling)) == len(set(codes.tolist()))
    assert [spelling[row] for row in examples(codes, count)[codes]] == spelling
    assert {frozenset(spelling[row] for row in group) for group in alike(codes)} == {frozenset({s}) for s in spelling}


@pytest.mark.parametrize("size", [0, 3])
def test_nothing_to_tell_rows_apart_leaves_them_alike(size: int) -> None:
    codes, count = combined([], size)
    assert (codes.tolist(), count, [group.tolist() for group in alike(codes)]) == (
        [0] * size,
        min(size, 1),
        [list(range(size))] if size else [],
    )


@pytest.mark.parametrize("wide", [[-1, 65_535], [0, 65_535], [0, 65_536], [-1, 1 << 40]], ids=str)
def test_rows_are_alike_whatever_numbers_they_have(wide: list[int]) -> None:
    """Few codes are sorted as two bytes, where -1 and 65,535 would be one."""
    codes = np.array([*wide, 3, *wide], dtype=np.int64)

    assert sorted(group.tolist() for group in alike(codes)) == [[0, 3], [1, 4], [2]]
