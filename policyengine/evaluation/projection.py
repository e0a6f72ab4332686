"""Which parts of a document a set of conditions reads → a decoder that takes those and skips the rest.

Only names that `language.shape` has put right are read by exact name; where a path goes on beyond them (tags,
settings), the object that holds them is taken whole. A document that is not shaped as expected is refused by the
decoder, and must be judged by the scalar driver. Knows text and values, no tables.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from operator import attrgetter
from types import GenericAlias
from typing import Any, Final

import msgspec

from policyengine.evaluation.reads import Path
from policyengine.language.aliases import Star, Step
from policyengine.language.shape import PROPERTIES, Shape

ABSENT: Final = msgspec.UNSET
"""What a decoded field holds when the document has no such member."""

NotAsExpected: Final = (msgspec.MsgspecError, UnicodeError, RecursionError)
"""What `Projection.decode` raises for a text that the scalar driver has to look at."""

SHALLOW: Final = 1
"""An object as near to the root as this is not taken whole: nearly everything would come with it."""


@dataclass(slots=True, eq=False)
class Node:
    """One place in the documents. ``whole``: its value is read as it is; else ``names`` or ``element`` of it are.

    ``get`` takes its value out of what was decoded for the node above.
    """

    whole: bool = False
    names: dict[str, Node] = field(default_factory=dict)
    element: Node | None = None
    get: Callable[[Any], Any] = lambda above: above
    struct: type[msgspec.Struct] | None = None
    empty: Any = None

    def below(self, step: Step) -> Node | None:
        return self.element if isinstance(step, Star) else self.names.get(step)


class Projection:
    """The decoder for documents of one shape, and the way from a path to what was decoded."""

    def __init__(self, paths: Iterable[Path], shape: Shape) -> None:
        """``paths`` are all `projectable` in ``shape``."""
        self._shape = shape
        self.root = Node()
        for path in sorted(paths, key=len):
            self._take(path, self.root, shape)
        _build(self.root, "document")

    @property
    def struct(self) -> type[msgspec.Struct]:
        assert self.root.struct is not None
        return self.root.struct

    def anchor(self, path: Path) -> tuple[Node, Path]:
        """The node of the column ``path`` is read from, and the rest of the path, to be walked in its values."""
        node, shape = self.root, self._shape
        for at, step in enumerate(path):
            if node.whole or isinstance(step, Star):
                return node, path[at:]
            node = node.names[shape.spelling(step) or step]
            shape = shape.below(step) or _UNKNOWN
        return node, ()

    def _take(self, path: Path, here: Node, shape: Shape) -> None:
        if here.whole:
            return
        if path and isinstance(path[0], Star):
            here.element = here.element or Node()
            member, inside = here.element, shape.below(path[0]) or _UNKNOWN
            self._take(path[1:], member, inside)
            if len(path) > 1 and not member.whole and path[1] != PROPERTIES:
                self._take((PROPERTIES, *path[1:]), member, inside)
            return
        spelling = shape.spelling(str(path[0])) if path else None
        if spelling is None:
            here.whole = True
            here.names.clear()
            here.element = None
        else:
            self._take(path[1:], here.names.setdefault(spelling, Node()), shape.below(spelling) or _UNKNOWN)


_UNKNOWN: Final = Shape()


def projectable(path: Path, shape: Shape) -> bool:
    """False for a path that could only be read from an object near the root, taken whole."""
    for at, step in enumerate(path):
        spelling = None if isinstance(step, Star) else shape.spelling(step)
        if not isinstance(step, Star) and spelling is None:
            return at > SHALLOW or (at == SHALLOW and path[0] != "properties")
        shape = shape.below(step) or _UNKNOWN
    return len(path) > SHALLOW or path[0] != "properties"


def _build(node: Node, name: str) -> Any:
    """The type that decodes a node; every object may be null or absent, so that an odd document is not refused."""
    if node.whole:
        return Any
    if node.element is not None and not node.names:
        return GenericAlias(tuple, (_build(node.element, name + "_element"), ...)) | None | msgspec.UnsetType
    if node.element is not None:  # an array that other paths take for an object
        node.whole = True
        return Any
    fields, rename = [], {}
    for number, (key, below) in enumerate(node.names.items()):
        attribute = f"f{number}"
        below.get = attrgetter(attribute)
        rename[attribute] = key
        fields.append((attribute, _build(below, f"{name}_{number}"), ABSENT))
    node.struct = msgspec.defstruct(name, fields, rename=rename, frozen=True, gc=False)
    node.empty = node.struct()
    return node.struct | None | msgspec.UnsetType
