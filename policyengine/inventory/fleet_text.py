"""The text of a ``kind: Fleet`` document → the fleet; whatever is wrong is named with its line and column."""

from __future__ import annotations

from policyengine.errors import InventoryError, PolicyError
from policyengine.model.fleet import FleetFile, parse_fleet
from policyengine.text.nodes import Node, to_value
from policyengine.text.paths import place_of
from policyengine.text.reader import read


def parse_fleet_text(text: str, name: str) -> FleetFile:
    """``name`` is what people call the text. Raises InventoryError."""
    return fleet_of(read_one(text, name))


def read_one(text: str, name: str) -> Node:
    """The one document of the text."""
    try:
        nodes = read(text, name)
    except PolicyError as error:
        first = error.diagnostics[0]
        raise InventoryError(f"{first.span or name}: {first.message}", help=first.help) from error
    if len(nodes) != 1:
        raise InventoryError(f"{name}: holds {len(nodes) or 'no'} documents instead of one")
    return nodes[0]


def fleet_of(node: Node) -> FleetFile:
    try:
        return parse_fleet(to_value(node))
    except InventoryError as error:
        raise InventoryError(f"{place_of(node, error.path or ())}: {error.message}", help=error.help) from error
