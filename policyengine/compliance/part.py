"""The clusters of one type in one block as tables: they, what is on them, and where they stand with each policy."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from functools import cached_property
from typing import Any, Final

import numpy as np

from policyengine.compliance.block import Block, States
from policyengine.compliance.decoders import LOCATION, Taken
from policyengine.compliance.outline import Outline
from policyengine.compliance.sheet import Sheet
from policyengine.compliance.situation import Placement, place_of, subscription_of
from policyengine.evaluation.columns import Codes, Column, Rows, combined, examples
from policyengine.evaluation.tables import Children, Table
from policyengine.evaluation.vector import Mask, Tested
from policyengine.model.cluster_text import EXTENSIONS_KEY
from policyengine.model.resource import Cluster, Resource

_UNKNOWN: Final = -1


class Part:
    """The rows of one type in one block. ``at`` maps a row of the part to its row in the block.

    ``sought`` is what was found of each that policies look for on the clusters.
    """

    def __init__(self, taken: Taken, block: Block, sheet: Sheet) -> None:
        self.at = taken.at
        self._taken, self._sheet = taken, sheet
        ids = [block.ids[row] for row in self.at.tolist()]
        places = Column.of([id.partition("/providers/")[0] for id in ids]).mapped(lambda text: place_of(str(text)))
        table = Table(taken.clusters, ids, places)
        self.clusters = Tested(table, table, self.children, self._whole_cluster)
        self._block = block
        self._secretive = np.full(len(ids), _UNKNOWN, dtype=np.int8)
        if block.secretive is not None:
            self._secretive[~np.fromiter(block.secretive, dtype=bool, count=len(block))[self.at]] = False
        self._lists: dict[str, Children] = {}
        self._tested: dict[str, Tested] = {}
        self.sought: dict[Hashable, States] = {}
        self._situations: dict[Hashable, tuple[Sequence[Mask], Codes]] = {}

    def _whole_cluster(self, row: int) -> tuple[Resource, Cluster]:
        cluster = self._sheet.cluster(int(self.at[row]))
        return cluster.resource, cluster

    def hold_secrets(self, rows: Rows) -> Mask:
        """Which of ``rows`` may hold secrets, themselves or on them."""
        held = self._secretive.take(rows)
        if held.any():
            for row in rows[held == _UNKNOWN].tolist():
                self._secretive[row] = self._block.may_hold_secrets(int(self.at[row]))
            held = self._secretive.take(rows)
        return held.astype(bool)

    def children(self, key: str) -> Children:
        """The children of one kind on these clusters, as far as they were taken."""
        if key not in self._lists:
            extract, sizes = self._taken.children[key], self._taken.sizes(key)
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


def _matching(column: Column, test: Callable[[Any], bool]) -> Mask:
    passes = np.fromiter((bool(test(value)) for value in column.values), dtype=bool, count=len(column.values))
    matching: Mask = passes[column.codes]
    return matching
