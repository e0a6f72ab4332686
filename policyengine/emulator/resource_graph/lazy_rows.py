"""Rows that are made when somebody looks at them, so that a table of 100,000 clusters fits into little memory.

What is known without making a row is answered at once; the first look at anything else makes the whole row. Of rows
that are made, only the last one is remembered: columns of one row are read one after another.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping
from typing import Generic, TypeVar

from policyengine.emulator.resource_graph.syntax import Row
from policyengine.model.values import JSON

K = TypeVar("K", bound=Hashable)


class Maker(Generic[K]):
    """Makes whole rows from what they are known by, and remembers the last."""

    def __init__(self, known: Mapping[str, Callable[[K], JSON]], make: Callable[[K], Row]) -> None:
        self.known = known
        self._make = make
        self._last: tuple[K, Row] | None = None

    def row(self, key: K) -> Row:
        if self._last is None or self._last[0] != key:
            self._last = key, self._make(key)
        return self._last[1]


class LazyRow(Mapping[str, JSON], Generic[K]):
    __slots__ = ("_key", "_maker")

    def __init__(self, key: K, maker: Maker[K]) -> None:
        self._key, self._maker = key, maker

    def __getitem__(self, column: str) -> JSON:
        known = self._maker.known.get(column)
        return known(self._key) if known is not None else self._maker.row(self._key)[column]

    def get(self, column: str, default: JSON = None) -> JSON:
        known = self._maker.known.get(column)
        return known(self._key) if known is not None else self._maker.row(self._key).get(column, default)

    def __iter__(self) -> Iterator[str]:
        return iter(self._maker.row(self._key))

    def __len__(self) -> int:
        return len(self._maker.row(self._key))


class ProjectedRow(Mapping[str, JSON]):
    """A lazy row with other columns; ``through`` lets it show where there is none of that name."""

    __slots__ = ("_columns", "_row", "_through")

    def __init__(self, columns: Mapping[str, Callable[[Row], JSON]], row: Row, *, through: bool = False) -> None:
        self._columns, self._row, self._through = columns, row, through

    def __getitem__(self, column: str) -> JSON:
        own = self._columns.get(column)
        if own is not None:
            return own(self._row)
        if self._through:
            return self._row[column]
        raise KeyError(column)

    def __iter__(self) -> Iterator[str]:
        if self._through:
            yield from (name for name in self._row if name not in self._columns)
        yield from self._columns

    def __len__(self) -> int:
        return sum(1 for _ in self)


class RowWithValues(Mapping[str, JSON]):
    """A lazy row on which some columns are known."""

    __slots__ = ("_row", "_values")

    def __init__(self, row: Row, values: Row) -> None:
        self._row, self._values = row, values

    def __getitem__(self, column: str) -> JSON:
        return self._values[column] if column in self._values else self._row[column]

    def __iter__(self) -> Iterator[str]:
        yield from (name for name in self._row if name not in self._values)
        yield from self._values

    def __len__(self) -> int:
        return sum(1 for _ in self)


def is_lazy(row: Row) -> bool:
    return isinstance(row, LazyRow | ProjectedRow | RowWithValues)


def with_values(row: Row, values: Row) -> Row:
    """The row with ``values`` in place of what it has under these names; a lazy one stays lazy."""
    return RowWithValues(row, values) if is_lazy(row) else {**row, **values}
