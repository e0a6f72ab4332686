"""Documents of one resource type as a table: the columns that policies read, and the ids of the rows.

Documents are taken some at a time and let go again: their values stay, each once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any, Final

import numpy as np

from policyengine.evaluation.columns import NO_COLUMN, Column, Gathered, Rows, combined, examples, key_of, numbered
from policyengine.evaluation.folding import Folding, Getter, members, opened, parts
from policyengine.evaluation.paths import select
from policyengine.evaluation.projection import Node, Projection
from policyengine.evaluation.reads import Path
from policyengine.language.aliases import Star
from policyengine.model.ids import ResourceId
from policyengine.model.values import JSON, UNDEFINED, Nothing

_UNNAMED: Final = -1


class Extract:
    """What a projection takes of many documents, batch after batch.

    ``ids`` are the values at ``ids_at``, the id of each document, for those who know it from nowhere else.
    """

    def __init__(self, projection: Projection, ids_at: Path | None = None) -> None:
        self.projection = projection
        self.ids: list[Any] = []
        self._ids_at = projection.anchor(ids_at)[0] if ids_at else None
        self._gathered: defaultdict[Node, Gathered] = defaultdict(Gathered)
        self._foldings: dict[Node, Folding] = {}
        self._parts: dict[Node, list[tuple[Node, Getter]]] = {}

    def add(self, decoded: Sequence[Any]) -> None:
        self._add(self.projection.root, decoded)

    def column(self, node: Node) -> Column:
        if node is self._ids_at:
            return Column.of(self.ids)
        folding = next((folding for folding in self._foldings.values() if node in folding), None)
        return folding.column(node) if folding is not None else self._gathered[node].column()

    def _add(self, node: Node, decoded: Sequence[Any]) -> None:
        for below, get in self._parts_of(node):
            found = members(get, decoded)
            if below is self._ids_at:
                self.ids += found
            elif below.struct is None:
                self._gathered[below].add(found)
            else:
                self._add_objects(below, found)

    def _parts_of(self, node: Node) -> list[tuple[Node, Getter]]:
        if node not in self._parts:
            self._parts[node] = list(parts(node, lambda below: below.struct is None or below.folds))
        return self._parts[node]

    def _add_objects(self, node: Node, found: Sequence[Any]) -> None:
        """They fold, or do not any more: then this is the last time that they are asked for as one."""
        folding = self._foldings.get(node) or self._foldings.setdefault(node, Folding(node))
        if not folding.add(found):
            node.folds = False
            del self._foldings[node]
            self._parts.clear()
            self._add(node, opened(node, [*folding.objects(), *found]))


@dataclass(frozen=True)
class Table:
    """Rows of one resource type: what was taken of each document, and the id of each.

    ``place_column`` are the resource groups the rows stand in; a cluster's row tells that of what is on it.
    """

    extract: Extract
    ids: Sequence[str]
    place_column: Column = NO_COLUMN

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def id_column(self) -> Column:
        return Column.of_each(self.ids)

    @cached_property
    def name_column(self) -> Column:
        """Clusters mostly have names of their own, what is on them does not."""
        names = _names(self.ids)
        return Column.of(names) if self.place_column is NO_COLUMN else Column.of_each(names)

    def names_of(self, rows: Rows) -> Column:
        """The same of some rows, where no more is wanted. Looked at once, whoever asks again."""
        codes, numbers = self._named
        new = rows.take(np.flatnonzero(codes.take(rows) == _UNNAMED))
        codes[new] = numbered(numbers, _names([self.ids[row] for row in new.tolist()]))
        names = list(numbers)
        return Column(codes.take(rows), names, names)

    def key(self, row: int) -> str:
        """The id of a row as ids are sorted, made for the rows that somebody asks about."""
        found = self._keys.get(row)
        if found is None:
            found = self._keys[row] = ResourceId(self.ids[row]).key
        return found

    @cached_property
    def _keys(self) -> dict[int, str]:
        return {}

    @cached_property
    def _named(self) -> tuple[Rows, defaultdict[str, int]]:
        """The numbers of rows whose name was looked at, and those of the names."""
        return np.full(len(self), _UNNAMED, dtype=np.int64), defaultdict()

    @cached_property
    def _columns(self) -> dict[Hashable, Column]:
        return {}

    def read(self, paths: Iterable[Path]) -> list[Column]:
        """A column for each of the `heads` of ``paths``; of arrays only what these read of their members."""
        every = frozenset(paths)
        return [self._read(path, frozenset(p for p in every if p[: len(path)] == path)) for path in heads(every)]

    def _read(self, path: Path, paths: frozenset[Path]) -> Column:
        node, rest = self.extract.projection.anchor(path)
        if rest or node.element is None or path in paths:
            return self.column(path)
        if paths not in self._columns:
            self._columns[paths] = self.column(path).narrowed(self.extract.projection.narrowing(path, paths))
        return self._columns[paths]

    def column(self, path: Path) -> Column:
        """The values at ``path`` up to its first ``[*]``: an array with all that is read of its members."""
        path = head(path)
        if path not in self._columns:
            self._columns[path] = self._make(path)
        return self._columns[path]

    def _make(self, path: Path) -> Column:
        node, rest = self.extract.projection.anchor(path)
        if rest:
            return self.column(path[: len(path) - len(rest)]).mapped(lambda value: _below(value, rest))
        return self.extract.column(node)


@dataclass(frozen=True)
class Children:
    """The children of one kind: ``owner`` is the row of each one's cluster, ``begins`` where those of a cluster start.

    They stand in the order of their clusters.
    """

    table: Table
    owner: Rows
    begins: Rows

    @cached_property
    def sizes(self) -> Rows:
        """How many each cluster has."""
        return np.diff(self.begins)

    @cached_property
    def most(self) -> int:
        return int(self.sizes.max(initial=0))

    def of(self, rows: Rows) -> tuple[Rows, Rows]:
        """The children of some clusters, cluster by cluster, and where those of each end in that order."""
        sizes = self.sizes.take(rows)
        ends = sizes.cumsum()
        at: Rows = np.repeat(self.begins.take(rows) - (ends - sizes), sizes)
        at += np.arange(len(at))
        return at, ends

    def lists(self, paths: Iterable[Path]) -> Column:
        """For each cluster which children it has, as far as ``paths`` tell them apart."""
        columns = self.table.read(paths)
        codes, count = combined(columns, len(self.table))
        listed = codes.tolist()
        found = [tuple(listed[a:b]) for a, b in pairwise(self.begins.tolist())]
        numbers = {codes: number for number, codes in enumerate(dict.fromkeys(found))}
        known = [key_of(columns, row) for row in examples(codes, count).tolist()]
        numbered = np.fromiter(map(numbers.__getitem__, found), dtype=np.int64, count=len(found))
        return Column(numbered, list(numbers), [tuple(known[code] for code in codes) for codes in numbers])


def _names(ids: Sequence[str]) -> list[str]:
    return [id.rpartition("/")[2] for id in ids]


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
