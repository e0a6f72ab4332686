"""Which parts of a document a set of conditions reads → a decoder that takes those and skips the rest.

Only names that `language.shape` has put right are read by exact name; where a path goes on beyond them (tags,
settings), the object that holds them is taken whole. A document that is not shaped as expected is refused by the
decoder, and must be judged by the scalar driver. Knows text and values, no tables.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field
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

MEMORY: Final = 100_000
"""How many values, or answers, are remembered from one table to the next."""

SHALLOW: Final = 1
"""An object as near to the root as this is not taken whole: nearly everything would come with it."""


@dataclass(slots=True, eq=False)
class Node:
    """One place in the documents. ``whole``: its value is read as it is; else ``names`` or ``element`` of it are.

    ``attribute`` is the name of its value in what was decoded for the node above, ``empty`` what stands there for no
    value. ``folds``: objects found here may be alike.
    """

    whole: bool = False
    names: dict[str, Node] = field(default_factory=dict)
    element: Node | None = None
    attribute: str = ""
    struct: type[msgspec.Struct] | None = None
    empty: Any = ABSENT
    folds: bool = False

    def below(self, step: Step) -> Node | None:
        return self.element if isinstance(step, Star) else self.names.get(step)


@dataclass(slots=True)
class Narrowing:
    """A part of the values at one place. ``known`` are those taken so far, by the key of the whole."""

    node: Node
    known: dict[Hashable, Any] = field(default_factory=dict)

    def of(self, key: Hashable, value: Any) -> Any:
        found = self.known.get(key, ABSENT)
        if found is ABSENT:
            if len(self.known) >= MEMORY:
                self.known.clear()
            found = self.known[key] = _pruned(value, self.node)
        return found


def _pruned(value: Any, node: Node) -> Any:
    if isinstance(value, list) and node.element is not None:
        return [_pruned(item, node.element) for item in value]
    if isinstance(value, dict) and not node.whole:
        return {name: _pruned(value[name], below) for name, below in node.names.items() if name in value}
    return value


class Projection:
    """The decoder for documents of one shape, and the way from a path to what was decoded."""

    def __init__(self, paths: Iterable[Path], shape: Shape) -> None:
        """``paths`` are all `projectable` in ``shape``."""
        self._shape = shape
        self.root = self._tree(paths)
        self._narrowings: dict[frozenset[Path], Narrowing] = {}
        _build(self.root, "document")

    def _tree(self, paths: Iterable[Path]) -> Node:
        root = Node()
        for path in sorted(paths, key=len):
            self._take(path, root, self._shape)
        return root

    @property
    def struct(self) -> type[msgspec.Struct]:
        assert self.root.struct is not None
        return self.root.struct

    def anchor(self, path: Path) -> tuple[Node, Path]:
        """The node of the column ``path`` is read from, and the rest of the path, to be walked in its values."""
        return self._down(self.root, path)

    def narrowing(self, array: Path, paths: frozenset[Path]) -> Narrowing:
        """Of what is read at ``array`` all that ``paths``, which go through its members, read of it."""
        if paths not in self._narrowings:
            self._narrowings[paths] = Narrowing(self._down(self._tree(paths), array)[0])
        return self._narrowings[paths]

    def _down(self, node: Node, path: Path) -> tuple[Node, Path]:
        shape = self._shape
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


def _build(node: Node, name: str, *, in_array: bool = False) -> Any:
    """The type that decodes a node; every object may be null or absent, so that an odd document is not refused.

    An empty object stands for one that is absent, except in arrays: these are values, and told apart by all they hold.
    """
    if node.whole:
        return Any
    if node.element is not None and not node.names:
        return (
            GenericAlias(tuple, (_build(node.element, name + "_element", in_array=True), ...))
            | None
            | msgspec.UnsetType
        )
    if node.element is not None:  # an array that other paths take for an object
        node.whole = True
        return Any
    fields, rename = [], {}
    for number, (key, below) in enumerate(node.names.items()):
        below.attribute = f"f{number}"
        rename[below.attribute] = key
        type = _build(below, f"{name}_{number}", in_array=in_array)
        fields.append((below.attribute, type, ABSENT if in_array else below.empty))
    node.struct = msgspec.defstruct(name, fields, rename=rename, frozen=True, gc=False)
    node.empty = node.struct()
    node.folds = len(fields) > 1 and all(map(_is_alike, node.names.values()))
    return node.struct | None | msgspec.UnsetType


def _is_alike(node: Node) -> bool:
    """Whether what is found here can be hashed, as a rule."""
    return node.folds or all(map(_is_alike, node.names.values())) if node.struct else node.element is None
