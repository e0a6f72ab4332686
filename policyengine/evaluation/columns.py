"""Values as columns: the distinct ones, and for each row which of them it has.

A value is told apart from every other that the language could tell apart: true, 1 and 1.0 are three values, an absent
member and null are two.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise
from typing import Any, Final, TypeAlias

import msgspec
import numpy as np
import numpy.typing as npt

from policyengine.evaluation.projection import ABSENT, Narrowing
from policyengine.model.values import JSON, UNDEFINED, Nothing

Codes: TypeAlias = npt.NDArray[np.int64]
Rows: TypeAlias = npt.NDArray[np.int64]

PLAIN: Final = frozenset({str, type(None), type(ABSENT)})
"""The types whose values can be told apart as they are."""

ALONE: Final = (frozenset[type](), frozenset({bool}), frozenset({int}))
"""The other types of which that is true, as long as they have a column for themselves."""

ROOMY: Final = 8
"""A table with so many places for each row is cheaper than sorting the rows."""

SHORT: Final = 1 << 16
"""Codes below take two bytes."""

_encode: Final[Callable[[Any], bytes]] = msgspec.json.Encoder().encode
_decode: Final[Callable[[bytes], Any]] = msgspec.json.Decoder().decode


@dataclass(frozen=True, slots=True)
class Column:
    """``values[codes[row]]`` is the value of a row; UNDEFINED where the document has no such member.

    ``keys`` are the values in a form that can be hashed; equal keys stand for equal values in any column.
    """

    codes: Codes
    values: Sequence[JSON | Nothing]
    keys: Sequence[Hashable]

    @classmethod
    def of(cls, decoded: Sequence[Any]) -> Column:
        """Of one decoded value per row. Numbers, booleans and texts never share a code."""
        gathered = Gathered()
        gathered.add(decoded)
        return gathered.column()

    @classmethod
    def of_each(cls, texts: Sequence[str]) -> Column:
        """Of texts that are mostly different: each row has a number of its own."""
        return cls(np.arange(len(texts)), texts, texts)

    def mapped(self, function: Callable[[JSON | Nothing], JSON | Nothing]) -> Column:
        """The column of what ``function`` makes of each value, called once for each distinct one."""
        made = Column.of([_raw(function(value)) for value in self.values])
        return Column(made.codes[self.codes], made.values, made.keys)

    def narrowed(self, narrowing: Narrowing) -> Column:
        """The column of a part of each value."""
        made = Column.of([_raw(narrowing.of(key, value)) for key, value in zip(self.keys, self.values, strict=True)])
        return Column(made.codes[self.codes], made.values, made.keys)

    def of_rows(self, rows: Rows) -> Column:
        """The same column for other rows, each of which is a row of this one."""
        return Column(self.codes[rows], self.values, self.keys)


NO_COLUMN: Final = Column(np.zeros(0, dtype=np.int64), (), ())


class Gathered:
    """The values at one place, as they come: what has been seen, and which of it each row has."""

    def __init__(self) -> None:
        self._numbers: defaultdict[Any, int] = defaultdict()
        self._codes: list[Codes] = []
        self._others: frozenset[type] = frozenset()
        self._plain = True

    def add(self, decoded: Sequence[Any]) -> None:
        if self._plain:
            before = len(self._numbers)
            codes = self._as_they_are(decoded, before)
            if codes is not None:
                self._codes.append(codes)
                return
            self._plain = False
            self._numbers = defaultdict(None, {_key(value): n for value, n in islice(self._numbers.items(), before)})
        self._codes.append(numbered(self._numbers, [v if type(v) in PLAIN else _encode(v) for v in decoded]))

    def column(self) -> Column:
        codes = joined(self._codes)
        if self._plain:
            values: list[JSON | Nothing] = [UNDEFINED if value is ABSENT else value for value in self._numbers]
            return Column(codes, values, list(map(_key, self._numbers)))
        return Column(codes, list(map(_value, self._numbers)), list(self._numbers))

    def _as_they_are(self, decoded: Sequence[Any], before: int) -> Codes | None:
        """None for values that cannot be told apart as they are: arrays and objects, and true beside 1."""
        try:
            codes = numbered(self._numbers, decoded)
        except TypeError:
            return None
        self._others |= set(map(type, islice(self._numbers, before, None))) - PLAIN
        if self._others not in ALONE:
            return None
        # true, 1 and 1.0 are one key: only all values tell whether they were of one type
        same = not self._others or set(map(type, decoded)) - PLAIN <= self._others
        return codes if same else None


def numbered(numbers: defaultdict[Any, int], keys: Sequence[Any]) -> Codes:
    """The number of each key; one not seen before is given the next. Raises TypeError for what cannot be hashed."""
    numbers.default_factory = numbers.__len__
    try:
        return np.fromiter(map(numbers.__getitem__, keys), dtype=np.int64, count=len(keys))
    finally:
        numbers.default_factory = None


def joined(codes: Sequence[Codes]) -> Codes:
    """Those of all batches."""
    return np.concatenate(codes) if codes else np.zeros(0, dtype=np.int64)


def _key(value: Any) -> Any:
    return value if type(value) in PLAIN else _encode(value)


def _value(key: Any) -> JSON | Nothing:
    if key is ABSENT:
        return UNDEFINED
    return _decode(key) if isinstance(key, bytes) else key


def _raw(value: JSON | Nothing) -> Any:
    return ABSENT if isinstance(value, Nothing) else value


def key_of(columns: Sequence[Column], row: int) -> Hashable:
    """What a row has in the columns, equal for all rows anywhere that have the same."""
    return tuple(column.keys[column.codes[row]] for column in columns)


def combined(columns: Sequence[Column], size: int) -> tuple[Codes, int]:
    """For each row the number of its combination of values, and how many combinations there are."""
    if not columns:
        return np.zeros(size, dtype=np.int64), min(size, 1)
    codes, count = columns[0].codes, len(columns[0].values)
    for column in columns[1:]:
        codes, count = _renumbered(codes * len(column.values) + column.codes, count * len(column.values))
    return codes, count


def _renumbered(codes: Codes, limit: int) -> tuple[Codes, int]:
    """The same codes, all below ``limit``, with no number left out."""
    if limit > ROOMY * len(codes):
        found, codes = np.unique(codes, return_inverse=True)
        return codes, len(found)
    present = np.zeros(limit, dtype=np.int64)
    present[codes] = 1
    numbers = np.cumsum(present)
    return numbers[codes] - 1, int(numbers[-1]) if limit else 0


def examples(codes: Codes, count: int) -> Rows:
    """For each code one row that has it."""
    example = np.zeros(count, dtype=np.int64)
    example[codes] = np.arange(len(codes))
    return example


def alike(codes: Codes) -> Iterator[Rows]:
    """The rows with equal codes."""
    if not codes.size:
        return
    if (codes == codes[0]).all():
        yield np.arange(len(codes))
        return
    order = np.argsort(codes.astype(np.uint16) if _are_few(codes) else codes, kind="stable")
    sorted_ = codes.take(order)
    borders = np.flatnonzero(sorted_[1:] != sorted_[:-1]) + 1
    for begin, end in pairwise([0, *borders.tolist(), len(order)]):
        yield order[begin:end]


def _are_few(codes: Codes) -> bool:
    """Whether all fit into two bytes, which are sorted by their places instead of by comparing."""
    return int(codes.min()) >= 0 and int(codes.max()) < SHORT
