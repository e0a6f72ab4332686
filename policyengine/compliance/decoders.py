"""From the texts of many clusters of one type to what all policies together read of them.

A text that is not shaped as expected is put aside, for the scalar driver.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
        """What is read of the clusters themselves."""
        taken = Taken(self)
        try:
            taken.refused += _in_batches(self._decode_cluster, block.documents, rows, taken.add)
        except NotAsExpected:  # nested so deep that it is decoded and then cannot be looked at
            taken = Taken(self)
            taken.refused += rows
        return taken

    def take_children(self, block: Block, taken: Taken, rows: Sequence[int]) -> list[int]:
        """What is read of what is on these clusters; the rows where it cannot be read."""
        if not self.children:
            return []
        try:
            return _in_batches(self._decode_children, block.children, rows, taken.add_children)
        except NotAsExpected:
            return list(rows)


def _in_batches(
    decode: Callable[[str | bytes], Any],
    texts: Sequence[str | bytes],
    rows: Sequence[int],
    add: Callable[[Sequence[int], list[Any]], None],
) -> list[int]:
    """Hands on what the texts of some rows hold, so many at a time; the rows whose text is not shaped as expected."""
    refused: list[int] = []
    for begin in range(0, len(rows), BATCH):
        batch = rows[begin : begin + BATCH]
        try:
            decoded = list(map(decode, [texts[row] for row in batch]))
        except NotAsExpected:
            found = {row: _tried(decode, texts[row]) for row in batch}
            refused += [row for row, one in found.items() if one is None]
            batch = [row for row, one in found.items() if one is not None]
            decoded = [found[row] for row in batch]
        add(batch, decoded)
    return refused


def _tried(decode: Callable[[str | bytes], Any], text: str | bytes) -> Any:
    try:
        return decode(text)
    except NotAsExpected:
        return None


class Taken:
    """What was taken of the texts so far: ``rows`` of the block in that order, and those that cannot be read so."""

    def __init__(self, decoders: Decoders) -> None:
        self.rows: list[int] = []
        self.refused: list[int] = []
        self.clusters = Extract(decoders.clusters)
        self.children = {key: Extract(projection, ID) for key, projection in decoders.children.items()}
        self._sizes: dict[str, list[tuple[Sequence[int], Rows]]] = {key: [] for key in self.children}
        self._lists = {key: attrgetter(key) for key in self.children}

    def add(self, rows: Sequence[int], clusters: Sequence[Any]) -> None:
        self.rows += rows
        self.clusters.add(clusters)

    def add_children(self, rows: Sequence[int], on_them: Sequence[Any]) -> None:
        """``rows`` ascend from call to call, as those of the clusters do."""
        for key, extract in self.children.items():
            lists = list(map(self._lists[key], on_them))
            self._sizes[key].append((rows, np.fromiter(map(len, lists), dtype=np.int64, count=len(lists))))
            extract.add(list(chain.from_iterable(lists)))

    def sizes(self, key: str) -> Rows:
        """How many children were taken of each cluster; none where nobody asked for them."""
        found = np.zeros(max(self.rows, default=-1) + 1, dtype=np.int64)
        for rows, sizes in self._sizes[key]:
            found[rows] = sizes
        return found[self.rows]
