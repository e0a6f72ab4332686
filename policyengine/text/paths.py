"""From a path in a document to its place in the text."""

from __future__ import annotations

from collections.abc import Iterable

from policyengine.model.diagnostic import Span
from policyengine.text.nodes import MappingNode, Node, SequenceNode


def place_of(root: Node, path: Iterable[str | int]) -> Span:
    """Where the path leads to: the key, or the beginning of a list's member; as far as it can be followed."""
    node, place = root, _beginning(root)
    for step in path:
        if isinstance(node, MappingNode) and (entry := node.entry(str(step))) is not None:
            node, place = entry.value, entry.key.span
        elif isinstance(node, SequenceNode) and isinstance(step, int) and step < len(node.items):
            node = node.items[step]
            place = _beginning(node)
        else:
            break
    return place


def _beginning(node: Node) -> Span:
    return node.entries[0].key.span if isinstance(node, MappingNode) and node.entries else node.span
