"""From the texts of many clusters of one type to what all policies together read of them.

A text that is not shaped as expected is put aside, for the scalar driver.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from operator import attrgetter
from typing import Any, Final

import msgspec
import numpy as np

from policyengine.compliance.block import Block
from policyengine.compliance.outline import Outline
from policyengine.evaluation.columns import Rows
from policyengine.evaluation.projection import NotAsExpected, Projection
from policyengine.evaluation.questions import questions
from policyengine.evaluation.reads import Path
from policyengine.evaluation.tables import Extract
from policyengine.language.shape import shape_of
from policyengine.model.cluster_text import CHILD_TYPES

ID: Final[Path] = ("id",)
LOCATION: Final[Path] = ("location",)

BATCH: Final = 400
"""So many documents are decoded at a time: their values are taken while they are still at hand."""


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

    def take(self, block: Block, rows: Sequence[int]) -> Taken:
        taken = Taken(self)
        for begin in range(0, len(rows), BATCH):
            batch = rows[begin : begin + BATCH]
            try:
                taken.add(batch, *self._decoded(block, batch))
            except NotAsExpected:
                self._one_by_one(block, batch, taken)
        return taken

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
