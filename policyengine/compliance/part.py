"""The clusters of one type in one block as tables, and what is asked of them before anybody is judged.

`Decoders` knows what all policies together read of a type; a `Part` is what they took of a block's texts.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from functools import cached_property
from itertools import chain, pairwise
from operator import attrgetter
from typing import Any, Final

import msgspec
import numpy as np

from policyengine.compliance.block import Block
from policyengine.compliance.outline import Outline
from policyengine.compliance.sheet import Sheet
from policyengine.compliance.situation import Placement, place_of, subscription_of
from policyengine.evaluation.columns import (
    Children,
    Codes,
    Column,
    Extract,
    Rows,
    Table,
    alike,
    combined,
    examples,
    key_of,
)
from policyengine.evaluation.projection import NotAsExpected, Projection
from policyengine.evaluation.reads import Path, Reads
from policyengine.evaluation.vector import Mask, Tested, questions
from policyengine.language.shape import shape_of
from policyengine.model.cluster_text import CHILD_TYPES, EXTENSIONS_KEY
from policyengine.model.resource import Cluster, Resource

ID: Final[Path] = ("id",)
LOCATION: Final[Path] = ("location",)

BATCH: Final = 400
"""So many documents are decoded at a time: their values are taken while they are still at hand."""

_UNKNOWN: Final = -1
_NO_ROWS: Final = np.zeros(0, dtype=np.int64)


class Decoders:
    """What is read of clusters of one type and of each kind of child, over all policies."""

    def __init__(self, outlines: Sequence[Outline], type: str) -> None:
        trees = [tree for plan in outlines for tree in (plan.applies, plan.rule) if tree is not None]
        above = {path for tree in trees for q in questions(tree) for path in q.reads.own | q.reads.root}
        above |= {path for plan in outlines for path in plan.reads.own | plan.reads.root}
        self.clusters = Projection({*above, LOCATION}, shape_of(type.casefold()))
        below = {pair for tree in trees for q in questions(tree) for pair in q.reads.related}
        below |= {(plan.child, path) for plan in outlines if plan.child for path in (*plan.child_reads.own, ID)}
        below |= {pair for plan in outlines for pair in plan.reads.related}
        self.children = {
            key: Projection({path for at, path in below if at == key and path} | {ID}, shape_of(child.casefold()))
            for key, child in CHILD_TYPES.items()
            if any(at == key for at, _ in below)
        }
        self._decode_cluster = msgspec.json.Decoder(self.clusters.struct).decode
        lists = [(key, list[projection.struct], ()) for key, projection in self.children.items()]  # type: ignore[name-defined]
        self._decode_children = msgspec.json.Decoder(msgspec.defstruct("children", lists, gc=False)).decode

    def part(self, block: Block, rows: Sequence[int], sheet: Sheet) -> Part:
        taken = Taken(self)
        for begin in range(0, len(rows), BATCH):
            batch = rows[begin : begin + BATCH]
            try:
                taken.add(batch, *self._decoded(block, batch))
            except NotAsExpected:
                self._one_by_one(block, batch, taken)
        sheet.decoded += len(taken.rows)
        return Part(taken, block, sheet)

    def _decoded(self, block: Block, rows: Sequence[int]) -> tuple[list[Any], list[Any]]:
        documents, children = [block.documents[row] for row in rows], [block.children[row] for row in rows]
        on_them = list(map(self._decode_children, children)) if self.children else []
        return list(map(self._decode_cluster, documents)), on_them

    def _one_by_one(self, block: Block, rows: Sequence[int], taken: Taken) -> None:
        """Some documents are not shaped as expected: which ones, and the rest."""
        for row in rows:
            try:
                taken.add([row], *self._decoded(block, [row]))
            except NotAsExpected:
                taken.refused.append(row)


class Taken:
    """What was taken of the texts so far: ``rows`` of the block in that order, and those that cannot be read so."""

    def __init__(self, decoders: Decoders) -> None:
        self.rows: list[int] = []
        self.refused: list[int] = []
        self.clusters = Extract(decoders.clusters)
        self.children = {key: Extract(projection, ID) for key, projection in decoders.children.items()}
        self.sizes: dict[str, list[Rows]] = {key: [] for key in self.children}
        self._lists = {key: attrgetter(key) for key in self.children}

    def add(self, rows: Sequence[int], clusters: Sequence[Any], on_them: Sequence[Any]) -> None:
        self.rows += rows
        self.clusters.add(clusters)
        for key, extract in self.children.items():
            lists = list(map(self._lists[key], on_them))
            self.sizes[key].append(np.fromiter(map(len, lists), dtype=np.int64, count=len(lists)))
            extract.add(list(chain.from_iterable(lists)))


class Part:
    """The rows of one type in one block. ``at`` maps a row of the part to its row in the block."""

    def __init__(self, taken: Taken, block: Block, sheet: Sheet) -> None:
        self.at, self.refused, self._sheet, self._taken = (
            np.array(taken.rows, dtype=np.int64),
            taken.refused,
            sheet,
            taken,
        )
        ids = [block.ids[row] for row in taken.rows]
        places = Column.of([id.partition("/providers/")[0] for id in ids]).mapped(lambda text: place_of(str(text)))
        table = Table(taken.clusters, ids, places)
        self.clusters = Tested(table, table, self.children, self._whole_cluster)
        self._block = block
        self._secretive = np.full(len(ids), _UNKNOWN, dtype=np.int8)
        if block.secretive is not None:
            self._secretive[~np.array([bool(block.secretive[row]) for row in taken.rows], dtype=bool)] = False
        self._lists: dict[str, Children] = {}
        self._tested: dict[str, Tested] = {}
        self._situations: dict[Hashable, tuple[Sequence[Mask], Codes]] = {}

    def _whole_cluster(self, row: int) -> tuple[Resource, Cluster]:
        cluster = self._sheet.cluster(int(self.at[row]))
        return cluster.resource, cluster

    def hold_secrets(self, rows: Rows) -> Mask:
        """Which of ``rows`` may hold secrets, themselves or on them."""
        for row in rows[self._secretive[rows] == _UNKNOWN].tolist():
            self._secretive[row] = self._block.may_hold_secrets(int(self.at[row]))
        found: Mask = self._secretive[rows] > 0
        return found

    def children(self, key: str) -> Children:
        """The children of one kind on these clusters."""
        if key not in self._lists:
            extract, sizes = self._taken.children[key], np.concatenate([_NO_ROWS, *self._taken.sizes[key]])
            owner = np.repeat(np.arange(len(sizes)), sizes)
            self._lists[key] = Children(Table(extract, extract.ids), owner, np.concatenate([[0], np.cumsum(sizes)]))
        return self._lists[key]

    def tested(self, key: str) -> Tested:
        """The same as what conditions are tested on."""
        if key not in self._tested:
            children = self.children(key)

            def whole(row: int) -> tuple[Resource, Cluster]:
                owner = int(children.owner[row])
                cluster = self._sheet.cluster(int(self.at[owner]))
                among = cluster.extensions if key == EXTENSIONS_KEY else cluster.flux_configurations
                return among[row - int(children.begins[owner])], cluster

            self._tested[key] = Tested(children.table, self.clusters.table, self.children, whole, children.owner)
        return self._tested[key]

    def candidates(self, plan: Outline) -> Mask | None:
        """The children that a policy looks at; None for all of the kind."""
        assert plan.child is not None
        related, found = self.tested(plan.child), None
        if plan.child_name is not None:
            name = plan.child_name
            found = _matching(related.table.name_column, lambda value: str(value).casefold() == name)
        if plan.child_kind is not None:
            kind = plan.child_kind.casefold()
            fits = _matching(related.table.column(("kind",)), lambda value: str(value or "").casefold() == kind)
            found = fits if found is None else found & fits
        return found

    def situations(self, placement: Placement, type: str) -> tuple[Sequence[Mask], Codes]:
        """For each variant of the policy the rows where it holds, and for each row the exemption."""
        if placement.region not in self._situations:
            self._situations[placement.region] = self._situated(placement, type)
        return self._situations[placement.region]

    def _situated(self, placement: Placement, type: str) -> tuple[Sequence[Mask], Codes]:
        table = self.clusters.table
        seen = [self._seen_by(placement)]
        seen += [table.column(LOCATION)] if placement.looks_at_location else []
        codes, count = combined(seen, len(table))
        found = []
        for row in examples(codes, count).tolist():
            place, *where = (column.values[column.codes[row]] for column in seen)
            found.append(placement.situation(table.ids[row], place, where[0] if where else None, type))
        variants = np.array([situation.variant for situation in found], dtype=np.int64)[codes]
        exemptions = np.array([situation.exemption for situation in found], dtype=np.int64)
        return [variants == variant for variant in range(len(placement.variants))], exemptions[codes]

    def _seen_by(self, placement: Placement) -> Column:
        if placement.looks_at_ids:
            return self.clusters.table.id_column
        if placement.looks_at_groups:
            return self.clusters.table.place_column
        return self._subscriptions

    @cached_property
    def _subscriptions(self) -> Column:
        return self.clusters.table.place_column.mapped(lambda place: subscription_of(str(place)))


def grouped(plan: Outline, part: Part, rows: Rows) -> Iterator[tuple[Hashable, Rows]]:
    """The rows by all that a verdict on them may depend on, each group with a key; none of them holds secrets."""
    if not rows.size:
        return
    columns = [column.of_rows(rows) for column in part.clusters.columns(_as_root(plan.reads))]
    codes, _ = combined(columns, len(rows))
    keys: Sequence[Hashable] = codes.tolist()
    inner: list[Column] = []
    bounds: list[int] = []
    if plan.child is not None:
        at, bounds = part.children(plan.child).of(rows)
        inner = [column.of_rows(at) for column in part.tested(plan.child).columns(plan.child_reads)]
        numbers, _ = combined(inner, len(at))
        listed = numbers.tolist()
        keys = [(key, *listed[a:b]) for key, (a, b) in zip(keys, pairwise(bounds), strict=True)]
    table = {key: number for number, key in enumerate(dict.fromkeys(keys))}
    for group in alike(np.fromiter(map(table.__getitem__, keys), dtype=np.int64, count=len(keys))):
        first = int(group[0])
        known: tuple[Hashable, ...] = (key_of(columns, first),)
        if plan.child is not None:
            known += tuple(key_of(inner, child) for child in range(bounds[first], bounds[first + 1]))
        yield known, rows[group]


def _as_root(reads: Reads) -> Reads:
    return Reads(
        root=reads.own | reads.root,
        root_name=reads.own_name or reads.root_name,
        root_id=reads.own_id or reads.root_id,
        related=reads.related,
        place=reads.place,
    )


def _matching(column: Column, test: Callable[[Any], bool]) -> Mask:
    passes = np.fromiter((bool(test(value)) for value in column.values), dtype=bool, count=len(column.values))
    matching: Mask = passes[column.codes]
    return matching
