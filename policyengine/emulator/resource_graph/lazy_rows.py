"""Rows that are made when somebody looks at them, so that a table of 100,000 clusters fits into little memory.

What an id alone says is answered from the id; the first look at anything else makes the whole row. Of rows that are
made, only the last one is remembered: columns of one row are read one after another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from policyengine.emulator.resource_graph.syntax import Row
from policyengine.model.ids import ResourceId
from policyengine.model.values import JSON

FROM_ID: Final[Mapping[str, Callable[[ResourceId], str]]] = {
    "id": lambda place: place.text,
    "name": lambda place: place.name,
    "type": lambda place: place.type.casefold(),
    "resourceGroup": lambda place: (place.resource_group or "").casefold(),
    "subscriptionId": lambda place: place.subscription or "",
}
Make = Callable[[ResourceId], Row]


class Maker:
    """Makes whole rows, and remembers the last."""

    def __init__(self, make: Make) -> None:
        self._make = make
        self._last: tuple[str, Row] | None = None

    def row(self, id: str) -> Row:
        if self._last is None or self._last[0] != id:
            self._last = id, self._make(ResourceId(id))
        return self._last[1]


class LazyRow(Mapping[str, JSON]):
    __slots__ = ("_id", "_maker")

    def __init__(self, id: str, maker: Maker) -> None:
        self._id, self._maker = id, maker

    def __getitem__(self, column: str) -> JSON:
        known = FROM_ID.get(column)
        return known(ResourceId(self._id)) if known is not None else self._maker.row(self._id)[column]

    def __iter__(self) -> Iterator[str]:
        return iter(self._maker.row(self._id))

    def __len__(self) -> int:
        return len(self._maker.row(self._id))


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


def is_lazy(row: Row) -> bool:
    return isinstance(row, LazyRow | ProjectedRow)
