"""Which places of its document a JMESPath expression can look at, told from its syntax tree.

What is said is never too little: where a value may go on to be used in a way that cannot be followed, all of it counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from policyengine.model.values import JSON

ELEMENT: Final = "[]"
"""The step to a member of a list that is followed into; only `lists` are."""

Place = tuple[str, ...]


def places_read(tree: Mapping[str, JSON], lists: frozenset[Place]) -> frozenset[Place]:
    """Every place that is looked at, as names from the root; ``()`` when the whole document may be.

    ``lists`` are the places of lists into whose members the analysis goes, by the step ELEMENT. The place of such a
    list alone means how many members it has.
    """
    walker = _Walker(lists)
    walker.use(walker.visit(tree, {()}))
    return frozenset(walker.found)


class _Walker:
    """`visit` gives the places a node's value may be at, or come from member by member."""

    def __init__(self, lists: frozenset[Place]) -> None:
        self.found: set[Place] = set()
        self._lists = lists

    def use(self, places: Iterable[Place]) -> None:
        self.found.update((*place, ELEMENT) if place in self._lists else place for place in places)

    def visit(self, node: Mapping[str, Any], places: set[Place]) -> set[Place]:
        kind, children = node["type"], node["children"]
        if kind == "field":
            return {(*place, node["value"]) for place in places}
        if kind in {"current", "identity"}:
            return places
        if kind in {"subexpression", "index_expression", "pipe"}:
            for child in children:
                places = self.visit(child, places)
            return places
        if kind in {"projection", "filter_projection"}:
            return self._project(children, places)
        if kind == "value_projection":
            self.use(self.visit(children[0], places))
            return self.visit(children[1], set())
        if kind == "flatten":
            return self._listed(self.visit(children[0], places))
        if kind in {"index", "slice"}:
            return self._members(places)
        if kind == "function_expression" and node["value"] == "length":
            self._count(self.visit(children[0], places))
            return set()
        if kind not in {"literal", "expref"}:
            for child in children:
                self.use(self.visit(child, places))
        elif kind == "expref":
            self.use(places)
        return set()

    def _project(self, children: Sequence[Mapping[str, Any]], places: set[Place]) -> set[Place]:
        left, right, *condition = children
        members = self._members(self.visit(left, places))
        for test in condition:
            self.use(self.visit(test, members))
        return self.visit(right, members)

    def _members(self, places: set[Place]) -> set[Place]:
        """The members of lists that are followed into; of any other value all is used."""
        return {(*place, ELEMENT) if place in self._lists else place for place in self._listed(places)}

    def _listed(self, places: set[Place]) -> set[Place]:
        kept = {place for place in places if place in self._lists or place[-1:] == (ELEMENT,)}
        self.use(places - kept)
        return kept

    def _count(self, places: set[Place]) -> None:
        for place in places:
            counted = place[:-1] if place[-1:] == (ELEMENT,) else place
            self.found.add(counted if counted in self._lists else place)
