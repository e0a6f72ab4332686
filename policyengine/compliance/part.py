"""The clusters of one type in one block as tables, and what is asked of them before anybody is judged.

`Decoders` knows what all policies together read of a type; a `Part` is what they took of a block's texts.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from itertools import chain, pairwise
from operator import attrgetter
from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt

from policyengine.compliance.block import Block
from policyengine.compliance.outline import Outline
from policyengine.compliance.sheet import Sheet
from policyengine.compliance.situation import Placement, place_of
from policyengine.evaluation.columns import Children, Codes, Column, Rows, Table, combined, key_of
from policyengine.evaluation.projection import NotAsExpected, Projection
from policyengine.evaluation.reads import Path, Reads
from policyengine.evaluation.vector import ERROR, MAX_QUESTIONS, TRUE, Answers, Tested, answers, questions
from policyengine.language.shape import shape_of
from policyengine.model.cluster_text import CHILD_TYPES, EXTENSIONS_KEY
from policyengine.model.resource import Cluster, Resource

LOCATION: Final[Path] = ("location",)


class Decoders:
    """What is read of clusters of one type and of each kind of child, over all policies."""

    def __init__(self, outlines: Sequence[Outline], type: str) -> None:
        trees = [tree for plan in outlines for tree in (plan.applies, plan.rule) if tree is not None]
        above = {path for tree in trees for q in questions(tree) for path in q.reads.own | q.reads.root}
        above |= {path for plan in outlines for path in plan.reads.own | plan.reads.root}
        self.clusters = Projection({*above, LOCATION}, shape_of(type.casefold()))
        below = {(key, path) for tree in trees for q in questions(tree) for key, path in q.reads.related if path}
        below |= {(plan.child, path) for plan in outlines if plan.child for path in plan.child_reads.own}
        below |= {(key, path) for plan in outlines for key, path in plan.reads.related if path}
        self.children = {
            key: Projection({path for at, path in below if at == key} | {("id",)}, shape_of(child.casefold()))
            for key, child in CHILD_TYPES.items()
        }
        self._decode_cluster = msgspec.json.Decoder(self.clusters.struct).decode
        lists = [(key, list[projection.struct], ()) for key, projection in self.children.items()]  # type: ignore[name-defined]
        self._decode_children = msgspec.json.Decoder(msgspec.defstruct("children", lists, gc=False)).decode

    def part(self, block: Block, rows: Sequence[int], sheet: Sheet) -> Part:
        documents, on_them = [block.documents[row] for row in rows], [block.children[row] for row in rows]
        try:
            clusters, children = list(map(self._decode_cluster, documents)), list(map(self._decode_children, on_them))
            taken, refused = list(rows), list[int]()
        except NotAsExpected:
            taken, refused, clusters, children = self._one_by_one(block, rows)
        sheet.decoded += len(taken)
        return Part(self, block, np.array(taken, dtype=np.int64), refused, clusters, children, sheet)

    def _one_by_one(
        self, block: Block, rows: Sequence[int]
    ) -> tuple[list[int], list[int], list[msgspec.Struct], list[msgspec.Struct]]:
        """Some documents are not shaped as expected: which ones, and the rest."""
        taken, refused, clusters, children = [], [], [], []
        for row in rows:
            try:
                cluster, on_it = self._decode_cluster(block.documents[row]), self._decode_children(block.children[row])
            except NotAsExpected:
                refused.append(row)
                continue
            taken.append(row)
            clusters.append(cluster)
            children.append(on_it)
        return taken, refused, clusters, children


class Part:
    """The rows of one type in one block. ``at`` maps a row of the part to its row in the block."""

    def __init__(
        self,
        decoders: Decoders,
        block: Block,
        at: Rows,
        refused: Sequence[int],
        clusters: Sequence[Any],
        children: Sequence[Any],
        sheet: Sheet,
    ) -> None:
        self.at, self.refused, self._sheet, self._decoders, self._children = at, refused, sheet, decoders, children
        ids = [block.ids[row] for row in at]
        table = Table(decoders.clusters, clusters, ids, [place_of(id) for id in ids])
        self.clusters = Tested(table, table, self.children, self._whole_cluster)
        self._block = block
        self._secretive: dict[int, bool] = {}
        self._lists: dict[str, Children] = {}
        self._tested: dict[str, Tested] = {}
        self._situations: dict[Hashable, tuple[Codes, Codes]] = {}

    def _whole_cluster(self, row: int) -> tuple[Resource, Cluster]:
        cluster = self._sheet.cluster(int(self.at[row]))
        return cluster.resource, cluster

    def holds_secrets(self, row: int) -> bool:
        found = self._secretive.get(row)
        if found is None:
            at = int(self.at[row])
            found = self._block.may_hold_secrets(at)
            self._secretive[row] = found
        return found

    def children(self, key: str) -> Children:
        """The children of one kind on these clusters."""
        if key not in self._lists:
            self._lists[key] = self._listed(key)
        return self._lists[key]

    def _listed(self, key: str) -> Children:
        lists = [getattr(on_it, key) for on_it in self._children]
        sizes = np.fromiter(map(len, lists), dtype=np.int64, count=len(lists))
        found = list(chain.from_iterable(lists))
        projection = self._decoders.children[key]
        ids = list(map(attrgetter(projection.root.names["id"].attribute), found))
        owner = np.repeat(np.arange(len(lists)), sizes)
        return Children(Table(projection, found, ids), owner, np.concatenate([[0], np.cumsum(sizes)]))

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

    def satisfied(self, plan: Outline, rows: Rows) -> Answers:
        """TRUE where a child will do; ERROR where one cannot be tested, so that order matters."""
        assert plan.child is not None
        related = self.tested(plan.child)
        wanted = np.zeros(len(self.at), dtype=bool)
        wanted[rows] = True
        assert related.owner is not None
        candidates = np.flatnonzero(wanted[related.owner])
        if plan.child_name is not None:
            name = plan.child_name
            candidates = candidates[
                _matching(related.table.name_column, candidates, lambda v: str(v).casefold() == name)
            ]
        if plan.child_kind is not None:
            kind = plan.child_kind.casefold()
            column = related.table.column(("kind",))
            candidates = candidates[_matching(column, candidates, lambda v: str(v or "").casefold() == kind)]
        found = np.full(len(candidates), TRUE, dtype=np.uint8)
        if plan.children is not None:
            found = answers(plan.children, related, candidates)
        result = np.zeros(len(self.at), dtype=np.uint8)
        result[related.owner[candidates[found == TRUE]]] = TRUE
        result[related.owner[candidates[found == ERROR]]] = ERROR
        asked = plan.asked + plan.asked_of_child * np.bincount(related.owner, minlength=len(self.at))
        result[asked > MAX_QUESTIONS] = ERROR
        return result[rows]

    def situations(self, placement: Placement, type: str) -> tuple[Codes, Codes]:
        """For each row the variant of the policy that holds there, and the exemption."""
        if placement.region not in self._situations:
            self._situations[placement.region] = self._situated(placement, type)
        return self._situations[placement.region]

    def _situated(self, placement: Placement, type: str) -> tuple[Codes, Codes]:
        table, location = self.clusters.table, self.clusters.table.column(LOCATION)
        seen = [table.id_column if placement.looks_at_ids else table.place_column]
        seen += [location] if placement.looks_at_location else []
        codes, example = combined(seen, len(table))
        found = []
        for row in example.tolist():
            where = location.values[location.codes[row]] if placement.looks_at_location else None
            found.append(placement.situation(table.ids[row], table.places[row], where, type))
        variants = np.array([situation.variant for situation in found], dtype=np.int64)
        exemptions = np.array([situation.exemption for situation in found], dtype=np.int64)
        return variants[codes], exemptions[codes]

    def groups(self, plan: Outline, rows: Rows, exemptions: Codes) -> Iterator[tuple[Hashable, Rows]]:
        """The rows by all that a verdict on them may depend on, each group with a key; None for a row by itself."""
        if plan.slow is not None:
            yield from ((None, np.array([row])) for row in rows.tolist())
            return
        if not rows.size:
            return
        alone = np.fromiter(map(self.holds_secrets, rows.tolist()), dtype=bool, count=len(rows))
        # secrets are hidden wherever they would show, on that cluster only
        yield from ((None, np.array([row])) for row in rows[alone].tolist())
        rows = rows[~alone]
        columns = [column.of_rows(rows) for column in self.clusters.columns(_as_root(plan.reads))]
        codes, _ = combined(columns, len(rows))
        keys: Sequence[Hashable] = codes.tolist()
        inner: list[Column] = []
        bounds: list[int] = []
        if plan.child is not None:
            at, bounds = self.children(plan.child).of(rows)
            inner = [column.of_rows(at) for column in self.tested(plan.child).columns(plan.child_reads)]
            numbers, _ = combined(inner, len(at))
            listed = numbers.tolist()
            keys = [(key, *listed[a:b]) for key, (a, b) in zip(keys, pairwise(bounds), strict=True)]
        for group in _grouped(keys, exemptions[rows].tolist()):
            first = int(group[0])
            known: tuple[Hashable, ...] = (int(exemptions[rows[first]]), key_of(columns, first))
            if plan.child is not None:
                known += tuple(key_of(inner, child) for child in range(bounds[first], bounds[first + 1]))
            yield known, rows[group]


def _grouped(keys: Sequence[Hashable], marks: Sequence[int]) -> Iterator[Rows]:
    """The places with equal keys and marks."""
    table: dict[Hashable, int] = {}
    pairs = zip(keys, marks, strict=True)
    numbers = np.fromiter((table.setdefault(pair, len(table)) for pair in pairs), dtype=np.int64, count=len(keys))
    order = np.argsort(numbers, kind="stable")
    bounds = np.searchsorted(numbers[order], np.arange(len(table) + 1))
    for first, last in pairwise(bounds.tolist()):
        yield order[first:last]


def _as_root(reads: Reads) -> Reads:
    return Reads(
        root=reads.own | reads.root,
        root_name=reads.own_name or reads.root_name,
        root_id=reads.own_id or reads.root_id,
        related=reads.related,
        place=reads.place,
    )


def _matching(column: Column, rows: Rows, test: Callable[[Any], bool]) -> npt.NDArray[np.bool_]:
    passes = np.fromiter((bool(test(value)) for value in column.values), dtype=bool, count=len(column.values))
    matching: npt.NDArray[np.bool_] = passes[column.codes[rows]]
    return matching
