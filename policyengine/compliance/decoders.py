"""From the texts of many clusters of one type to what all policies together read of them.

A text that is not shaped as expected is put aside, for the scalar driver.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from itertools import chain
from operator import attrgetter, call
from typing import Any, Final, TypeAlias

import msgspec
import numpy as np

from policyengine.compliance.block import Block
from policyengine.compliance.outline import Outline
from policyengine.evaluation.columns import Rows, joined
from policyengine.evaluation.projection import NotAsExpected, Projection
from policyengine.evaluation.questions import questions
from policyengine.evaluation.reads import Path
from policyengine.evaluation.tables import Extract
from policyengine.evaluation.vector import Mask
from policyengine.language.shape import shape_of
from policyengine.model.cluster_text import CHILD_TYPES

ID: Final[Path] = ("id",)
LOCATION: Final[Path] = ("location",)

BATCH: Final = 400
"""So many documents are decoded at a time: their values are taken while they are still at hand."""

Decode: TypeAlias = Callable[[str | bytes], Any]

_NOWHERE: Final = "-"
"""Begins no name in the text of what is on a cluster."""


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
        self._decode_children = [self._of_kinds(number) for number in range(1 << len(self.children))]

    def take(self, block: Block, rows: Rows) -> Taken:
        """What is read of the clusters themselves."""
        taken = Taken(self)
        try:
            decodes = [self._decode_cluster] * len(rows)
            taken.refused += _in_batches(decodes, block.documents, rows, taken.add)
        except NotAsExpected:  # nested so deep that it is decoded and then cannot be looked at
            taken = Taken(self)
            taken.refused += rows.tolist()
        return taken

    def take_children(self, block: Block, taken: Taken, wanted: Mapping[str, Mask]) -> list[int]:
        """What is read of what is on the clusters: of each kind where it is ``wanted``, as far as they were taken.

        Returns the rows where it cannot be read.
        """
        numbers = np.zeros(len(taken.at), dtype=np.int64)
        for bit, key in enumerate(self.children):
            numbers |= wanted[key].astype(np.int64) << bit
        some = np.flatnonzero(numbers)
        rows = taken.at[some]
        decodes = [self._decode_children[number] for number in numbers[some].tolist()]
        try:
            return _in_batches(decodes, block.children, rows, taken.add_children)
        except NotAsExpected:
            listed: list[int] = rows.tolist()
            return listed

    def _of_kinds(self, number: int) -> Decode:
        """Takes the kinds whose bits are set in ``number``, and finds no child of the others."""
        names = {key: key if number >> bit & 1 else _NOWHERE + key for bit, key in enumerate(self.children)}
        fields = [(key, list[projection.struct], ()) for key, projection in self.children.items()]  # type: ignore[name-defined]
        return msgspec.json.Decoder(msgspec.defstruct("children", fields, rename=names, gc=False)).decode


def _in_batches(
    decodes: Sequence[Decode],
    texts: Sequence[str | bytes],
    rows: Rows,
    add: Callable[[Rows, list[Any]], None],
) -> list[int]:
    """Hands on what the texts of ``rows`` hold, each as its decoder tells, so many at a time.

    Returns the rows whose text is not shaped as expected.
    """
    refused: list[int] = []
    for begin in range(0, len(rows), BATCH):
        batch, ways = rows[begin : begin + BATCH], decodes[begin : begin + BATCH]
        try:
            decoded = list(map(call, ways, map(texts.__getitem__, batch.tolist())))
        except NotAsExpected:
            found = {row: _tried(decode, texts[row]) for row, decode in zip(batch.tolist(), ways, strict=True)}
            refused += [row for row, one in found.items() if one is None]
            decoded = [one for one in found.values() if one is not None]
            batch = np.array([row for row, one in found.items() if one is not None], dtype=np.int64)
        add(batch, decoded)
    return refused


def _tried(decode: Decode, text: str | bytes) -> Any:
    try:
        return decode(text)
    except NotAsExpected:
        return None


class Taken:
    """What was taken of the texts so far, and the rows that cannot be read so. Rows ascend from call to call."""

    def __init__(self, decoders: Decoders) -> None:
        self.refused: list[int] = []
        self.clusters = Extract(decoders.clusters)
        self.children = {key: Extract(projection, ID) for key, projection in decoders.children.items()}
        self._rows: list[Rows] = []
        self._of_children: list[Rows] = []
        self._sizes: dict[str, list[Rows]] = {key: [] for key in self.children}
        self._lists = {key: attrgetter(key) for key in self.children}

    @cached_property
    def at(self) -> Rows:
        """The rows of the block, once all clusters are taken."""
        return joined(self._rows)

    def add(self, rows: Rows, clusters: Sequence[Any]) -> None:
        self._rows.append(rows)
        self.clusters.add(clusters)

    def add_children(self, rows: Rows, on_them: Sequence[Any]) -> None:
        self._of_children.append(rows)
        for key, extract in self.children.items():
            lists = list(map(self._lists[key], on_them))
            self._sizes[key].append(np.fromiter(map(len, lists), dtype=np.int64, count=len(lists)))
            extract.add(list(chain.from_iterable(lists)))

    def sizes(self, key: str) -> Rows:
        """How many children were taken of each cluster; none where nobody asked for them."""
        found = np.zeros(len(self.at), dtype=np.int64)
        found[np.searchsorted(self.at, joined(self._of_children))] = joined(self._sizes[key])
        return found
