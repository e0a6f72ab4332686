"""The fleet that nobody has, as a source: for trials, tests and benchmarks."""

from __future__ import annotations

from typing import Final

from policyengine.errors import InventoryError
from policyengine.inventory.reading import Reading, Told, batched
from policyengine.model.fleet import Fleet
from policyengine.model.synthetic import SyntheticFleet

MOST: Final = 1_000_000


def read_synthetic(text: str, told: Told | None = None) -> Reading:
    """`1000?seed=7`. The same text gives the same clusters to the last letter. Raises InventoryError."""
    made = SyntheticFleet.parse(text)
    if made.size > MOST:
        raise InventoryError(
            f"`synthetic:{text}` is too large an inventory", help=f"write up to {MOST} clusters, as a plain number"
        )
    return Reading(batched(iter(made), made.size, told), lambda: Fleet(made.tree, ()))
