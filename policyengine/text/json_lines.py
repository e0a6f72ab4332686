"""Text with one JSON document to a line (NDJSON) → nodes that know their place."""

from __future__ import annotations

import json
from contextlib import suppress

from policyengine.model.diagnostic import Diagnostic, Source
from policyengine.text.json_reader import read_json_values
from policyengine.text.nodes import Node
from policyengine.text.places import Reading, Unreadable


def is_json_lines(text: str) -> bool:
    """True when the first line alone is a JSON object and another follows."""
    first, _, rest = text.lstrip().partition("\n")
    if not first.startswith("{") or not rest.lstrip().startswith("{"):
        return False
    try:
        return isinstance(json.loads(first), dict)
    except (ValueError, RecursionError):
        return False


def read_json_lines(text: str, name: str) -> tuple[list[Node], list[Diagnostic]]:
    """Every document up to the first that is wrong, and what is wrong with it."""
    reading = Reading(Source(name, text))
    nodes: list[Node] = []
    with suppress(Unreadable):  # the reason is among the diagnostics
        nodes.extend(read_json_values(reading))
    return nodes, reading.diagnostics
