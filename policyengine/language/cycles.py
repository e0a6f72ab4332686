"""Finds a ring in a graph of names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def find_cycle(graph: Mapping[str, Sequence[str]]) -> tuple[str, ...] | None:
    """A ring, its first name repeated at the end; None when there is none. Names without an entry have no edges."""
    done: set[str] = set()
    for start in graph:
        ring = _search(graph, start, done)
        if ring:
            return ring
    return None


def _search(graph: Mapping[str, Sequence[str]], start: str, done: set[str]) -> tuple[str, ...] | None:
    """Depth first from ``start``; ``done`` names lead to no ring. Keeps its own stack, for chains may be long."""
    path: list[str] = []
    waiting = [(start, False)]
    while waiting:
        name, leaving = waiting.pop()
        if leaving:
            done.add(path.pop())
        elif name in path:
            return (*path[path.index(name) :], name)
        elif name not in done:
            path.append(name)
            waiting.append((name, True))
            waiting.extend((after, False) for after in reversed(graph.get(name, ())))
    return None
