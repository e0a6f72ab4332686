"""Text with one JSON document to a line (NDJSON) → nodes that know their place."""

from __future__ import annotations

import json

from policyengine.model.diagnostic import Diagnostic, Source
from policyengine.text.json_reader import read_json
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
    """What could be read, and what is wrong; empty lines are left out."""
    nodes: list[Node] = []
    found: list[Diagnostic] = []
    for number, line in enumerate(text.split("\n")):
        if not line.strip():
            continue
        # The lines before it are left empty, so that its own number is right.
        reading = Reading(Source(name, "\n" * number + line))
        try:
            node = read_json(reading)
        except Unreadable:
            node = None
        found += reading.diagnostics
        nodes += [] if node is None else [node]
    return nodes, found
