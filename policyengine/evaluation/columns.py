"""Documents as columns: for each path its distinct values, and for each row which of them it has.

A value is told apart from every other that the language could tell apart: true, 1 and 1.0 are three values, an absent
member and null are two. Columns are made when they are first asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from operator import attrgetter
from typing import Any, Final, TypeAlias

import msgspec
import numpy as np
import numpy.typing as npt

from policyengine.evaluation.paths import select
from policyengine.evaluation.projection import ABSENT, Node, Projection
from policyengine.evaluation.reads import Path
from policyengine.language.aliases import Star
from policyengine.model.values import JSON, UNDEFINED, Nothing

Codes: TypeAlias = npt.NDArray[np.int64]
Rows: TypeAlias = npt.NDArray[np.int64]

_PLAIN: Final = frozenset({str, type(None), type(ABSENT)})
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
        table = _plain_table(decoded)
        if table is not None:
            values: list[JSON | Nothing] = [UNDEFINED if value is ABSENT else value for value in table]
            return cls(_numbered(decoded, table), values, list(map(_key, table)))
        keys = [_key(value) for value in decoded]
        table = dict.fromkeys(keys)
        return cls(_numbered(keys, table), [_value(key) for key in table], list(table))

    def mapped(self, function: Callable[[JSON | Nothing], JSON | Nothing]) -> Column:
        """The column of what ``function`` makes of each value, called once for each distinct one."""
        made = Column.of([_raw(function(value)) for value in self.values])
        return Column(made.codes[self.codes], made.values, made.keys)

    def of_rows(self, rows: Rows) -> Column:
        """The same column for other rows, each of which is a row of this one."""
        return Column(self.codes[rows], self.values, self.keys)


def _plain_table(decoded: Sequence[Any]) -> dict[Any, Any] | None:
    """The distinct values when they can be told apart as they are: texts, nothing, and one kind of true or number."""
    try:
        table = dict.fromkeys(decoded)
    except TypeError:
        return None  # arrays and objects
    kinds = set(map(type, table)) - _PLAIN
    if not kinds:
        return table
    if len(kinds) > 1 or not kinds & {bool, int}:
        return None
    # true, 1 and 1.0 are one key: only all values tell whether they were one kind
    return table if len(set(map(type, decoded)) - _PLAIN) == 1 else None


def _numbered(keys: Sequence[Any], table: dict[Any, Any]) -> Codes:
    numbers = {key: number for number, key in enumerate(table)}
    return np.fromiter(map(numbers.__getitem__, keys), dtype=np.int64, count=len(keys))


def _key(value: Any) -> Any:
    return value if type(value) in _PLAIN else _encode(value)


def _value(key: Any) -> JSON | Nothing:
    if key is ABSENT:
        return UNDEFINED
    return _decode(key) if isinstance(key, bytes) else key


def _raw(value: JSON | Nothing) -> Any:
    return ABSENT if isinstance(value, Nothing) else value


@dataclass(frozen=True)
class Table:
    """Rows of one resource type: what the projection took of each document, and the id of each.

    ``places`` are the resource groups the rows stand in, as one text each.
    """

    projection: Projection
    decoded: Sequence[Any]
    ids: Sequence[str]
    places: Sequence[str] = ()

    def __len__(self) -> int:
        return len(self.decoded)

    @cached_property
    def id_column(self) -> Column:
        return Column.of(self.ids)

    @cached_property
    def name_column(self) -> Column:
        return Column.of([id.rpartition("/")[2] for id in self.ids])

    @cached_property
    def place_column(self) -> Column:
        return Column.of(self.places)

    @cached_property
    def _columns(self) -> dict[Path, Column]:
        return {}

    @cached_property
    def _levels(self) -> dict[tuple[int, ...], Sequence[Any]]:
        return {}

    def column(self, path: Path) -> Column:
        """The values at ``path`` up to its first ``[*]``: an array with all that is read of its members."""
        path = head(path)
        if path not in self._columns:
            self._columns[path] = self._make(path)
        return self._columns[path]

    def _make(self, path: Path) -> Column:
        nodes, rest = self.projection.anchor(path)
        anchored = path[: len(path) - len(rest)]
        if rest:
            return self.column(anchored).mapped(lambda value: _below(value, rest))
        return Column.of(list(map(attrgetter(nodes[-1].attribute), self._level(nodes[:-1]))))

    def _level(self, nodes: Sequence[Node]) -> Sequence[Any]:
        """The decoded object of each row at the last of ``nodes``; an empty one where there is none."""
        key = tuple(map(id, nodes))
        if key not in self._levels:
            self._levels[key] = self._objects(nodes)
        return self._levels[key]

    def _objects(self, nodes: Sequence[Node]) -> Sequence[Any]:
        if len(nodes) == 1:
            return self.decoded
        node = nodes[-1]
        found = map(attrgetter(node.attribute), self._level(nodes[:-1]))
        struct, empty = node.struct, node.empty
        return [value if value.__class__ is struct else empty for value in found]


@dataclass(frozen=True)
class Children:
    """The children of one kind: ``owner`` is the row of each one's cluster, ``begins`` where those of a cluster start.

    They stand in the order of their clusters.
    """

    table: Table
    owner: Rows
    begins: Rows

    def of(self, rows: Rows) -> tuple[Rows, list[int]]:
        """The children of some clusters, cluster by cluster, and where those of each begin in that order."""
        sizes = self.begins[rows + 1] - self.begins[rows]
        bounds = np.concatenate([[0], np.cumsum(sizes)])
        shift = np.repeat(self.begins[rows] - bounds[:-1], sizes)
        return np.arange(bounds[-1]) + shift, bounds.tolist()

    def lists(self, paths: Iterable[Path]) -> Column:
        """For each cluster which children it has, as far as ``paths`` tell them apart."""
        columns = [self.table.column(path) for path in heads(paths)]
        codes, example = combined(columns, len(self.table))
        listed = codes.tolist()
        found = [tuple(listed[a:b]) for a, b in pairwise(self.begins.tolist())]
        table = dict.fromkeys(found)
        known = [key_of(columns, row) for row in example.tolist()]
        return Column(_numbered(found, table), list(table), [tuple(known[code] for code in codes) for codes in table])


def head(path: Path) -> Path:
    """The path up to its first ``[*]``."""
    return next((path[:at] for at, step in enumerate(path) if isinstance(step, Star)), path)


def heads(paths: Iterable[Path]) -> list[Path]:
    """What is read of the documents, nothing that is inside of something else that is read."""
    found: list[Path] = []
    for path in sorted({head(path) for path in paths if path}, key=lambda path: (len(path), str(path))):
        if not any(path[: len(other)] == other for other in found):
            found.append(path)
    return found


def _below(value: JSON | Nothing, rest: Path) -> JSON | Nothing:
    return UNDEFINED if isinstance(value, Nothing) else select(value, rest).values[0]


def key_of(columns: Sequence[Column], row: int) -> Hashable:
    """What a row has in the columns, equal for all rows anywhere that have the same."""
    return tuple(column.keys[column.codes[row]] for column in columns)


def combined(columns: Sequence[Column], size: int) -> tuple[Codes, Rows]:
    """For each row the number of its combination of values, and for each combination one row that has it."""
    if not columns:
        return np.zeros(size, dtype=np.int64), np.zeros(min(size, 1), dtype=np.int64)
    codes, count = columns[0].codes, len(columns[0].values)
    for column in columns[1:]:
        _, codes = np.unique(codes * len(column.values) + column.codes, return_inverse=True)
        count = int(codes.max(initial=-1)) + 1
    example = np.zeros(count, dtype=np.int64)
    example[codes] = np.arange(size)
    return codes, example
