"""Objects of which many rows have the same few: each different one is kept once, with all its members in one go.

A column of what is in them is made of the different ones, which takes next to nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from operator import attrgetter
from typing import Any, Final, TypeAlias

from policyengine.evaluation.columns import ALONE, PLAIN, Codes, Column, joined, numbered
from policyengine.evaluation.projection import ABSENT, Node

Getter: TypeAlias = Callable[[Any], Any]

_LITTLE: Final = 256
_SHARE: Final = 4
"""So many different objects, and one for so many rows, are still worth it."""


class Folding:
    """The objects at one place, batch after batch, as long as they can be told apart as they are.

    Objects are equal when their members are, and true equals 1: so the types of all that is no text are looked at.
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        self._leaves = dict(parts(node, lambda below: below.struct is None))
        self._numbers: defaultdict[Any, int] = defaultdict()
        self._codes: list[Codes] = []
        self._rows = self._kept = 0
        self._others: dict[Node, frozenset[type]] = dict.fromkeys(self._leaves, frozenset())

    def __contains__(self, node: Node) -> bool:
        return node in self._leaves

    def add(self, objects: Sequence[Any]) -> bool:
        """False for objects that cannot be kept so, or differ too much for it to pay; nothing is added then."""
        try:
            codes = numbered(self._numbers, objects)
        except TypeError:  # something in them cannot be hashed
            return False
        rows, different = self._rows + len(objects), len(self._numbers)
        if different > _LITTLE + rows // _SHARE or not all(self._is_told(node, objects) for node in self._leaves):
            return False
        self._codes.append(codes)
        self._rows, self._kept = rows, different
        return True

    def objects(self) -> list[Any]:
        """All that were added, in their order."""
        different = list(self._numbers)
        return [different[code] for code in joined(self._codes).tolist()]

    def column(self, node: Node) -> Column:
        """What is there in each object."""
        made = Column.of(self._members(node, list(islice(self._numbers, self._kept))))
        return Column(made.codes[joined(self._codes)], made.values, made.keys)

    def _is_told(self, node: Node, objects: Sequence[Any]) -> bool:
        """Whether no two of the values there were taken for one because they are equal, though of two types."""
        new = list(islice(self._numbers, self._kept, None))
        self._others[node] |= set(map(type, self._members(node, new))) - PLAIN
        others = self._others[node]
        if others not in ALONE:
            return False
        return not others or set(map(type, self._members(node, objects))) - PLAIN <= others

    def _members(self, node: Node, objects: Sequence[Any]) -> list[Any]:
        return members(self._leaves[node], opened(self._node, objects))


def parts(node: Node, is_one: Callable[[Node], bool], above: str = "") -> Iterator[tuple[Node, Getter]]:
    """What is in an object, and how to get there; what is in that, unless it is taken as one."""
    for below in node.names.values():
        way = above + below.attribute
        if is_one(below):
            yield below, attrgetter(way)
        else:
            yield from parts(below, is_one, way + ".")


def members(get: Getter, objects: Sequence[Any]) -> list[Any]:
    """What is there in each object."""
    try:
        return list(map(get, objects))
    except AttributeError:  # where an object was expected there is null
        return [_member(get, one) for one in objects]


def _member(get: Getter, one: Any) -> Any:
    try:
        return get(one)
    except AttributeError:
        return ABSENT


def opened(node: Node, found: Sequence[Any]) -> Sequence[Any]:
    """The objects at a place, an empty one where there is none."""
    struct, empty = node.struct, node.empty
    if set(map(type, found)) == {struct}:
        return found
    return [value if value.__class__ is struct else empty for value in found]
